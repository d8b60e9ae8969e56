"""An operator that finds visualization jobs that should not run any more, and can stop them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts.api.checks import to_text
from airflow_provider_modelarts.api.errors import ModelArtsError
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.operators.base import JobOperator
from airflow_provider_modelarts.templates import is_literal, seconds

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg
    from typing_extensions import Unpack

    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
    from airflow_provider_modelarts.task_arguments import OperatorArguments

ACTIONS: Final = ("report", "stop")


class ModelArtsCleanUpVisualizationJobsOperator(JobOperator):
    """
    Finds visualization jobs that have run for too long or have a certain name, and reports or stops them.

    The operator reads all pages of the list. It leaves out jobs that are over or being stopped. If both conditions are
    given, a job must meet both. If a stop fails, the operator still tries the others before it fails.

    :param longer_than: how long a job has been RUNNING in all, as a timedelta or in seconds. The API adds up all runs
        of a job and does not tell when the last one began: 20 h yesterday and, after a restart, 5 h today are 25 h
    :param job_name: name of the jobs, or a pattern with ``*`` and ``?`` (templated)
    :param action: ``"report"`` only reports the jobs, ``"stop"`` also stops them (templated)
    :param kwargs: arguments of ``BaseOperator``. All others are as for :class:`.JobOperator`
    :return: XCom: ``found`` (the jobs, each as in the sensor's XCom) and ``stopped`` (IDs of the stopped jobs)
    :raises ValueError: neither condition is given, or one is invalid, or is empty after rendering
    :raises ModelArtsError: the jobs could not be listed; or the error of the first stop that failed
    """

    kind = VISUALIZATION_JOBS
    template_fields: Sequence[str] = ("job_name", "action", *JobOperator.template_fields)

    def __init__(
        self,
        *,
        longer_than: timedelta | float | None = None,
        job_name: str | XComArg | None = None,
        action: str = "report",
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
        if longer_than is None and job_name is None:
            raise ValueError("longer_than, job_name: at least one is needed")
        self.longer_than = None if longer_than is None else seconds("longer_than", longer_than)
        self.job_name = job_name
        self.action = action
        self._by_name = job_name is not None
        if is_literal(job_name) and is_literal(action):
            self._check()

    def execute(self, context: Context) -> dict[str, Any]:
        """Find the jobs, and stop them if that is the action."""
        self._check()
        with self.hook as hook:
            found = [job for job in hook.list_visualization_jobs() if self._is_meant(job)]
            for job in found:
                ran = "" if job.duration is None else f", {job.duration.total_hours():.1f} h in all"
                self.log.info("Found visualization job %s (%s): %s%s", job.job_id, job.job_name, job.status_name, ran)
            stopped = self._stop(hook.get_conn(), found) if self.action == "stop" else []
        return {"found": [job.summary() for job in found], "stopped": stopped}

    def _check(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"action: {self.action!r} is not one of {', '.join(ACTIONS)}")
        self.job_name = to_text(self.job_name)
        if self._by_name and not (isinstance(self.job_name, str) and self.job_name):
            # An empty name would stand for every job of the project.
            raise ValueError(f"job_name: {self.job_name!r} is not a name or a pattern")

    def _is_meant(self, job: VisualizationJob) -> bool:
        if self._is_over(job) or self._is_being_stopped(job):
            return False
        if self._by_name and not fnmatchcase(job.job_name or "", str(self.job_name)):
            return False
        if self.longer_than is None:
            return True
        return job.status == JobStatus.RUNNING and self._has_run_for(job, self.longer_than)

    def _has_run_for(self, job: VisualizationJob, seconds: float) -> bool:
        if job.duration is None:
            self.log.warning("Left out visualization job %s: the API does not tell how long it has run", job.job_id)
            return False
        return bool(job.duration.total_seconds() > seconds)

    def _stop(self, client: ModelArtsClient, jobs: Sequence[VisualizationJob]) -> list[str]:
        stopped: list[str] = []
        failures: list[ModelArtsError] = []
        for job in jobs:
            try:
                unnecessary = client.visualization_jobs.ensure_stopped(job.job_id)
            except ModelArtsError as failure:
                self.log.error("Visualization job %s could not be stopped. %s", job.job_id, failure)
                failures.append(failure)
            else:
                self.log.info("Visualization job %s %s", job.job_id, unnecessary or "is being stopped")
                stopped += [] if unnecessary else [job.job_id]
        if failures:
            raise failures[0]
        return stopped
