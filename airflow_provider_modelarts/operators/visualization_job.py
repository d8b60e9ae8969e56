"""The operators: create, update, stop, restart and delete a visualization job, in a way that can be run again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts._compat import AirflowFailException
from airflow_provider_modelarts.api.checks import job_id_in
from airflow_provider_modelarts.api.errors import ModelArtsError
from airflow_provider_modelarts.api.visualization_jobs.parameters import (
    checked_job_desc,
    checked_job_id,
    checked_job_name,
)
from airflow_provider_modelarts.api.visualization_jobs.statuses import OVER, JobStatus
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.operators.base import (
    DEFERRABLE,
    POKE_INTERVAL,
    POLL_FAILURE_TOLERANCE,
    TIMEOUT,
    VisualizationJobOperator,
    WaitingVisualizationJobOperator,
)
from airflow_provider_modelarts.operators.create_visualization_job import ModelArtsCreateVisualizationJobOperator
from airflow_provider_modelarts.operators.starting import StartingVisualizationJobOperator
from airflow_provider_modelarts.templates import is_literal

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg
    from typing_extensions import Unpack

    from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
    from airflow_provider_modelarts.operators.run import WaitingJobRun
    from airflow_provider_modelarts.task_arguments import OperatorArguments

__all__ = [
    "ModelArtsCreateVisualizationJobOperator",
    "ModelArtsDeleteVisualizationJobOperator",
    "ModelArtsRestartVisualizationJobOperator",
    "ModelArtsStopVisualizationJobOperator",
    "ModelArtsUpdateVisualizationJobOperator",
]

IF_ALREADY: Final = ("skip", "fail")


class ExistingVisualizationJobOperator(WaitingVisualizationJobOperator):
    """
    What the operators have in common that end or restart a job.

    :param job_id: the job: its digits, or the output of a task that created, changed or waited for it (templated)
    :param job_name: the name of the job instead; an error where no job or several have it (templated)
    :param if_already: what to do where there is nothing to do: ``"skip"`` the operation and succeed, or ``"fail"`` (at
        the first try: at a later one it may be what an earlier one has done)
    :param kwargs: as for all that wait (:class:`WaitingVisualizationJobOperator`)
    """

    template_fields: Sequence[str] = ("job_id", "job_name", *VisualizationJobOperator.template_fields)

    def __init__(
        self,
        *,
        job_id: str | int | XComArg | None = None,
        job_name: str | XComArg | None = None,
        if_already: str = "skip",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.job_name = job_name
        self.if_already = if_already
        _check_job(job_id, job_name)
        if if_already not in IF_ALREADY:
            raise ValueError(f"if_already: {if_already!r} is not one of {', '.join(IF_ALREADY)}")

    def _already(self, context: Context, message: str) -> None:
        """Say that a job is where the operation would take it, and fail the task if it asks for that."""
        if self.if_already == "fail" and context["ti"].try_number <= 1:
            raise AirflowFailException(message)
        self.log.info("%s", message)


class ModelArtsStopVisualizationJobOperator(ExistingVisualizationJobOperator):
    """
    Stops a visualization job, waits until it is over, and returns it. It is kept, and can be restarted.

    :param job_id: the job: its digits, or the output of a task that created, changed or waited for it (templated)
    :param job_name: the name of the job instead; an error where no job or several have it (templated)
    :param if_already: what to do about a job that is over: ``"skip"`` the stop and succeed, or ``"fail"``
    :param kwargs: what ``BaseOperator`` takes. All else is as for :class:`.WaitingVisualizationJobOperator`
    :raises AirflowFailException: there is no such job, or it is over and ``if_already`` says so
    :raises WaitError: it did not come to an end; Airflow's retries apply
    """

    def __init__(
        self,
        *,
        job_id: str | int | XComArg | None = None,
        job_name: str | XComArg | None = None,
        if_already: str = "skip",
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
        """Stop the job and wait, unless it is over."""
        with self.hook:
            run = self._run(context)
            job_id = run.require_id(self.job_id, self.job_name)
            job = run.see(job_id)
            if job.status in OVER:
                self._already(context, f"Visualization job {job_id} is {job.status_name}: there is nothing to stop")
                return run.finish(job)
            if job.status != JobStatus.KILLING:
                run.stop(job_id)
            return run.finish(run.wait_until_over(job_id) if self.wait_for_completion else run.see(job_id))


class ModelArtsRestartVisualizationJobOperator(ExistingVisualizationJobOperator, StartingVisualizationJobOperator):
    """
    Restarts a visualization job that is over, waits until it is RUNNING, and returns it. It keeps its id.

    In any case the task ends only when the job has left its old status, which the API shows for a moment after the
    restart: a sensor behind it cannot take that for the end of the job.

    A running job is billed. When the wait fails, or somebody ends the task, the task stops a job that it has restarted,
    as :class:`ModelArtsCreateVisualizationJobOperator` does. A job that it found running or on its way is left alone.

    :param job_id: the job: its digits, or the output of a task that created, changed or waited for it (templated)
    :param job_name: the name of the job instead; an error where no job or several have it (templated)
    :param if_already: what to do about a job that runs or is on its way: ``"skip"`` the restart, or ``"fail"``
    :param stop_on_failure: whether to stop the job when the wait for it fails or the task is killed
    :param kwargs: what ``BaseOperator`` takes. All else is as for :class:`.WaitingVisualizationJobOperator`
    :raises AirflowFailException: there is no such job, or it runs and ``if_already`` says so
    :raises WaitError: it did not come to run; Airflow's retries apply
    """

    def __init__(
        self,
        *,
        job_id: str | int | XComArg | None = None,
        job_name: str | XComArg | None = None,
        if_already: str = "skip",
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
        with self.hook:
            run = self._run(context)
            job_id = run.require_id(self.job_id, self.job_name)
            try:
                job = run.settle(run.see(job_id)) or run.see(job_id)
                if job.status in OVER:
                    job = self._restart(run, context, job)
                else:
                    nothing = f"Visualization job {job_id} is {job.status_name}: there is nothing to restart"
                    self._already(context, nothing)
                return run.finish(run.wait(job_id, "RUNNING", job) if self.wait_for_completion else job)
            except Exception:
                self._stop()
                raise

    def _restart(self, run: WaitingJobRun, context: Context, job: VisualizationJob) -> VisualizationJob:
        self._end_if_killed()
        self._own(context, job.job_id)
        self._restarting = True
        try:
            job = run.restart(job)
        except ModelArtsError as error:
            if not error.may_have_happened:
                self._job_id = None
            raise
        self._restarting = False
        self._end_if_killed()
        return job


class ModelArtsDeleteVisualizationJobOperator(ExistingVisualizationJobOperator):
    """
    Deletes a visualization job, waits until it is gone, and returns what was known of it. This cannot be undone.

    :param job_id: the job: its digits, or the output of a task that created, changed or waited for it (templated)
    :param job_name: the name of the job instead; an error where no job or several have it (templated)
    :param stop_first: whether to stop a job that is not over before it is deleted. The API's pages do not say what
        becomes of one that is deleted while it runs; a job that is being stopped cannot be deleted and is waited for
    :param if_already: what to do about a job that is gone: ``"skip"`` the deletion and succeed, or ``"fail"``
    :param kwargs: what ``BaseOperator`` takes. All else is as for :class:`.WaitingVisualizationJobOperator`
    :raises AirflowFailException: there is no such job, and ``if_already`` says so
    :raises WaitError: it did not go; Airflow's retries apply
    """

    def __init__(
        self,
        *,
        job_id: str | int | XComArg | None = None,
        job_name: str | XComArg | None = None,
        stop_first: bool = True,
        if_already: str = "skip",
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
        self.stop_first = stop_first

    def execute(self, context: Context) -> dict[str, Any]:
        """Delete the job and wait, unless it is gone."""
        with self.hook:
            run = self._run(context)
            job_id = run.find_id(self.job_id, self.job_name)
            job = None if job_id is None else run.look(job_id)
            if job is None:
                name = job_id or f"with the name {self.job_name}"
                self._already(context, f"There is no visualization job {name}: there is nothing to delete")
                return run.finish({**run.gone(job_id or ""), "job_id": job_id, "job_name": self.job_name})
            return run.finish(self._delete(run, job))

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        Go on with the deletion as the trigger's event says: a job that has been stopped is deleted now.

        :raises WaitError: the job did not come to where it was to; Airflow's retries apply
        :raises ValueError: the event is missing or not understood
        """
        with self.hook:
            run = self._run(context)
            xcom = run.complete(event)
            job = None if xcom["status"] is None else run.look(xcom["job_id"])
            return run.finish(self._delete(run, job) if job else xcom)

    def _delete(self, run: WaitingJobRun, job: VisualizationJob) -> dict[str, Any]:
        """Take the job through what is left of its end. Called anew after a deferral, it goes by what the job is."""
        job_id = job.job_id
        is_running = job.status not in OVER and job.status != JobStatus.KILLING
        if is_running and self.stop_first:
            run.stop(job_id)
        if job.status == JobStatus.KILLING or (is_running and self.stop_first):
            over = run.wait_until_over(job_id)
            if over["status"] is None:
                return over
        run.delete(job_id)
        if self.wait_for_completion:
            return run.wait(job_id, "GONE")
        left = run.look(job_id)
        return left.summary() if left else run.gone(job_id)


