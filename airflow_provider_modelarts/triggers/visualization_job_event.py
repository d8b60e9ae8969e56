"""The event trigger: has DAGs run when visualization jobs come into a status (Airflow 3.0 and later)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Hashable
from contextlib import aclosing
from fnmatch import fnmatchcase
from typing import Any, cast

try:
    from airflow.triggers.base import BaseEventTrigger, TriggerEvent
except ImportError as error:
    raise ImportError("Asset watchers, and this trigger for them, need Airflow 3") from error

from airflow_provider_modelarts.api.models import VisualizationJob
from airflow_provider_modelarts.api.parameters import checked_job_id
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.arguments import plain, seconds
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.waiting.arrivals import Arrivals, packed, unpacked
from airflow_provider_modelarts.waiting.kind import GONE
from airflow_provider_modelarts.waiting.verdict import parse_statuses
from airflow_provider_modelarts.waiting.watch import Snapshot, snapshots


class ModelArtsVisualizationJobEventTrigger(BaseEventTrigger):
    """
    Sends an event each time that a visualization job comes into a status, for an `AssetWatcher`.

    The event's payload is the job, as in the sensor's XCom. Jobs that are in the status when the watcher starts for the
    first time have not come into it since; a job that leaves the status and comes back arrives again, as far as it is
    seen in between. On Airflow 3.3 what was there is kept in the asset state store, so that a triggerer that starts
    again neither repeats nor misses an arrival; and all watchers of a connection and interval share one look. (The
    store belongs to an asset: watchers with the same arguments on two assets are one trigger to Airflow, and have
    none.) Before, each watcher looks for itself, and begins anew with the triggerer: what arrived while there was none
    is not told.

    :param status: a code, a name (``"RUNNING"``, ``"JOBSTAT_RUNNING"``), a `JobStatus` or several of these
    :param job_id: only this job
    :param job_name: only jobs of this name, or of a pattern with ``*`` and ``?`` such as ``"nightly-*"``
    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud``
    :param region: wins over the connection's
    :param project_id: wins over the connection's
    :param workspace_id: wins over the connection's
    :param poke_interval: seconds between two looks, at least 1
    :raises ValueError: a parameter cannot be
    """

    def __init__(
        self,
        *,
        status: Any = "RUNNING",
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
        self._statuses = parse_statuses(VISUALIZATION_JOBS, status, "status")
        if GONE in self._statuses:
            raise ValueError("status: GONE is not a status that an event can report")
        if job_id is not None:
            checked_job_id(job_id)
        if job_name == "":
            raise ValueError("job_name: is empty; leave it out for jobs of any name")
        self._store: Any = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the arguments to make the trigger anew from; they also tell it from others."""
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
        """Return what triggers have in common that can share one look (Airflow 3.3)."""
        where = (self.modelarts_conn_id, self.region, self.project_id, self.workspace_id)
        return (type(self).__qualname__, *where, self.poke_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncGenerator[Snapshot, None]:
        """Yield looks at all jobs of a project, for all triggers of the same key."""
        hook = ModelArtsHook(
            kwargs["modelarts_conn_id"],
            region=kwargs["region"],
            project_id=kwargs["project_id"],
            workspace_id=kwargs["workspace_id"],
        )
        polls = snapshots(VISUALIZATION_JOBS, hook.aget_conn, poke_interval=kwargs["poke_interval"])
        async with aclosing(polls):
            async for snapshot in polls:
                yield snapshot

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Snapshot]) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each arrival that is asked for."""
        kept = await self._recall()
        arrivals = Arrivals(self._statuses, kept)
        async for snapshot in shared_stream:
            for job_id in arrivals.observe(snapshot.statuses):
                job = self._asked_for(snapshot, job_id)
                if job is not None:
                    yield TriggerEvent(job.summary())  # type: ignore[no-untyped-call]
            # After the events: what a crash leaves unclear is told twice rather than never.
            if arrivals.here != kept:
                kept = arrivals.here
                await self._keep(kept)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look and send events alone (Airflow below 3.3)."""
        async with aclosing(self.open_shared_stream(self.serialize()[1])) as looks:
            async for event in self.filter_shared_stream(looks):
                yield event

    def _asked_for(self, snapshot: Snapshot, job_id: str) -> VisualizationJob | None:
        if self.job_id is not None and job_id != str(self.job_id):
            return None
        try:
            job = cast("VisualizationJob", snapshot.job(job_id))
        except (ValueError, OverflowError) as error:
            self.log.warning("Visualization job %s has arrived, but its details cannot be read: %s", job_id, error)
            job = VISUALIZATION_JOBS.unobserved(job_id, snapshot.statuses[job_id])
        return job if self.job_name is None or fnmatchcase(job.job_name or "", self.job_name) else None

    async def _recall(self) -> set[str] | None:
        """Return which jobs were there when an earlier process looked last; None when that is not known."""
        self._store = getattr(self, "asset_state_store", None)
        if self._store is None:
            return None
        try:
            text = await self._store.aget(self._store_key)
            return None if text is None else set(unpacked(str(text)))
        except Exception:
            self.log.exception("What has arrived before is not known; beginning anew")
            return None

    async def _keep(self, here: set[str]) -> None:
        if self._store is None:
            return
        try:
            await self._store.aset(self._store_key, packed(here))
        except Exception:
            self.log.exception("What has arrived cannot be stored; it is not kept over a restart from now on")
            self._store = None

    @property
    def _store_key(self) -> str:
        """Key of this trigger's entry; several may watch one asset."""
        digest = hashlib.sha256(json.dumps(self.serialize(), sort_keys=True).encode()).hexdigest()
        return f"modelarts-{digest[:16]}"
