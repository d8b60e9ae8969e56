"""What can be counted: the names of the metrics, and what takes them. Airflow's own Stats fit in."""

from __future__ import annotations

from typing import Any, Final, Protocol

REQUESTS: Final = "modelarts.requests"
"""Counter: HTTP requests to ModelArts and for project ids, by ``operation`` and ``status`` (0: no answer)."""

POLLS: Final = "modelarts.polls"
"""Counter: polls of the triggerer, each of all jobs that are due on one connection."""

POLL_FAILURES: Final = "modelarts.poll_failures"
"""Counter: jobs whose poll in the triggerer failed."""

WAITS: Final = "modelarts.waits"
"""Gauge: waits in progress in a triggerer."""

TIME_IN_STATUS: Final = "modelarts.time_in_status"
"""Timer, milliseconds: how long a job was in the status that it has just left, by ``status``."""


class Metrics(Protocol):
    """Takes metrics. May be called by several threads."""

    def incr(self, stat: str, count: int = 1, *, tags: dict[str, Any] | None = None) -> Any:
        """Add to a counter."""

    def gauge(self, stat: str, value: float, *, tags: dict[str, Any] | None = None) -> Any:
        """Set a gauge."""

    def timing(self, stat: str, dt: float, *, tags: dict[str, Any] | None = None) -> Any:
        """Report a length of time in milliseconds."""


class NoMetrics:
    """Takes metrics and forgets them."""

    def incr(self, stat: str, count: int = 1, *, tags: dict[str, Any] | None = None) -> None:
        """Do nothing."""

    def gauge(self, stat: str, value: float, *, tags: dict[str, Any] | None = None) -> None:
        """Do nothing."""

    def timing(self, stat: str, dt: float, *, tags: dict[str, Any] | None = None) -> None:
        """Do nothing."""
