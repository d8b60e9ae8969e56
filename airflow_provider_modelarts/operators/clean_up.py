"""Operators that find jobs that should not run any more, and can stop them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, Final, get_args

from airflow_provider_modelarts.api.checks import to_text
from airflow_provider_modelarts.api.errors import ModelArtsError, ModelArtsPermissionError
from airflow_provider_modelarts.api.training_jobs.kind import TRAINING_JOBS
from airflow_provider_modelarts.api.training_jobs.statuses import ON_THE_WAY, READY, TrainingJobPhase
from airflow_provider_modelarts.api.training_jobs.usage import MAX_MINUTES, accelerators_idle
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus
from airflow_provider_modelarts.choices import CleanUpAction
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.operators.base import JobOperator
from airflow_provider_modelarts.templates import is_literal, seconds

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg
    from typing_extensions import Unpack

    from airflow_provider_modelarts.api.training_jobs.models import TrainingJob
    from airflow_provider_modelarts.task_arguments import OperatorArguments
    from airflow_provider_modelarts.waiting.kind import Status

ACTIONS: Final[tuple[CleanUpAction, ...]] = get_args(CleanUpAction)
IDLE_BELOW: Final = 5.0


class CleanUpJobsOperator(JobOperator):
    """
    Base class for operators that find jobs that have run for too long or have a certain name, and stop them on request.

    They read all pages of the list. They leave out jobs that are over or being stopped. If both conditions are given, a
    job must meet both. If a stop fails, they still try the others before they fail.

    :param longer_than: how long a job has been running in all, as a timedelta or in seconds
    :param job_name: name of the jobs, or a pattern with ``*`` and ``?`` (templated)
    :param action: ``"report"`` only reports the jobs, ``"stop"`` also stops them (templated)
    :param kwargs: arguments of ``BaseOperator``. All others are as for :class:`.JobOperator`
    :return: XCom: ``found`` (the jobs, each as in the sensor's XCom) and ``stopped`` (IDs of the stopped jobs)
    :raises ValueError: neither condition is given, or one is invalid, or is empty after rendering
    :raises ModelArtsError: the jobs could not be listed; or the error of the first stop that failed
    """

    running: ClassVar[Status]
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
            found = [job for job in self._list(hook) if self._is_meant(job)]
            for job in found:
                ran = "" if job.duration is None else f", {job.duration.total_hours():.1f} h in all"
                status = self.kind.status_label(self.kind.status_of(job))
                self.log.info("Found %s %s (%s): %s%s", self.kind.noun, job.job_id, job.job_name, status, ran)
            stopped = self._stop(found) if self.action == "stop" else []
        return {"found": [self.kind.summary(job) for job in found], "stopped": stopped}

    def _list(self, hook: ModelArtsHook) -> Iterable[Any]:
        """Yield all jobs that may have to be stopped."""
        raise NotImplementedError

    def _check(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"action: {self.action!r} is not one of {', '.join(ACTIONS)}")
        self.job_name = to_text(self.job_name)
        if self._by_name and not (isinstance(self.job_name, str) and self.job_name):
            # An empty name would stand for every job of the project.
            raise ValueError(f"job_name: {self.job_name!r} is not a name or a pattern")

    def _is_meant(self, job: Any) -> bool:
        if self._is_over(job) or self._is_being_stopped(job):
            return False
        if self._by_name and not fnmatchcase(job.job_name or "", str(self.job_name)):
            return False
        if self.longer_than is None:
            return True
        return self.kind.status_of(job) == self.running and self._has_run_for(job, self.longer_than)

    def _has_run_for(self, job: Any, seconds: float) -> bool:
        if job.duration is None:
            self.log.warning("Left out %s %s: the API does not tell how long it has run", self.kind.noun, job.job_id)
            return False
        return bool(job.duration.total_seconds() > seconds)

    def _stop(self, jobs: Sequence[Any]) -> list[str]:
        stopped: list[str] = []
        failures: list[ModelArtsError] = []
        noun = self.kind.noun.capitalize()
        for job in jobs:
            try:
                unnecessary = self._jobs.ensure_stopped(job.job_id)
            except ModelArtsError as failure:
                self.log.error("%s %s could not be stopped. %s", noun, job.job_id, failure)
                failures.append(failure)
            else:
                self.log.info("%s %s %s", noun, job.job_id, unnecessary or "is being stopped")
                stopped += [] if unnecessary else [job.job_id]
        if failures:
            raise failures[0]
        return stopped


class ModelArtsCleanUpVisualizationJobsOperator(CleanUpJobsOperator):
    """
    Finds visualization jobs that have run for too long or have a certain name, and reports or stops them.

    The API adds up all runs of a job and does not tell when the last one began: 20 h yesterday and, after a restart,
    5 h today are 25 h. The parameters are those of :class:`.CleanUpJobsOperator`.
    """

    custom_operator_name = "Clean up visualization jobs"
    kind = VISUALIZATION_JOBS
    running = int(JobStatus.RUNNING)

    def _list(self, hook: ModelArtsHook) -> Iterable[Any]:
        return hook.list_visualization_jobs()


class ModelArtsCleanUpTrainingJobsOperator(CleanUpJobsOperator):
    """
    Finds training jobs that have run for too long, have a certain name or leave their accelerators idle, and reports or
    stops them.

    It looks at one workspace. Queueing does not count as running. Only a job whose use of accelerators is known for
    every node and every minute of ``idle_for`` can be idle.

    :param idle_for: finds running jobs whose accelerators have all been idle for this long, as a timedelta or in
        seconds; at most 1000 minutes. Sends one request per task of each job that has been running for longer than
        ``longer_than``, which is ``idle_for`` by default
    :param idle_below: percent of use under which an accelerator is idle
    :param kwargs: the other parameters are those of :class:`.CleanUpJobsOperator`
    """

    custom_operator_name = "Clean up training jobs"
    kind = TRAINING_JOBS
    running = str(TrainingJobPhase.RUNNING)

    def __init__(
        self,
        *,
        longer_than: timedelta | float | None = None,
        job_name: str | XComArg | None = None,
        idle_for: timedelta | float | None = None,
        idle_below: float = IDLE_BELOW,
        action: str = "report",
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        idle_seconds = None if idle_for is None else seconds("idle_for", idle_for, may_be_zero=False)
        super().__init__(
            longer_than=idle_seconds if longer_than is None else longer_than,
            job_name=job_name,
            action=action,
            modelarts_conn_id=modelarts_conn_id,
            region=region,
            project_id=project_id,
            workspace_id=workspace_id,
            **kwargs,
        )
        if idle_seconds is not None and idle_seconds > MAX_MINUTES * 60:
            raise ValueError(f"idle_for: is more than {MAX_MINUTES} minutes; metrics are not read further back")
        self.idle_for = idle_seconds
        self.idle_below = idle_below
        if not 0 < idle_below <= 100:
            raise ValueError(f"idle_below: {idle_below!r} is not a percentage above 0")

    def _list(self, hook: ModelArtsHook) -> Iterable[Any]:
        return hook.list_training_jobs(phase=ON_THE_WAY | READY)

    def _is_meant(self, job: Any) -> bool:
        return super()._is_meant(job) and (self.idle_for is None or self._idles(job, self.idle_for))

    def _idles(self, job: TrainingJob, seconds: float) -> bool:
        jobs, minutes = self.hook.get_conn().training_jobs, ceil(seconds / 60)
        try:
            idle = accelerators_idle((jobs.metrics(job.job_id, task) for task in job.tasks), minutes, self.idle_below)
        except ModelArtsPermissionError:
            raise  # Or a missing permission would look as if no job idled.
        except ModelArtsError as error:
            self.log.warning("Left out training job %s: its metrics cannot be read. %s", job.job_id, error)
            return False
        if idle is None:
            self.log.warning(
                "Left out training job %s: its metrics do not tell the use of accelerators on all nodes for %d min",
                job.job_id,
                minutes,
            )
        return bool(idle)
