"""One name for each part of Airflow that is in different places in 2.11 and 3, or is missing in some versions."""

from __future__ import annotations

import inspect
import sys
from concurrent.futures import Future
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, cast

try:
    from airflow.sdk import BaseHook
except ImportError:  # Airflow 2.11 and 3.0
    from airflow.hooks.base import BaseHook  # type: ignore[attr-defined, no-redef]

try:
    from airflow.sdk import (
        BaseOperator,
        BaseOperatorLink,
        BaseSensorOperator,
        PokeReturnValue,
        TaskGroup,
        Variable,
        get_current_context,
    )
except ImportError:  # Airflow 2.11
    from airflow.models.baseoperator import BaseOperator  # type: ignore[import-not-found, no-redef]
    from airflow.models.baseoperatorlink import BaseOperatorLink  # type: ignore[import-not-found, no-redef]
    from airflow.models.variable import Variable
    from airflow.operators.python import get_current_context  # type: ignore[import-not-found, no-redef]
    from airflow.sensors.base import (  # type: ignore[import-not-found, no-redef]
        BaseSensorOperator,
        PokeReturnValue,
    )
    from airflow.utils.task_group import TaskGroup  # type: ignore[import-not-found, no-redef]

try:
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowRescheduleException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
    )
except ImportError:  # Airflow 2.11 to 3.1
    from airflow.exceptions import (  # type: ignore[no-redef]
        AirflowFailException,
        AirflowRescheduleException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
    )

try:
    from airflow.sdk.configuration import conf
except ImportError:  # Airflow 2.11 to 3.1
    from airflow.configuration import conf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_provider_modelarts.api.metrics import Metrics

__all__ = [
    "DEFER_TIMEOUT_MARGIN",
    "FINAL_TASK_STATES",
    "FIRST_POLL_AFTER_DEFERRAL",
    "LAST_POLL_TIMEOUT",
    "AirflowFailException",
    "AirflowRescheduleException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "PokeReturnValue",
    "TaskGroup",
    "Variable",
    "aget_connection",
    "aget_extra",
    "aget_task_state",
    "airflow_url",
    "airflow_version",
    "amask_secret",
    "apush_xcom",
    "asset_uri",
    "conf",
    "current_context",
    "execute_sensor",
    "first_reschedule_date",
    "get_plain_xcom",
    "has_listeners",
    "in_triggerer",
    "mask_secret",
    "metrics",
    "push_plain_xcom",
    "redact",
    "stores_xcoms_elsewhere",
    "task_state",
]


FINAL_TASK_STATES: Final = ("success", "failed", "skipped", "upstream_failed", "removed")

FIRST_POLL_AFTER_DEFERRAL: Final = 8.0
"""Seconds until the first poll after a deferral. Airflow's scheduler may fail a task that resumes before the scheduler
has seen the deferral, which takes it up to ``[workers] min_heartbeat_interval`` (5 s) and a little more."""

DEFER_TIMEOUT_MARGIN: Final = 30.0
"""Seconds between the trigger's deadline and Airflow's own timeout of the deferral, which is only a safety net."""

LAST_POLL_TIMEOUT: Final = 20.0
"""Seconds that a trigger waits for its last poll, at its deadline. Less than ``DEFER_TIMEOUT_MARGIN``."""

execute_sensor: Final = inspect.unwrap(BaseSensorOperator.execute)
"""``BaseSensorOperator.execute`` for a subclass that extends it. Airflow 2.11 treats ``super().execute()`` as a call
from outside the task, which it logs as a warning, or refuses (``allow_nested_operators=False``)."""


def airflow_version() -> tuple[int, int]:
    """Return the major and the minor version of the running Airflow."""
    from airflow import __version__

    major, minor, *_ = __version__.split(".")
    return int(major), int(minor)


def airflow_url() -> str:
    """Return the address of the UI of this Airflow."""
    section = "api" if airflow_version() >= (3, 0) else "webserver"
    return str(conf.get(section, "base_url", fallback=""))


