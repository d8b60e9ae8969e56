"""The event trigger for visualization jobs (Airflow 3.0 and later)."""

from __future__ import annotations

from typing import Any

from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.packing import pack, unpack
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.triggers.base_event import JobEventTrigger


class ModelArtsVisualizationJobEventTrigger(JobEventTrigger):
    """
    Sends an event each time that a visualization job comes into a status, for an `AssetWatcher`.

    The event's payload is the job, as in the sensor's XCom. Jobs already in the status at the first poll do not raise
    an event; a job that leaves the status and comes back arrives again, if a poll observes it in between. On Airflow
    3.3 the jobs in the status are kept in the asset state store, so that a triggerer that restarts neither repeats nor
    misses an arrival; and all watchers of a connection and interval share one poll. (The store belongs to one asset:
    watchers with the same arguments on two assets are one trigger to Airflow, and have none. Write the status of one of
    them in another way, ``"JOBSTAT_RUNNING"`` for ``"RUNNING"``.) Before Airflow 3.3 each watcher polls for itself,
    and starts over with the triggerer: what arrived while there was none raises no event.

    :param status: a code, a name (``"RUNNING"``, ``"JOBSTAT_RUNNING"``), a `JobStatus` or several of these
    :param job_id: only this job
    :param job_name: only jobs of this name, or of a pattern with ``*`` and ``?`` such as ``"nightly-*"``
    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud``
    :param region: overrides the connection's
    :param project_id: overrides the connection's
    :param workspace_id: overrides the connection's
    :param poke_interval: seconds between two polls, at least 1
    :raises ValueError: a parameter is invalid
    """

    kind = VISUALIZATION_JOBS
    pack = staticmethod(pack)
    unpack = staticmethod(unpack)

    def __init__(
        self,
        *,
        status: Any = "RUNNING",
        job_id: str | int | None = None,
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
