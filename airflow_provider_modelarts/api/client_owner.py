"""The owner of a client: makes it at first use, renews it if its credentials are refused, and closes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from airflow_provider_modelarts.api.clock import SYSTEM_CLOCK, Clock
from airflow_provider_modelarts.api.errors import ModelArtsConnectionError

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient

Sleep: TypeAlias = Callable[[float], None]
"""Waits for some seconds, on a thread."""

Connect: TypeAlias = "Callable[[Sleep], ModelArtsClient]"
"""Reads the connection, and makes a client that sleeps with the given function. May block."""


class ClientOwner:
    """
    Owns the client of one connection.

    Only :meth:`cancel` may be called while another thread uses the owner.

    :param connect: makes a client from the present connection
    :param clock: what the client sleeps by
    """

    def __init__(self, connect: Connect, clock: Clock = SYSTEM_CLOCK) -> None:
        self._connect = connect
        self._clock = clock
        self._client: ModelArtsClient | None = None
        self._cancelled = threading.Event()

    def client(self) -> ModelArtsClient:
        """
        Return the client. The first call makes it.

        :raises Exception: the connection cannot be read, or is invalid; the next call tries again
        """
        if self._client is None:
            self._client = self._connect(self.sleep)
        return self._client

    def renew(self) -> bool:
        """
        Read the connection again after its credentials were refused, and return whether it has others now.

        If it has, a new client replaces the old one, which is closed.

        :raises Exception: the connection cannot be read, or is invalid; the client stays
        """
        client = self._connect(self.sleep)
        if self._client is not None and client.calls_like(self._client):
            client.close()
            return False
        self.close()
        self._client = client
        return True

    def close(self) -> None:
        """Close the client. The next call of :meth:`client` makes another one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def sleep(self, seconds: float) -> None:
        """
        Sleep for some seconds, unless another thread cancels that.

        :raises ModelArtsConnectionError: the sleep was cancelled
        """
        if self._clock.wait(self._cancelled, seconds):
            raise ModelArtsConnectionError("Cancelled, because nothing waits for the result any more")

    def cancel(self) -> None:
        """Cancel all sleeps, present and future."""
        self._cancelled.set()
