"""What Airflow 2.11 and 3 keep in different places, under one name each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    from airflow.sdk import BaseHook, BaseSensorOperator, PokeReturnValue
except ImportError:  # Airflow 2.11
    from airflow.hooks.base import BaseHook  # type: ignore[attr-defined, no-redef]
    from airflow.sensors.base import (  # type: ignore[import-not-found, no-redef]
        BaseSensorOperator,
        PokeReturnValue,
    )

try:
    from airflow.sdk.exceptions import AirflowFailException
except ImportError:  # Airflow 2.11 to 3.1
    from airflow.exceptions import AirflowFailException  # type: ignore[no-redef]

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = [
    "AirflowFailException",
    "BaseHook",
    "BaseSensorOperator",
    "PokeReturnValue",
    "first_reschedule_date",
    "mask_secret",
]


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
