"""Two clocks: the server's idea of the date, and the time in which jobs move."""

from __future__ import annotations

import time


class JobClock:
    """
    Seconds in which jobs move: real time, times a scale, plus what was skipped.

    :param scale: how much faster than real time it runs
    """

    def __init__(self, scale: float) -> None:
        if scale < 0:
            raise ValueError(f"time_scale must not be negative: {scale}")
        self._scale = scale
        self._start = time.monotonic()
        self._skipped = 0.0

    def now(self) -> float:
        """Return the seconds since the clock was made."""
        return (time.monotonic() - self._start) * self._scale + self._skipped

    def advance(self, seconds: float) -> None:
        """Move forward at once; time never runs backwards (ValueError)."""
        if seconds < 0:
            raise ValueError(f"the clock only moves forward: {seconds}")
        self._skipped += seconds
