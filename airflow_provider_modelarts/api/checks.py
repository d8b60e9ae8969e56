"""Checks of values that are about to be sent. Each raises a ValueError that names the field."""

from __future__ import annotations

from typing import Any


def one_of(field: str, value: object, allowed: tuple[str, ...]) -> str:
    """Return a text that is one of those allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{field}: {value!r:.100} is not one of {', '.join(allowed)}")
    return value


def whole_number(field: str, value: object, low: int, high: int | None = None) -> int:
    """Return a whole number within bounds, both included."""
    if isinstance(value, int) and not isinstance(value, bool) and low <= value and (high is None or value <= high):
        return value
    bounds = f"from {low} to {high}" if high else f">= {low}"
    raise ValueError(f"{field}: {value!r:.100} is not a whole number {bounds}")


def text(field: str, value: Any, limit: int | None = None) -> str:
    """Return a text that is not empty and has at most ``limit`` characters."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{field}: {value!r:.100} is not text")
    if limit is not None and len(value) > limit:
        raise ValueError(f"{field}: has {len(value)} characters, at most {limit} are allowed")
    return value


def text_items(value: str) -> list[str]:
    """Return the items of a list that is written as text, as a template renders it: ``a, b`` or ``['a', 'b']``."""
    items = (item.strip(" \t\n'\"") for item in value.strip().strip("[](){}").split(","))
    return [item for item in items if item]
