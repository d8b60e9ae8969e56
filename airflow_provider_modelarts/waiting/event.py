"""How a wait ended, as it travels from the triggerer to the worker: small, versioned, JSON types only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_provider_modelarts.waiting.kind import Status

VERSION: Final = 2

ARRIVED: Final = "arrived"
CANNOT_ARRIVE: Final = "cannot_arrive"
STATE_UNKNOWN: Final = "state_unknown"
TIMEOUT: Final = "timeout"
INVALID: Final = "invalid"
OUTCOMES: Final = (ARRIVED, CANNOT_ARRIVE, STATE_UNKNOWN, TIMEOUT, INVALID)


@dataclass(frozen=True)
class WaitEvent:
    """
    The end of a wait.

    :param outcome: one of :data:`OUTCOMES`
    :param message: what a person needs to know of it
    :param jobs: the jobs as they were last seen, by id, as they go into the XCom
    :param link: page of the job that the wait is shown by
    :param histories: when each job came into which status, by id; seconds since the epoch and status
    """

    outcome: str
    message: str = ""
    jobs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    link: str = ""
    histories: Mapping[str, list[tuple[float, Status]]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the event's payload."""
        return {
            "version": VERSION,
            "outcome": self.outcome,
            "message": self.message,
            "link": self.link,
            "jobs": {job_id: dict(job) for job_id, job in self.jobs.items()},
            "histories": {job_id: [list(entry) for entry in history] for job_id, history in self.histories.items()},
        }

    @classmethod
    def from_dict(cls, payload: Any) -> WaitEvent:
        """
        Read an event's payload.

        :raises ValueError: it is missing, or not one that this version of the provider understands
        """
        if not isinstance(payload, Mapping) or payload.get("version") != VERSION:
            raise ValueError(
                f"The trigger sent an event that is not understood: {str(payload)[:200]!r}. Triggerer and workers need "
                "the same version of airflow-provider-modelarts."
            )
        if payload.get("outcome") not in OUTCOMES:
            raise ValueError(f"The trigger sent an event with an unknown outcome: {payload.get('outcome')!r}")
        if payload["outcome"] == ARRIVED and not payload.get("jobs"):
            raise ValueError("The trigger sent an event that something has arrived, but not what")
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
