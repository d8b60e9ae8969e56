"""Base class for operators that start a training job: waits for it, copies its logs, says why it failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from airflow_provider_modelarts._compat import AirflowFailException, redact
from airflow_provider_modelarts.api.errors import ModelArtsError
from airflow_provider_modelarts.api.training_jobs.failures import (
    TrainingCapacityError,
    TrainingConfigurationError,
    read_failure,
)
from airflow_provider_modelarts.api.training_jobs.kind import TRAINING_JOBS
from airflow_provider_modelarts.api.training_jobs.log_follower import Log, LogFollower
from airflow_provider_modelarts.api.training_jobs.statuses import TERMINAL, TrainingJobPhase
from airflow_provider_modelarts.deferral import defer, resume
from airflow_provider_modelarts.links.training_job import ModelArtsTrainingJobLink
from airflow_provider_modelarts.operators.starting import StartingJobOperator
from airflow_provider_modelarts.templates import plain, seconds
from airflow_provider_modelarts.waiting.blocking import wait_on_thread
from airflow_provider_modelarts.waiting.wait import (
    JobCannotArriveError,
    JobStateUnknownError,
    WaitTimeoutError,
    duration,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_modelarts.api.training_jobs.models import TrainingJob
    from airflow_provider_modelarts.api.training_jobs.operations import TrainingJobs
    from airflow_provider_modelarts.waiting.jobs import JobsWait

TRIGGER: Final = "airflow_provider_modelarts.triggers.training_job.ModelArtsTrainingJobTrigger"
"""The trigger's class, which is imported only when a task defers."""


