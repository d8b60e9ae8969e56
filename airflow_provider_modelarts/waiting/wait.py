"""The state of one wait: the history of its job, its log lines, and how long an outage is tolerated."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Protocol

from airflow_provider_modelarts.api.errors import ModelArtsError, ModelArtsNotFoundError
from airflow_provider_modelarts.api.metrics import TIME_IN_STATUS, Metrics, NoMetrics
from airflow_provider_modelarts.waiting.kind import GONE, Job, Kind, Status
from airflow_provider_modelarts.waiting.names import job_name_in
from airflow_provider_modelarts.waiting.target import Target, Verdict, label

HEARTBEAT_SECONDS: Final = 600.0
"""Seconds between two log lines of a wait whose job does not change."""

_NO_METRICS: Final = NoMetrics()


class Log(Protocol):
    """What a wait uses of a logger: one of the standard library in Airflow 2, of structlog in Airflow 3."""

    def log(self, level: int, message: Any, /, *args: Any) -> Any: ...


class WaitError(Exception):
    """
    A wait ended without its target.

    :cvar outcome: how the wait ended, in one word; it travels from the triggerer to the worker
    """

    outcome: ClassVar[str]


class JobCannotArriveError(WaitError):
    """The job has failed, ended, or was deleted, and can no longer reach the target. Waiting again is of no use."""

    outcome = "cannot_arrive"


class JobStateUnknownError(WaitError):
    """
    The API refuses, or could not be reached for longer than is tolerated. The job itself may be fine.

    ``__cause__`` is the :class:`~airflow_provider_modelarts.api.errors.ModelArtsError`.
    """

    outcome = "state_unknown"


class WaitTimeoutError(WaitError):
    """The job did not reach the target in time."""

    outcome = "timeout"


class InvalidWaitError(WaitError, ValueError):
    """The wait could not begin: a parameter is invalid, or cannot be rendered in the triggerer. No request was sent."""

    outcome = "invalid"


@dataclass(slots=True)
class Wait:
    """
    A wait for one job. Does no I/O and has no clock: the caller passes times, in seconds since the epoch.

    :param job_id: the job
    :param target: the statuses to wait for
    :param poll_failure_tolerance: seconds for which polls may fail, once the job has been observed
    :param log: gets a line for each transition
    :param was_observed: whether the job was observed before, also by an earlier process of this wait
    :param history: when the job came into which status; grows
    :param metrics: gets how long the job was in each status
    :param last: the job as it was last observed
    """

    job_id: str
    target: Target
    poll_failure_tolerance: float
    log: Log
    was_observed: bool = False
    history: list[tuple[float, Status]] = field(default_factory=list)
    metrics: Metrics = _NO_METRICS
    last: Job | None = None
    verdict: Verdict = Verdict.WAITING
    _last_log: float = 0.0
    _failing_since: float | None = None

    def __post_init__(self) -> None:
        if self.history:
            self.was_observed, self._last_log = True, self.history[-1][0]
            self.verdict = self.target.observe(self.history[-1][1])

    @property
    def kind(self) -> Kind[Any]:
        """The kind of job."""
        return self.target.kind

    @property
    def name(self) -> str:
        """The job in messages: its ID, and its name if that is known."""
        if self.last is None:
            return job_name_in(self.job_id) or self.job_id
        return f"{self.last.job_id} ({self.last.job_name})" if self.last.job_name else self.last.job_id

    @property
    def status(self) -> Status | None:
        """The last observed status; :data:`GONE` if the job did not exist, None if it was not observed yet."""
        return self.history[-1][1] if self.history else None

    @property
    def pending(self) -> bool:
        """Whether the wait goes on."""
        return self.verdict is Verdict.WAITING

    @property
    def last_seen(self) -> str:
        """The last observed status, for a message."""
        if self.status is not None:
            return label(self.kind, self.status)
        return "by an earlier poll" if self.was_observed else "never"

    @property
    def failing(self) -> bool:
        """Whether the last poll failed."""
        return self._failing_since is not None

    def summary(self) -> dict[str, Any]:
        """Return the job as it was last observed, as XComs have it."""
        gone = self.status == GONE
        last = self.last or self.kind.unobserved(self.job_id, None if gone else self.status)
        summary = self.kind.summary(last, gone=gone)
        job_name = job_name_in(last.job_id)
        return summary if job_name is None else {**summary, "job_id": None, "job_name": job_name}

    def observe(self, observation: Job | ModelArtsError, now: float, *, poll_seconds: float = 0.0) -> Verdict:
        """
        Process the result of a poll, and return what it means.

        :param poll_seconds: seconds since the start of the poll; an outage counts from there
        :raises JobCannotArriveError: the job cannot reach the target from its status
        :raises JobStateUnknownError: the poll failed, and that is not tolerated: it would fail again, the job has not
            been observed yet, or polls have failed for too long
        """
        if isinstance(observation, ModelArtsNotFoundError):
            last_seen = self.last_seen
            if self._record(GONE, now) is Verdict.CANNOT_ARRIVE:
                problem = f"was not found and cannot become {self.target}; last seen: {last_seen}"
                raise JobCannotArriveError(f"{self._title} {problem}. {observation}") from observation
        elif isinstance(observation, ModelArtsError):
            self._fail(observation, now, now - poll_seconds)
        else:
            status = self.kind.status_of(observation)
            self.was_observed, self.last = True, observation
            if self._record(status, now) is Verdict.CANNOT_ARRIVE:
                raise JobCannotArriveError(
                    f"{self._title} is {label(self.kind, status)} and cannot become {self.target} any more"
                )
        return self.verdict

    def heartbeat(self, now: float) -> None:
        """Log now and then that nothing has changed."""
        if self.history and not self.failing and now - self._last_log >= HEARTBEAT_SECONDS:
            since, status = self.history[-1]
            self._log_change(f"is still {label(self.kind, status)}, for {duration(now - since)}", status)
            self._last_log = now

    def _record(self, status: Status, now: float) -> Verdict:
        if self._failing_since is not None:
            self.log.log(logging.INFO, "The API answers again, after %s", duration(now - self._failing_since))
            self._failing_since = None
        self.verdict = self.target.observe(status)
        if status == self.status:
            self.heartbeat(now)
        else:
            before = self.history[-1] if self.history else None
            if before is not None:
                self.metrics.timing(
                    TIME_IN_STATUS, (now - before[0]) * 1000, tags={"status": self.kind.status_name(before[1])}
                )
            self.history.append((now, status))
            self._last_log = now
            self._log_change(transition(self.kind, before, (now, status)), status)
        return self.verdict

    def _fail(self, error: ModelArtsError, now: float, poll_began: float) -> None:
        if self._failing_since is None:
            self._failing_since = poll_began
        outage = now - self._failing_since
        # With a tolerance of 0, the first failure ends the wait, however quickly it came.
        if not error.retryable or not self.was_observed or outage >= self.poll_failure_tolerance:
            lasted = f" Polls have failed for {duration(outage)}." if outage else ""
            last_seen = f"last seen: {self.last_seen}.{lasted}"
            raise JobStateUnknownError(
                f"The state of {self.kind.noun} {self.name} is unknown; {last_seen} {error}"
            ) from error
        self.log.log(
            logging.WARNING,
            "Polls of %s %s have failed for %s (tolerated: %s); last seen: %s. %s",
            self.kind.noun,
            self.name,
            duration(outage),
            duration(self.poll_failure_tolerance),
            self.last_seen,
            error,
        )

    def _log_change(self, change: str, status: Status) -> None:
        goal = f"; waiting for {self.target}" if self.verdict is Verdict.WAITING else ""
        level = logging.INFO if status == GONE or status in self.kind.statuses else logging.WARNING
        self.log.log(level, "%s %s%s", self._title, change, goal)

    @property
    def _title(self) -> str:
        """The job at the start of a sentence."""
        return f"{self.kind.noun.capitalize()} {self.name}"


def transition(kind: Kind[Any], before: tuple[float, Status] | None, after: tuple[float, Status]) -> str:
    """Return an entry of a history as text: ``is INIT (1)``, ``went from INIT (1) to WAITING (7) after 12 s``."""
    if before is None:
        return "was not found" if after[1] == GONE else f"is {label(kind, after[1])}"
    return f"went from {label(kind, before[1])} to {label(kind, after[1])} after {duration(after[0] - before[0])}"


def duration(seconds: float) -> str:
    """Return a length of time as text: ``8 s``, ``2 min 5 s``, ``1 h 3 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def point_in_time(seconds: float) -> str:
    """Return a time, in seconds since the epoch, as text: ``2026-11-26 08:38:22 UTC``."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
