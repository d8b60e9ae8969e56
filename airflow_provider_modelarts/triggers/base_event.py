"""Base class of event triggers: DAGs run when jobs come into a status (Airflow 3.0 and later)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Hashable
from contextlib import aclosing
from fnmatch import fnmatchcase
from typing import Any, ClassVar

try:
    from airflow.triggers.base import BaseEventTrigger, TriggerEvent
except ImportError as error:
    raise ImportError("Asset watchers, and this trigger for them, need Airflow 3.0 or later") from error

from airflow_provider_modelarts.api.clock import HasClock
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.templates import plain, seconds
from airflow_provider_modelarts.waiting.kind import GONE, Job, Kind
from airflow_provider_modelarts.waiting.project import Snapshot
from airflow_provider_modelarts.waiting.project_watch import Arrivals, snapshots, watching
from airflow_provider_modelarts.waiting.target import parse_statuses


class JobEventTrigger(HasClock, BaseEventTrigger):
    """
    Base class of triggers that send an event each time a job comes into a status. A subclass says for which kind.

    :cvar kind: the kind of job
    :cvar pack: returns job IDs as short text, for the asset state store
    :cvar unpack: returns the job IDs in such a text; raises ValueError for any other text
    :param status: a status, or several of them
    :param job_id: only this job
    :param job_name: only jobs of this name, or of a pattern with ``*`` and ``?`` such as ``"nightly-*"``
    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud``
    :param region: overrides the connection's
    :param project_id: overrides the connection's
    :param workspace_id: overrides the connection's
    :param poke_interval: seconds between two polls, at least 1
    :raises ValueError: a parameter is invalid
    """

    kind: ClassVar[Kind[Any]]
    pack: ClassVar[staticmethod[[Collection[str]], str]]
    unpack: ClassVar[staticmethod[[str], list[str]]]

    def __init__(
        self,
        *,
        status: Any,
        job_id: str | int | None = None,
        job_name: str | None = None,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        poke_interval: float = 60,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.status = status
        self.job_id = job_id
        self.job_name = job_name
        self.modelarts_conn_id = modelarts_conn_id
        self.region = region
        self.project_id = project_id
        self.workspace_id = workspace_id
        self.poke_interval = max(1.0, seconds("poke_interval", poke_interval))
        self._statuses = parse_statuses(self.kind, status, "status")
        if GONE in self._statuses:
            raise ValueError("status: GONE is not a status that an event can report")
        self._job_id = None if job_id is None else self.kind.parse_job_id(job_id)
        if job_name == "":
            raise ValueError("job_name: is empty; leave it out for jobs of any name")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class, and the arguments that make the same trigger again. They also identify the trigger."""
        names = (
            "status",
            "job_id",
            "job_name",
            "modelarts_conn_id",
            "region",
            "project_id",
            "workspace_id",
            "poke_interval",
        )
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}", {name: plain(getattr(self, name)) for name in names}

    def shared_stream_key(self) -> Hashable:
        """Return the key of the triggers that share polls (Airflow 3.3)."""
        where = (self.modelarts_conn_id, self.region, self.project_id, self.workspace_id)
        return (type(self).__qualname__, *where, self.poke_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncGenerator[Snapshot, None]:
        """Yield polls of the jobs of a project, for all triggers with the same key."""
        trigger = cls(**kwargs)
        hook = ModelArtsHook(
            trigger.modelarts_conn_id,
            region=trigger.region,
            project_id=trigger.project_id,
            workspace_id=trigger.workspace_id,
        )
        key = trigger.shared_stream_key()
        connect = hook.connect_in_triggerer()
        polls = snapshots(cls.kind, key, connect, poke_interval=kwargs["poke_interval"], clock=trigger.clock)
        async with aclosing(polls):
            async for snapshot in polls:
                yield snapshot

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Snapshot]) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each arrival that matches the trigger."""
        arrivals = Arrivals(self._statuses)
        store = _Store(getattr(self, "asset_state_store", None), self._store_key, type(self), self.log)
        with watching(self.shared_stream_key(), self._statuses):
            async for snapshot in shared_stream:
                if not snapshot.covers(self._statuses):
                    # The poll began before this trigger.
                    continue
                await store.recall(arrivals)
                for job_id in arrivals.observe(snapshot.statuses):
                    job = self._match(snapshot, job_id)
                    if job is not None:
                        yield TriggerEvent(self.kind.summary(job))  # type: ignore[no-untyped-call]
                # After the events, so that a crash in between repeats an event rather than lose it.
                await store.keep(arrivals.present)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll and send events without sharing the polls (Airflow below 3.3)."""
        async with aclosing(self.open_shared_stream(self.serialize()[1])) as polls:
            async for event in self.filter_shared_stream(polls):
                yield event

    def _match(self, snapshot: Snapshot, job_id: str) -> Job | None:
        if self._job_id is not None and job_id != self._job_id:
            return None
        try:
            job = snapshot.job(job_id)
        except (ValueError, OverflowError) as error:
            self.log.warning(
                "%s %s has arrived, but its details cannot be read: %s", self.kind.noun.capitalize(), job_id, error
            )
            job = self.kind.unobserved(job_id, snapshot.statuses[job_id])
        return job if self.job_name is None or fnmatchcase(job.job_name or "", self.job_name) else None

    @property
    def _store_key(self) -> str:
        """Key of this trigger's entry; several may watch one asset."""
        digest = hashlib.sha256(json.dumps(self.serialize(), sort_keys=True).encode()).hexdigest()
        return f"modelarts-{digest[:16]}"


class _Store:
    """
    Stores which jobs have arrived, over restarts. The next poll repeats what failed; a failure is logged once.

    :param store: Airflow's asset state store, if there is one
    :param key: key of the trigger's entry
    :param trigger: packs job IDs into text
    :param log: gets failures
    """

    def __init__(self, store: Any, key: str, trigger: type[JobEventTrigger], log: Any) -> None:
        self._store = store
        self._key = key
        self._trigger = trigger
        self._log = log
        self._is_read = False
        self._stored: str | None = None
        self._is_failing = False

    async def recall(self, arrivals: Arrivals) -> None:
        """Load, once, which jobs were present at the last poll of an earlier process."""
        if self._store is None or self._is_read:
            return
        try:
            text = await self._store.aget(self._key)
            if text is not None:
                self._stored = str(text)
                arrivals.recall(self._trigger.unpack(self._stored))
        except ValueError as error:
            self._log.error("The entry in the asset state store cannot be read; starting without it. %s", error)
        except Exception as error:  # noqa: BLE001 - no error may end the scheduling of DAGs
            self._note_failure(error)
            return
        self._is_read = True
        self._note_success()

    async def keep(self, present: set[str]) -> None:
        """Store which jobs are present, unless the entry of an earlier process could not be read yet."""
        text = self._trigger.pack(present)
        if not self._is_read or text == self._stored:
            return
        try:
            await self._store.aset(self._key, text)
        except Exception as error:  # noqa: BLE001 - as above
            self._note_failure(error)
        else:
            self._stored = text
            self._note_success()

    def _note_failure(self, error: Exception) -> None:
        if not self._is_failing:
            self._is_failing = True
            self._log.error("The asset state store cannot be used; trying again with each poll", exc_info=error)

    def _note_success(self) -> None:
        if self._is_failing:
            self._is_failing = False
            self._log.info("The asset state store can be used again")
