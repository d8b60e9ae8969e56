"""What operators on visualization jobs have in common."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow_provider_modelarts._compat import BaseOperator, conf
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.deferral import resumes_another_try
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.links.visualization_job import ModelArtsVisualizationJobLink
from airflow_provider_modelarts.templates import seconds
from airflow_provider_modelarts.waiting.request import WaitRequest

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_modelarts.operators.run import WaitingJobRun


VISUALIZATION_JOB_TRIGGER: Final = (
    "airflow_provider_modelarts.triggers.visualization_job.ModelArtsVisualizationJobTrigger"
)

DEFERRABLE: Final = conf.getboolean("operators", "default_deferrable", fallback=False)
POKE_INTERVAL: Final = 10.0
TIMEOUT: Final = 3600.0
POLL_FAILURE_TOLERANCE: Final = 600.0


class VisualizationJobOperator(BaseOperator):
    """
    What all operators on one visualization job have in common.

    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud`` (templated)
    :param region: wins over the connection's (templated)
    :param project_id: wins over the connection's (templated)
    :param workspace_id: overrides the connection's (templated)
    """

    template_fields: Sequence[str] = ("modelarts_conn_id", "region", "project_id", "workspace_id")
    operator_extra_links: Any = (ModelArtsVisualizationJobLink(),)
    ui_color = "#f5e0df"

    def __init__(
        self,
        *,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.modelarts_conn_id = modelarts_conn_id
        self.region = region
        self.project_id = project_id
        self.workspace_id = workspace_id
        self.link: str | None = ""

    @cached_property
    def hook(self) -> ModelArtsHook:
        """The hook that the operator works through."""
        return ModelArtsHook(
            self.modelarts_conn_id,
            region=self.region,
            project_id=self.project_id,
            workspace_id=self.workspace_id,
        )


class WaitingVisualizationJobOperator(VisualizationJobOperator):
    """
    What the operators have in common that start something which the API goes on with by itself.

    :param wait_for_completion: whether the task ends only when the job has come to where the operation takes it
    :param deferrable: wait in the triggerer; by default as ``[operators] default_deferrable`` says
    :param poke_interval: seconds, or a timedelta, between two looks
    :param timeout: seconds, or a timedelta, that the task waits at most for what it has started
    :param poll_failure_tolerance: seconds, or a timedelta, for which looks may fail
    :param kwargs: as for all operators (:class:`VisualizationJobOperator`)
    """

    kind: ClassVar = VISUALIZATION_JOBS
    trigger_path: ClassVar = VISUALIZATION_JOB_TRIGGER
    stop_on_kill = False
    """Whether the trigger stops the job when a user ends the task (Airflow 3.3)."""
    try_started_at: float | None = None
    """When this try began, as a resumed task knows it from its event; seconds since the epoch."""

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        deferrable: bool = DEFERRABLE,
        poke_interval: float | timedelta = POKE_INTERVAL,
        timeout: float | timedelta = TIMEOUT,
        poll_failure_tolerance: float | timedelta = POLL_FAILURE_TOLERANCE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poke_interval = seconds("poke_interval", poke_interval, may_be_zero=False)
        self.timeout = seconds("timeout", timeout)
        self.poll_failure_tolerance = seconds("poll_failure_tolerance", poll_failure_tolerance)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        End the task as the trigger's event says.

        :raises WaitError: the job did not come to where the operation takes it; Airflow's retries apply
        :raises ValueError: the event is missing or not understood
        """
        run = self._run(context)
        return run.finish(run.complete(event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume from the triggerer, or start over where the event is of an earlier try (Airflow 3.0)."""
        if resumes_another_try(context, next_kwargs):
            self.log.info("This event is of an earlier try; starting over")
            return self.execute(context)
        self.link = None
        return super().resume_execution(next_method, next_kwargs, context)

    def request(self, job_id: str, target_status: Any, failure_statuses: Any = None) -> WaitRequest:
        """Return the request to wait for a job."""
        return WaitRequest(
            job_id=job_id,
            target_status=target_status,
            failure_statuses=failure_statuses,
            modelarts_conn_id=self.modelarts_conn_id,
            region=self.region,
            project_id=self.project_id,
            workspace_id=self.workspace_id,
            poke_interval=self.poke_interval,
            poll_failure_tolerance=self.poll_failure_tolerance,
            timeout=self.timeout,
        )

    def _run(self, context: Context) -> WaitingJobRun:
        from airflow_provider_modelarts.operators.run import WaitingJobRun

        return WaitingJobRun(self, context)
