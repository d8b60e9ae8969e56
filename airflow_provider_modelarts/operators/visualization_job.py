"""The operators for visualization jobs: create, update, stop, restart and delete. All are safe to run again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_modelarts.api.errors import ModelArtsError
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.parameters import checked_job_desc
from airflow_provider_modelarts.choices import IfAlready
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.links.visualization_job import ModelArtsVisualizationJobLink
from airflow_provider_modelarts.operators.base import DEFERRABLE, POKE_INTERVAL, POLL_FAILURE_TOLERANCE, TIMEOUT
from airflow_provider_modelarts.operators.create_visualization_job import ModelArtsCreateVisualizationJobOperator
from airflow_provider_modelarts.operators.existing import (
    DeleteJobOperator,
    ExistingJobOperator,
    RepeatableJobOperator,
    StopJobOperator,
)
from airflow_provider_modelarts.operators.restarting import TRIGGER, RestartingJobOperator
from airflow_provider_modelarts.templates import is_literal

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg
    from typing_extensions import Unpack

    from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
    from airflow_provider_modelarts.task_arguments import OperatorArguments

__all__ = [
    "ModelArtsCreateVisualizationJobOperator",
    "ModelArtsDeleteVisualizationJobOperator",
    "ModelArtsRestartVisualizationJobOperator",
    "ModelArtsStopVisualizationJobOperator",
    "ModelArtsUpdateVisualizationJobOperator",
]


class ModelArtsStopVisualizationJobOperator(StopJobOperator):
    """
    Stops a visualization job, waits until it is over, and returns it. The job is kept, and can be restarted.

    :param job_id: ID of the job, or the output of a task that created, changed or waited for it (templated)
    :param job_name: name of the job instead; it is an error if no job or several have it (templated)
    :param if_already: what to do if the job is over: ``"skip"`` the stop and succeed, or ``"fail"``
    :param kwargs: arguments of ``BaseOperator``. All others are as for :class:`.WaitingJobOperator`
    :raises AirflowFailException: the job does not exist; or it is over, and ``if_already`` is ``"fail"``
    :raises WaitError: the job did not end; Airflow's retries apply
    """

    custom_operator_name = "Stop visualization job"
    kind = VISUALIZATION_JOBS
    trigger_path = TRIGGER
    operator_extra_links = (ModelArtsVisualizationJobLink(),)


class ModelArtsDeleteVisualizationJobOperator(DeleteJobOperator):
    """
    Deletes a visualization job, waits until it is gone, and returns its last known state. This cannot be undone.

    :param job_id: ID of the job, or the output of a task that created, changed or waited for it (templated)
    :param job_name: name of the job instead; it is an error if no job or several have it (templated)
    :param stop_first: whether to stop a job that is not over before it is deleted. The API's documentation does not say
        what happens to a job that is deleted while it runs. A job that is being stopped cannot be deleted: the task
        waits for the end of the stop
    :param if_already: what to do if the job is gone: ``"skip"`` the deletion and succeed, or ``"fail"``
    :param kwargs: arguments of ``BaseOperator``. All others are as for :class:`.WaitingJobOperator`
    :raises AirflowFailException: the job does not exist, and ``if_already`` is ``"fail"``
    :raises WaitError: the job was not deleted; Airflow's retries apply
    """

    custom_operator_name = "Delete visualization job"
    kind = VISUALIZATION_JOBS
    trigger_path = TRIGGER
    operator_extra_links = (ModelArtsVisualizationJobLink(),)


class ModelArtsRestartVisualizationJobOperator(RepeatableJobOperator, RestartingJobOperator):
    """
    Restarts a visualization job that is over, waits until it is RUNNING, and returns it. The job keeps its ID.

    The task ends only when the job has left its old status, which the API shows for a moment after the restart. So a
    sensor behind the task cannot take the old status for the end of the job.

    A running job is billed. If the wait fails, or somebody ends the task, the task stops a job that it has restarted,
    as :class:`ModelArtsCreateVisualizationJobOperator` does. It leaves a job alone that it found running or starting,
    unless an earlier try of the task has restarted it (known on Airflow 3.3 and later).

    :param job_id: ID of the job, or the output of a task that created, changed or waited for it (templated)
    :param job_name: name of the job instead; it is an error if no job or several have it (templated)
    :param if_already: what to do if the job runs or is starting: ``"skip"`` the restart, or ``"fail"``
    :param stop_on_failure: whether to stop the job if the wait for it fails or the task is killed
    :param kwargs: arguments of ``BaseOperator``. All others are as for :class:`.WaitingJobOperator`
    :raises AirflowFailException: the job does not exist; or it runs, and ``if_already`` is ``"fail"``
    :raises WaitError: the job did not reach RUNNING; Airflow's retries apply
    """

    custom_operator_name = "Restart visualization job"
    operator_extra_links = (ModelArtsVisualizationJobLink(),)

    def __init__(
        self,
        *,
        job_id: str | int | XComArg | None = None,
        job_name: str | XComArg | None = None,
        if_already: IfAlready = "skip",
        stop_on_failure: bool = True,
        wait_for_completion: bool = True,
        deferrable: bool = DEFERRABLE,
        poke_interval: float | timedelta = POKE_INTERVAL,
        timeout: float | timedelta = TIMEOUT,
        poll_failure_tolerance: float | timedelta = POLL_FAILURE_TOLERANCE,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(
            job_id=job_id,
            job_name=job_name,
            if_already=if_already,
            stop_on_failure=stop_on_failure,
            wait_for_completion=wait_for_completion,
            deferrable=deferrable,
            poke_interval=poke_interval,
            timeout=timeout,
            poll_failure_tolerance=poll_failure_tolerance,
            modelarts_conn_id=modelarts_conn_id,
            region=region,
            project_id=project_id,
            workspace_id=workspace_id,
            **kwargs,
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Restart the job, unless it runs, and wait."""
        with self.hook, self._stop_on_error():
            job_id = self._require_job_id()
            found = self._require_job(context, job_id)
            job = self._wait_until_stopped(context, found) or self._require_job(context, job_id)
            if self._is_over(job):
                job = self._restart(context, job)
            else:
                self._skip_or_fail(
                    context, f"Visualization job {job_id} is {job.status_name}: there is nothing to restart"
                )
                if self._stored_job_id(context) == job_id:
                    # An earlier try has restarted it, and its worker died.
                    self._store_job_id(context, job_id)
            if self.wait_for_completion:
                return self._succeed(context, self._wait(context, job_id, "RUNNING", job))
            return self._succeed(context, job.summary())

    def _restart(self, context: Context, job: VisualizationJob) -> VisualizationJob:
        self._end_if_killed()
        self._store_job_id(context, job.job_id)
        try:
            return self._restart_job(context, job)
        except ModelArtsError as error:
            if not error.may_have_happened:
                self._job_id = None
                self._clear_stored_job_id(context)
            raise


