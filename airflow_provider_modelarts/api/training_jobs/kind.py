"""Training jobs for the waiting engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from airflow_provider_modelarts.api.training_jobs.models import TrainingJob
from airflow_provider_modelarts.api.training_jobs.parameters import checked_job_id, checked_job_name
from airflow_provider_modelarts.api.training_jobs.reader import TrainingJobReader
from airflow_provider_modelarts.api.training_jobs.statuses import (
    TERMINAL,
    TrainingJobPhase,
    checked_phase,
    to_phase,
)

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.training_jobs.operations import TrainingJobs

    class Client(Protocol):
        """What the kind needs of a client."""

        @property
        def training_jobs(self) -> TrainingJobs: ...


class TrainingJobKind:
    """Implements :class:`~airflow_provider_modelarts.waiting.kind.Kind`: ids are UUIDs, statuses are phases."""

    noun = "training job"
    statuses: frozenset[int | str] = frozenset(map(str, TrainingJobPhase))
    terminal: frozenset[int | str] = frozenset(map(str, TERMINAL))
    stopping: frozenset[int | str] = frozenset({str(TrainingJobPhase.TERMINATING)})
    deletion_failures: frozenset[int | str] = frozenset()
    page_field = "link"

    def parse_job_id(self, value: object) -> str:
        """
        Return a job ID in its canonical form.

        :raises ValueError: it is not a job id
        """
        return checked_job_id(value)

    def parse_job_name(self, value: object) -> str:
        """
        Return a job name.

        :raises ValueError: it is not a valid job name
        """
        return checked_job_name(value)

    def parse_status(self, value: object) -> str:
        """
        Return the phase that a name in any case stands for.

        :raises ValueError: there is no such phase
        """
        return str(checked_phase(value))

    def jobs(self, client: Client) -> TrainingJobs:
        """Return the operations on training jobs through a client."""
        return client.training_jobs

    def reader(self, client: Client, clock: Callable[[], float]) -> TrainingJobReader:
        """Return what reads training jobs through a client."""
        return TrainingJobReader(client.training_jobs)

    def fingerprint(self, job: TrainingJob) -> str:
        """Return a value that differs if the job has changed between two polls."""
        return str(job.phase)

    def status_of(self, job: TrainingJob) -> str:
        """Return the phase of a job."""
        return str(job.phase)

    def status_name(self, status: int | str) -> str:
        """Return the phase as metrics count it. Undocumented phases count as one, because there may be any number."""
        return str(status) if status in self.statuses else "undocumented"

    def status_label(self, status: int | str) -> str:
        """Return how messages show a phase."""
        return str(status) if status in self.statuses else f"undocumented phase {status}"

    def page_url(self, job: TrainingJob) -> str | None:
        """Return the address of the job's page in the console, where it is known."""
        return job.page_url

    def unobserved(self, job_id: str, status: int | str | None) -> TrainingJob:
        """Return a job of which only the ID is known, and perhaps the phase."""
        return TrainingJob(job_id, to_phase(str(status or "")))

    def summary(self, job: TrainingJob, *, gone: bool = False) -> dict[str, Any]:
        """Return the job as XComs have it; a job that is gone has the phase ``GONE``."""
        return {**job.summary(), "phase": "GONE"} if gone else job.summary()

    def from_summary(self, summary: Mapping[str, Any]) -> TrainingJob:
        """Return the job of a :meth:`summary`, with the fields that it has."""
        return TrainingJob.from_summary(summary)


TRAINING_JOBS: Final = TrainingJobKind()
