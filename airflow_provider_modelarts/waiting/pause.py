"""How a thread waits between two attempts, as long as somebody is there to wait for it."""

from __future__ import annotations

import threading

from airflow_provider_modelarts.api.errors import ModelArtsConnectionError


class Pause:
    """
    Waits for some seconds, on a thread, until it is ended from another one.

    :param ended_because: why nobody waits any more, for the error
    """

    def __init__(self, ended_because: str) -> None:
        self._ended = threading.Event()
        self._because = ended_because

    def __call__(self, seconds: float) -> None:
        """
        Wait.

        :raises ModelArtsConnectionError: this has been ended
        """
        if self._ended.wait(seconds):
            raise ModelArtsConnectionError(f"Given up, as {self._because}")

    def end(self) -> None:
        """End all waiting, also what begins after this."""
        self._ended.set()
