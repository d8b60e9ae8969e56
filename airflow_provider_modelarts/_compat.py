"""What Airflow 2.11 and 3 keep in different places or lack, under one name each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    from airflow.sdk import BaseHook
except ImportError:  # Airflow 2.11 and 3.0
    from airflow.hooks.base import BaseHook  # type: ignore[attr-defined, no-redef]

try:
    from airflow.sdk import BaseOperatorLink, BaseSensorOperator, PokeReturnValue
except ImportError:  # Airflow 2.11
    from airflow.models.baseoperatorlink import BaseOperatorLink  # type: ignore[import-not-found, no-redef]
    from airflow.sensors.base import (  # type: ignore[import-not-found, no-redef]
        BaseSensorOperator,
        PokeReturnValue,
    )

try:
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
    )
except ImportError:  # Airflow 2.11 to 3.1
    from airflow.exceptions import (  # type: ignore[no-redef]
        AirflowFailException,
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

__all__ = [
    "AirflowFailException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "BaseHook",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "PokeReturnValue",
    "aget_connection",
    "aget_extra",
    "airflow_version",
    "amask_secret",
    "conf",
    "first_reschedule_date",
    "mask_secret",
]


def airflow_version() -> tuple[int, int]:
    """Return major and minor version of the Airflow that runs."""
    from airflow import __version__

    major, minor, *_ = __version__.split(".")
    return int(major), int(minor)


def first_reschedule_date(context: Mapping[str, Any]) -> datetime | None:
    """Return when a rescheduled sensor was started first, None when it is its first run."""
    ti = context["ti"]
    if hasattr(ti, "get_first_reschedule_date"):
        first: datetime | None = ti.get_first_reschedule_date(context)
        return first
    from airflow.sensors.base import _orig_start_date  # Airflow 2.11

    first_try_number = (ti.max_tries or 0) - (ti.task.retries or 0) + 1
    found: datetime | None = _orig_start_date(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, first_try_number)
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
            if _in_triggerer():
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


async def amask_secret(secret: str) -> None:
    """Have a secret replaced by asterisks in the logs of tasks, on the event loop of a triggerer."""
    try:
        from airflow.sdk.log import amask_secret as mask
    except ImportError:  # Airflow below 3.3
        from asgiref.sync import sync_to_async

        await sync_to_async(mask_secret)(secret)
        return
    if _in_triggerer():
        await mask(secret)
    else:
        mask_secret(secret)


def _in_triggerer() -> bool:
    """Whether a triggerer of Airflow 3 runs this, not `dag.test()`, a worker or a script."""
    try:
        from airflow.sdk.execution_time import task_runner
    except ImportError:  # Airflow 2.11
        return False
    return hasattr(getattr(task_runner, "SUPERVISOR_COMMS", None), "asend")
