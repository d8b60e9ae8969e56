"""What the pages in Airflow's UI show of a wait: an XCom with the history of each job, if these pages are on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts._compat import airflow_version, conf, push_plain_xcom
from airflow_provider_modelarts.links.base import link_to
from airflow_provider_modelarts.waiting.target import label

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_modelarts.waiting.jobs import JobsWait
    from airflow_provider_modelarts.waiting.wait import Wait

XCOM_KEY: Final = "modelarts_jobs"
VERSION: Final = 1

MAX_JOBS: Final = 100
MAX_ENTRIES: Final = 50
"""Entries of a history, the latest. A job that goes to and fro must not make an XCom of megabytes."""


def jobs_in_ui() -> bool:
    """Return whether the pages are on: ``[modelarts] jobs_in_ui``, on Airflow 3.1 and later."""
    return conf.getboolean("modelarts", "jobs_in_ui", fallback=False) and airflow_version() >= (3, 1)


def shown_jobs_of(wait: JobsWait) -> dict[str, Any]:
    """Return what the pages show of a wait, in JSON types."""
    waits = wait.waits()
    return {
        "version": VERSION,
        "noun": waits[0].kind.noun,
        "target": str(waits[0].target),
        "jobs": [_job(each) for each in waits[:MAX_JOBS]],
        "more": max(0, len(waits) - MAX_JOBS),
    }


def _job(wait: Wait) -> dict[str, Any]:
    return {
        "title": wait.name,
        "page": "" if wait.last is None else link_to(wait.kind.page_url(wait.last)),
        # Only some kinds of jobs run on several nodes.
        "nodes": getattr(wait.last, "node_count", None),
        "history": [
            [moment, label(wait.kind, status), wait.target.observe(status).value]
            for moment, status in wait.history[-MAX_ENTRIES:]
        ],
    }


def publish_shown_jobs(task: Any, context: Context, wait: JobsWait) -> None:
    """
    Push the XCom of a task that waits on a worker, if it has changed.

    :param task: has ``shown_jobs``, what was pushed last
    """
    ti = context.get("ti")
    if ti is None or not jobs_in_ui():
        return
    shown_jobs = shown_jobs_of(wait)
    if shown_jobs != task.shown_jobs:
        task.shown_jobs = shown_jobs
        push_plain_xcom(ti, XCOM_KEY, shown_jobs)
