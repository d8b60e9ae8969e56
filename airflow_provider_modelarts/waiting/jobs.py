"""A wait for one job, for all of several jobs, or for any of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_modelarts.api.checks import job_id_in, job_ids_in
from airflow_provider_modelarts.api.metrics import Metrics, NoMetrics
from airflow_provider_modelarts.choices import WaitFor
from airflow_provider_modelarts.waiting.kind import GONE, Kind, Status
from airflow_provider_modelarts.waiting.names import name_key
from airflow_provider_modelarts.waiting.target import WAIT_FOR, Target, Verdict
from airflow_provider_modelarts.waiting.wait import JobCannotArriveError, JobStateUnknownError, Log, Wait

if TYPE_CHECKING:
    from airflow_provider_modelarts.waiting.fetch import Observation
    from airflow_provider_modelarts.waiting.request import WaitRequest


class JobsWait:
    """
    The waits for several jobs as one. Does no I/O and has no clock.

    :param waits: one for each job
    :param wait_for: ``"all"`` ends when each job has arrived at some time, and fails with the first that cannot.
        ``"any"`` ends when one job has arrived, and fails when none can arrive any more
    :raises ValueError: ``wait_for`` is neither
    """

    __slots__ = ("_wait_for", "_waits")

    def __init__(self, waits: Sequence[Wait], wait_for: WaitFor = "all") -> None:
        if wait_for not in WAIT_FOR:
            raise ValueError(f"wait_for: {wait_for!r} is not one of {', '.join(WAIT_FOR)}")
        self._waits = {wait.job_id: wait for wait in waits}
        self._wait_for = wait_for

    @classmethod
    def begin(
        cls,
        kind: Kind[Any],
        request: WaitRequest,
        *,
        log: Log,
        metrics: Metrics | None = None,
        histories: Mapping[str, Sequence[tuple[float, Status]]] | None = None,
        summaries: Mapping[str, Mapping[str, Any]] | None = None,
        was_observed: bool = False,
    ) -> JobsWait:
        """
        Begin a wait. If the request has several fields for jobs, ``job_ids`` comes first, then ``job_name``.

        :param kind: the kind of job
        :param request: rendered
        :param log: gets a line for each transition
        :param metrics: gets how long each job was in each status
        :param histories: when each job came into which status, as an earlier process of the wait observed it
        :param summaries: jobs as that process last observed them
        :param was_observed: whether an earlier process of the wait has observed the jobs
        :raises ValueError: a field of the request is invalid
        """
        if request.job_ids is not None:
            checked = parse_job_ids(kind, request.job_ids)
        elif request.job_name is not None:
            checked = [name_key(kind.parse_job_name(request.job_name))]
        else:
            checked = [kind.parse_job_id(job_id_in(request.job_id))]
        target = Target.of(kind, request.target_status, request.failure_statuses)
        tolerance = request.poll_failure_tolerance
        waits = []
        for checked_id in checked:
            history = [(float(moment), status) for moment, status in (histories or {}).get(checked_id, ())]
            summary = (summaries or {}).get(checked_id)
            last = None if summary is None else kind.from_summary(summary)
            waits.append(Wait(checked_id, target, tolerance, log, was_observed, history, metrics or NoMetrics(), last))
        return cls(waits, request.wait_for)

    @property
    def arrived(self) -> bool:
        """Whether the wait is over."""
        verdicts = [wait.verdict is Verdict.ARRIVED for wait in self._waits.values()]
        return all(verdicts) if self._wait_for == "all" else any(verdicts)

    @property
    def failing(self) -> bool:
        """Whether the last poll of a job failed, or a job was not polled yet."""
        return any(wait.failing or (wait.pending and wait.status is None) for wait in self._waits.values())

    def pending(self) -> list[str]:
        """Return the IDs of the jobs that are still to be polled."""
        return [job_id for job_id, wait in self._waits.items() if wait.pending]

    def observe(self, observations: Mapping[str, Observation], now: float, *, poll_seconds: float = 0.0) -> bool:
        """
        Process the results of a poll, and return whether the wait is over.

        :param poll_seconds: seconds since the start of the poll
        :raises JobCannotArriveError: the wait cannot succeed any more
        :raises JobStateUnknownError: the poll of a job failed, and that is not tolerated
        """
        cannot_arrive: list[JobCannotArriveError] = []
        unknown: dict[str, JobStateUnknownError] = {}
        for job_id, observation in observations.items():
            if not self._waits[job_id].pending:
                # Polled once more before this observation was processed: the job has arrived already.
                continue
            try:
                self._waits[job_id].observe(observation, now, poll_seconds=poll_seconds)
            except JobCannotArriveError as error:
                cannot_arrive.append(error)
            except JobStateUnknownError as error:
                unknown[job_id] = error
        if self.arrived:
            return True
        if cannot_arrive and (self._wait_for == "all" or not self.pending()):
            raise cannot_arrive[0]
        # A wait for any job goes on with the others; a wait for all jobs needs this one.
        if unknown and (self._wait_for == "all" or len(unknown) >= len(self.pending())):
            raise next(iter(unknown.values()))
        for job_id, refusal in unknown.items():
            self._waits[job_id].log.log(logging.WARNING, "Waiting for the other jobs. %s", refusal)
        return False

    def heartbeat(self, now: float) -> None:
        """Log now and then that nothing has changed."""
        for wait in self._waits.values():
            if wait.pending:
                wait.heartbeat(now)

    def summaries(self) -> dict[str, dict[str, Any]]:
        """Return the jobs as they were last observed, by ID."""
        return {job_id: wait.summary() for job_id, wait in self._waits.items()}

    def summaries_to_carry(self) -> dict[str, dict[str, Any]]:
        """Return the summaries that later polls may not give again: of jobs that have arrived, or are to be deleted."""
        return {
            job_id: wait.summary()
            for job_id, wait in self._waits.items()
            if wait.last is not None and (not wait.pending or GONE in wait.target.statuses)
        }

    def waits(self) -> list[Wait]:
        """Return the wait for each job."""
        return list(self._waits.values())

    def first(self) -> Wait:
        """Return the wait that represents all: the first that has arrived, or else the first."""
        return min(self._waits.values(), key=lambda wait: wait.verdict is not Verdict.ARRIVED)

    @property
    def page_url(self) -> str | None:
        """Page of the job that represents all, if it is known."""
        first = self.first()
        return None if first.last is None else first.kind.page_url(first.last)

    def histories(self) -> dict[str, list[tuple[float, Status]]]:
        """Return when each job came into which status, by job ID."""
        return {job_id: list(wait.history) for job_id, wait in self._waits.items()}

    def describe(self) -> str:
        """Return what the wait is for, and how far it is, for a message."""
        waits = list(self._waits.values())
        if len(waits) == 1:
            return f"{waits[0].kind.noun} {waits[0].name} to become {waits[0].target}; last seen: {waits[0].last_seen}"
        pending = self.pending()
        shown = ", ".join(self._waits[job_id].name for job_id in pending[:10])
        more = f" and {len(pending) - 10} more" if len(pending) > 10 else ""
        return (
            f"{self._wait_for} of {len(waits)} {waits[0].kind.noun}s to become {waits[0].target}; "
            f"not there yet: {shown}{more}"
        )


def parse_job_ids(kind: Kind[Any], job_ids: object) -> list[str]:
    """
    Return job IDs, each once, in the given order. Accepts IDs and outputs of tasks, as values or as text.

    :raises ValueError: an item is not a job ID, or there is none
    """
    parsed = list(dict.fromkeys(map(kind.parse_job_id, job_ids_in(job_ids))))
    if not parsed:
        raise ValueError("job_ids: at least one job id is needed")
    return parsed
