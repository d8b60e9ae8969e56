"""XComs that a worker pushes beside the one that a task returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_modelarts._compat import airflow_version

if TYPE_CHECKING:
    from airflow.sdk import Context


def push_fields(task: Any, context: Context, xcom: Mapping[str, Any]) -> None:
    """
    Push each field of a job as an XCom of its own, so that ``task.output["service_url"]`` is its page.

    Airflow 3.0 fails a task that pushes None: there, fields that are None have no XCom.
    """
    ti = context.get("ti")
    if ti is None or not task.do_xcom_push:
        return
    takes_none = airflow_version() != (3, 0)
    for key, value in xcom.items():
        if value is not None or takes_none:
            ti.xcom_push(key=key, value=value)
