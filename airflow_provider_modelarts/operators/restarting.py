"""Base class for operators that may restart a visualization job. Only this kind of job can be restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from airflow_provider_modelarts.api.errors import ModelArtsError
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
from airflow_provider_modelarts.links.base import publish_link
from airflow_provider_modelarts.operators.base import OVER_OR_GONE
from airflow_provider_modelarts.operators.starting import StartingJobOperator
from airflow_provider_modelarts.waiting.blocking import poll
from airflow_provider_modelarts.waiting.wait import JobStateUnknownError, duration

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_modelarts.api.client import ModelArtsClient

TRIGGER: Final = "airflow_provider_modelarts.triggers.visualization_job.ModelArtsVisualizationJobTrigger"

RESTART_TIMEOUT: Final = 120.0
"""Seconds within which a job must have left its old status after a restart was requested."""

_RESTART_POLL: Final = 2.0


class RestartingJobOperator(StartingJobOperator):
    """
    Starts a visualization job by restarting it, and stops it if the task does not succeed.

    :param kwargs: as for all operators that start a job (:class:`.StartingJobOperator`)
    """

    kind = VISUALIZATION_JOBS
    trigger_path = TRIGGER
    _restarting = False
    """Whether the job may still show its old status, because a restart was just requested."""

    def _wait_until_stopped(self, context: Context, job: VisualizationJob) -> VisualizationJob | None:
        """Return a job once it is not being stopped or deleted any more; None if it is gone then."""
        if not self._is_being_stopped(job):
            return job
        self._wait_on_worker(context, job.job_id, OVER_OR_GONE)
        return cast("VisualizationJob | None", self._get_job(context, job.job_id))

    def _restart_job(self, context: Context, job: VisualizationJob) -> VisualizationJob:
        """
        Restart a job that is over, and return it once it has left its old status, which it shows for a moment.

        :raises ModelArtsConflictError: its status does not allow it
        :raises ModelArtsError: the response was lost, and the job has not left its old status in time
        :raises JobStateUnknownError: the restart was accepted, but the job has not left its old status in time; or the
            API could not be reached for too long
        :raises JobCannotArriveError: the job is gone
        """
        self.log.info("Restarting visualization job %s, which is %s", job.job_id, self.kind.status_label(job.status))
        lost_response: ModelArtsError | None = None

        def restart(job_id: str) -> None:
            nonlocal lost_response
            try:
                self.hook.get_conn().visualization_jobs.restart(job_id)
            except ModelArtsError as error:
                if not error.may_have_happened:
                    raise
                lost_response = error

        self._restarting = True
        try:
            self._change(context, restart, job.job_id, self._is_starting_or_running)
        except ModelArtsError as error:
            self._restarting = error.may_have_happened
            raise
        restarted = self._wait_for_other_status(context, job, lost_response)
        self._restarting = False
        self._end_if_killed()
        return restarted

    def _wait_for_other_status(
        self, context: Context, job: VisualizationJob, lost_response: ModelArtsError | None
    ) -> VisualizationJob:
        jobs = self._begin_wait(self._request(job.job_id, "RUNNING", failure_statuses=()))
        began = self.clock.monotonic()
        while True:
            poll(jobs, self._fetcher, self.clock)
            observed = cast("VisualizationJob | None", jobs.first().last)
            if observed is not None and observed.status != job.status:
                publish_link(self, context, observed.service_url)
                return observed
            waited = self.clock.monotonic() - began
            if waited > self.timeout or (waited > RESTART_TIMEOUT and not jobs.failing):
                raise lost_response or JobStateUnknownError(
                    f"The restart of visualization job {job.job_id} was requested, but it is still "
                    f"{self.kind.status_label(job.status)} after {duration(waited)}"
                )
            self.clock.sleep(_RESTART_POLL)

    def _is_starting_or_running(self, job: VisualizationJob | None) -> bool:
        return job is not None and not self._is_over(job) and not self._is_being_stopped(job)

    def _ensure_stopped(self, client: ModelArtsClient, job_id: str) -> str | None:
        return client.visualization_jobs.ensure_stopped(job_id, restarted=self._restarting)
