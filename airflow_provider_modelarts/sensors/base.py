"""Base class of sensors: waits until jobs have reached a status, on a worker or in the triggerer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider_modelarts._compat import (
    DEFER_TIMEOUT_MARGIN,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    airflow_version,
    conf,
    execute_sensor,
    first_reschedule_date,
    metrics,
)
from airflow_provider_modelarts.api.checks import job_id_in
from airflow_provider_modelarts.api.clock import HasClock
from airflow_provider_modelarts.assets.base import add_to_outlet_events
from airflow_provider_modelarts.choices import WaitFor
from airflow_provider_modelarts.deferral import defer, resume, resumes_another_try, when_try_started
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.links.base import log_pages, publish_link
from airflow_provider_modelarts.sensors.in_triggerer import why_on_worker
from airflow_provider_modelarts.templates import is_literal, materialized, plain, seconds, time_to_wait
from airflow_provider_modelarts.ui.shown_jobs import publish_shown_jobs
from airflow_provider_modelarts.waiting.blocking import poll
from airflow_provider_modelarts.waiting.jobs import JobsWait, parse_job_ids
from airflow_provider_modelarts.waiting.kind import Kind
from airflow_provider_modelarts.waiting.request import WaitRequest
from airflow_provider_modelarts.waiting.target import WAIT_FOR, Target, parse_statuses
from airflow_provider_modelarts.waiting.wait import (
    InvalidWaitError,
    JobCannotArriveError,
    WaitError,
    WaitTimeoutError,
    duration,
    point_in_time,
)
from airflow_provider_modelarts.xcoms import push_fields

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg
    from airflow.triggers.base import StartTriggerArgs

    from airflow_provider_modelarts.waiting.fetch import JobFetcher


class _InstanceProperty(property):
    """A property that is None on the class, which is where Airflow reads it for a mapped task."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return None if instance is None else super().__get__(instance, owner)


