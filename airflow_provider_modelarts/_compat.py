"""What Airflow 2.11 and 3 keep in different places or lack, under one name each."""

from __future__ import annotations

import inspect
import sys
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
]


FINAL_TASK_STATES: Final = ("success", "failed", "skipped", "upstream_failed", "removed")

FIRST_POLL_AFTER_DEFERRAL: Final = 8.0
"""Seconds. Airflow's scheduler may fail a task that comes back from a deferral before it has noticed its departure,
which can take it ``[workers] min_heartbeat_interval`` (5 s) and a little."""

DEFER_TIMEOUT_MARGIN: Final = 30.0
"""Seconds by which Airflow's own timeout of a deferral, which is only a net, lies behind the trigger's deadline."""

LAST_POLL_TIMEOUT: Final = 20.0
"""Seconds that a trigger waits for its last poll, at its deadline: less than that margin."""

execute_sensor: Final = inspect.unwrap(BaseSensorOperator.execute)
"""``BaseSensorOperator.execute`` for a sensor that extends it: Airflow 2.11 takes ``super().execute()`` for a call from
outside of the task, which it logs as a warning, or refuses (``allow_nested_operators=False``)."""


def airflow_version() -> tuple[int, int]:
    """Return major and minor version of the Airflow that runs."""
    from airflow import __version__

    major, minor, *_ = __version__.split(".")
    return int(major), int(minor)


def airflow_url() -> str:
    """Return where users of this Airflow find its UI."""
    section = "api" if airflow_version() >= (3, 0) else "webserver"
    return str(conf.get(section, "base_url", fallback=""))


def current_context() -> Any:
    """Return the context of the task that runs in this process, None when there is none."""
    try:
        return get_current_context()
    except Exception:  # noqa: BLE001 - each version of Airflow has its own
        return None


def first_reschedule_date(context: Mapping[str, Any]) -> datetime | None:
    """Return when the present try of a rescheduled sensor was started first, None when it is its first run."""
    ti = context["ti"]
    if hasattr(ti, "get_first_reschedule_date"):
        first: datetime | None = ti.get_first_reschedule_date(context)
        return first
    from airflow.sensors.base import _orig_start_date  # Airflow 2.11

    found: datetime | None = _orig_start_date(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, ti.try_number)
    return found


async def aget_connection(conn_id: str) -> Any:
    """
    Return a connection, on the event loop of a triggerer, where threads of our own must not ask for it.

    Where there is no asynchronous way (Airflow below 3.1), or it does not see the database (``dag.test()``), the
    synchronous one runs in the one thread that Airflow keeps for such calls.
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
    """Have a secret replaced by asterisks in the logs of this process."""
    try:
        from airflow.sdk.log import mask_secret as mask
    except ImportError:
        try:
            # Airflow 3.0
            from airflow.sdk.execution_time.secrets_masker import mask_secret as mask  # type: ignore[no-redef]
        except ImportError:
            # Airflow 2.11
            from airflow.utils.log.secrets_masker import (  # type: ignore[import-not-found, no-redef]
                mask_secret as mask,
            )
    mask(secret)


def redact(text: str) -> str:
    """Return a text with asterisks in place of the secrets that are masked in this process."""
    try:
        from airflow.sdk._shared.secrets_masker import redact as mask
    except ImportError:
        try:
            # Airflow 3.0
            from airflow.sdk.execution_time.secrets_masker import redact as mask  # type: ignore[no-redef]
        except ImportError:
            # Airflow 2.11
            from airflow.utils.log.secrets_masker import redact as mask  # type: ignore[no-redef]
    return str(mask(text))


async def amask_secret(secret: str) -> None:
    """Have a secret replaced by asterisks in the logs of tasks, on the event loop of a triggerer."""
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
    """Return an XCom that :func:`push_plain_xcom` has pushed, on a worker or in Airflow 2.11's web server, or None."""
    try:
        from airflow.sdk.bases.xcom import BaseXCom as XCom
    except ImportError:  # Airflow 2.11
        from airflow.models.xcom import XCom  # type: ignore[no-redef]
    return XCom.get_value(ti_key=ti_key, key=key)


def push_plain_xcom(ti: Any, key: str, value: str) -> None:
    """
    Push an XCom that Airflow's UI reads: into the database, whatever XCom backend is configured.

    A backend stores its reference there instead (``file://...``). Airflow 2.11 reads through the backend, too.
    """
    try:
        from airflow.sdk.bases.xcom import BaseXCom

        BaseXCom.set(key, value, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index)
    except ImportError:  # Airflow 2.11; or a task that no supervisor runs, as in a test
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

    ``dag.test()`` runs triggers without their task: nothing is pushed there.
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
    """Return the URI of one of a task's outlets, also of a reference by name; empty when it has none."""
    try:
        from airflow.sdk.definitions.asset import AssetNameRef
    except ImportError:  # Airflow 2.11
        AssetNameRef = ()  # type: ignore[assignment, misc]
    if isinstance(outlet, AssetNameRef):
        # Only Airflow knows what the name stands for.
        return str(context["outlet_events"][outlet].key.uri)
    return str(getattr(outlet, "uri", ""))


async def aget_task_state(ti: Any) -> str | None:
    """
    Return the state of a trigger's own task as Airflow has it now (Airflow 3); None when it was cleared.

    :raises LookupError: there is no such task instance, as after its DAG or its run was deleted
    """
    from airflow.sdk.execution_time.comms import GetTaskStates
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    question = GetTaskStates(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index)
    answer: Any = await SUPERVISOR_COMMS.asend(question)
    states = answer.task_states.get(ti.run_id)
    if not states:
        raise LookupError(f"DAG {ti.dag_id}, run {ti.run_id} has no task instance {ti.task_id} any more")
    state: str | None = next(iter(states.values()))
    return state


def metrics() -> Metrics:
    """Return Airflow's Stats, those that this process has set up."""
    try:
        if in_triggerer():
            from airflow.observability.stats import Stats
        else:
            from airflow.sdk.observability.stats import Stats  # type: ignore[assignment]
    except ImportError:  # Airflow below 3.2
        from airflow.stats import Stats  # type: ignore[assignment]
    return cast("Metrics", Stats)


def in_triggerer() -> bool:
    """Whether a triggerer of Airflow 3 runs this, not `dag.test()`, a worker or a script."""
    try:
        from airflow.sdk.execution_time import task_runner
    except ImportError:  # Airflow 2.11
        return False
    # A triggerer has imported it. The channel of a worker is of another class; it is there without a channel, too.
    kind = getattr(sys.modules.get("airflow.jobs.triggerer_job_runner"), "TriggerCommsDecoder", None)
    return kind is not None and isinstance(getattr(task_runner, "SUPERVISOR_COMMS", None), kind)
