"""Metrics that are kept, so that a test can see what was reported."""

from __future__ import annotations

from collections import Counter
from typing import Any


class RecordedMetrics:
    """Takes metrics as Airflow's Stats does, and keeps them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Counters by their name, and by their tags if there are any: ``requests operation=get status=200``."""
        self.gauges: list[tuple[str, float]] = []
        self.timings: list[tuple[str, float]] = []

    def incr(self, stat: str, count: int = 1, *, tags: dict[str, Any] | None = None) -> None:
        self.counts[tagged(stat, tags)] += count

    def gauge(self, stat: str, value: float, *, tags: dict[str, Any] | None = None) -> None:
        self.gauges.append((tagged(stat, tags), value))

    def timing(self, stat: str, dt: float, *, tags: dict[str, Any] | None = None) -> None:
        self.timings.append((tagged(stat, tags), dt))


def tagged(stat: str, tags: dict[str, Any] | None) -> str:
    return " ".join([stat, *(f"{name}={value}" for name, value in sorted((tags or {}).items()))])