class JobSensor(HasClock, BaseSensorOperator):
    """
    Base class of sensors that wait for jobs. A subclass says for which kind, and has the defaults of that kind.

    In poke mode, :meth:`execute` pokes until the wait is over. In reschedule mode, it pokes once. A deferrable sensor
    polls once and defers; with ``skip_worker`` it defers at once, or starts in the triggerer. The connection is first
    needed for the first poll.

    :cvar kind: the kind of job
    :cvar trigger_path: import path of the trigger that waits for this kind
    :param job_id: the job: its ID, or the output of a task that created, changed or waited for it (templated)
    :param job_name: the name of the job instead; an error if no job or several have it (templated)
    :param job_ids: several jobs instead: a list of these, or its text (templated); the XCom then has an entry for each
    :param wait_for: ``"all"`` of them, each at some time, failing with the first that cannot arrive any more; or
        ``"any"``, failing when none can any more
    :param target_status: the status to wait for, or several of them; ``"GONE"`` waits for the deletion (templated)
    :param failure_statuses: what fails the task; by default every ended and failed status that is not waited for
        (templated)
    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud`` (templated)
    :param region: overrides the connection's (templated)
    :param project_id: overrides the connection's (templated)
    :param workspace_id: overrides the connection's (templated)
    :param poll_failure_tolerance: seconds, or a timedelta, for which polls may fail once the job has been observed
    :param deferrable: wait in the triggerer; by default as ``[operators] default_deferrable`` says
    :param skip_worker: wait in the triggerer from the start, if Airflow can do so without losing anything
    :raises ValueError: a parameter is invalid; when the DAG is parsed if it is literal, else before the first request
    :raises AirflowFailException: the job cannot reach the status any more
    :raises JobStateUnknownError: the API refuses, or could not be reached for too long; Airflow's retries apply
    """

    kind: ClassVar[Kind[Any]]
    trigger_path: ClassVar[str]

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
    ui_color = "#f5e0df"
    skip_worker = False
    shown_jobs: Mapping[str, Any] | None = None
    """What was last pushed for the pages in Airflow's UI."""

    try_started_at: float | None = None
    """Start of this try, from the event of a resumed task; seconds since the epoch."""

    def __init__(
        self,
        *,
        target_status: Any,
        job_id: str | int | XComArg | None = None,
        job_name: str | XComArg | None = None,
        job_ids: Any = None,
        wait_for: WaitFor = "all",
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
        self._wait: JobsWait | None = None
        self._check_literals()

    def _check_literals(self) -> None:
        if [self.job_id, self.job_name, self.job_ids].count(None) != 2:
            raise ValueError("job_id: give one of job_id, job_name and job_ids")
        if self.wait_for not in WAIT_FOR:
            raise ValueError(f"wait_for: {self.wait_for!r} is not one of {', '.join(WAIT_FOR)}")
        if self.job_name is not None and is_literal(self.job_name):
            self.kind.parse_job_name(self.job_name)
        if self.job_id is not None and is_literal(self.job_id):
            self.kind.parse_job_id(job_id_in(self.job_id))
        if isinstance(self.job_ids, (list, tuple)) and self.job_ids:
            for job_id in filter(is_literal, self.job_ids):
                self.kind.parse_job_id(job_id_in(job_id))
        elif self.job_ids is not None and is_literal(self.job_ids):
            parse_job_ids(self.kind, self.job_ids)
        if is_literal(self.target_status):
            parse_statuses(self.kind, self.target_status, "target_status")
        if self.failure_statuses is not None and is_literal(self.failure_statuses):
            parse_statuses(self.kind, self.failure_statuses, "failure_statuses", may_be_empty=True)
        if is_literal(self.target_status) and is_literal(self.failure_statuses):
            Target.of(self.kind, self.target_status, self.failure_statuses)

    @property
    def output(self) -> Any:
        """The XCom, for other tasks. (Airflow's own type of it fits no argument of a ``@task`` function.)"""
        return super().output

    @cached_property
    def hook(self) -> ModelArtsHook:
        """The hook that the sensor polls through."""
        return ModelArtsHook(
            self.modelarts_conn_id,
            region=self.region,
            project_id=self.project_id,
            workspace_id=self.workspace_id,
        )

    def wait_request(self) -> WaitRequest:
        """Return what the sensor waits for, in JSON types."""
        return WaitRequest(**{name: plain(value) for name, value in WaitRequest.of(self).to_dict().items()})

    def time_to_wait(self) -> float:
        """Return the seconds that the task may wait; Airflow applies no ``execution_timeout`` to a deferred task."""
        return time_to_wait(self.timeout, self.execution_timeout)

    @_InstanceProperty
    def start_from_trigger(self) -> bool:
        """Whether Airflow starts the task in the triggerer."""
        return self.skip_worker and self.why_on_worker() is None

    @_InstanceProperty
    def start_trigger_args(self) -> StartTriggerArgs | None:
        """How Airflow starts the task in the triggerer."""
        if not self.start_from_trigger:
            return None
        from airflow.triggers.base import StartTriggerArgs

        limit = self.time_to_wait()
        return StartTriggerArgs(
            trigger_cls=self.trigger_path,
            trigger_kwargs={**self.wait_request().to_dict(), "timeout": limit, "may_end_task": True},
            next_method="execute_complete",
            timeout=timedelta(seconds=limit + DEFER_TIMEOUT_MARGIN),
        )

    def why_on_worker(self) -> str | None:
        """Return why the task needs a worker in spite of ``skip_worker``; None if it does not."""
        return why_on_worker(self, JobSensor)

    def _validate_start_from_trigger_kwargs(self) -> None:
        """Do nothing: whether the task starts in the triggerer is known only when the DAG is complete."""

    def execute(self, context: Context) -> Any:
        """Wait, and return the XCom."""
        with self._waiting(context) as wait:
            if self.skip_worker:
                reason = self.why_on_worker()
                self.log.info("skip_worker: deferring from a worker%s", f", because {reason}" if reason else "")
                return self._defer(context, wait)
            if self.deferrable:
                return self._poll_and_defer(context, wait)
            try:
                return execute_sensor(self, context)
            except AirflowRescheduleException:
                if self._time_is_up():
                    # Airflow would reschedule the sensor once more.
                    self._fail(WaitTimeoutError(f"Timed out waiting for {wait.describe()}"))
                raise

    @contextmanager
    def _waiting(self, context: Context) -> Iterator[JobsWait]:
        """
        Begin the wait, and close its connections at the end.

        :raises ValueError: a rendered parameter is invalid; nothing has been sent
        """
        first_run = first_reschedule_date(context) if self.reschedule else None
        self._started_at = first_run.timestamp() if first_run else when_try_started(self, context)
        if first_run is None:
            until = point_in_time(self._started_at + self.time_to_wait())
            self.log.info("Polling every %s, until %s at the latest", duration(self.poke_interval), until)
        # There is a second run only if the first has observed the jobs, or the sensor is silent.
        was_observed = first_run is not None
        self._fetcher: JobFetcher | None = None
        with self.hook:
            request = WaitRequest.of(self)
            self._wait = JobsWait.begin(self.kind, request, log=self.log, was_observed=was_observed, metrics=metrics())
            try:
                yield self._wait
            finally:
                self._wait = None
                if self._fetcher is not None:
                    self._fetcher.close()

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll the jobs; in reschedule mode, repeat that during an outage."""
        if self._wait is None:  # Called without execute, as in a test.
            with self._waiting(context):
                return self.poke(context)
        while True:
            try:
                arrived = self._poll(context, self._wait)
            except WaitError as error:
                self._fail(error)
            except Exception as error:
                if self.never_fail and not self.silent_fail:
                    self._fail(error)  # Airflow would skip the task as well, but without the reason.
                raise
            if not (self.reschedule and self._wait.failing) or self._time_is_up():
                return PokeReturnValue(arrived, self._xcom(context, self._wait.summaries()) if arrived else None)
            self.clock.sleep(self.poke_interval)

    def _poll(self, context: Context, wait: JobsWait) -> bool:
        """
        Poll the jobs once, and return whether the wait is over.

        :raises WaitError: the wait ended without its target
        :raises Exception: the connection does not exist or is incomplete
        """
        if self._fetcher is None:
            self._fetcher = self.hook.fetcher(self.kind)
        try:
            return poll(wait, self._fetcher, self.clock)
        finally:
            publish_link(self, context, wait.page_url)
            publish_shown_jobs(self, context, wait)

    def _time_is_up(self) -> bool:
        return self.clock.time() > self._started_at + self.time_to_wait()

    def _poll_and_defer(self, context: Context, wait: JobsWait) -> Any:
        """Poll once, so that an arrived job needs no triggerer and a wrong ID fails at once; then defer."""
        try:
            if self._poll(context, wait):
                return self._xcom(context, wait.summaries())
        except JobCannotArriveError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - as Airflow's own loop does in poke mode
            if not self.silent_fail:
                self._fail(error)
            self.log.error("Poll failed, silently: %s", error)
        return self._defer(context, wait)

    def _defer(self, context: Context, wait: JobsWait) -> NoReturn:
        defer(self, context, self.wait_request(), wait, started_at=self._started_at)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume from the triggerer, without the rules of Airflow's base class."""
        if resumes_another_try(context, next_kwargs):
            self.log.info("This event is of an earlier try; waiting again")
            return self.execute(context)
        self.link = None
        reason = str((next_kwargs or {}).get("error", ""))
        if next_method == "__fail__" and "timeout" in reason.lower():
            self._fail(WaitTimeoutError(f"Timed out waiting, with no event from the triggerer: {reason}"))
        return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """
        Log why the task ends. (Airflow 2.11 ends it with an error without text.)

        Airflow 2.11 calls this, and nothing else, if the ``execution_timeout`` is over when the task resumes.
        """
        if airflow_version() < (3, 0) and self._wait is None and self.execution_timeout is not None:
            limit = duration(self.execution_timeout.total_seconds())
            self.log.error("The task has reached its execution_timeout (%s) while it waited in the triggerer", limit)

    def execute_complete(self, context: Context, event: Any = None) -> Any:
        """
        End the task as the trigger's event says, and return the XCom.

        :raises ValueError: the event is missing or not understood, or a rendered parameter is invalid
        """
        result = resume(self, context, event)
        try:
            result.raise_error()
        except InvalidWaitError as error:
            # A worker can render more than the triggerer. A parameter that is still invalid fails here.
            self.log.info("The triggerer leaves the task to a worker: %s", error)
            return self.execute(context)
        except WaitError as error:
            self._fail(error)
        return self._xcom(context, result.jobs)

    def _xcom(self, context: Context, jobs: Mapping[str, Mapping[str, Any]]) -> Any:
        """Return the XCom of a wait that has succeeded. Set the outlets' events and the XComs of the fields as well."""
        log_pages(self, jobs)
        xcom = next(iter(jobs.values())) if self.job_ids is None else dict(jobs)
        add_to_outlet_events(self, context, xcom)
        if self.job_ids is None:
            push_fields(self, context, xcom)
        return xcom

    def _fail(self, error: Exception) -> NoReturn:
        """Raise Airflow's exception for a wait that ended without its target, the same in every mode."""
        failure: BaseException = error
        skip = self.never_fail
        if isinstance(error, JobCannotArriveError):
            failure, skip = AirflowFailException(str(error)), self.soft_fail or self.never_fail
        elif isinstance(error, WaitTimeoutError):
            by_timeout = self.timeout <= self.time_to_wait()
            exception = AirflowSensorTimeout if by_timeout else AirflowTaskTimeout
            limit = "timeout" if by_timeout else "execution_timeout"
            failure = exception(f"{error} ({limit} {duration(self.time_to_wait())})")
            skip = self.soft_fail and by_timeout
        if skip:
            raise AirflowSkipException(f"Skipped, as the sensor's soft_fail or never_fail says: {error}") from error
        if failure is error:
            raise error
        raise failure from error