def current_context() -> Any:
    """Return the context of the task in this process; None if no task runs in it."""
    try:
        return get_current_context()
    except Exception:  # noqa: BLE001 - each version of Airflow has its own
        return None


def first_reschedule_date(context: Mapping[str, Any]) -> datetime | None:
    """Return the first start of the present try of a rescheduled sensor; None if this is the first."""
    ti = context["ti"]
    if hasattr(ti, "get_first_reschedule_date"):
        first: datetime | None = ti.get_first_reschedule_date(context)
        return first
    from airflow.sensors.base import _orig_start_date  # Airflow 2.11

    found: datetime | None = _orig_start_date(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, ti.try_number)
    return found


async def aget_connection(conn_id: str) -> Any:
    """
    Return a connection, on the event loop of a triggerer. Other threads of a triggerer must not ask Airflow for it.

    If there is no asynchronous call (Airflow below 3.1), or it does not see the database (``dag.test()``), the
    synchronous one runs on the thread that Airflow has for such calls.
    """
    from asgiref.sync import sync_to_async

    if hasattr(BaseHook, "aget_connection"):
        try:
            return await BaseHook.aget_connection(conn_id)
        except Exception:
            if in_triggerer():
                raise
    return await sync_to_async(BaseHook.get_connection)(conn_id)


async def aget_extra(connection: Any) -> dict[str, Any]:
    """Return the decoded extra of a connection, on the event loop of a triggerer."""
    from asgiref.sync import sync_to_async

    if hasattr(connection, "aextra_dejson"):
        decoded: dict[str, Any] = await connection.aextra_dejson()
        return decoded
    return await sync_to_async(lambda: dict(connection.extra_dejson))()


def mask_secret(secret: str) -> None:
    """Have a secret masked in the logs of this process."""
    try:
        from airflow.sdk.log import mask_secret as mask
    except ImportError:  # Airflow 3.0, 2.11
        mask = _secrets_masker().mask_secret
    mask(secret)


def redact(text: str) -> str:
    """Return a text with asterisks in place of the secrets that are masked in this process."""
    return str(_secrets_masker().redact(text))


def _secrets_masker() -> Any:
    for name in ("airflow.sdk._shared", "airflow.sdk.execution_time"):
        with suppress(ImportError):
            return import_module(f"{name}.secrets_masker")
    return import_module("airflow.utils.log.secrets_masker")  # Airflow 2.11


async def amask_secret(secret: str) -> None:
    """Have a secret masked in the logs of tasks, on the event loop of a triggerer."""
    try:
        from airflow.sdk.log import amask_secret as mask
    except ImportError:  # Airflow below 3.3
        from asgiref.sync import sync_to_async

        await sync_to_async(mask_secret)(secret)
        return
    if in_triggerer():
        await mask(secret)
    else:
        mask_secret(secret)


def get_plain_xcom(ti_key: Any, key: str) -> Any:
    """Return an XCom that :func:`push_plain_xcom` has pushed, or None; on a worker, or in Airflow 2.11's web server."""
    try:
        from airflow.sdk.bases.xcom import BaseXCom as XCom
    except ImportError:  # Airflow 2.11
        from airflow.models.xcom import XCom  # type: ignore[no-redef]
    return XCom.get_value(ti_key=ti_key, key=key)


def push_plain_xcom(ti: Any, key: str, value: Any) -> None:
    """
    Push an XCom for Airflow's UI into the database, also if a custom XCom backend is configured.

    A backend would store a reference there (``file://...``). Airflow 2.11 also reads through the backend.
    """
    try:
        from airflow.sdk.bases.xcom import BaseXCom

        BaseXCom.set(key, value, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index)
    except ImportError:  # Airflow 2.11, or a task without a supervisor, as in a test
        ti.xcom_push(key=key, value=value)


def has_listeners() -> bool:
    """Return whether a listener plugin is installed, such as OpenLineage (Airflow 3.2 and later)."""
    from airflow.sdk.listener import get_listener_manager

    return bool(get_listener_manager().has_listeners)


