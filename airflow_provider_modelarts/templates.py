"""Arguments of sensors and operators: literals, templates, lengths of time, and their form in a trigger."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any


def seconds(field: str, value: Any, *, may_be_zero: bool = True) -> float:
    """
    Return a length of time in seconds.

    :raises ValueError: it is neither a number nor a timedelta, or is negative, or is 0 although that is not allowed
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    if not is_number or not 0 <= number < math.inf or (number == 0 and not may_be_zero):
        limit = ">= 0" if may_be_zero else "> 0"
        raise ValueError(f"{field}: {value!r} is not a number of seconds, or a timedelta, {limit}")
    return float(number)


def materialized(value: Any) -> Any:
    """Return an iterator as a list, because it can be read only once; other values as they are."""
    return list(value) if isinstance(value, Iterator) else value


def is_literal(value: Any) -> bool:
    """Return whether a parameter is known when the DAG is parsed: neither a template nor the output of a task."""
    if isinstance(value, str):
        return not any(mark in value for mark in ("{{", "{%", "{#"))
    if hasattr(value, "resolve"):
        return False
    return all(map(is_literal, _items(value)))


def can_be_template(value: Any) -> bool:
    """Return whether a parameter can become a template. Of outputs of tasks, only plain ones of unmapped tasks can."""
    if isinstance(value, str):
        return True
    if hasattr(value, "resolve"):
        from airflow.sdk.definitions.xcom_arg import PlainXComArg

        return isinstance(value, PlainXComArg) and not value.operator.is_mapped
    return all(map(can_be_template, _items(value)))


def plain(value: Any) -> Any:
    """Return a parameter in JSON types; the output of a task as the template for it."""
    if hasattr(value, "resolve"):
        return str(value)
    if isinstance(value, str) or not isinstance(value, Iterable):
        return int(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    items = [plain(item) for item in value]
    # Equal arguments must have equal text, because it identifies triggers.
    return sorted(items, key=str) if isinstance(value, (set, frozenset)) else items


def _items(value: Any) -> Iterable[Any]:
    """Return the items of a parameter, if it has any."""
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, Iterable) else ()


def time_to_wait(timeout: float, execution_timeout: timedelta | None) -> float:
    """Return the seconds that a task may wait; Airflow applies no ``execution_timeout`` to a deferred task."""
    return min(timeout, execution_timeout.total_seconds()) if execution_timeout else timeout
