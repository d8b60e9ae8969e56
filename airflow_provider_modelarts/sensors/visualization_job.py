"""The sensor that waits until visualization jobs have reached a status."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_modelarts._compat import conf
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.choices import WaitFor
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.links.visualization_job import ModelArtsVisualizationJobLink
from airflow_provider_modelarts.sensors.base import JobSensor

if TYPE_CHECKING:
    from airflow.sdk import XComArg
    from typing_extensions import Unpack

    from airflow_provider_modelarts.task_arguments import SensorArguments


class ModelArtsVisualizationJobSensor(JobSensor):
    """
    Waits until one or several ModelArts visualization jobs have reached a status.

    A job that has failed or ended, so that it cannot reach the status any more, fails the task at once and without
    retries (`AirflowFailException`; ``soft_fail`` skips). An undocumented status is waited on. Once the job has been
    observed, an API that cannot be reached is tolerated for ``poll_failure_tolerance``; refused credentials, a missing
    permission and a retired API are not. All of this is the same in every mode. (In ``reschedule`` mode nothing is
    remembered from poke to poke: the log has one line per poke, several jobs have to be in the status at the same poke,
    and the sensor stays on its worker while the API cannot be reached, because nothing else could measure the outage.)

    ``deferrable`` waits hold no worker, and poll every ``poke_interval`` (no ``exponential_backoff``). All those on one
    connection share their requests: one list request per interval for up to 1,000 jobs. With ``skip_worker`` no worker
    is needed on Airflow 3.3 and later: the task starts in the triggerer, and an arrived job ends it there. Such a task
    takes no slot of a pool and counts in no concurrency limit while it waits. A failure ends on a worker. A task that
    is mapped, or would lose something that way (:func:`.why_on_worker`), defers from a worker at once, without a poll.

    :param job_id: the job: its digits, or the output of a task that created, changed or waited for it (templated)
    :param job_name: the name of the job instead; an error if no job or several have it (templated)
    :param job_ids: several jobs instead: a list of these, or its text (templated); the XCom then has an entry for each
    :param wait_for: ``"all"`` of them, each at some time, failing with the first that cannot arrive any more; or
        ``"any"``, failing when none can any more
    :param target_status: what to wait for: a code, a name (``"RUNNING"``, ``"JOBSTAT_RUNNING"``), a `JobStatus` or
        several of these; ``"GONE"`` waits for the deletion (templated)
    :param failure_statuses: what fails the task; by default every ended and failed status that is not waited for
        (templated)
    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud`` (templated)
    :param region: overrides the connection's (templated)
    :param project_id: overrides the connection's (templated)
    :param workspace_id: overrides the connection's (templated)
    :param poll_failure_tolerance: seconds, or a timedelta, for which polls may fail once the job has been observed
    :param deferrable: wait in the triggerer; by default as ``[operators] default_deferrable`` says
    :param skip_worker: wait in the triggerer from the start, if Airflow can do so without losing anything
    :return: XCom of the job: ``job_id``, ``job_name``, ``status``, ``status_name``, ``service_url``, ``train_url``,
        ``create_time`` (ISO 8601), ``duration_ms``. Each is also an XCom of its own: ``sensor.output["service_url"]``
    :raises ValueError: a parameter is invalid; when the DAG is parsed if it is literal, else before the first request
    :raises AirflowFailException: the job cannot reach the status any more
    :raises JobStateUnknownError: the API refuses, or could not be reached for too long; Airflow's retries apply
    """

    custom_operator_name = "Wait for visualization job"
    kind = VISUALIZATION_JOBS
    trigger_path = "airflow_provider_modelarts.triggers.visualization_job.ModelArtsVisualizationJobTrigger"
    operator_extra_links = (ModelArtsVisualizationJobLink(),)

    def __init__(
        self,
        *,
        job_id: str | int | XComArg | None = None,
        job_name: str | XComArg | None = None,
        job_ids: Any = None,
        wait_for: WaitFor = "all",
        target_status: Any = "RUNNING",
        failure_statuses: Any = None,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        poll_failure_tolerance: float | timedelta = 600,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        skip_worker: bool = False,
        **kwargs: Unpack[SensorArguments],
    ) -> None:
        super().__init__(
            job_id=job_id,
            job_name=job_name,
            job_ids=job_ids,
            wait_for=wait_for,
            target_status=target_status,
            failure_statuses=failure_statuses,
            modelarts_conn_id=modelarts_conn_id,
            region=region,
            project_id=project_id,
            workspace_id=workspace_id,
            poll_failure_tolerance=poll_failure_tolerance,
            deferrable=deferrable,
            skip_worker=skip_worker,
            **kwargs,
        )
