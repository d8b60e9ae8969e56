"""The housekeeping operator: finds visualization jobs that should not run any more, and stops them if it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts._compat import BaseOperator
from airflow_provider_modelarts.api.errors import ModelArtsConflictError, ModelArtsError, ModelArtsNotFoundError
from airflow_provider_modelarts.api.models import OVER, JobStatus
from airflow_provider_modelarts.arguments import seconds
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_modelarts.api.models import VisualizationJob

ACTIONS: Final = ("report", "stop")


class ModelArtsCleanUpVisualizationJobsOperator(BaseOperator):
    """
    Finds visualization jobs that run for too long or have a certain name, over all pages of the list, and reports or
    stops them.

    Jobs that are over or being stopped are left out. Where both conditions are given, both have to hold. All stops are
    tried before the task fails for those that failed.

    :param longer_than: how long a job has been RUNNING, as a timedelta or in seconds
    :param job_name: name of the jobs, or a pattern with ``*`` and ``?`` (templated)
    :param action: ``"report"`` finds and tells, ``"stop"`` stops, too (templated)
    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud`` (templated)
    :param region: wins over the connection's (templated)
    :param project_id: wins over the connection's (templated)
    :param workspace_id: wins over the connection's (templated)
    :return: XCom: ``found`` (the jobs as of the sensor's XCom) and ``stopped`` (ids of the jobs that were stopped)
    :raises ValueError: neither condition is given, or one cannot be
    :raises ModelArtsError: the jobs cannot be listed, or the first of the stops that failed
    """

    template_fields: Sequence[str] = (
        "job_name",
        "action",
        "modelarts_conn_id",
        "region",
        "project_id",
        "workspace_id",
    )
    ui_color = "#f5e0df"

    def __init__(
        self,
        *,
        longer_than: timedelta | float | None = None,
        job_name: str | None = None,
        action: str = "report",
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if longer_than is None and not job_name:
            raise ValueError("longer_than, job_name: at least one is needed")
        self.longer_than = None if longer_than is None else seconds("longer_than", longer_than)
        self.job_name = job_name
        self.action = action
        self.modelarts_conn_id = modelarts_conn_id
        self.region = region
        self.project_id = project_id
        self.workspace_id = workspace_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Find the jobs, and stop them if that is the action."""
        if self.action not in ACTIONS:
            raise ValueError(f"action: {self.action!r} is not one of {', '.join(ACTIONS)}")
        with ModelArtsHook(self.modelarts_conn_id, self.region, self.project_id, self.workspace_id) as hook:
            found = [job for job in hook.list_visualization_jobs(per_page=100) if self._is_meant(job)]
            for job in found:
                self.log.info("Found visualization job %s (%s): %s", job.job_id, job.job_name, job.status_name)
            stopped = self._stop(hook, found) if self.action == "stop" else []
        return {"found": [job.summary() for job in found], "stopped": stopped}

    def _is_meant(self, job: VisualizationJob) -> bool:
        if job.status in OVER or job.status == JobStatus.KILLING:
            return False
        if self.job_name and not fnmatchcase(job.job_name or "", self.job_name):
            return False
        if self.longer_than is None:
            return True
        ran = 0.0 if job.duration is None else job.duration.total_seconds()
        return job.status == JobStatus.RUNNING and ran > self.longer_than

    def _stop(self, hook: ModelArtsHook, jobs: Sequence[VisualizationJob]) -> list[str]:
        stopped: list[str] = []
        failures: list[ModelArtsError] = []
        for job in jobs:
            try:
                hook.stop_visualization_job(job.job_id)
            except (ModelArtsConflictError, ModelArtsNotFoundError) as refusal:
                self.log.info("Visualization job %s came to its end meanwhile. %s", job.job_id, refusal)
            except ModelArtsError as failure:
                self.log.error("Visualization job %s could not be stopped. %s", job.job_id, failure)
                failures.append(failure)
            else:
                stopped.append(job.job_id)
        if failures:
            raise failures[0]
        return stopped
