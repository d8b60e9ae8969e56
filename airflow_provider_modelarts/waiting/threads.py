"""Threads that do not delay the end of the process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any


class DaemonThreads(Executor):
    """
    A pool of daemon threads, which start when they are needed.

    At exit, Python waits for the threads of a `ThreadPoolExecutor`. A request to a silent server would delay that by up
    to its ``read_timeout``.

    :param size: the most threads at a time
    :param name: prefix of the threads' names
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._started = 0
        self._shut_down = False
        self._lock = threading.Lock()

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """
        Call a function on one of the threads.

        :raises RuntimeError: the pool was shut down
        """
        future: Future[Any] = Future()
        with self._lock:
            if self._shut_down:
                raise RuntimeError(f"The threads {self._name} were shut down")
            self._calls.put((future, partial(call, *args, **kwargs)))
            if self._started < self._size:
                threading.Thread(target=self._serve, name=f"{self._name}_{self._started}", daemon=True).start()
                self._started += 1
        return future

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """End the threads once all submitted calls are done; return at once."""
        with self._lock:
            if not self._shut_down:
                self._shut_down = True
                for _ in range(self._started):
                    self._calls.put(None)

    def _serve(self) -> None:
        while (submitted := self._calls.get()) is not None:
            future, call = submitted
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001 - raised where the result is used
                    future.set_exception(error)
            # An idle thread must not keep its last call alive.
            del submitted, future, call
