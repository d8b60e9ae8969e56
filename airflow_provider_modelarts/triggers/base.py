"""Base class of triggers: waits for jobs in the triggerer, where all waits on a connection share their requests."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Final

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent
from jinja2 import StrictUndefined

from airflow_provider_modelarts._compat import (
    DEFER_TIMEOUT_MARGIN,
    FINAL_TASK_STATES,
    LAST_POLL_TIMEOUT,
    aget_task_state,
    apush_xcom,
    has_listeners,
    metrics,
)
from airflow_provider_modelarts.api.client_owner import ClientOwner
from airflow_provider_modelarts.api.clock import HasClock
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.hooks.stopping import stop_or_log
from airflow_provider_modelarts.links.base import XCOM_KEY, link_to
from airflow_provider_modelarts.ui.shown_jobs import XCOM_KEY as SHOWN_JOBS_KEY
from airflow_provider_modelarts.ui.shown_jobs import jobs_in_ui, shown_jobs_of
from airflow_provider_modelarts.waiting.jobs import JobsWait
from airflow_provider_modelarts.waiting.kind import Kind, Status
from airflow_provider_modelarts.waiting.poller import subscribe
from airflow_provider_modelarts.waiting.request import WaitRequest
from airflow_provider_modelarts.waiting.result import WaitResult
from airflow_provider_modelarts.waiting.subscription import Subscription
from airflow_provider_modelarts.waiting.wait import (
    HEARTBEAT_SECONDS,
    InvalidWaitError,
    JobStateUnknownError,
    WaitError,
    WaitTimeoutError,
)

LATE: Final = 10.0
"""Seconds after the start of a wait. If a trigger starts later, another one may have polled before it."""


@dataclass(kw_only=True, eq=False, repr=False)
class JobTrigger(HasClock, WaitRequest, BaseTrigger):
    """
    Base class of triggers that wait for jobs and send one :class:`.WaitResult`. A subclass says for which kind.

    The fields of a :class:`.WaitRequest` mean the same here as in a sensor. They are flat because Airflow renders
    templates in a trigger's own attributes, for tasks that start in the triggerer (Airflow 3.3). Nothing secret
    travels: the trigger has the ID of the connection, which is read in the triggerer.

    :cvar kind: the kind of job
    :param timeout: seconds until the wait times out, from when the trigger first runs
    :param deadline: seconds since the epoch at which the wait times out; overrides ``timeout``
    :param first_poll_at: seconds since the epoch; no job is polled before
    :param histories: when each job came into which status until now, as in :class:`.WaitResult`
    :param summaries: jobs as they were last observed, by ID, as XComs have them
    :param may_end_task: whether the task ends in the triggerer, without a worker, when its jobs have arrived
    :param stop_on_kill: whether to stop ``job_id`` when a user ends the task or its run (Airflow 3.3); for the task
        that has created the job
    :param link: page of the job that the task's button already leads to
    :param returned: what the event carries back to the task besides the result
    """

    kind: ClassVar[Kind[Any]]

    deadline: float | None = None
    first_poll_at: float = 0.0
    histories: Mapping[str, list[tuple[float, Status]]] = field(default_factory=dict)
    summaries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    may_end_task: bool = False
    stop_on_kill: bool = False
    link: str = ""
    returned: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        BaseTrigger.__init__(self)  # type: ignore[no-untyped-call]
        self._not_rendered: Exception | None = None
        self._shown_jobs: Mapping[str, Any] | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class, and the arguments that make the same trigger again."""
        cls = type(self)
        return f"{cls.__module__}.{cls.__qualname__}", {item.name: getattr(self, item.name) for item in fields(self)}

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """
        Render the templates of a task that starts in the triggerer. ``ti.xcom_pull`` works as on a worker.

        If that fails, a worker takes over. It fails with the DAG's own macros, and with undefined variables, which
        Airflow renders to nothing in the triggerer, but refuses on a worker.
        """
        ti: Any = _XComPuller(context["ti"])
        with_puller: Any = {**context, "ti": ti, "task_instance": ti}
        environment = jinja_env or self.get_template_env()
        environment.undefined = StrictUndefined
        try:
            super().render_template_fields(with_puller, environment)
        except Exception as error:  # noqa: BLE001 - a template may raise anything
            self._not_rendered = error

    async def run(self) -> AsyncGenerator[TriggerEvent, None]:
        """Wait, and send the result. A task that has started in the triggerer ends there when its jobs have arrived."""
        now = self.clock.time()
        # After a restart of the triggerer, Airflow's own timeout says how long the wait may still take.
        deadline = self.deadline or now + self.timeout
        if (net := getattr(self, "timeout_after", None)) is not None:
            deadline = min(deadline, net.timestamp() - self._margin())
        begins_at = self.first_poll_at or deadline - self.timeout
        try:
            if self._not_rendered is not None:
                raise ValueError(f"The triggerer cannot render this task's templates: {self._not_rendered}")
            jobs = self._jobs(begins_late=now > begins_at + LATE)
        except ValueError as problem:
            yield self._event(WaitResult.of(InvalidWaitError(str(problem))))
            return
        error = await self._wait(jobs, max(deadline, self.first_poll_at))
        await self._push_shown_jobs(jobs)
        # A listener may have been installed since Airflow stored the DAG.
        if error is None and self.may_end_task and not has_listeners() and await self._push_result(jobs):
            yield TaskSuccessEvent()
            return
        link = link_to(jobs.page_url) or self.link
        yield self._event(WaitResult.of(error, jobs, link=link))

    def _event(self, result: WaitResult) -> TriggerEvent:
        """Return the event that the task is resumed with."""
        return TriggerEvent({**result.to_dict(), **self.returned})  # type: ignore[no-untyped-call]

    async def _push_result(self, jobs: JobsWait) -> bool:
        """Push the XComs that a worker would push, and return whether that worked; if not, a worker does it."""
        if getattr(self.task, "do_xcom_push", True):
            try:
                await self._push_xcoms(jobs.summaries())
            except Exception:
                self.log.warning("The XCom could not be stored; the task ends on a worker", exc_info=True)
                return False
        return True

    async def _push_xcoms(self, summaries: Mapping[str, Mapping[str, Any]]) -> None:
        """Push the XComs that a worker would push: for one job, each field as well."""
        value = summaries if self.job_ids is not None else next(iter(summaries.values()))
        if self.job_ids is None:
            for key, field in value.items():
                await apush_xcom(self.task_instance, key, field)
        await apush_xcom(self.task_instance, "return_value", value)

    def _jobs(self, *, begins_late: bool) -> JobsWait:
        return JobsWait.begin(
            self.kind,
            self,
            log=self.log,
            # Another triggerer may have observed the jobs before, so that an outage now is tolerated.
            was_observed=begins_late,
            histories=self.histories,
            summaries=self.summaries,
            metrics=metrics(),
        )

    async def _wait(self, jobs: JobsWait, deadline: float) -> WaitError | None:
        """Wait until the jobs have arrived. Return the error that ends the wait before, if there is one."""
        try:
            async with subscribe(
                self.kind,
                (self.modelarts_conn_id, self.region, self.project_id, self.workspace_id),
                self._hook.connect_in_triggerer(),
                jobs.pending(),
                poke_interval=max(self.poke_interval, 1.0),
                first_poll_after=max(0.0, self.first_poll_at - self.clock.time()),
                metrics=metrics(),
                clock=self.clock,
            ) as subscription:
                await self._follow(jobs, subscription, deadline)
        except WaitError as error:
            return error
        return None

    def _margin(self) -> float:
        """Return the seconds between the end of the wait and Airflow's own timeout."""
        limit = getattr(getattr(self, "task", None), "execution_timeout", None)
        if self.deadline is not None or limit is None:
            return DEFER_TIMEOUT_MARGIN
        # If a task starts in the triggerer, Airflow limits its own timeout to the task's execution_timeout.
        return min(DEFER_TIMEOUT_MARGIN, max(0.0, float(limit.total_seconds()) - self.timeout))

    async def _follow(self, jobs: JobsWait, subscription: Subscription, deadline: float) -> None:
        is_last = False
        while True:
            if is_last:
                observed = await subscription.poll(LAST_POLL_TIMEOUT)
            else:
                left = max(0.0, deadline - self.clock.time())
                observed = await subscription.observations(min(left, HEARTBEAT_SECONDS))
            now = self.clock.time()
            try:
                arrived = jobs.observe(observed, now, poll_seconds=subscription.poll_seconds)
                await self._push_link(jobs)
                await self._push_shown_jobs(jobs)
                if arrived:
                    return
            except JobStateUnknownError as error:
                if not self.silent_fail:
                    raise
                self.log.error("Poll failed, silently: %s", error)
            if is_last:
                raise WaitTimeoutError(f"Timed out waiting for {jobs.describe()}")
            is_last = now >= deadline
            jobs.heartbeat(now)
            subscription.keep_only(jobs.pending())

    @property
    def _hook(self) -> ModelArtsHook:
        return ModelArtsHook(
            self.modelarts_conn_id,
            region=self.region,
            project_id=self.project_id,
            workspace_id=self.workspace_id,
        )

    async def on_kill(self) -> None:
        """
        Stop the job of a task that a user has ended. (Airflow 3.3 calls this, and cancels the call after 30 s.)

        A task that was cleared runs again and takes over the job. This method raises nothing: each job that may run on
        has its own line in the log of its task.
        """
        if not self.stop_on_kill:
            return
        try:
            if not await self._runs_again():
                await self._stop_job()
        except asyncio.CancelledError:
            self.log.error("%s could not be stopped in time and may run on, billed", self._job_title)
            raise
        except Exception as error:  # noqa: BLE001 - Airflow would only log it, without what it means
            self.log.error("%s could not be stopped and may run on, billed. %s", self._job_title, error)

    @property
    def _job_title(self) -> str:
        return f"{self.kind.noun.capitalize()} {self.job_id}"

    async def _stop_job(self) -> None:
        owner = ClientOwner(self._hook.connect_in_triggerer(), self.clock)
        kind = self.kind

        def stop() -> None:
            client = owner.client()
            stop_or_log(
                kind.noun,
                lambda: client,
                lambda client: str(self.job_id),
                lambda client, job_id: kind.jobs(client).ensure_stopped(job_id),
                self.log,
            )

        # In this context, so that the lines go into the task's log.
        in_context = contextvars.copy_context().run
        try:
            await asyncio.get_running_loop().run_in_executor(_kill_threads(), in_context, stop)
        finally:
            owner.cancel()

    async def _runs_again(self) -> bool:
        """Return whether the task was cleared: it still exists and has not ended."""
        try:
            state = await aget_task_state(self.task_instance)
        except LookupError as error:
            self.log.info("Stopping the job: %s", error)
            return False
        except Exception:
            self.log.warning("Stopping the job, although it is unknown whether its task runs again", exc_info=True)
            return False
        return state not in FINAL_TASK_STATES

    async def _push_link(self, jobs: JobsWait) -> None:
        """Publish the link as soon as the job has a page."""
        link = link_to(jobs.page_url)
        problem = "The link to the job could not be stored; the next poll tries again"
        if link not in ("", self.link) and await self._push(XCOM_KEY, link, problem):
            self.link = link

    async def _push_shown_jobs(self, jobs: JobsWait) -> None:
        """Push what the pages in Airflow's UI show, if they are on and it has changed. They are no reason to fail."""
        if not jobs_in_ui():
            return
        shown_jobs = shown_jobs_of(jobs)
        problem = "The page of the jobs in Airflow's UI could not be updated"
        if shown_jobs != self._shown_jobs and await self._push(SHOWN_JOBS_KEY, shown_jobs, problem):
            self._shown_jobs = shown_jobs

    async def _push(self, key: str, value: Any, problem: str) -> bool:
        """Push an XCom, and return whether that worked. If not, log the problem: it must not end the wait."""
        try:
            await apush_xcom(self.task_instance, key, value)
        except Exception:
            self.log.warning(problem, exc_info=True)
            return False
        return True


@cache
def _kill_threads() -> ThreadPoolExecutor:
    """Return the threads that stop the jobs of killed tasks. A user may kill a whole DAG run at once."""
    return ThreadPoolExecutor(8, thread_name_prefix="modelarts-kill")


class _XComPuller:
    """
    A task instance whose `xcom_pull` works in the triggerer.

    Without a map index, Airflow asks for a slice, which the triggerer's supervisor does not understand. The trigger
    would hang until its timeout (Airflow 3.3.2).
    """

    def __init__(self, ti: Any) -> None:
        self._ti = ti

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ti, name)

    def xcom_pull(
        self, task_ids: Any = None, dag_id: str | None = None, key: str = "return_value", **options: Any
    ) -> Any:
        """Pull an XCom; without a map index, that of an unmapped task."""
        map_index = options.pop("map_indexes", None)
        one = map_index if isinstance(map_index, int) else -1
        return self._ti.xcom_pull(task_ids=task_ids, dag_id=dag_id, key=key, map_indexes=one, **options)
