"""Base class for operators that start a job, which is billed from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts._compat import airflow_version, current_context
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.hooks.stopping import stop_or_log, stop_with_deadline
from airflow_provider_modelarts.operators.base import WaitingVisualizationJobOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.operators.run import WaitingJobRun

JOB_ID_KEY: Final = "job_id"
"""Key of the XCom that holds the ID of a job that a try has started, also when the task fails after that."""


class StartingVisualizationJobOperator(WaitingVisualizationJobOperator):
    """
    Starts a job, and stops it when the task does not succeed: when the wait fails, or somebody ends the task.

    :param stop_on_failure: whether to stop the job then
    :param kwargs: as for all that wait (:class:`.WaitingVisualizationJobOperator`)
    """

    def __init__(self, *, stop_on_failure: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stop_on_failure = stop_on_failure
        self._job_id: str | None = None
        """The job that this try has started, or is about to start."""
        self._killed = False
        self._restarting = False

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        End the task as the trigger's event says; stop the job if that is not well.

        :raises WaitError: the job did not come to run; Airflow's retries apply
        :raises ValueError: the event is missing or not understood
        """
        with self.hook:
            run = self._run(context)
            try:
                return self._succeed(run, context, run.complete(event))
            except Exception:
                self._stop()
                raise

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume from the triggerer; when Airflow itself ended the wait, stop the job."""
        self._job_id = _pushed_job_id(context)
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except Exception:
            if next_method == "__fail__":
                with self.hook:
                    self._stop()
            raise

    def on_kill(self) -> None:
        """Stop the job, when a worker is told to end the task; also one whose request is just under way."""
        self._killed = True
        if airflow_version() < (3, 0) and not self._may_have_started:
            # Airflow 2.11 can time a task out before it resumes.
            context = current_context()
            self._job_id = None if context is None else _pushed_job_id(context)
        if self.stop_on_failure and self._may_have_started:
            stop_with_deadline(
                VISUALIZATION_JOBS.noun, self.hook.new_client, self._find_id, self._ensure_stopped, self.log
            )

    @property
    def stop_on_kill(self) -> bool:  # type: ignore[override]
        """Whether the trigger stops the job when a user ends the task (Airflow 3.3)."""
        return self.stop_on_failure and self._may_have_started

    @property
    def _may_have_started(self) -> bool:
        return self._job_id is not None

    def _own(self, context: Context, job_id: str) -> None:
        """Keep the ID of a job that this try starts where the later phases of this try find it."""
        self._job_id = job_id
        context["ti"].xcom_push(key=JOB_ID_KEY, value=job_id)

    def _end_if_killed(self) -> None:
        """
        Do not go on after a kill: Airflow 3 lets a process do so for some seconds.

        :raises RuntimeError: the task was killed; retries apply, for a machine that shuts down kills its tasks, too
        """
        if self._killed:
            raise RuntimeError("The task was killed while it started its job")

    def _find_id(self, client: ModelArtsClient) -> str | None:
        return self._job_id

    def _ensure_stopped(self, client: ModelArtsClient, job_id: str) -> str | None:
        return client.visualization_jobs.ensure_stopped(job_id, restarted=self._restarting)

    def _stop(self) -> None:
        if self.stop_on_failure and self._may_have_started:
            stop_or_log(VISUALIZATION_JOBS.noun, self.hook.get_conn, self._find_id, self._ensure_stopped, self.log)

    def _succeed(self, run: WaitingJobRun, context: Context, xcom: dict[str, Any]) -> dict[str, Any]:
        return run.finish(xcom)


def _pushed_job_id(context: Context) -> str | None:
    """Return the ID of the job that an earlier phase of this try has started."""
    ti: Any = context["ti"]
    job_id: str | None = ti.xcom_pull(task_ids=ti.task_id, key=JOB_ID_KEY, map_indexes=ti.map_index)
    return job_id
