"""The clock of the client, the waits and the tasks. Tests replace it, so that nothing waits in real time."""

from __future__ import annotations

import threading
import time
from typing import Final


class Clock:
    """The system's clock. Tests use one that they advance themselves."""

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return the seconds of a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep on this thread."""
        time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Sleep on this thread until an event is set, for at most so many seconds, and return whether it is set."""
        return event.wait(seconds)


SYSTEM_CLOCK: Final = Clock()


class HasClock:
    """
    Base class of objects that Airflow makes, which therefore cannot take a clock as an argument.

    :ivar clock: tells the time, and sleeps; tests replace it
    """

    clock: Clock = SYSTEM_CLOCK
