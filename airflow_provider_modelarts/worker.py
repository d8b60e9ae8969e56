"""What sensors and operators do alike on a worker: show a job, give a wait to the triggerer, take its end back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_modelarts._compat import asset_uri
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.arguments import time_to_wait
from airflow_provider_modelarts.assets.visualization_job import SCHEME
from airflow_provider_modelarts.deferral import DEFER_TIMEOUT_MARGIN, FIRST_POLL_AFTER_DEFERRAL
from airflow_provider_modelarts.links.visualization_job import XCOM_KEY, link_to
from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger
from airflow_provider_modelarts.waiting import event as events
from airflow_provider_modelarts.waiting.event import WaitEvent
from airflow_provider_modelarts.waiting.names import job_name_in
from airflow_provider_modelarts.waiting.wait import (
    JobCannotArriveError,
    JobStateUnknownError,
    WaitError,
    WaitTimeoutError,
    transition,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_modelarts.waiting.jobs import JobsWait


def show(task: Any, context: Context, service_url: str | None) -> None:
    """Let the task's button lead to a job from now on; a job without a page changes nothing."""
    url = link_to(service_url)
    if url and url != task.link:
        task.link = url
        # A sensor that is poked by itself, in a test, may have no task instance.
        if (ti := context.get("ti")) is not None:
            ti.xcom_push(key=XCOM_KEY, value=url)


def hide(task: Any, context: Context) -> None:
    """Let the task's button lead nowhere for now: its job is gone."""
    if task.link:
        task.link = None
        context["ti"].xcom_push(key=XCOM_KEY, value="")


def give_to_triggerer(
    task: Any, jobs: JobsWait, arguments: Mapping[str, Any], *, started_at: float | None = None
) -> NoReturn:
    """
    Defer a task until its jobs have arrived.

    :param task: has ``timeout`` and ``execution_timeout``; :meth:`execute_complete` takes the end of the wait
    :param jobs: the wait as far as it is
    :param arguments: of the trigger
    :param started_at: when the task began to wait, seconds since the epoch; now by default
    """
    now = time.time()
    deadline = max(now, (started_at or now) + time_to_wait(task.timeout, task.execution_timeout))
    trigger = ModelArtsVisualizationJobTrigger(
        **arguments,
        deadline=deadline,
        first_poll_at=now + FIRST_POLL_AFTER_DEFERRAL,
        histories=jobs.histories(),
        summaries=jobs.kept(),
        link=task.link or "",
    )
    timeout = timedelta(seconds=deadline - now + FIRST_POLL_AFTER_DEFERRAL + DEFER_TIMEOUT_MARGIN)
    task.defer(trigger=trigger, method_name="execute_complete", timeout=timeout)
    raise AssertionError("unreachable")


def take_back(task: Any, context: Context, event: Any) -> WaitEvent:
    """
    Return how a wait ended in the triggerer, after writing into the task's log what was seen there.

    :raises ValueError: the event is missing or not understood
    """
    result = WaitEvent.from_dict(event)
    for job_id, history in result.histories.items():
        before = None
        for entry in history:
            moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(entry[0]))
            name = job_name_in(job_id) or job_id
            task.log.info("%s: visualization job %s %s", moment, name, transition(VISUALIZATION_JOBS, before, entry))
            before = entry
    show(task, context, result.link)
    return result


def error_of(result: WaitEvent) -> WaitError:
    """Return the error that a wait which ended in the triggerer without its target would have raised here."""
    kinds = {events.CANNOT_ARRIVE: JobCannotArriveError, events.TIMEOUT: WaitTimeoutError}
    return kinds.get(result.outcome, JobStateUnknownError)(result.message)


def push_fields(task: Any, context: Context, xcom: Mapping[str, Any]) -> None:
    """Push each field of a job as an XCom of its own, so that ``task.output["service_url"]`` is its page."""
    ti = context.get("ti")
    if ti is not None and task.do_xcom_push:
        for key, value in xcom.items():
            ti.xcom_push(key=key, value=value)


def tell_consumers(task: Any, context: Context, xcom: Mapping[str, Any]) -> None:
    """Put the job into the events of those of the task's outlets that stand for visualization jobs."""
    for outlet in task.outlets:
        if asset_uri(outlet, context).startswith(f"{SCHEME}://"):
            context["outlet_events"][outlet].extra.update(xcom)
