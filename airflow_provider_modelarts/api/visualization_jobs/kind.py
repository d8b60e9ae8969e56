"""Visualization jobs for the waiting engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
from airflow_provider_modelarts.api.visualization_jobs.parameters import (
    checked_job_id,
    checked_job_name,
    checked_status,
)
from airflow_provider_modelarts.api.visualization_jobs.reader import VisualizationJobReader
from airflow_provider_modelarts.api.visualization_jobs.statuses import (
    OVER,
    JobStatus,
    status_label,
    status_name,
    to_status,
)

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.visualization_jobs.operations import VisualizationJobs

    class Client(Protocol):
        """What the kind needs of a client."""

        @property
        def visualization_jobs(self) -> VisualizationJobs: ...


class VisualizationJobKind:
    """Implements :class:`~airflow_provider_modelarts.waiting.kind.Kind`: ids are digits, statuses are codes."""

    noun = "visualization job"
    statuses: frozenset[int | str] = frozenset(map(int, JobStatus))
    terminal: frozenset[int | str] = frozenset(map(int, OVER))
    stopping: frozenset[int | str] = frozenset({int(JobStatus.KILLING)})
    deletion_failures: frozenset[int | str] = frozenset({int(JobStatus.DELETE_FAILED)})
    page_field = "service_url"

    def parse_job_id(self, value: object) -> str:
        """
        Return a job ID in its canonical form.

        :raises ValueError: it is not made of digits
        """
        return checked_job_id(value)

    def parse_job_name(self, value: object) -> str:
        """
        Return a job name.

        :raises ValueError: it is not a valid job name
        """
        return checked_job_name(value)

    def parse_status(self, value: object) -> int:
        """
        Return the code of a status.

        :raises ValueError: the status does not exist
        """
        return int(checked_status(value))

    def jobs(self, client: Client) -> VisualizationJobs:
        """Return the operations on visualization jobs through a client."""
        return client.visualization_jobs

    def reader(self, client: Client, clock: Callable[[], float]) -> VisualizationJobReader:
        """Return what reads visualization jobs through a client."""
        return VisualizationJobReader(client.visualization_jobs, clock)

    def fingerprint(self, job: VisualizationJob) -> tuple[int, bool]:
        """Return a value that differs if the job has changed between two polls."""
        return job.fingerprint

    def status_of(self, job: VisualizationJob) -> int:
        """Return the code of a job's status."""
        return int(job.status)

    def status_name(self, status: int | str) -> str:
        """Return the name of a status without the API's prefix."""
        return status_name(int(status))

    def status_label(self, status: int | str) -> str:
        """Return how messages show a status: ``RUNNING (8)``."""
        return status_label(int(status))

    def page_url(self, job: VisualizationJob) -> str | None:
        """Return the address of the board."""
        return job.service_url

    def unobserved(self, job_id: str, status: int | str | None) -> VisualizationJob:
        """Return a job of which only the ID is known, and perhaps the status."""
        return VisualizationJob(job_id, to_status(int(status or JobStatus.UNKNOWN)))

    def summary(self, job: VisualizationJob, *, gone: bool = False) -> dict[str, Any]:
        """Return the job as XComs have it; a job that is gone has no status."""
        return {**job.summary(), "status": None, "status_name": "GONE"} if gone else job.summary()

    def from_summary(self, summary: Mapping[str, Any]) -> VisualizationJob:
        """Return the job of a :meth:`summary`, with the fields that it has."""
        return VisualizationJob.from_summary(summary)


VISUALIZATION_JOBS: Final = VisualizationJobKind()
