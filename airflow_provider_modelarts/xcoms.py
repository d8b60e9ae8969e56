"""XComs that a worker pushes beside the one that a task returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context


def push_fields(task: Any, context: Context, xcom: Mapping[str, Any]) -> None:
    """Push each field of a job as an XCom of its own, so that ``task.output["service_url"]`` is its page."""
    ti = context.get("ti")
    if ti is not None and task.do_xcom_push:
        for key, value in xcom.items():
            ti.xcom_push(key=key, value=value)
