"""The sensor that waits until training jobs have reached a phase."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_modelarts._compat import conf
from airflow_provider_modelarts.api.training_jobs.kind import TRAINING_JOBS
from airflow_provider_modelarts.choices import WaitFor
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.links.training_job import ModelArtsTrainingJobLink
from airflow_provider_modelarts.sensors.base import JobSensor

if TYPE_CHECKING:
    from airflow.sdk import XComArg
    from typing_extensions import Unpack

    from airflow_provider_modelarts.task_arguments import SensorArguments


class ModelArtsTrainingJobSensor(JobSensor):
    """
    Waits until one or several ModelArts training jobs have reached a phase, Completed by default.

    A job that has failed or ended, so that it cannot reach the phase any more, fails the task at once and without
    retries (`AirflowFailException`; ``soft_fail`` skips). Terminated is such an end, whoever has stopped the job. An
    undocumented phase is waited on, and so is a job that goes back from Running to Pending. Once the job has been
    observed, an API that cannot be reached is tolerated for ``poll_failure_tolerance``; refused credentials and a
    missing permission are not.

    Modes, ``deferrable`` and ``skip_worker`` are as for
    :class:`~airflow_provider_modelarts.sensors.visualization_job.ModelArtsVisualizationJobSensor`. Deferred waits on
    one connection and workspace share their requests, whichever take the fewest: searches for ten IDs, pages of 50 of
    the active jobs, or of all jobs.

    :param job_id: the job: its UUID, or the output of a task that created or waited for it (templated)
    :param job_name: the name of the job instead; an error if no job has it (templated)
    :param job_ids: several jobs instead: a list of these, or its text (templated); the XCom then has an entry for each
    :param wait_for: ``"all"`` of them, each at some time, failing with the first that cannot arrive any more; or
        ``"any"``, failing when none can any more
    :param target_status: the phase to wait for, in any case, or several; ``"ENDED"`` is any end, ``"GONE"`` waits for
        the deletion (templated)
    :param failure_statuses: what fails the task; by default every end that is not waited for (templated)
    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud`` (templated)
    :param region: overrides the connection's (templated)
    :param project_id: overrides the connection's (templated)
    :param workspace_id: overrides the connection's; searches show the jobs of one workspace only (templated)
    :param poll_failure_tolerance: seconds, or a timedelta, for which polls may fail once the job has been observed
    :param deferrable: wait in the triggerer; by default as ``[operators] default_deferrable`` says
    :param skip_worker: wait in the triggerer from the start, if Airflow can do so without losing anything
    :return: XCom of the job: ``job_id``, ``job_name``, ``phase``, ``create_time`` (ISO 8601), ``duration_ms``,
        ``outputs`` (OBS URLs by name), ``link``. Each is also an XCom of its own: ``sensor.output["outputs"]``
    :raises ValueError: a parameter is invalid; when the DAG is parsed if it is literal, else before the first request
    :raises AirflowFailException: the job cannot reach the phase any more
    :raises JobStateUnknownError: the API refuses, or could not be reached for too long; Airflow's retries apply
    """

    custom_operator_name = "Wait for training job"
    kind = TRAINING_JOBS
    trigger_path = "airflow_provider_modelarts.triggers.training_job.ModelArtsTrainingJobTrigger"
    operator_extra_links = (ModelArtsTrainingJobLink(),)

    def __init__(
        self,
        *,
        job_id: str | XComArg | None = None,
        job_name: str | XComArg | None = None,
        job_ids: Any = None,
        wait_for: WaitFor = "all",
        target_status: Any = "Completed",
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
