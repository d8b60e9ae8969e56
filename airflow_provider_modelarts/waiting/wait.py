"""The course of one wait: what was seen when, what is worth a log line, and how long the API may be out of reach."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from airflow_provider_modelarts.api.errors import ModelArtsError, ModelArtsNotFoundError
from airflow_provider_modelarts.api.models import JobStatus, VisualizationJob
from airflow_provider_modelarts.waiting.verdict import GONE, Target, Verdict, label

HEARTBEAT_SECONDS: Final = 600.0
"""How often a wait that sees no change says that it is still there."""

_KNOWN: Final = frozenset(JobStatus) | {GONE}


class Log(Protocol):
    """What a wait needs of a logger: Airflow 2's are the standard library's, Airflow 3's are structlog's."""

    def log(self, level: int, message: Any, /, *args: Any) -> Any: ...


class WaitError(Exception):
    """A wait ended without its target."""


class JobCannotArriveError(WaitError):
    """The job has failed, ended or gone, so that it cannot reach the target any more. Waiting again is no use."""


class JobStateUnknownError(WaitError):
    """
    The API cannot be asked, and waiting cannot heal it or did not within what is tolerated. The job may be fine.

    ``__cause__`` is the :class:`~airflow_provider_modelarts.api.errors.ModelArtsError`.
    """


class WaitTimeoutError(WaitError):
    """The job did not arrive in time."""


@dataclass
class Wait:
    """
    One wait for one job. Does no I/O and has no clock: times are seconds on any clock that only goes forward.

    :param job_id: the job
    :param target: what is waited for
    :param poll_failure_tolerance: seconds for which polls may fail, once the job has been seen
    :param log: where transitions go
    :param seen: whether the job has been seen before, by an earlier process of the same wait
    """

    job_id: str
    target: Target
    poll_failure_tolerance: float
    log: Log
    seen: bool = False
    last: VisualizationJob | None = None
    _status: int | None = None
    _since: float = 0.0
    _last_log: float = 0.0
    _failing_since: float | None = None
    _not_before: float | None = None

    @property
    def name(self) -> str:
        """How the job is called in messages: its id, and its name when that is known."""
        return f"{self.job_id} ({self.last.job_name})" if self.last and self.last.job_name else self.job_id

    @property
    def gone(self) -> bool:
        """Whether the job was not there when last asked for."""
        return self._status == GONE

    @property
    def failing(self) -> bool:
        """Whether the last poll failed."""
        return self._failing_since is not None

    def summary(self) -> dict[str, Any]:
        """Return the job as it was last seen, as the dict that travels in XComs; a job that is gone has no status."""
        last = self.last or VisualizationJob(self.job_id, JobStatus.UNKNOWN)
        return {**last.summary(), "status": None, "status_name": "GONE"} if self.gone else last.summary()

    def may_poll(self, now: float) -> bool:
        """Return whether the time is over for which the server asked to be left alone."""
        return self._not_before is None or now >= self._not_before

    def saw(self, job: VisualizationJob, now: float) -> Verdict:
        """
        Take note of the job as it is.

        :raises JobCannotArriveError: it is where it cannot reach the target from
        """
        self.seen, self.last = True, job
        verdict = self._note(int(job.status), now)
        if verdict is Verdict.CANNOT_ARRIVE:
            raise JobCannotArriveError(
                f"Visualization job {self.name} is {label(int(job.status))} and cannot become {self.target} any more"
            )
        return verdict

    def missed(self, error: ModelArtsNotFoundError, now: float) -> Verdict:
        """
        Take note that there is no such job.

        :raises JobCannotArriveError: it is not its deletion that is waited for
        """
        verdict = self._note(GONE, now)
        if verdict is Verdict.CANNOT_ARRIVE:
            raise JobCannotArriveError(
                f"Visualization job {self.name} is not there and cannot become {self.target}; "
                f"last seen: {self._last_seen()}. {error}"
            ) from error
        return verdict

    def failed(self, error: ModelArtsError, now: float) -> None:
        """
        Take note that a poll failed, and return when that can be borne.

        :raises JobStateUnknownError: waiting cannot heal it, the job has not been seen yet, or it has lasted too long
        """
        if self._failing_since is None:
            self._failing_since = now
        self._not_before = None if error.retry_after is None else now + error.retry_after
        outage = now - self._failing_since
        if not error.retryable or not self.seen or outage > self.poll_failure_tolerance:
            lasted = f" Polls have failed for {duration(outage)}." if outage else ""
            last_seen = f"last seen: {self._last_seen()}.{lasted}"
            raise JobStateUnknownError(
                f"The state of visualization job {self.name} is unknown; {last_seen} {error}"
            ) from error
        self.log.log(
            logging.WARNING,
            "Poll of visualization job %s failed, for %s now (tolerated: %s); last seen: %s. %s",
            self.name,
            duration(outage),
            duration(self.poll_failure_tolerance),
            self._last_seen(),
            error,
        )

    def _note(self, status: int, now: float) -> Verdict:
        """Log what is new, or now and then that nothing is, and return what the status means."""
        if self._failing_since is not None:
            self.log.log(logging.INFO, "The API answers again, after %s", duration(now - self._failing_since))
            self._failing_since = self._not_before = None
        verdict = self.target.observe(status)
        in_state = duration(now - self._since)
        if self._status is None:
            news = f"is {label(status)}"
        elif status != self._status:
            news = f"went from {label(self._status)} to {label(status)} after {in_state}"
        elif now - self._last_log >= HEARTBEAT_SECONDS:
            news = f"is still {label(status)}, for {in_state}"
        else:
            return verdict
        if status != self._status:
            self._status, self._since = status, now
        self._last_log = now
        goal = f"; waiting for {self.target}" if verdict is Verdict.WAITING else ""
        level = logging.INFO if status in _KNOWN else logging.WARNING
        self.log.log(level, "Visualization job %s %s%s", self.name, news, goal)
        return verdict

    def _last_seen(self) -> str:
        if self.last is not None:
            return label(int(self.last.status))
        return "by an earlier poll" if self.seen else "never"


def poll(wait: Wait, fetch: Callable[[str], VisualizationJob], clock: Callable[[], float]) -> Verdict:
    """
    Look at the job once, unless the server asked to be left alone, and return what that means for the wait.

    :param fetch: gets the job by its id
    :param clock: tells the time, in seconds
    :raises WaitError: the wait is over without its target
    """
    if not wait.may_poll(clock()):
        return Verdict.WAITING
    try:
        job = fetch(wait.job_id)
    except ModelArtsNotFoundError as error:
        return wait.missed(error, clock())
    except ModelArtsError as error:
        wait.failed(error, clock())
        return Verdict.WAITING
    return wait.saw(job, clock())


def duration(seconds: float) -> str:
    """Return a length of time as people read it: ``8 s``, ``2 min 5 s``, ``1 h 3 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
