"""Arguments of sensors and operators: literal or template, lengths of time, and what of them a trigger can take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any


def seconds(field: str, value: Any, *, may_be_zero: bool = True) -> float:
    """
    Return a length of time in seconds.

    :raises ValueError: it is neither a number nor a timedelta, or it is negative, or 0 where that is not allowed
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    if not is_number or not 0 <= number < math.inf or (number == 0 and not may_be_zero):
        limit = ">= 0" if may_be_zero else "> 0"
        raise ValueError(f"{field}: {value!r} is not a number of seconds, or a timedelta, {limit}")
    return float(number)


def materialized(value: Any) -> Any:
    """Return what a generator or another iterator gives as a list, since it gives it once only; others as they are."""
    return list(value) if isinstance(value, Iterator) else value


def is_literal(value: Any) -> bool:
    """Return whether a parameter is known when the DAG is parsed: neither a template nor the output of a task."""
    if isinstance(value, str):
        return not any(mark in value for mark in ("{{", "{%", "{#"))
    if hasattr(value, "resolve"):
        return False
    return all(map(is_literal, _items(value)))


def can_be_template(value: Any) -> bool:
    """Return whether a parameter means the same as a template: of tasks' outputs, a plain one of an unmapped task."""
    if isinstance(value, str):
        return True
    if hasattr(value, "resolve"):
        from airflow.sdk.definitions.xcom_arg import PlainXComArg

        return isinstance(value, PlainXComArg) and not value.operator.is_mapped
    return all(map(can_be_template, _items(value)))


def plain(value: Any) -> Any:
    """Return a parameter in JSON types; the output of a task as the template that stands for it."""
    if hasattr(value, "resolve"):
        return str(value)
    if isinstance(value, str) or not isinstance(value, Iterable):
        return int(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    items = [plain(item) for item in value]
    # What is the same must look the same: it tells triggers from each other.
    return sorted(items, key=str) if isinstance(value, (set, frozenset)) else items


def _items(value: Any) -> Iterable[Any]:
    """Return what a parameter is made of."""
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, Iterable) else ()


def time_to_wait(timeout: float, execution_timeout: timedelta | None) -> float:
    """Return the seconds that a task may wait; Airflow applies no ``execution_timeout`` to a deferred task."""
    return min(timeout, execution_timeout.total_seconds()) if execution_timeout else timeout
