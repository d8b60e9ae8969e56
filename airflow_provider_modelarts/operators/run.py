"""What operators do with a job on a worker. Imported there, not when a DAG file is parsed, which has to be cheap."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from airflow_provider_modelarts._compat import AirflowFailException, metrics
from airflow_provider_modelarts.api.checks import job_id_in
from airflow_provider_modelarts.api.errors import (
    ModelArtsAmbiguousNameError,
    ModelArtsConflictError,
    ModelArtsError,
    ModelArtsNotFoundError,
)
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
from airflow_provider_modelarts.api.visualization_jobs.parameters import checked_job_id, checked_job_name
from airflow_provider_modelarts.api.visualization_jobs.statuses import OVER, JobStatus, status_label
from airflow_provider_modelarts.assets.base import add_to_outlet_events
from airflow_provider_modelarts.deferral import defer, resume
from airflow_provider_modelarts.links.base import clear_link, publish_link
from airflow_provider_modelarts.waiting.blocking import poll, wait_here
from airflow_provider_modelarts.waiting.fetch import JobFetcher
from airflow_provider_modelarts.waiting.jobs import JobsWait
from airflow_provider_modelarts.waiting.wait import JobStateUnknownError, duration
from airflow_provider_modelarts.xcoms import push_fields

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.operators.base import VisualizationJobOperator, WaitingVisualizationJobOperator

OVER_OR_GONE: Final = ("ENDED", "GONE")

RESTART_TIMEOUT: Final = 120.0
"""Seconds within which a job must have left its old status after a restart was asked for."""

_RESTART_POLL: Final = 2.0


class JobRun:
    """
    One run of an operator on a worker.

    :param operator: its parameters are rendered
    """

    def __init__(self, operator: VisualizationJobOperator, context: Context) -> None:
        self._task = operator
        self._context = context

    @property
    def client(self) -> ModelArtsClient:
        """The client of the operator's hook, which is another one after the connection was read anew."""
        return self._task.hook.get_conn()

    def find_id(self, job_id: object, job_name: object) -> str | None:
        """
        Return the id of the job that is meant; None when no job has the name.

        :param job_id: as an operator takes it, rendered
        :param job_name: the job's name, where that is given instead
        :raises ValueError: the id or the name is invalid; nothing has been sent
        :raises AirflowFailException: several jobs have the name
        """
        if job_name is None:
            return checked_job_id(job_id_in(job_id))
        try:
            return self.client.visualization_jobs.get_by_name(checked_job_name(job_name)).job_id
        except ModelArtsNotFoundError:
            return None
        except ModelArtsAmbiguousNameError as error:
            raise AirflowFailException(str(error)) from error

    def require_id(self, job_id: object, job_name: object) -> str:
        """
        Return the id of the job that is meant, as :meth:`find_id` does.

        :raises AirflowFailException: no job or several have the name
        """
        found = self.find_id(job_id, job_name)
        if found is None:
            raise AirflowFailException(
                f"There is no visualization job with the name {job_name}. {ModelArtsNotFoundError.hint}"
            )
        return found

    def look(self, job_id: str) -> VisualizationJob | None:
        """Return a job, None when there is none, and let the task's button lead to it."""
        try:
            job = self.client.visualization_jobs.get(job_id)
        except ModelArtsNotFoundError:
            return None
        publish_link(self._task, self._context, job.service_url)
        return job

    def see(self, job_id: str) -> VisualizationJob:
        """
        Return a job that has to be there.

        :raises AirflowFailException: it is not, and will not be for another try
        """
        job = self.look(job_id)
        if job is None:
            raise AirflowFailException(f"There is no visualization job {job_id}. {ModelArtsNotFoundError.hint}")
        return job

    def change(
        self, call: Callable[[str], None], job_id: str, carried_out: Callable[[VisualizationJob | None], bool]
    ) -> None:
        """
        Change a job. Where the answer gets lost or is a refusal, what the job is then decides.

        :param call: the operation
        :param carried_out: whether a job, None when it is gone, is what the operation makes of it
        :raises AirflowFailException: there is no such job, and that is not what the operation makes of it
        :raises ModelArtsError: it failed, and the job is not what it makes of it
        """
        try:
            call(job_id)
        except ModelArtsError as error:
            refused = isinstance(error, (ModelArtsConflictError, ModelArtsNotFoundError))
            if not (refused or error.may_have_happened) or not carried_out(self.look(job_id)):
                if isinstance(error, ModelArtsNotFoundError):
                    raise AirflowFailException(str(error)) from error
                raise
            self._task.log.info("Going on with visualization job %s as it is. %s", job_id, error)

    def finish(self, job: VisualizationJob | dict[str, Any]) -> dict[str, Any]:
        """Return the XCom of the task, after telling those who are scheduled on its outlets."""
        xcom = job.summary() if isinstance(job, VisualizationJob) else job
        add_to_outlet_events(self._task, self._context, xcom)
        push_fields(self._task, self._context, xcom)
        return xcom


