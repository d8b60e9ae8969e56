"""Models of visualization jobs: frozen, typed, and tolerant of unexpected responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import pendulum

from airflow_provider_modelarts.api.fields import LIST_LIMIT, Fields, whole_number
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus, status_name, to_status

_URL_LIMIT: Final = 2048
"""Characters of an address; what browsers and proxies agree on."""


@dataclass(frozen=True)
class Schedule:
    """
    When the API stops a job by itself (request field ``schedule`` of the API page "Creating a visualization job").

    :param duration: how long after its start the job is stopped, in ``time_unit``
    :param type: always ``"stop"`` today
    :param time_unit: always ``"HOURS"`` today
    """

    duration: int
    type: str = "stop"
    time_unit: str = "HOURS"

    @classmethod
    def from_api(cls, data: Mapping[str, Any]) -> Schedule:
        """Read one entry; the API writes ``time_unit`` in requests and ``timeUnit`` in answers."""
        fields = Fields(data)
        return cls(
            duration=fields.whole("duration") or 0,
            type=fields.text("type") or "stop",
            time_unit=fields.text("time_unit") or fields.text("timeUnit") or "HOURS",
        )

    def to_api(self) -> dict[str, Any]:
        """Return the entry in the form of a request."""
        return {"type": self.type, "time_unit": self.time_unit, "duration": self.duration}


@dataclass(frozen=True)
class VisualizationJob:
    """
    A visualization job as the API describes it. A field that the response leaves out is ``None``.

    :param job_id: decimal digits; a number in the API, kept as text because it only ever goes into a path
    :param status: a :class:`JobStatus`, or the plain code if it is not documented; UNKNOWN if it is left out
    :param create_time: when the job was created, in UTC
    :param duration: how long the job has run; may be above zero before RUNNING, so it does not show readiness
    :param service_url: page of the job in the console; set before the job runs, so it does not show readiness
    :param train_url: OBS path of the files that are shown
    :param resource_id: billing resource id
    :param remaining_duration: undocumented; presumably the time left until auto stop, in an unknown unit
    :param schedule: auto stop entries
    """

    job_id: str
    status: JobStatus | int
    job_name: str | None = None
    create_time: pendulum.DateTime | None = None
    duration: pendulum.Duration | None = None
    job_desc: str | None = None
    service_url: str | None = None
    train_url: str | None = None
    resource_id: str | None = None
    remaining_duration: float | None = None
    schedule: tuple[Schedule, ...] | None = None

    @classmethod
    def from_api(cls, data: Mapping[str, Any]) -> VisualizationJob:
        """
        Read a job from a decoded response. Other fields that cannot be read are left out.

        :raises ValueError: the job ID is missing, or the job ID or the status is invalid
        """
        fields = Fields(data)
        return cls(
            job_id=read_job_id(data.get("job_id")),
            status=to_status(read_status(data.get("status"))),
            job_name=fields.text("job_name"),
            create_time=fields.timestamp("create_time"),
            duration=fields.duration("duration"),
            job_desc=fields.text("job_desc"),
            service_url=fields.text("service_url", _URL_LIMIT),
            train_url=fields.text("train_url", _URL_LIMIT),
            resource_id=fields.text("resource_id"),
            remaining_duration=fields.number("remaining_duration"),
            schedule=_schedule(data.get("schedule")),
        )

    @property
    def status_name(self) -> str:
        """Name of the status without the API's prefix, ``RUNNING``; an undocumented code in digits."""
        return status_name(self.status)

    @property
    def fingerprint(self) -> tuple[int, bool]:
        """What polls compare to detect a change: the status, and whether there is a page."""
        return int(self.status), bool(self.service_url)

    def shows(self, train_url: str) -> bool:
        """Return whether the job shows these files, however the directory is written; True if the response has none."""
        return self.train_url is None or _directory(self.train_url) == _directory(train_url)

    @classmethod
    def from_summary(cls, summary: Mapping[str, Any]) -> VisualizationJob:
        """Return a job made from its :meth:`summary`."""
        created, duration_ms = summary["create_time"], summary["duration_ms"]
        return cls(
            job_id=summary["job_id"],
            status=to_status(summary["status"] or JobStatus.UNKNOWN),
            job_name=summary["job_name"],
            create_time=None if created is None else cast("pendulum.DateTime", pendulum.parse(created)),
            duration=None if duration_ms is None else pendulum.duration(milliseconds=duration_ms),
            service_url=summary["service_url"],
            train_url=summary["train_url"],
        )

    def summary(self) -> dict[str, Any]:
        """Return the job as the small dict for XComs and events: JSON types only, and always the same keys."""
        return {
            "job_id": self.job_id,
            "job_name": self.job_name,
            "status": int(self.status),
            "status_name": self.status_name,
            "service_url": self.service_url,
            "train_url": self.train_url,
            "create_time": None if self.create_time is None else self.create_time.to_iso8601_string(),
            "duration_ms": None if self.duration is None else round(self.duration.total_seconds() * 1000),
        }


def _directory(train_url: str) -> str:
    return train_url.removeprefix("obs:/").strip("/")


def read_job_id(value: object) -> str:
    """
    Read a job ID.

    :raises ValueError: it is missing, or is not a whole number
    """
    number = whole_number(value)
    if number is None or number < 0:
        raise ValueError("job_id is missing" if value is None else f"job_id is not a job ID: {value!r:.100}")
    return str(number)


def read_status(value: object) -> int:
    """
    Read a status code; one that is left out is UNKNOWN.

    :raises ValueError: it is not a whole number
    """
    if value in (None, ""):
        return JobStatus.UNKNOWN
    status = whole_number(value)
    if status is None or status < 0:
        raise ValueError(f"status is not a status code: {value!r:.100}")
    return status


def _schedule(value: object) -> tuple[Schedule, ...] | None:
    """Read auto stop entries: one object in the API's tables, a list of one in its examples."""
    entries = [Schedule.from_api(value)] if isinstance(value, Mapping) else []
    if isinstance(value, list):
        entries = [Schedule.from_api(entry) for entry in value[:LIST_LIMIT] if isinstance(entry, Mapping)]
    return tuple(entries) or None