class ModelArtsUpdateVisualizationJobOperator(ExistingJobOperator):
    """
    Changes the description of a visualization job, and returns the job. The API can change nothing else of it.

    :param job_id: ID of the job, or the output of a task that created, changed or waited for it (templated)
    :param job_name: name of the job instead; it is an error if no job or several have it (templated)
    :param job_desc: at most 256 characters (templated)
    :param kwargs: arguments of ``BaseOperator``. All others are as for :class:`.JobOperator`
    :raises AirflowFailException: the job does not exist
    """

    custom_operator_name = "Update visualization job"
    kind = VISUALIZATION_JOBS
    operator_extra_links = (ModelArtsVisualizationJobLink(),)
    template_fields: Sequence[str] = ("job_desc", *ExistingJobOperator.template_fields)

    def __init__(
        self,
        *,
        job_id: str | int | XComArg | None = None,
        job_name: str | XComArg | None = None,
        job_desc: str | XComArg,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(
            job_id=job_id,
            job_name=job_name,
            modelarts_conn_id=modelarts_conn_id,
            region=region,
            project_id=project_id,
            workspace_id=workspace_id,
            **kwargs,
        )
        self.job_desc = job_desc
        if is_literal(job_desc):
            checked_job_desc(job_desc)

    def execute(self, context: Context) -> dict[str, Any]:
        """Change the description, and return the job."""
        job_desc = checked_job_desc(self.job_desc)
        with self.hook as hook:
            job_id = self._require_job_id()
            self.log.info("Changing the description of %s %s", self.kind.noun, job_id)
            self._change(
                context,
                lambda job_id: hook.update_visualization_job(job_id, job_desc=job_desc),
                job_id,
                lambda job: job is not None and job.job_desc == job_desc,
            )
            return self._finish(context, self._require_job(context, job_id).summary())
