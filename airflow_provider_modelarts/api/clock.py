"""What tells the time, and sleeps."""

from __future__ import annotations

import threading
import time
from typing import Final


class Clock:
    """The system's clock. Tests have one that they move on themselves."""

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep on this thread."""
        time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Sleep on this thread until an event is set, at most so long, and return whether it is set."""
        return event.wait(seconds)


SYSTEM_CLOCK: Final = Clock()


class HasClock:
    """
    Base class of what Airflow makes, so that nobody can pass a clock to it.

    :ivar clock: tells the time, and sleeps; tests replace it
    """

    clock: Clock = SYSTEM_CLOCK
