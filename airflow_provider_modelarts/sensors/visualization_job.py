"""The sensor: waits until visualization jobs have reached a status, on a worker or in the triggerer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_modelarts._compat import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    airflow_version,
    conf,
    first_reschedule_date,
)
from airflow_provider_modelarts.api.parameters import checked_job_id, checked_job_ids
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.links.visualization_job import XCOM_KEY, ModelArtsVisualizationJobLink, link_to
from airflow_provider_modelarts.waiting import event as events
from airflow_provider_modelarts.waiting.event import DEFER_TIMEOUT_MARGIN, WaitEvent
from airflow_provider_modelarts.waiting.jobs import WAIT_FOR, JobsWait
from airflow_provider_modelarts.waiting.verdict import Target, checked_statuses
from airflow_provider_modelarts.waiting.wait import (
    JobCannotArriveError,
    JobStateUnknownError,
    Wait,
    WaitError,
    WaitTimeoutError,
    duration,
    transition,
)

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_provider_modelarts.waiting.fetch import JobFetcher

TRIGGER = "airflow_provider_modelarts.triggers.visualization_job.ModelArtsVisualizationJobTrigger"

FIRST_POLL_AFTER_DEFERRAL = 8.0
"""Seconds. Airflow's scheduler may fail a task that comes back from a deferral before it has noticed its departure,
which can take it ``[workers] min_heartbeat_interval`` (5 s) and a little."""


class ModelArtsVisualizationJobSensor(BaseSensorOperator):
    """
    Waits until one or several ModelArts visualization jobs have reached a status.

    A job that has failed or ended, so that it cannot reach the status any more, fails the task at once and without
    retries (`AirflowFailException`; ``soft_fail`` skips). An undocumented status is waited on. Once the job has been
    seen, an API that cannot be reached is borne for ``poll_failure_tolerance``; refused credentials, a missing
    permission and a retired API are not. All of this is the same in every mode. (In ``reschedule`` mode nothing is
    remembered from poke to poke: the log has a line a poke, of several jobs all have to be there at the same poke, and
    the sensor stays on its worker while the API cannot be reached, for nothing else could measure the outage.)

    ``deferrable`` waits hold no worker, and look every ``poke_interval`` (no ``exponential_backoff``): all those on a
    connection share their requests, one list request for up to 1,000 jobs an interval. With ``skip_worker`` the task
    goes to the triggerer without a worker, too, and an arrived job ends it there, on Airflow 3.3 and later; such a task
    takes no slot of a pool and counts in no concurrency limit while it waits. What would be lost by ending it there
    (outlets, success and execute callbacks, listeners), and every failure, is given to a worker. Elsewhere, and when
    mapped, it polls once on a worker and defers.

    :param job_id: the job, digits (templated)
    :param job_ids: several jobs instead, a list or its text (templated); the XCom then has an entry for each
    :param wait_for: ``"all"`` of them, each at some time, failing with the first that cannot; or ``"any"``, failing
        when none can any more
    :param target_status: what to wait for: a code, a name (``"RUNNING"``, ``"JOBSTAT_RUNNING"``), a `JobStatus` or
        several of these; ``"GONE"`` waits for the deletion (templated)
    :param failure_statuses: what fails the task; by default every ended and failed status that is not waited for
        (templated)
    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud`` (templated)
    :param region: wins over the connection's (templated)
    :param project_id: wins over the connection's (templated)
    :param poll_failure_tolerance: seconds, or a timedelta, for which polls may fail once the job has been seen
    :param deferrable: wait in the triggerer; by default as ``[operators] default_deferrable`` says
    :param skip_worker: wait in the triggerer from the start, where Airflow can
    :return: XCom of the job: ``job_id``, ``job_name``, ``status``, ``status_name``, ``service_url``, ``train_url``,
        ``create_time`` (ISO 8601), ``duration_ms``
    :raises ValueError: a parameter cannot be; when the DAG is parsed if it is literal, else before the first request
    :raises AirflowFailException: the job cannot reach the status any more
    :raises JobStateUnknownError: the API refuses, or could not be reached for too long; Airflow's retries apply
    """

    template_fields: Sequence[str] = (
        "job_id",
        "job_ids",
        "target_status",
        "failure_statuses",
        "modelarts_conn_id",
        "region",
        "project_id",
    )
    operator_extra_links = (ModelArtsVisualizationJobLink(),)
    ui_color = "#f5e0df"

    def __init__(
        self,
        *,
        job_id: str | int | XComArg | None = None,
        job_ids: Any = None,
        wait_for: str = "all",
        target_status: Any = "RUNNING",
        failure_statuses: Any = None,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        poll_failure_tolerance: float | timedelta = 600,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        skip_worker: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.job_ids = job_ids
        self.wait_for = wait_for
        self.target_status = target_status
        self.failure_statuses = failure_statuses
        self.modelarts_conn_id = modelarts_conn_id
        self.region = region
        self.project_id = project_id
        self.poll_failure_tolerance = _seconds("poll_failure_tolerance", poll_failure_tolerance)
        self.deferrable = deferrable or skip_worker
        self.skip_worker = skip_worker
        self.link: str | None = None
        self._check_literals()
        if skip_worker and self._can_start_in_triggerer():
            self._start_in_triggerer()

    @cached_property
    def hook(self) -> ModelArtsHook:
        """The hook that the sensor polls through."""
        return ModelArtsHook(self.modelarts_conn_id, region=self.region, project_id=self.project_id)

    def execute(self, context: Context) -> Any:
        """Wait, and return the XCom."""
        self._begin(context)
        with self.hook, closing(self._fetcher):
            return self._look_and_defer() if self.deferrable else super().execute(context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at the jobs; in reschedule mode again and again while the API cannot be reached."""
        while True:
            try:
                arrived = self._look()
            except WaitError as error:
                self._fail(error)
            if not (self.reschedule and self._jobs.failing) or time.time() > self._started_at + self.timeout:
                return PokeReturnValue(arrived, self._xcom(self._jobs.summaries()) if arrived else None)
            time.sleep(self.poke_interval)

    def execute_complete(self, context: Context, event: Any = None) -> Any:
        """
        End the task as the trigger's event says.

        :raises ValueError: the event is missing or not understood, or a rendered parameter cannot be
        """
        result = WaitEvent.from_dict(event)
        if result.outcome == events.INVALID:
            # The triggerer renders less than a worker does; what is wrong here, too, is refused here.
            self.log.info("The triggerer gives the task to a worker: %s", result.message)
            return self.execute(context)
        self._replay(result)
        self._set_link(context, result.link)
        if result.outcome == events.ARRIVED:
            return self._xcom(result.jobs)
        errors = {events.CANNOT_ARRIVE: JobCannotArriveError, events.TIMEOUT: WaitTimeoutError}
        return self._fail(errors.get(result.outcome, JobStateUnknownError)(result.message))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume from the triggerer. What the end of a wait means is decided here, not by Airflow's own idea of it."""
        reason = str((next_kwargs or {}).get("error", ""))
        if next_method == "__fail__" and "timeout" in reason.lower():
            self._fail(WaitTimeoutError(f"Timed out waiting, with no news from the triggerer: {reason}"))
        return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)

    def _check_literals(self) -> None:
        if (self.job_id is None) == (self.job_ids is None):
            raise ValueError("job_id: give either job_id or job_ids")
        if self.wait_for not in WAIT_FOR:
            raise ValueError(f"wait_for: {self.wait_for!r} is not one of {', '.join(WAIT_FOR)}")
        if self.job_id is not None and _is_literal(self.job_id):
            checked_job_id(self.job_id)
        if isinstance(self.job_ids, (list, tuple)) and self.job_ids:
            for job_id in filter(_is_literal, self.job_ids):
                checked_job_id(job_id)
        elif self.job_ids is not None and _is_literal(self.job_ids):
            checked_job_ids(self.job_ids)
        if _is_literal(self.target_status):
            checked_statuses(self.target_status, "target_status")
        if self.failure_statuses is not None and _is_literal(self.failure_statuses):
            checked_statuses(self.failure_statuses, "failure_statuses", may_be_empty=True)
        if _is_literal(self.target_status) and _is_literal(self.failure_statuses):
            Target.of(self.target_status, self.failure_statuses)

    def _begin(self, context: Context) -> None:
        """Check what was rendered, and start to wait."""
        job_ids = checked_job_ids(self.job_ids) if self.job_ids is not None else [checked_job_id(self.job_id)]
        target = Target.of(self.target_status, self.failure_statuses)
        first_run = first_reschedule_date(context) if self.reschedule else None
        self._started_at = first_run.timestamp() if first_run else time.time()
        # The first run polls strictly: had it not seen the job, there would be no later one.
        seen = first_run is not None
        waits = [Wait(job_id, target, self.poll_failure_tolerance, self.log, seen=seen) for job_id in job_ids]
        self._jobs = JobsWait(waits, self.wait_for)
        self._context = context

    @cached_property
    def _fetcher(self) -> JobFetcher:
        from airflow_provider_modelarts.waiting.fetch import JobFetcher

        return JobFetcher(self.hook.get_conn())

    def _look(self) -> bool:
        """
        Look at the jobs once, and return whether the wait is over.

        :raises WaitError: it is over without its target
        """
        try:
            return self._jobs.observe(self._fetcher.fetch(dict.fromkeys(self._jobs.pending())), time.time())
        finally:
            first = self._jobs.first()
            self._set_link(self._context, link_to(first.service_url if first else None))

    def _look_and_defer(self) -> Any:
        """Look once, strictly, so that an arrived job needs no triggerer and a wrong id fails at once, and defer."""
        if self.skip_worker:
            self.log.info("skip_worker: polling once on a worker; this task cannot start in the triggerer here")
        try:
            if self._look():
                return self._xcom(self._jobs.summaries())
        except JobStateUnknownError as error:
            if not self.silent_fail:
                self._fail(error)
            self.log.error("Poll failed, silently: %s", error)
        except WaitError as error:
            self._fail(error)
        return self._defer()

    def _defer(self) -> NoReturn:
        from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger

        now = time.time()
        deadline = max(now, self._started_at + self._time_to_wait())
        trigger = ModelArtsVisualizationJobTrigger(
            **self._trigger_arguments(),
            deadline=deadline,
            first_poll_at=now + FIRST_POLL_AFTER_DEFERRAL,
            histories=self._jobs.histories(),
        )
        margin = FIRST_POLL_AFTER_DEFERRAL + DEFER_TIMEOUT_MARGIN
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=deadline - now + margin))

    def _can_start_in_triggerer(self) -> bool:
        """Return whether nothing is asked for that only a worker does (and the triggerer cannot give to one)."""
        kind = type(self)
        hooks = (self._pre_execute_hook, self._post_execute_hook) if airflow_version() >= (3, 3) else ()
        return (
            airflow_version() >= (3, 3)
            and all(_can_be_template(getattr(self, name)) for name in self.template_fields)
            and not any(hooks)
            and not self.multiple_outputs
            and kind.execute is ModelArtsVisualizationJobSensor.execute
            and kind.poke is ModelArtsVisualizationJobSensor.poke
        )

    def _start_in_triggerer(self) -> None:
        from airflow.triggers.base import StartTriggerArgs

        self.start_from_trigger = True
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=TRIGGER,
            trigger_kwargs={**self._trigger_arguments(), "timeout": self._time_to_wait(), "may_end_task": True},
            next_method="execute_complete",
            timeout=timedelta(seconds=self._time_to_wait() + DEFER_TIMEOUT_MARGIN),
        )

    def _trigger_arguments(self) -> dict[str, Any]:
        names = (*self.template_fields, "wait_for", "poke_interval", "poll_failure_tolerance", "silent_fail")
        return {name: _plain(getattr(self, name)) for name in names}

    def _time_to_wait(self) -> float:
        """Return the seconds that the task may wait; Airflow applies no ``execution_timeout`` to a deferred task."""
        limit = self.execution_timeout
        return min(self.timeout, limit.total_seconds()) if limit else self.timeout

    def _xcom(self, jobs: Mapping[str, Mapping[str, Any]]) -> Any:
        return dict(jobs) if self.job_ids is not None else next(iter(jobs.values()))

    def _set_link(self, context: Context, url: str) -> None:
        """Keep the job's page for the task's button, and push it where Airflow does not do so itself (2.11)."""
        if url and url != self.link and airflow_version() < (3, 0):
            context["ti"].xcom_push(key=XCOM_KEY, value=url)
        self.link = url or self.link

    def _fail(self, error: WaitError) -> NoReturn:
        """Raise what Airflow is to make of a wait that ended without its target, the same in every mode."""
        failure: BaseException = error
        skip = self.never_fail
        if isinstance(error, JobCannotArriveError):
            failure, skip = AirflowFailException(str(error)), self.soft_fail or self.never_fail
        elif isinstance(error, WaitTimeoutError):
            by_timeout = self.timeout <= self._time_to_wait()
            kind = AirflowSensorTimeout if by_timeout else AirflowTaskTimeout
            limit = "timeout" if by_timeout else "execution_timeout"
            failure = kind(f"{error} ({limit} {duration(self._time_to_wait())})")
            skip = self.soft_fail and by_timeout
        if skip:
            raise AirflowSkipException(f"Skipped, as the sensor's soft_fail or never_fail says: {error}") from error
        raise failure from error

    def _replay(self, result: WaitEvent) -> None:
        """Write into the task's log what the triggerer saw."""
        for job_id, history in result.histories.items():
            before = None
            for entry in history:
                moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(entry[0]))
                self.log.info("%s: visualization job %s %s", moment, job_id, transition(before, entry))
                before = entry


def _seconds(field: str, value: Any) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise ValueError(f"{field}: {value!r} is not a number of seconds, or a timedelta, >= 0")
    return float(seconds)


def _is_literal(value: Any) -> bool:
    """Return whether a parameter is known when the DAG is parsed: neither a template nor the output of a task."""
    if isinstance(value, str):
        return not any(mark in value for mark in ("{{", "{%", "{#"))
    if hasattr(value, "resolve"):
        return False
    return all(map(_is_literal, value)) if isinstance(value, Iterable) else True


def _can_be_template(value: Any) -> bool:
    """Return whether a parameter means the same as a template: of tasks' outputs, a plain one of an unmapped task."""
    if isinstance(value, str):
        return True
    if hasattr(value, "resolve"):
        from airflow.sdk.definitions.xcom_arg import PlainXComArg

        return isinstance(value, PlainXComArg) and not value.operator.is_mapped
    return all(map(_can_be_template, value)) if isinstance(value, Iterable) else True


def _plain(value: Any) -> Any:
    """Return a parameter in JSON types; the output of a task as the template that stands for it."""
    if hasattr(value, "resolve"):
        return str(value)
    if isinstance(value, str) or not isinstance(value, Iterable):
        return int(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return [_plain(item) for item in value]
