"""What sensors and operators do alike on a worker: show a job, tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_modelarts._compat import asset_uri, push_plain_xcom
from airflow_provider_modelarts.assets.visualization_job import SCHEME
from airflow_provider_modelarts.links.visualization_job import XCOM_KEY, link_to

if TYPE_CHECKING:
    from airflow.sdk import Context


def show(task: Any, context: Context, service_url: str | None) -> None:
    """Let the task's button lead to a job from now on; a job without a page changes nothing."""
    url = link_to(service_url)
    if url and url != task.link:
        task.link = url
        # A sensor that is poked by itself, in a test, may have no task instance.
        if (ti := context.get("ti")) is not None:
            push_plain_xcom(ti, XCOM_KEY, url)


def hide(task: Any, context: Context) -> None:
    """Let the task's button lead nowhere for now: its job is gone."""
    if task.link:
        task.link = ""
        push_plain_xcom(context["ti"], XCOM_KEY, "")


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
