"""An event loop that never waits: where it would sleep, simulated time moves on instead."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any


class _JumpingSelector(selectors.DefaultSelector):
    """Waits really only while threads work; otherwise moves simulated time on by as much as it was to wait."""

    def __init__(self, busy: Callable[[], bool], sleep: Callable[[float], None]) -> None:
        super().__init__()
        self._busy = busy
        self._sleep = sleep

    def select(self, timeout: float | None = None) -> list[Any]:
        if self._busy():
            return super().select(0.01 if timeout is None else min(timeout, 0.01))
        ready = super().select(0)
        if not ready and timeout is None:
            return super().select(0.01)
        if not ready and timeout:
            self._sleep(timeout)
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """
    A loop on simulated time.

    :param monotonic: tells the simulated time, in seconds
    :param sleep: moves it on
    """

    def __init__(self, monotonic: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._monotonic = monotonic
        self._working = 0
        super().__init__(_JumpingSelector(lambda: self._working > 0, sleep))

    def time(self) -> float:
        return self._monotonic()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        self._working += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._done)
        return future

    def _done(self, future: Any) -> None:
        self._working -= 1
