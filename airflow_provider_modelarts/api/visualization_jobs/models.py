"""What the API talks about: statuses, visualization jobs, pages of jobs. Frozen, typed, tolerant of what is sent."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
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
        """Return the entry as the API wants it in a request."""
        return {"type": self.type, "time_unit": self.time_unit, "duration": self.duration}


@dataclass(frozen=True)
class VisualizationJob:
    """
    A visualization job as the API describes it. What an answer leaves out is ``None`` here.

    :param job_id: decimal digits; a number in the API, kept as text because it only ever goes into a path
    :param status: a :class:`JobStatus`, or the plain code when it is not documented; UNKNOWN when it is left out
    :param create_time: when the job was created, in UTC
    :param duration: how long the job has run; not zero before RUNNING either, so no sign of readiness
    :param service_url: page of the job in the console; filled before the job runs, so no sign of readiness
    :param train_url: OBS path of the files that are shown
    :param resource_id: billing resource id
    :param remaining_duration: undocumented; presumably the time left until auto stop, its unit is not known
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
        Read a job from a decoded answer. What else cannot be read is left out.

        :raises ValueError: there is no job id or a status that cannot be one
        """
        fields = Fields(data)
        return cls(
            job_id=_job_id(data.get("job_id")),
            status=to_status(_status(data.get("status"))),
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
        """What a poll compares to tell whether a job has changed: its status, and whether it has a page."""
        return int(self.status), bool(self.service_url)

    def shows(self, train_url: str) -> bool:
        """Return whether these are the job's files, however the directory is written, as far as the answer tells."""
        return self.train_url is None or _directory(self.train_url) == _directory(train_url)

    @classmethod
    def from_summary(cls, summary: Mapping[str, Any]) -> VisualizationJob:
        """Return what :meth:`summary` keeps of a job."""
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
        """Return the job as the small dict that travels in XComs and events: JSON types only, the same keys always."""
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


@dataclass(frozen=True)
class VisualizationJobPage:
    """
    One page of the list of jobs (API page "Querying a visualization job list").

    :param jobs: jobs of this page; one that cannot be read is left out, as it must not hide the others
    :param row_count: how many jobs are on the page, those included
    :param job_total_count: how many jobs match, over all pages; None when the answer leaves it out
    :param job_count_limit: how many more jobs may be created
    :param quotas: how many jobs may run at the same time
    """

    jobs: tuple[VisualizationJob, ...]
    row_count: int
    job_total_count: int | None = None
    job_count_limit: int | None = None
    quotas: int | None = None

    @property
    def job_ids(self) -> tuple[str, ...]:
        """Ids of the jobs of this page."""
        return tuple(job.job_id for job in self.jobs)

    @classmethod
    def from_api(cls, data: Mapping[str, Any]) -> VisualizationJobPage:
        """
        Read a page from a decoded answer.

        :raises ValueError: there is no list of jobs, or none of its jobs can be read
        """
        rows = data.get("jobs")
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise ValueError("jobs is not a list of objects")
        fields = Fields(data)
        jobs: list[VisualizationJob] = []
        unreadable: Exception | None = None
        for row in rows:
            try:
                jobs.append(VisualizationJob.from_api(row))
            except ValueError as error:
                unreadable = error
        if unreadable is not None and not jobs:
            raise ValueError(f"no job of the page can be read: {unreadable}") from unreadable
        return cls(
            jobs=tuple(jobs),
            row_count=len(rows),
            job_total_count=fields.whole("job_total_count"),
            job_count_limit=fields.whole("job_count_limit"),
            quotas=fields.whole("quotas"),
        )


@dataclass(frozen=True)
class StatusPage:
    """
    One page of the list of jobs, read no further than a look at many jobs needs.

    Of each job nothing is kept but its id, its status and whether it has a page. Containers that outlive this object
    bring on full garbage collections, and one of those stops all waits of a triggerer for tenths of a second.

    :param statuses: status codes by job id; a job whose row cannot be read is left out
    :param with_page: ids of those of the jobs that have a ``service_url``
    :param row_count: how many jobs are on the page
    :param job_total_count: how many jobs match, over all pages; None when the answer leaves it out
    :param body: the page as it came
    """

    statuses: Mapping[str, int]
    with_page: frozenset[str]
    row_count: int
    job_total_count: int | None
    body: bytes = field(repr=False)

    @staticmethod
    def loads(body: bytes) -> Any:
        """Decode a body, each job to its id, its status and whether it has a page."""
        return json.loads(body, object_hook=_light_row)

    @classmethod
    def from_api(cls, data: Mapping[str, Any], body: bytes) -> StatusPage:
        """
        Read a page.

        :param data: what :meth:`loads` makes of the body
        :raises ValueError: there is no list of jobs
        """
        rows = data.get("jobs")
        if not isinstance(rows, list):
            raise ValueError("jobs is not a list")
        readable = [row for row in map(_status_row, rows) if row is not None]
        statuses = {job_id: status for job_id, status, _ in readable}
        with_page = frozenset(job_id for job_id, _, has_page in readable if has_page)
        return cls(statuses, with_page, len(rows), Fields(data).whole("job_total_count"), body)

    @property
    def job_ids(self) -> Collection[str]:
        """Ids of the jobs of this page."""
        return self.statuses.keys()

    def fingerprint(self, job_id: str) -> tuple[int, bool]:
        """Return the fingerprint of a job of the page, as :attr:`.VisualizationJob.fingerprint` has it."""
        return self.statuses[job_id], job_id in self.with_page

    def job(self, job_id: str) -> VisualizationJob:
        """
        Return a job of the page.

        :raises ValueError: its row cannot be read
        """
        return VisualizationJob.from_api(self._rows[job_id])

    @cached_property
    def _rows(self) -> dict[str, Mapping[str, Any]]:
        rows = [row for row in json.loads(self.body)["jobs"] if isinstance(row, Mapping)]
        readable = ((_status_row(_light_row(row)), row) for row in rows)
        return {status_row[0]: row for status_row, row in readable if status_row is not None}


def _directory(train_url: str) -> str:
    return train_url.removeprefix("obs:/").strip("/")


def _light_row(data: Mapping[str, Any]) -> Any:
    if "job_id" in data:
        return data["job_id"], data.get("status"), bool(data.get("service_url"))
    return data


def _status_row(row: Any) -> tuple[str, int, bool] | None:
    """Return the readable part of a job; None if there is none, because one bad row must not hide the others."""
    if not isinstance(row, tuple):
        return None
    try:
        job_id, status, has_page = row
        return _job_id(job_id), _status(status), has_page
    except ValueError:
        return None


def _job_id(value: object) -> str:
    number = whole_number(value)
    if number is None or number < 0:
        raise ValueError("job_id is missing" if value is None else f"job_id is not a job ID: {value!r:.100}")
    return str(number)


def _status(value: object) -> int:
    """Read a status code; one that is left out is UNKNOWN."""
    if value in (None, ""):
        return JobStatus.UNKNOWN
    status = whole_number(value)
    if status is None or status < 0:
        raise ValueError(f"status is not a status code: {value!r:.100}")
    return status


def _schedule(value: object) -> tuple[Schedule, ...] | None:
    """Read auto stop entries; documented as one object, shown as a list of one."""
    entries = [Schedule.from_api(value)] if isinstance(value, Mapping) else []
    if isinstance(value, list):
        entries = [Schedule.from_api(entry) for entry in value[:LIST_LIMIT] if isinstance(entry, Mapping)]
    return tuple(entries) or None
