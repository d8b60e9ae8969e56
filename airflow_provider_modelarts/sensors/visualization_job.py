"""The sensor: waits until a visualization job has reached a status."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_modelarts._compat import (
    AirflowFailException,
    BaseSensorOperator,
    PokeReturnValue,
    first_reschedule_date,
)
from airflow_provider_modelarts.api.parameters import checked_job_id
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.waiting.verdict import Target, Verdict
from airflow_provider_modelarts.waiting.wait import JobCannotArriveError, Wait, poll

if TYPE_CHECKING:
    from airflow.sdk import Context


class ModelArtsVisualizationJobSensor(BaseSensorOperator):
    """
    Waits until a ModelArts visualization job has reached a status.

    A job that has failed or ended, so that it cannot reach the status any more, fails the task at once and without
    retries (`AirflowFailException`; ``soft_fail`` skips). An undocumented status is waited on. Once the job has been
    seen, an API that cannot be reached is borne for ``poll_failure_tolerance``; an unknown job, refused credentials,
    a missing permission and a retired API are not. A rescheduling sensor stays on its worker while the API cannot be
    reached, for nothing survives a reschedule to measure the outage by.

    :param job_id: the job, digits (templated)
    :param target_status: what to wait for: a code, a name (``"RUNNING"``, ``"JOBSTAT_RUNNING"``), a `JobStatus` or
        several of these; ``"GONE"`` waits for the deletion (templated)
    :param failure_statuses: what fails the task; by default every ended and failed status that is not waited for
        (templated)
    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud`` (templated)
    :param region: wins over the connection's (templated)
    :param project_id: wins over the connection's (templated)
    :param poll_failure_tolerance: seconds for which polls may fail, once the job has been seen
    :return: XCom of the job: ``job_id``, ``job_name``, ``status``, ``status_name``, ``service_url``, ``train_url``,
        ``create_time`` (ISO 8601), ``duration_ms``
    :raises ValueError: a parameter cannot be; when the DAG is parsed if it is literal, else before the first request
    :raises AirflowFailException: the job cannot reach the status any more
    :raises JobStateUnknownError: the API refuses, or could not be reached for too long; Airflow's retries apply
    """

    template_fields: Sequence[str] = (
        "job_id",
        "target_status",
        "failure_statuses",
        "modelarts_conn_id",
        "region",
        "project_id",
    )
    ui_color = "#f5e0df"

    def __init__(
        self,
        *,
        job_id: str | int,
        target_status: Any = "RUNNING",
        failure_statuses: Any = None,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        poll_failure_tolerance: float = 600,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.target_status = target_status
        self.failure_statuses = failure_statuses
        self.modelarts_conn_id = modelarts_conn_id
        self.region = region
        self.project_id = project_id
        self.poll_failure_tolerance = poll_failure_tolerance
        if _is_literal(job_id):
            checked_job_id(job_id)
        if _is_literal(target_status) and _is_literal(failure_statuses):
            Target.of(target_status, failure_statuses)

    @cached_property
    def hook(self) -> ModelArtsHook:
        """The hook that the sensor polls through."""
        return ModelArtsHook(self.modelarts_conn_id, region=self.region, project_id=self.project_id)

    def execute(self, context: Context) -> Any:
        """Wait, and return the XCom of the job."""
        first_run = first_reschedule_date(context) if self.reschedule else None
        self._started_at = first_run or datetime.now(timezone.utc)
        self._wait = Wait(
            job_id=checked_job_id(self.job_id),
            target=Target.of(self.target_status, self.failure_statuses),
            poll_failure_tolerance=self.poll_failure_tolerance,
            log=self.log,
            # The first run polls strictly: had it not seen the job, there would be no later one.
            seen=first_run is not None,
        )
        with self.hook:
            return super().execute(context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at the job; in reschedule mode again and again while the API cannot be reached."""
        while True:
            try:
                verdict = poll(self._wait, self.hook.get_visualization_job, time.monotonic)
            except JobCannotArriveError as error:
                raise AirflowFailException(str(error)) from error
            if not (self.reschedule and self._wait.failing) or self._timed_out():
                return PokeReturnValue(verdict is Verdict.ARRIVED, self._wait.summary())
            time.sleep(self.poke_interval)

    def _timed_out(self) -> bool:
        return (datetime.now(timezone.utc) - self._started_at).total_seconds() > self.timeout


def _is_literal(value: Any) -> bool:
    """Return whether a parameter is known when the DAG is parsed: neither a template nor the output of a task."""
    if isinstance(value, str):
        return not any(mark in value for mark in ("{{", "{%", "{#"))
    if hasattr(value, "resolve"):
        return False
    return all(map(_is_literal, value)) if isinstance(value, Iterable) else True
