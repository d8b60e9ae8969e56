"""Moves the wait of a task from a worker to the triggerer, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_modelarts._compat import DEFER_TIMEOUT_MARGIN, FIRST_POLL_AFTER_DEFERRAL
from airflow_provider_modelarts.links.base import publish_link
from airflow_provider_modelarts.ui.shown_jobs import publish_shown_jobs
from airflow_provider_modelarts.waiting.names import job_name_in
from airflow_provider_modelarts.waiting.result import WaitResult
from airflow_provider_modelarts.waiting.wait import point_in_time, transition

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_modelarts.triggers.base import JobTrigger
    from airflow_provider_modelarts.waiting.jobs import JobsWait
    from airflow_provider_modelarts.waiting.request import WaitRequest


def defer(
    task: Any,
    context: Context,
    request: WaitRequest,
    wait: JobsWait,
    *,
    started_at: float | None = None,
    stop_on_kill: bool = False,
) -> NoReturn:
    """
    Defer a task until its jobs have arrived.

    The wait times out ``request.timeout`` seconds after its start, or ``execution_timeout`` after the start of the try,
    however often that try defers. (Airflow counts each deferral on its own.)

    :param task: has ``trigger_path``, ``execution_timeout``, ``link``, ``shown_jobs``, ``try_started_at`` and
        ``clock``; Airflow calls its ``execute_complete`` at the end of the wait
    :param request: rendered, JSON types only
    :param wait: the wait of that request until now
    :param started_at: start of the wait, seconds since the epoch; now by default
    :param stop_on_kill: whether the trigger stops the job when a user ends the task (Airflow 3.3)
    """
    publish_shown_jobs(task, context, wait)
    now = task.clock.time()
    try_started_at = when_try_started(task, context)
    deadline = (started_at or now) + request.timeout
    if task.execution_timeout is not None:
        deadline = min(deadline, try_started_at + task.execution_timeout.total_seconds())
    deadline = max(now, deadline)
    trigger = _trigger_class(task.trigger_path)(
        **request.to_dict(),
        deadline=deadline,
        first_poll_at=now + FIRST_POLL_AFTER_DEFERRAL,
        histories=wait.histories(),
        summaries=wait.summaries_to_carry(),
        stop_on_kill=stop_on_kill,
        link=task.link or "",
        returned={"try_number": getattr(context.get("ti"), "try_number", None), "try_started_at": try_started_at},
    )
    timeout = timedelta(seconds=deadline - now + FIRST_POLL_AFTER_DEFERRAL + DEFER_TIMEOUT_MARGIN)
    task.defer(trigger=trigger, method_name="execute_complete", timeout=timeout)
    raise AssertionError("unreachable")


def _trigger_class(path: str) -> type[JobTrigger]:
    """Import a trigger only when a task defers, because parsing a DAG file needs none."""
    module, _, name = path.rpartition(".")
    trigger: type[JobTrigger] = getattr(import_module(module), name)
    return trigger


def when_try_started(task: Any, context: Context) -> float:
    """Return the start of the task's present try, before any deferral; seconds since the epoch."""
    if task.try_started_at is not None:
        return float(task.try_started_at)
    start_date = getattr(context.get("ti"), "start_date", None)
    return start_date.timestamp() if start_date else float(task.clock.time())


def resumes_another_try(context: Context, next_kwargs: Mapping[str, Any] | None) -> bool:
    """
    Return whether the event belongs to an earlier try, so that the task has to start over.

    Airflow 3.0 keeps the event of a failed try for the next one.
    """
    event = (next_kwargs or {}).get("event")
    try_number = event.get("try_number") if isinstance(event, Mapping) else None
    return try_number not in (None, context["ti"].try_number)


def resume(task: Any, context: Context, event: Any) -> WaitResult:
    """
    Return the result of a wait in the triggerer. Writes the history of the jobs into the task's log.

    :param task: has ``kind`` and ``link``
    :raises ValueError: the event is missing or not understood
    """
    result = WaitResult.from_dict(event)
    # Below Airflow 3.3, the start date of a resumed task is the time of the resumption.
    task.try_started_at = event.get("try_started_at")
    task.log.info("::group::History of the wait, as the triggerer observed it")
    for job_id, history in result.histories.items():
        name = job_name_in(job_id) or job_id
        before = None
        for entry in history:
            change = transition(task.kind, before, entry)
            task.log.info("%s: %s %s %s", point_in_time(entry[0]), task.kind.noun, name, change)
            before = entry
    task.log.info("::endgroup::")
    task.link = ""
    publish_link(task, context, result.link)
    return result