class WaitingJobRun(JobRun):
    """
    One run, on a worker, of an operator that waits.

    :param operator: its parameters are rendered
    """

    _task: WaitingVisualizationJobOperator

    def stop(self, job_id: str) -> None:
        """Ask for a job to be stopped, unless it has come to its end by itself just now."""
        unnecessary = self.client.visualization_jobs.ensure_stopped(job_id)
        if unnecessary:
            self._task.log.info("Visualization job %s %s", job_id, unnecessary)

    def restart(self, job: VisualizationJob) -> VisualizationJob:
        """
        Restart a job that is over, and return it once it has left its old status, which it shows for a moment.

        :raises ModelArtsConflictError: its status does not allow it
        :raises ModelArtsError: whether it was carried out is not known, and the job has not left that status in time
        :raises JobStateUnknownError: the same, although it was accepted; or the job could not be seen for too long
        :raises JobCannotArriveError: it is gone
        """
        self._task.log.info("Restarting visualization job %s, which is %s", job.job_id, status_label(job.status))
        doubt: ModelArtsError | None = None

        def restart(job_id: str) -> None:
            nonlocal doubt
            try:
                self.client.visualization_jobs.restart(job_id)
            except ModelArtsError as error:
                if not error.may_have_happened:
                    raise
                doubt = error

        self.change(restart, job.job_id, _is_on_its_way)
        jobs = self._begin(job.job_id, "RUNNING", failure_statuses=())
        begin = time.monotonic()
        while True:
            poll(jobs, self._fetcher)
            now = cast("VisualizationJob | None", jobs.first().last)
            if now is not None and now.status != job.status:
                publish_link(self._task, self._context, now.service_url)
                return now
            waited = time.monotonic() - begin
            if waited > self._task.timeout or (waited > RESTART_TIMEOUT and not jobs.failing):
                raise doubt or JobStateUnknownError(
                    f"The restart of visualization job {job.job_id} was asked for, but it is still "
                    f"{status_label(job.status)} after {duration(waited)}"
                )
            time.sleep(_RESTART_POLL)

    def delete(self, job_id: str) -> None:
        """Ask for a job to be deleted, unless it is gone already."""
        try:
            self.change(self.client.visualization_jobs.delete, job_id, lambda now: now is None)
        except ModelArtsConflictError as error:
            if not error.may_have_happened:
                raise
            self._task.log.info("Visualization job %s is taken to be on its way out. %s", job_id, error)

    def remove(self, job: VisualizationJob) -> None:
        """Delete a job, after stopping it if need be, and return when it is gone."""
        if job.status not in OVER:
            self.stop(job.job_id)
            self._wait_here(job.job_id, OVER_OR_GONE)
        self.delete(job.job_id)
        self._wait_here(job.job_id, "GONE")
        clear_link(self._task, self._context)

    def settle(self, job: VisualizationJob) -> VisualizationJob | None:
        """Return a job once it is not being stopped or deleted any more; None when it is gone then."""
        if job.status != JobStatus.KILLING:
            return job
        self._wait_here(job.job_id, OVER_OR_GONE)
        return self.look(job.job_id)

    def wait(self, job_id: str, target_status: Any, seen: VisualizationJob | None = None) -> dict[str, Any]:
        """
        Wait for a job, in the triggerer when the operator is deferrable, and return its XCom.

        :param seen: the job, where it has just been seen
        :raises WaitError: the wait ended without its target
        """
        if not self._task.deferrable:
            return self._wait_here(job_id, target_status)
        jobs = self._begin(job_id, target_status)
        if not (jobs.observe({job_id: seen}, time.time()) if seen else poll(jobs, self._fetcher)):
            request = self._task.request(job_id, target_status)
            defer(self._task, self._context, request, jobs, stop_on_kill=self._task.stop_on_kill)
        return jobs.summaries()[job_id]

    def complete(self, event: Any) -> dict[str, Any]:
        """
        Return the XCom of a wait that ended in the triggerer.

        :raises WaitError: it ended without its target
        :raises ValueError: the event is missing or not understood
        """
        result = resume(self._task, self._context, event)
        result.raise_error()
        return dict(next(iter(result.jobs.values())))

    def wait_until_over(self, job_id: str) -> dict[str, Any]:
        """Wait until a job does not run any more, or is gone, and return its XCom."""
        return self.wait(job_id, OVER_OR_GONE)

    @staticmethod
    def gone(job_id: str) -> dict[str, Any]:
        """Return the XCom for a job that is not there."""
        return VISUALIZATION_JOBS.summary(VISUALIZATION_JOBS.unobserved(job_id, None), gone=True)

    @cached_property
    def _fetcher(self) -> JobFetcher:
        hook = self._task.hook
        hook.get_conn()  # what is wrong with the connection is raised as it is
        return JobFetcher(hook.client_owner, VISUALIZATION_JOBS)

    def _begin(self, job_id: str, target_status: Any, failure_statuses: Any = None) -> JobsWait:
        return JobsWait.begin(
            VISUALIZATION_JOBS,
            self._task.request(job_id, target_status, failure_statuses),
            log=self._task.log,
            seen=True,
            metrics=metrics(),
        )

    def _wait_here(self, job_id: str, target_status: Any) -> dict[str, Any]:
        """Wait on this worker, also where the operator is deferrable, and return the XCom."""
        jobs = self._begin(job_id, target_status)
        wait_here(
            jobs,
            self._fetcher,
            poke_interval=self._task.poke_interval,
            timeout=self._task.timeout,
            after_look=lambda: publish_link(self._task, self._context, jobs.page_url),
        )
        return jobs.summaries()[job_id]


def _is_on_its_way(job: VisualizationJob | None) -> bool:
    return job is not None and job.status not in OVER and job.status != JobStatus.KILLING
