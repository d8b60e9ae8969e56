"""How a wait ended, as the triggerer sends it to the worker: small, versioned, JSON types only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts.waiting.kind import Status
from airflow_provider_modelarts.waiting.wait import (
    InvalidWaitError,
    JobCannotArriveError,
    JobStateUnknownError,
    WaitError,
    WaitTimeoutError,
)

if TYPE_CHECKING:
    from airflow_provider_modelarts.waiting.jobs import JobsWait

VERSION: Final = 2

ARRIVED: Final = "arrived"
"""The outcome of a wait that succeeded. All other outcomes are those of the errors."""

_ERRORS: Final[dict[str, type[WaitError]]] = {
    error.outcome: error for error in (JobCannotArriveError, JobStateUnknownError, WaitTimeoutError, InvalidWaitError)
}

OUTCOMES: Final = (ARRIVED, *_ERRORS)


@dataclass(frozen=True)
class WaitResult:
    """
    The end of a wait.

    :param outcome: one of :data:`OUTCOMES`
    :param message: the error's message
    :param jobs: the jobs as they were last observed, by ID, as XComs have them
    :param link: page of the job that represents the wait
    :param histories: when each job came into which status, by job ID; seconds since the epoch and status
    """

    outcome: str = ARRIVED
    message: str = ""
    jobs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    link: str = ""
    histories: Mapping[str, list[tuple[float, Status]]] = field(default_factory=dict)

    @classmethod
    def of(cls, error: WaitError | None, jobs: JobsWait | None = None, *, link: str = "") -> WaitResult:
        """
        Return the result of a wait.

        :param error: the error that ended the wait; None if the jobs have arrived
        :param jobs: the wait; None if it could not begin
        """
        outcome, message = (ARRIVED, "") if error is None else (error.outcome, str(error))
        if jobs is None:
            return cls(outcome, message, link=link)
        return cls(outcome, message, jobs.summaries(), link, jobs.histories())

    def raise_error(self) -> None:
        """
        Raise the error that ended the wait; return if the jobs have arrived.

        :raises WaitError: with the class and the message that the error had in the triggerer
        """
        if self.outcome != ARRIVED:
            raise _ERRORS[self.outcome](self.message)

    def to_dict(self) -> dict[str, Any]:
        """Return the payload of the trigger's event."""
        return {
            "version": VERSION,
            "outcome": self.outcome,
            "message": self.message,
            "link": self.link,
            "jobs": {job_id: dict(job) for job_id, job in self.jobs.items()},
            "histories": {job_id: [list(entry) for entry in history] for job_id, history in self.histories.items()},
        }

    @classmethod
    def from_dict(cls, payload: Any) -> WaitResult:
        """
        Read the payload of the trigger's event.

        :raises ValueError: there is none, or this version of the provider does not understand it
        """
        if not isinstance(payload, Mapping) or payload.get("version") != VERSION:
            raise ValueError(
                f"The trigger sent an event that is not understood: {str(payload)[:200]!r}. Triggerer and workers need "
                "the same version of airflow-provider-modelarts. On Airflow 2.11, `airflow dags test` needs a database "
                "that no triggerer runs on."
            )
        if payload.get("outcome") not in OUTCOMES:
            raise ValueError(f"The trigger sent an event with an unknown outcome: {payload.get('outcome')!r}")
        if payload["outcome"] == ARRIVED and not payload.get("jobs"):
            raise ValueError("The trigger sent an event without the jobs that have arrived")
        return cls(
            outcome=payload["outcome"],
            message=str(payload.get("message", "")),
            jobs=payload.get("jobs", {}),
            link=str(payload.get("link", "")),
            histories={
                job_id: [(float(moment), status) for moment, status in history]
                for job_id, history in payload.get("histories", {}).items()
            },
        )
