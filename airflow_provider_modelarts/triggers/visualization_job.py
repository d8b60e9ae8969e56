"""The trigger: waits for visualization jobs in the triggerer, where all waits on a connection share their requests."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent
from jinja2 import StrictUndefined

from airflow_provider_modelarts._compat import (
    DEFER_TIMEOUT_MARGIN,
    FINAL_TASK_STATES,
    LAST_POLL_TIMEOUT,
    aget_task_state,
    apush_xcom,
    metrics,
)
from airflow_provider_modelarts.api.client_owner import ClientOwner
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.hooks.stopping import stop_or_log
from airflow_provider_modelarts.links.base import XCOM_KEY, link_to
from airflow_provider_modelarts.waiting.jobs import JobsWait
from airflow_provider_modelarts.waiting.kind import Status
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
"""Seconds after the begin of a wait from when a trigger that starts is not known to be the first to poll."""


class ModelArtsVisualizationJobTrigger(BaseTrigger):
    """
    Waits until visualization jobs have reached a status, and sends one :class:`.WaitResult`.

    What the sensor of the same name takes means the same here, times in seconds. Templates are rendered only where the
    triggerer does so, for tasks that start in it (Airflow 3.3). Nothing secret is in it: the connection's id travels,
    the connection is read in the triggerer.

    :param timeout: seconds until the wait is given up, from when the trigger first runs
    :param deadline: seconds since the epoch at which it is given up; wins over ``timeout``
    :param first_poll_at: seconds since the epoch before which the jobs are left alone
    :param histories: what is known of the jobs already, as in :class:`.WaitResult`
    :param summaries: jobs as they were seen last, by id, as they go into the XCom
    :param may_end_task: whether an arrived job ends the task from here, without a worker
    :param stop_on_kill: whether ``job_id`` is to be stopped when a user ends the task or its run (Airflow 3.3); for
        the task that made it
    :param link: page of the job that the task's button leads to already
    :param try_number: of the task; travels back with the event
    :param try_started_at: when the task's try began, seconds since the epoch; travels back with the event
    """

    def __init__(
        self,
        *,
        job_id: str | int | None = None,
        job_name: str | None = None,
        job_ids: Any = None,
        wait_for: str = "all",
        target_status: Any = "RUNNING",
        failure_statuses: Any = None,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        poke_interval: float = 60.0,
        poll_failure_tolerance: float = 600.0,
        silent_fail: bool = False,
        timeout: float = 7 * 24 * 3600.0,
        deadline: float | None = None,
        first_poll_at: float = 0.0,
        histories: Mapping[str, list[tuple[float, Status]]] | None = None,
        summaries: Mapping[str, Mapping[str, Any]] | None = None,
        may_end_task: bool = False,
        stop_on_kill: bool = False,
        link: str = "",
        try_number: int | None = None,
        try_started_at: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.job_id = job_id
        self.job_name = job_name
        self.job_ids = job_ids
        self.wait_for = wait_for
        self.target_status = target_status
        self.failure_statuses = failure_statuses
        self.modelarts_conn_id = modelarts_conn_id
        self.region = region
        self.project_id = project_id
        self.workspace_id = workspace_id
        self.poke_interval = poke_interval
        self.poll_failure_tolerance = poll_failure_tolerance
        self.silent_fail = silent_fail
        self.timeout = timeout
        self.deadline = deadline
        self.first_poll_at = first_poll_at
        self.histories = histories or {}
        self.summaries = summaries or {}
        self.may_end_task = may_end_task
        self.stop_on_kill = stop_on_kill
        self.link = link
        self.try_number = try_number
        self.try_started_at = try_started_at
        self._not_rendered: Exception | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the arguments to make the trigger anew from."""
        names = (
            "job_id",
            "job_name",
            "job_ids",
            "wait_for",
            "target_status",
            "failure_statuses",
            "modelarts_conn_id",
            "region",
            "project_id",
            "workspace_id",
            "poke_interval",
            "poll_failure_tolerance",
            "silent_fail",
            "timeout",
            "deadline",
            "first_poll_at",
            "histories",
            "summaries",
            "may_end_task",
            "stop_on_kill",
            "link",
            "try_number",
            "try_started_at",
        )
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}", {name: getattr(self, name) for name in names}

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """
        Render what a task that starts in the triggerer left to it; ``ti.xcom_pull`` works as on a worker.

        What cannot be rendered here is given to a worker: the DAG's own macros, say, or a variable that is not defined,
        of which Airflow makes nothing here, but an error on a worker.
        """
        ti: Any = _XComPuller(context["ti"])
        with_puller: Any = {**context, "ti": ti, "task_instance": ti}
        environment = jinja_env or self.get_template_env()
        environment.undefined = StrictUndefined
        try:
            super().render_template_fields(with_puller, environment)
        except Exception as error:  # noqa: BLE001 - a template may raise anything
            self._not_rendered = error

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and send how it ended; a task that started in the triggerer ends right here when its jobs arrived."""
        now = time.time()
        # A triggerer that takes over knows when Airflow's own timeout strikes; the time waited before counts.
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
        if error is None and self.may_end_task and await self._push_result(jobs):
            yield TaskSuccessEvent()
            return
        link = link_to(jobs.page_url) or self.link
        yield self._event(WaitResult.of(error, jobs, link=link))

    def _event(self, result: WaitResult) -> TriggerEvent:
        """Return what the task is resumed with: how the wait ended, and of which try it is."""
        payload = {**result.to_dict(), "try_number": self.try_number, "try_started_at": self.try_started_at}
        return TriggerEvent(payload)  # type: ignore[no-untyped-call]

    async def _push_result(self, jobs: JobsWait) -> bool:
        """Push what a worker would, and return whether that worked; if not, a worker does it."""
        if getattr(self.task, "do_xcom_push", True):
            try:
                await self._push_xcoms(jobs.summaries())
            except Exception:
                self.log.warning("The XCom could not be stored; the task ends on a worker", exc_info=True)
                return False
        return True

    async def _push_xcoms(self, summaries: Mapping[str, Mapping[str, Any]]) -> None:
        """Push what a worker would: of one job its fields, too."""
        value = summaries if self.job_ids is not None else next(iter(summaries.values()))
        if self.job_ids is None:
            for key, field in value.items():
                await apush_xcom(self.task_instance, key, field)
        await apush_xcom(self.task_instance, "return_value", value)

    def _jobs(self, *, begins_late: bool) -> JobsWait:
        return JobsWait.begin(
            VISUALIZATION_JOBS,
            WaitRequest.of(self),
            log=self.log,
            # Another triggerer may have observed the jobs before: an outage now is not one from the start.
            seen=begins_late,
            histories=self.histories,
            summaries=self.summaries,
            metrics=metrics(),
        )

    async def _wait(self, jobs: JobsWait, deadline: float) -> WaitError | None:
        """Wait until the jobs have arrived, and return what ended the wait before."""
        try:
            async with subscribe(
                VISUALIZATION_JOBS,
                (self.modelarts_conn_id, self.region, self.project_id, self.workspace_id),
                self._hook.connect_in_triggerer(),
                jobs.pending(),
                poke_interval=max(self.poke_interval, 1.0),
                first_poll_after=max(0.0, self.first_poll_at - time.time()),
                metrics=metrics(),
            ) as subscription:
                await self._follow(jobs, subscription, deadline)
        except WaitError as error:
            return error
        return None

    def _margin(self) -> float:
        """Return by how many seconds Airflow's own timeout lies behind the end of the wait."""
        limit = getattr(getattr(self, "task", None), "execution_timeout", None)
        if self.deadline is not None or limit is None:
            return DEFER_TIMEOUT_MARGIN
        # Where a task starts in the triggerer, Airflow cuts it down to the task's execution_timeout.
        return min(DEFER_TIMEOUT_MARGIN, max(0.0, float(limit.total_seconds()) - self.timeout))

    async def _follow(self, jobs: JobsWait, subscription: Subscription, deadline: float) -> None:
        is_last = False
        while True:
            if is_last:
                news = await subscription.poll(LAST_POLL_TIMEOUT)
            else:
                news = await subscription.news(max(0.0, min(deadline - time.time(), HEARTBEAT_SECONDS)))
            now = time.time()
            try:
                arrived = jobs.observe(news, now, poll_seconds=subscription.poll_seconds)
                await self._push_link(jobs)
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
        Stop the job of a task that a user has ended. (Airflow 3.3 calls this; it cancels it after 30 s.)

        A task that was cleared is about to run again, and takes the job over. Raise nothing: a job that may run on has
        its own line in the log of its task.
        """
        if not self.stop_on_kill:
            return
        try:
            if not await self._runs_again():
                await self._stop_job()
        except asyncio.CancelledError:
            self.log.error("Visualization job %s could not be stopped in time and may run on, billed", self.job_id)
            raise
        except Exception as error:  # noqa: BLE001 - Airflow would only log it, and not say what it means
            self.log.error("Visualization job %s could not be stopped and may run on, billed. %s", self.job_id, error)

    async def _stop_job(self) -> None:
        owner = ClientOwner(self._hook.connect_in_triggerer())
        kind = VISUALIZATION_JOBS

        def stop() -> None:
            client = owner.client()
            stop_or_log(
                kind.noun,
                lambda: client,
                lambda client: str(self.job_id),
                lambda client, job_id: kind.jobs(client).ensure_stopped(job_id),
                self.log,
            )

        # With its context, so that the lines go into the task's log.
        in_context = contextvars.copy_context().run
        try:
            await asyncio.get_running_loop().run_in_executor(_kill_threads(), in_context, stop)
        finally:
            owner.cancel()

    async def _runs_again(self) -> bool:
        """Return whether the task was cleared: it is there, and has not ended."""
        try:
            state = await aget_task_state(self.task_instance)
        except LookupError as error:
            self.log.info("The job is stopped: %s", error)
            return False
        except Exception:
            self.log.warning("Whether the task runs again is not known; its job is stopped", exc_info=True)
            return False
        return state not in FINAL_TASK_STATES

    async def _push_link(self, jobs: JobsWait) -> None:
        """Give the task its button, as soon as the job has a page; nobody else may be there to do it."""
        link = link_to(jobs.page_url)
        if link in ("", self.link):
            return
        try:
            await apush_xcom(self.task_instance, XCOM_KEY, link)
        except Exception:
            self.log.warning("The link to the job could not be stored; tried again when there is news", exc_info=True)
        else:
            self.link = link


@cache
def _kill_threads() -> ThreadPoolExecutor:
    """Return the threads on which jobs of killed tasks are stopped; a whole DAG run may be killed at once."""
    return ThreadPoolExecutor(8, thread_name_prefix="modelarts-kill")


class _XComPuller:
    """
    A task instance whose `xcom_pull` works in the triggerer.

    Without a map index it asks for a slice, which the triggerer's supervisor does not understand: the trigger would
    hang until its timeout (Airflow 3.3.2).
    """

    def __init__(self, ti: Any) -> None:
        self._ti = ti

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ti, name)

    def xcom_pull(
        self, task_ids: Any = None, dag_id: str | None = None, key: str = "return_value", **options: Any
    ) -> Any:
        """Pull an XCom; of an unmapped task, where no map index is given."""
        map_index = options.pop("map_indexes", None)
        one = map_index if isinstance(map_index, int) else -1
        return self._ti.xcom_pull(task_ids=task_ids, dag_id=dag_id, key=key, map_indexes=one, **options)
