"""Checks of request parameters. Each raises a ValueError that names the field."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

_MAX_OUTPUT: Final = 1_000_000
"""The longest output, as text, that is parsed: some thousand jobs."""


def to_text(value: Any) -> Any:
    """
    Return a text without surrounding white space, a whole number as text, and any other value unchanged.

    In a DAG with ``render_template_as_native_obj``, a template that renders to digits becomes a number.
    """
    read = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return read.strip() if isinstance(read, str) else read


def one_of(field: str, value: object, allowed: tuple[str, ...]) -> str:
    """Return a text if it is one of the allowed ones."""
    read = to_text(value)
    if not isinstance(read, str) or read not in allowed:
        raise ValueError(f"{field}: {value!r:.100} is not one of {', '.join(allowed)}")
    return read


def whole_number(field: str, value: object, low: int, high: int | None = None) -> int:
    """Return a whole number if it is within bounds, inclusive."""
    if isinstance(value, int) and not isinstance(value, bool) and low <= value and (high is None or value <= high):
        return value
    bounds = f"from {low} to {high}" if high else f">= {low}"
    raise ValueError(f"{field}: {value!r:.100} is not a whole number {bounds}")


def text(field: str, value: Any, limit: int | None = None) -> str:
    """Return a text if it is not empty and has at most ``limit`` characters."""
    read = to_text(value)
    if not isinstance(read, str) or not read:
        raise ValueError(f"{field}: {value!r:.100} is not text")
    if limit is not None and len(read) > limit:
        raise ValueError(f"{field}: has {len(read)} characters, at most {limit} are allowed")
    return read


def text_items(value: str) -> list[str]:
    """Return the items of a list in a text, as a template renders it: ``a, b`` or ``['a', 'b']``."""
    items = (item.strip(" \t\n'\"") for item in value.strip().strip("[](){}").split(","))
    return [item for item in items if item]


def job_id_in(value: object) -> object:
    """
    Return the job ID in the output of a task, and any other value unchanged.

    The output of a task that waits for a job or changes it is a dict with a ``job_id``. Templates render it as text.
    """
    output = _decoded(value) if isinstance(value, str) else value
    return output["job_id"] if isinstance(output, Mapping) and "job_id" in output else value


def job_ids_in(value: object) -> list[object]:
    """
    Return the job IDs in a parameter for several jobs: IDs, or outputs of tasks.

    The output for several jobs is a dict by job ID, or a list if the task is mapped.

    :raises ValueError: it is not a list
    """
    decoded = _decoded(value) if isinstance(value, str) else None
    given = text_items(value) if isinstance(value, str) and decoded is None else decoded or value
    if isinstance(given, Mapping):
        given = [given] if "job_id" in given else _keys_of_outputs(given)
    if not isinstance(given, Iterable):
        raise ValueError(f"job_ids: {value!r:.100} is not a list of job IDs")
    return [job_id_in(item) for item in given]


def _keys_of_outputs(value: Mapping[Any, Any]) -> list[Any] | None:
    return list(value) if all(isinstance(output, Mapping) for output in value.values()) else None


def _decoded(value: str) -> Any:
    """Return the dict or the list that a text contains as Python or JSON; None if it contains neither."""
    if "{" not in value or len(value) > _MAX_OUTPUT:
        return None
    for read in (ast.literal_eval, json.loads):
        try:
            decoded = read(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(decoded, (Mapping, list, tuple)):
            return decoded
    return None