class ModelArtsUpdateVisualizationJobOperator(VisualizationJobOperator):
    """
    Changes the description of a visualization job, and returns the job. The API can change nothing else of it.

    :param job_id: the job: its digits, or the output of a task that created, changed or waited for it (templated)
    :param job_name: the name of the job instead; an error where no job or several have it (templated)
    :param job_desc: at most 256 characters (templated)
    :param kwargs: what ``BaseOperator`` takes. All else is as for :class:`.VisualizationJobOperator`
    :raises AirflowFailException: there is no such job
    """

    template_fields: Sequence[str] = ("job_id", "job_name", "job_desc", *VisualizationJobOperator.template_fields)

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
            modelarts_conn_id=modelarts_conn_id,
            region=region,
            project_id=project_id,
            workspace_id=workspace_id,
            **kwargs,
        )
        self.job_id = job_id
        self.job_name = job_name
        self.job_desc = job_desc
        _check_job(job_id, job_name)
        if is_literal(job_desc):
            checked_job_desc(job_desc)

    def execute(self, context: Context) -> dict[str, Any]:
        """Change the description, and return the job."""
        from airflow_provider_modelarts.operators.run import JobRun

        job_desc = checked_job_desc(self.job_desc)
        with self.hook as hook:
            run = JobRun(self, context)
            job_id = run.require_id(self.job_id, self.job_name)
            run.change(
                lambda job_id: hook.update_visualization_job(job_id, job_desc=job_desc),
                job_id,
                lambda job: job is not None and job.job_desc == job_desc,
            )
            return run.finish(run.see(job_id))


def _check_job(job_id: Any, job_name: Any) -> None:
    """
    Check what is known of the arguments for a job when the DAG is parsed.

    :raises ValueError: not exactly one is given, or it is invalid
    """
    if (job_id is None) == (job_name is None):
        raise ValueError("job_id: give either job_id or job_name")
    if job_id is not None and is_literal(job_id):
        checked_job_id(job_id_in(job_id))
    if job_name is not None and is_literal(job_name):
        checked_job_name(job_name)