def stores_xcoms_elsewhere() -> bool:
    """Return whether a custom XCom backend is configured (Airflow 3)."""
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time.xcom import XCom

    return XCom is not BaseXCom


async def apush_xcom(ti: Any, key: str, value: Any) -> None:
    """
    Push an XCom of a task from its trigger, as a worker would. (``TaskSuccessEvent`` would encode it twice.)

    ``dag.test()`` runs triggers without their task. Then this pushes nothing.
    """
    if ti is None:
        return
    try:
        from airflow.sdk.execution_time.comms import SetXCom
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS
    except ImportError:  # Airflow 2.11, 3.0.0
        from asgiref.sync import sync_to_async

        await sync_to_async(ti.xcom_push)(key=key, value=value)
        return
    await SUPERVISOR_COMMS.asend(
        SetXCom(key=key, value=value, dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=ti.map_index)
    )


def asset_uri(outlet: Any, context: Any) -> str:
    """Return the URI of one of a task's outlets, also of a reference by name; empty if it has none."""
    try:
        from airflow.sdk.definitions.asset import AssetNameRef
    except ImportError:  # Airflow 2.11
        AssetNameRef = ()  # type: ignore[assignment, misc]
    if isinstance(outlet, AssetNameRef):
        # Only Airflow can resolve the name.
        return str(context["outlet_events"][outlet].key.uri)
    return str(getattr(outlet, "uri", ""))


async def aget_task_state(ti: Any) -> str | None:
    """
    Return the present state of a trigger's own task (Airflow 3); None if the task was cleared.

    :raises LookupError: the task instance does not exist, for example because its DAG or its run was deleted
    """
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    return _state_in(await SUPERVISOR_COMMS.asend(_ask_for_state(ti)), ti)


def task_state(ti: Any, timeout: float) -> str | None:
    """
    Return the present state of a worker's own task (Airflow 3); None if the task was cleared. For signal handlers.

    Asks on another thread, because the code that the signal has interrupted may wait for an answer itself.

    :param timeout: seconds to wait for the answer
    :raises LookupError: the task instance does not exist, for example because its DAG or its run was deleted
    :raises Exception: Airflow has not answered
    """
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    answer: Future[Any] = Future()

    def ask() -> None:
        try:
            answer.set_result(SUPERVISOR_COMMS.send(_ask_for_state(ti)))
        except Exception as error:  # noqa: BLE001 - the caller raises it
            answer.set_exception(error)

    Thread(target=ask, name="modelarts-task-state", daemon=True).start()
    return _state_in(answer.result(timeout), ti)


def _ask_for_state(ti: Any) -> Any:
    from airflow.sdk.execution_time.comms import GetTaskStates

    return GetTaskStates(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index)


def _state_in(answer: Any, ti: Any) -> str | None:
    states = answer.task_states.get(ti.run_id)
    if not states:
        raise LookupError(f"DAG {ti.dag_id}, run {ti.run_id} has no task instance {ti.task_id} any more")
    state: str | None = next(iter(states.values()))
    return state


def metrics() -> Metrics:
    """Return Airflow's Stats, as this process has set them up."""
    try:
        if in_triggerer():
            from airflow.observability.stats import Stats
        else:
            from airflow.sdk.observability.stats import Stats  # type: ignore[assignment]
    except ImportError:  # Airflow below 3.2
        from airflow.stats import Stats  # type: ignore[assignment]
    return cast("Metrics", Stats)


def in_triggerer() -> bool:
    """Return whether this process is a triggerer of Airflow 3, not `dag.test()`, a worker or a script."""
    try:
        from airflow.sdk.execution_time import task_runner
    except ImportError:  # Airflow 2.11
        return False
    # A triggerer has imported the module. The channel of a worker is of another class.
    kind = getattr(sys.modules.get("airflow.jobs.triggerer_job_runner"), "TriggerCommsDecoder", None)
    return kind is not None and isinstance(getattr(task_runner, "SUPERVISOR_COMMS", None), kind)
