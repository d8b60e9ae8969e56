"""A clock that never waits: whoever sleeps moves it on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

from airflow_provider_modelarts.api.clock import Clock


class Advances(Protocol):
    """What goes with simulated time: an emulator, or another server."""

    def advance(self, seconds: float) -> None: ...


class SimulatedClock(Clock):
    """
    A clock that sleeping moves forward at once.

    :param emulator: moved forward together with it
    """

    def __init__(self, emulator: Advances | None = None) -> None:
        self.now = 0.0
        self.worst_pass = 0.0
        self._emulator = emulator
        self._start = datetime.now(timezone.utc)
        self._plans: list[tuple[float, Callable[[], Any]]] = []

    def at(self, seconds: float, action: Callable[[], Any]) -> None:
        """Have something happen at a time, counted from the start."""
        self._plans.append((seconds, action))
        self._plans.sort(key=lambda plan: plan[0])

    def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        while self._plans and self._plans[0][0] <= end:
            moment, action = self._plans.pop(0)
            self._move_to(moment)
            action()
        self._move_to(end)

    def _move_to(self, moment: float) -> None:
        if self._emulator is not None:
            self._emulator.advance(moment - self.now)
        self.now = moment

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.sleep(seconds)
        return event.is_set()

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.utcnow().timestamp()

    def utcnow(self) -> datetime:
        """Return the date and time, as Airflow's module `timezone` does."""
        return self._start + timedelta(seconds=self.now)


class ImpatientClock(Clock):
    """The system's clock, by which nobody sleeps."""

    def sleep(self, seconds: float) -> None:
        """Return at once."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.is_set()
