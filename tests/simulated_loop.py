"""An event loop that never waits: where it would sleep, simulated time moves on instead."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from airflow_provider_modelarts.api.clock import Clock

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Waits really only while threads work; otherwise moves simulated time on by as much as it was to wait."""

    def __init__(self, busy: Callable[[], bool], sleep: Callable[[float], None]) -> None:
        super().__init__()
        self._busy = busy
        self._sleep = sleep
        self._returned = time.perf_counter()
        self.worst_pass = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        entered = time.perf_counter()
        self._blocked(entered - self._returned)
        try:
            return self._select(timeout, entered)
        finally:
            self._returned = time.perf_counter()

    def _select(self, timeout: float | None, entered: float) -> list[Any]:
        if self._busy():
            tick = 0.01 if timeout is None else min(timeout, 0.01)
            ready = super().select(tick)
            self._blocked(time.perf_counter() - entered - tick)
            return ready
        ready = super().select(0)
        if not ready and timeout is None:
            return super().select(0.01)
        if not ready and timeout:
            self._sleep(timeout)
        return ready

    def _blocked(self, seconds: float) -> None:
        self.worst_pass = max(self.worst_pass, seconds)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """
    A loop on simulated time.

    :param monotonic: tells the simulated time, in seconds
    :param sleep: moves it on
    """

    def __init__(self, monotonic: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._monotonic = monotonic
        self._working = 0
        self._jumping = _JumpingSelector(lambda: self._working > 0, sleep)
        super().__init__(self._jumping)

    @property
    def worst_pass(self) -> float:
        """
        Longest real time, in seconds, for which the loop could not turn.

        Either its own callbacks took so long, or another thread kept it from running; while threads work it turns
        every 10 ms.
        """
        return self._jumping.worst_pass

    def time(self) -> float:
        return self._monotonic()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        self._working += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._done)
        return future

    def _done(self, future: Any) -> None:
        self._working -= 1


def run_simulated(main: Coroutine[Any, Any, T], clock: Clock) -> T:
    """
    Run a coroutine on a simulated loop, as `asyncio.run` does.

    :param clock: moves on where the loop would sleep
    """
    loop = SimulatedLoop(clock.monotonic, clock.sleep)
    try:
        return loop.run_until_complete(main)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
