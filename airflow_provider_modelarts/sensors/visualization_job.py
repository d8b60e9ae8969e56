"""The sensor: waits until visualization jobs have reached a status, on a worker or in the triggerer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_modelarts._compat import (
    DEFER_TIMEOUT_MARGIN,
    AirflowRescheduleException,
    BaseSensorOperator,
    conf,
    execute_sensor,
)
from airflow_provider_modelarts.api.checks import job_id_in
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.deferral import resumes_another_try
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.links.visualization_job import ModelArtsVisualizationJobLink
from airflow_provider_modelarts.templates import is_literal, materialized, plain, seconds, time_to_wait
from airflow_provider_modelarts.waiting.jobs import parse_job_ids
from airflow_provider_modelarts.waiting.request import WaitRequest
from airflow_provider_modelarts.waiting.target import WAIT_FOR, Target, parse_statuses

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg
    from airflow.triggers.base import StartTriggerArgs

    from airflow_provider_modelarts._compat import PokeReturnValue
    from airflow_provider_modelarts.sensors.run import SensorRun


class _InstanceProperty(property):
    """A property that is None on the class, where Airflow looks for it when it maps a task."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return None if instance is None else super().__get__(instance, owner)


class ModelArtsVisualizationJobSensor(BaseSensorOperator):
    """
    Waits until one or several ModelArts visualization jobs have reached a status.

    A job that has failed or ended, so that it cannot reach the status any more, fails the task at once and without
    retries (`AirflowFailException`; ``soft_fail`` skips). An undocumented status is waited on. Once the job has been
    seen, an API that cannot be reached is borne for ``poll_failure_tolerance``; refused credentials, a missing
    permission and a retired API are not. All of this is the same in every mode. (In ``reschedule`` mode nothing is
    remembered from poke to poke: the log has a line a poke, of several jobs all have to be there at the same poke, and
    the sensor stays on its worker while the API cannot be reached, for nothing else could measure the outage.)

    ``deferrable`` waits hold no worker, and look every ``poke_interval`` (no ``exponential_backoff``): all those on a
    connection share their requests, one list request for up to 1,000 jobs an interval. With ``skip_worker`` no worker
    is needed on Airflow 3.3 and later: the task starts in the triggerer, and an arrived job ends it there. Such a task
    takes no slot of a pool and counts in no concurrency limit while it waits. A failure ends on a worker. A task that
    is mapped, or would lose something by that (:func:`.why_on_worker`), defers from a worker at once, without a poll.

    :param job_id: the job: its digits, or the output of a task that created, changed or waited for it (templated)
    :param job_name: the name of the job instead; an error where no job or several have it (templated)
    :param job_ids: several jobs instead: a list of these, or its text (templated); the XCom then has an entry for each
    :param wait_for: ``"all"`` of them, each at some time, failing with the first that cannot; or ``"any"``, failing
        when none can any more
    :param target_status: what to wait for: a code, a name (``"RUNNING"``, ``"JOBSTAT_RUNNING"``), a `JobStatus` or
        several of these; ``"GONE"`` waits for the deletion (templated)
    :param failure_statuses: what fails the task; by default every ended and failed status that is not waited for
        (templated)
    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud`` (templated)
    :param region: wins over the connection's (templated)
    :param project_id: wins over the connection's (templated)
    :param workspace_id: overrides the connection's (templated)
    :param poll_failure_tolerance: seconds, or a timedelta, for which polls may fail once the job has been seen
    :param deferrable: wait in the triggerer; by default as ``[operators] default_deferrable`` says
    :param skip_worker: wait in the triggerer from the start, where Airflow can without losing anything
    :return: XCom of the job: ``job_id``, ``job_name``, ``status``, ``status_name``, ``service_url``, ``train_url``,
        ``create_time`` (ISO 8601), ``duration_ms``. Each is also an XCom of its own: ``sensor.output["service_url"]``
    :raises ValueError: a parameter cannot be; when the DAG is parsed if it is literal, else before the first request
    :raises AirflowFailException: the job cannot reach the status any more
    :raises JobStateUnknownError: the API refuses, or could not be reached for too long; Airflow's retries apply
    """

    template_fields: Sequence[str] = (
        "job_id",
        "job_name",
        "job_ids",
        "target_status",
        "failure_statuses",
        "modelarts_conn_id",
        "region",
        "project_id",
        "workspace_id",
    )
    operator_extra_links = (ModelArtsVisualizationJobLink(),)
    ui_color = "#f5e0df"
    kind = VISUALIZATION_JOBS
    trigger_path = "airflow_provider_modelarts.triggers.visualization_job.ModelArtsVisualizationJobTrigger"
    skip_worker = False
    try_started_at: float | None = None
    """When this try began, as a resumed task knows it from its event; seconds since the epoch."""

    def __init__(
        self,
        *,
        job_id: str | int | XComArg | None = None,
        job_name: str | XComArg | None = None,
        job_ids: Any = None,
        wait_for: str = "all",
        target_status: Any = "RUNNING",
        failure_statuses: Any = None,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        poll_failure_tolerance: float | timedelta = 600,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        skip_worker: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.job_name = job_name
        self.job_ids = materialized(job_ids)
        self.wait_for = wait_for
        self.target_status = materialized(target_status)
        self.failure_statuses = materialized(failure_statuses)
        self.modelarts_conn_id = modelarts_conn_id
        self.region = region
        self.project_id = project_id
        self.workspace_id = workspace_id
        self.poll_failure_tolerance = seconds("poll_failure_tolerance", poll_failure_tolerance)
        self.deferrable = deferrable or skip_worker
        self.skip_worker = skip_worker
        self.link: str | None = ""
        self._run: SensorRun | None = None
        self._check_literals()

    @cached_property
    def hook(self) -> ModelArtsHook:
        """The hook that the sensor polls through."""
        return ModelArtsHook(
            self.modelarts_conn_id,
            region=self.region,
            project_id=self.project_id,
            workspace_id=self.workspace_id,
        )

    def execute(self, context: Context) -> Any:
        """Wait, and return the XCom."""
        from airflow_provider_modelarts.sensors.run import SensorRun

        with self.hook, closing(SensorRun(self, context)) as run:
            if self.skip_worker:
                return run.defer()
            if self.deferrable:
                return run.poke_and_defer()
            self._run = run
            try:
                return execute_sensor(self, context)
            except AirflowRescheduleException:
                run.check_time()
                raise
            finally:
                self._run = None

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at the jobs; in reschedule mode again and again while the API cannot be reached."""
        if self._run is not None:
            return self._run.poke()
        from airflow_provider_modelarts.sensors.run import SensorRun

        # Called by itself, as in a test.
        with self.hook, closing(SensorRun(self, context)) as run:
            return run.poke()

    def execute_complete(self, context: Context, event: Any = None) -> Any:
        """
        End the task as the trigger's event says.

        :raises ValueError: the event is missing or not understood, or a rendered parameter cannot be
        """
        from airflow_provider_modelarts.sensors.run import complete

        return complete(self, context, event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume from the triggerer. What the end of a wait means is decided here, not by Airflow's own idea of it."""
        if resumes_another_try(context, next_kwargs):
            self.log.info("This event is of an earlier try; waiting again")
            return self.execute(context)
        self.link = None
        reason = str((next_kwargs or {}).get("error", ""))
        if next_method == "__fail__" and "timeout" in reason.lower():
            from airflow_provider_modelarts.sensors.run import time_out

            time_out(self, f"Timed out waiting, with no news from the triggerer: {reason}")
        return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)

    def _check_literals(self) -> None:
        if [self.job_id, self.job_name, self.job_ids].count(None) != 2:
            raise ValueError("job_id: give one of job_id, job_name and job_ids")
        if self.job_name is not None and is_literal(self.job_name):
            VISUALIZATION_JOBS.parse_job_name(self.job_name)
        if self.wait_for not in WAIT_FOR:
            raise ValueError(f"wait_for: {self.wait_for!r} is not one of {', '.join(WAIT_FOR)}")
        if self.job_id is not None and is_literal(self.job_id):
            VISUALIZATION_JOBS.parse_job_id(job_id_in(self.job_id))
        if isinstance(self.job_ids, (list, tuple)) and self.job_ids:
            for job_id in filter(is_literal, self.job_ids):
                VISUALIZATION_JOBS.parse_job_id(job_id_in(job_id))
        elif self.job_ids is not None and is_literal(self.job_ids):
            parse_job_ids(VISUALIZATION_JOBS, self.job_ids)
        if is_literal(self.target_status):
            parse_statuses(VISUALIZATION_JOBS, self.target_status, "target_status")
        if self.failure_statuses is not None and is_literal(self.failure_statuses):
            parse_statuses(VISUALIZATION_JOBS, self.failure_statuses, "failure_statuses", may_be_empty=True)
        if is_literal(self.target_status) and is_literal(self.failure_statuses):
            Target.of(VISUALIZATION_JOBS, self.target_status, self.failure_statuses)

    @_InstanceProperty
    def start_from_trigger(self) -> bool:
        """Whether Airflow starts the task in the triggerer."""
        return self.skip_worker and self.why_on_worker() is None

    @_InstanceProperty
    def start_trigger_args(self) -> StartTriggerArgs | None:
        """How Airflow starts it there."""
        if not self.start_from_trigger:
            return None
        from airflow.triggers.base import StartTriggerArgs

        return StartTriggerArgs(
            trigger_cls=self.trigger_path,
            trigger_kwargs={**vars(self.wait_request()), "timeout": self.time_to_wait(), "may_end_task": True},
            next_method="execute_complete",
            timeout=timedelta(seconds=self.time_to_wait() + DEFER_TIMEOUT_MARGIN),
        )

    def why_on_worker(self) -> str | None:
        """Return why the task needs a worker in spite of ``skip_worker``; None when it does not."""
        from airflow_provider_modelarts.sensors.in_triggerer import why_on_worker

        return why_on_worker(self, ModelArtsVisualizationJobSensor)

    def _validate_start_from_trigger_kwargs(self) -> None:
        """Airflow checks these when a task is made; whether this one starts in the triggerer is only known later."""

    def wait_request(self) -> WaitRequest:
        """Return what the sensor waits for, in JSON types."""
        return WaitRequest(**{name: plain(value) for name, value in vars(WaitRequest.of(self)).items()})

    def time_to_wait(self) -> float:
        """Return the seconds that the task may wait; Airflow applies no ``execution_timeout`` to a deferred task."""
        return time_to_wait(self.timeout, self.execution_timeout)