class WaitingTrainingJobOperator(StartingJobOperator):
    """
    Waits for a training job that it has started.

    :param max_pending: seconds, or a timedelta, until the job must run for the first time
    :param get_logs: copy the logs of the job's tasks into the task's log
    :param kwargs: as for all operators that start a job (:class:`.StartingJobOperator`)
    """

    kind = TRAINING_JOBS
    trigger_path = TRIGGER
    operator_extra_links: Any = (ModelArtsTrainingJobLink(),)

    def __init__(self, *, max_pending: float | timedelta | None = None, get_logs: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_pending = None if max_pending is None else seconds("max_pending", max_pending)
        self.get_logs = get_logs
        self._follower: LogFollower | None = None

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        Go on as the trigger's event says.

        :raises ValueError: the event is missing or not understood
        """
        with self.hook, self._ending(context):
            result = resume(self, context, event)
            if result.outcome == WaitTimeoutError.outcome:
                self._check_pending(TRAINING_JOBS.from_summary(summary) for summary in result.jobs.values())
            result.raise_error()
            return self._wait_and_succeed(context, self._require_job(context, next(iter(result.jobs))))

    @property
    def _is_server(self) -> bool:
        """Whether the job serves until it is stopped, so that Running is what the task waits for."""
        raise NotImplementedError

    @property
    def _training_jobs(self) -> TrainingJobs:
        return self.hook.get_conn().training_jobs

    def _wait_and_succeed(self, context: Context, job: TrainingJob) -> dict[str, Any]:
        if self.wait_for_completion:
            job = self._wait_for_end(context, job)
            if not self._is_server:
                self._copy_end_of_logs(job)
                self._log_cost(job)
        return self._succeed(context, job.summary())

    def _wait_for_end(self, context: Context, job: TrainingJob) -> TrainingJob:
        """
        Wait until the job has run for the first time, within ``max_pending``, then until it is at its target.

        :raises WaitError: it did not get there
        :raises TrainingCapacityError: it has not run within ``max_pending``
        """
        target = TrainingJobPhase.RUNNING if self._is_server else TrainingJobPhase.COMPLETED
        if self.max_pending is not None and _is_pending(job):
            started = [*{TrainingJobPhase.RUNNING, target}]
            try:
                job = self._wait_until(context, job, started, min(self.max_pending, self.timeout))
            except WaitTimeoutError:
                self._check_pending([job])
                raise
        return self._wait_until(context, job, target, self.timeout)

    def _wait_until(self, context: Context, job: TrainingJob, target_status: Any, timeout: float) -> TrainingJob:
        """Wait for a job until some time after its creation, in the triggerer if the operator is deferrable."""
        request = replace(self._request(job.job_id, plain(target_status)), timeout=timeout)
        jobs = self._begin_wait(request)
        created_at = self.clock.time() if job.create_time is None else job.create_time.timestamp()
        if not self.deferrable:
            left = created_at + timeout - self.clock.time()
            after_poll = partial(self._after_poll, context, jobs)
            wait_on_thread(
                jobs,
                self._fetcher,
                poke_interval=self.poke_interval,
                timeout=max(0.0, left),
                clock=self.clock,
                after_poll=after_poll,
            )
        elif not jobs.observe({job.job_id: job}, self.clock.time()):
            defer(self, context, request, jobs, started_at=created_at, stop_on_kill=self._stops_job)
        return cast("TrainingJob", jobs.first().last)

    def _check_pending(self, jobs: Iterable[TrainingJob]) -> None:
        """
        Tell a job that has waited too long for resources from one that has run too long.

        :raises TrainingCapacityError: it has waited for longer than ``max_pending``
        """
        for job in jobs:
            if self.max_pending is not None and self.max_pending < self.timeout and _is_pending(job):
                raise TrainingCapacityError(
                    f"Training job {job.job_id} ({job.job_name}) has not started to run within "
                    f"{duration(self.max_pending)} (max_pending)",
                    job,
                )

    def _after_poll(self, context: Context, jobs: JobsWait) -> None:
        self._publish(context, jobs)
        job = cast("TrainingJob | None", jobs.first().last)
        if job is not None and self.get_logs and job.tasks:
            self._follower = self._follower or self._new_follower(job)
            self._follower.poll(job.tasks)

    def _copy_end_of_logs(self, job: TrainingJob) -> None:
        """Copy what the task's log does not have yet; after a wait in the triggerer, the end."""
        if not self.get_logs or not job.tasks:
            return
        if self._follower is not None:
            self._follower.finish(job.tasks)
        else:
            self._new_follower(job).tail(job.tasks)

    def _new_follower(self, job: TrainingJob) -> LogFollower:
        more = job.page_url or "the console"
        log = _MaskedLog(self.log)
        return LogFollower(self._training_jobs, job.job_id, log, more=more, sleep=self.clock.sleep)

    def _log_cost(self, job: TrainingJob) -> None:
        """Say what is billed, as far as the API tells it."""
        if job.duration is not None and job.node_count:
            ran = duration(job.duration.total_seconds())
            resource = job.flavor_id or f"pool {job.pool_id}"
            self.log.info("Ran for %s on %d x %s", ran, job.node_count, resource)

    @contextmanager
    def _ending(self, context: Context) -> Iterator[None]:
        """
        Stop the job if the block raises an error, unless the job has ended, or a retry is left to go on with it.

        :raises TrainingJobFailedError: the job has ended without success
        """
        try:
            yield
        except JobCannotArriveError as error:
            self._raise_failure(context, error)
        except (JobStateUnknownError, ModelArtsError):
            ti = context["ti"]
            if ti.try_number > ti.max_tries:
                self._stop()
            elif self._may_have_started:
                self.log.warning("The training job of this task, if there is one, goes on for the next try")
            raise
        except Exception:
            self._stop()
            raise

    def _raise_failure(self, context: Context, error: JobCannotArriveError) -> NoReturn:
        """Raise the cause of the failure; the given error if the API does not return it."""
        try:
            job = self._get_job(context, self._job_id or "")
            if job is None or job.phase not in TERMINAL:
                raise error
            self._copy_end_of_logs(job)
            self._log_cost(job)
            failure = read_failure(self._training_jobs, job)
        except ModelArtsError:
            raise error from None
        message = redact(str(failure))
        # Without the error that led here, so that the task's log ends with the cause.
        if isinstance(failure, TrainingConfigurationError):
            raise AirflowFailException(message) from None
        raise type(failure)(message, job) from None


class _MaskedLog:
    """
    Masks secrets in the lines of a job's log, which may say anything.

    Airflow masks what a task logs only on its way into the task's log. LocalExecutor writes the same lines to the
    scheduler's output, as they left the process of the task (Airflow 3.3.2).
    """

    def __init__(self, log: Log) -> None:
        self._log = log

    def log(self, level: int, message: Any, /, *args: Any) -> None:
        self._log.log(level, message, *(redact(arg) if isinstance(arg, str) else arg for arg in args))


def _is_pending(job: TrainingJob) -> bool:
    """Return whether a job has not run yet. An event of the trigger has the duration, but not the start."""
    has_run = job.start_time is not None or bool(job.duration)
    return job.phase in (TrainingJobPhase.CREATING, TrainingJobPhase.PENDING) and not has_run
