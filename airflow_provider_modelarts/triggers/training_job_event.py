"""The event trigger for training jobs (Airflow 3.0 and later)."""

from __future__ import annotations

from typing import Any

from airflow_provider_modelarts.api.training_jobs.kind import TRAINING_JOBS
from airflow_provider_modelarts.api.training_jobs.packing import pack, unpack
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.triggers.base_event import JobEventTrigger


class ModelArtsTrainingJobEventTrigger(JobEventTrigger):
    """
    Sends an event each time that a training job comes into a phase, for an `AssetWatcher`.

    The event's payload is the job, as in the sensor's XCom. Jobs already in the phase at the first poll do not raise an
    event. What is kept over a restart of the triggerer, and what watchers share, is as for
    :class:`~airflow_provider_modelarts.triggers.visualization_job_event.ModelArtsVisualizationJobEventTrigger`.

    A poll lists all jobs of the workspace that are in the phase, 50 per request: with many records of Completed jobs,
    choose a long ``poke_interval``, or delete old jobs.

    :param status: a phase in any case, or several of these
    :param job_id: only this job
    :param job_name: only jobs of this name, or of a pattern with ``*`` and ``?`` such as ``"nightly-*"``
    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud``
    :param region: overrides the connection's
    :param project_id: overrides the connection's
    :param workspace_id: overrides the connection's
    :param poke_interval: seconds between two polls, at least 1
    :raises ValueError: a parameter is invalid
    """

    kind = TRAINING_JOBS
    pack = staticmethod(pack)
    unpack = staticmethod(unpack)

    def __init__(
        self,
        *,
        status: Any = "Completed",
        job_id: str | None = None,
        job_name: str | None = None,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        poke_interval: float = 60,
    ) -> None:
        super().__init__(
            status=status,
            job_id=job_id,
            job_name=job_name,
            modelarts_conn_id=modelarts_conn_id,
            region=region,
            project_id=project_id,
            workspace_id=workspace_id,
            poke_interval=poke_interval,
        )
