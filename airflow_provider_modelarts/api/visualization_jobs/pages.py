"""Pages of the list of visualization jobs."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from airflow_provider_modelarts.api.fields import Fields
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob, read_job_id, read_status


@dataclass(frozen=True)
class VisualizationJobPage:
    """
    One page of the list of jobs (API page "Querying a visualization job list").

    :param jobs: jobs of this page, without those that cannot be read
    :param row_count: number of jobs on the page, including those
    :param job_total_count: number of matching jobs on all pages; None if the response does not have it
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
        """IDs of the jobs of this page."""
        return tuple(job.job_id for job in self.jobs)

    @classmethod
    def from_api(cls, data: Mapping[str, Any]) -> VisualizationJobPage:
        """
        Read a page from a decoded response.

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
    One page of the list of jobs, read only as far as a poll of many jobs needs it.

    Of each job, this has the ID, the status, and whether the job has a page. More objects would cause full garbage
    collections, each of which stops all waits of a triggerer for tenths of a second.

    :param statuses: status codes by job ID, without jobs that cannot be read
    :param with_page: IDs of the jobs that have a ``service_url``
    :param row_count: number of jobs on the page
    :param job_total_count: number of matching jobs on all pages; None if the response does not have it
    :param body: the body of the response
    """

    statuses: Mapping[str, int]
    with_page: frozenset[str]
    row_count: int
    job_total_count: int | None
    body: bytes = field(repr=False)

    @staticmethod
    def loads(body: bytes) -> Any:
        """Decode a body: of each job the ID, the status, and whether it has a page."""
        return json.loads(body, object_hook=_light_row)

    @classmethod
    def from_api(cls, data: Mapping[str, Any], body: bytes) -> StatusPage:
        """
        Read a page.

        :param data: the body, decoded by :meth:`loads`
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
        """IDs of the jobs of this page."""
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


def _light_row(data: Mapping[str, Any]) -> Any:
    if "job_id" in data:
        return data["job_id"], data.get("status"), bool(data.get("service_url"))
    return data


def _status_row(row: Any) -> tuple[str, int, bool] | None:
    """Return the readable part of a job; None if there is none."""
    if not isinstance(row, tuple):
        return None
    try:
        job_id, status, has_page = row
        return read_job_id(job_id), read_status(status), has_page
    except ValueError:
        return None
