"""Between a poller and its waits: who wants to know of which job, and what they know already."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Protocol

from airflow_provider_modelarts.waiting.wait import JobStateUnknownError

if TYPE_CHECKING:
    from airflow_provider_modelarts.waiting.fetch import Observation


class PollerError(JobStateUnknownError):
    """The poller itself has a bug, so that it cannot serve its waits. It has logged the traceback."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"The jobs cannot be polled (details in the triggerer's log). {problem}")


class Source(Protocol):
    """What a subscription needs of its poller."""

    def leave(self, subscription: Subscription, job_ids: Iterable[str]) -> None:
        """Poll these jobs for the subscription no more."""

    def poll_soon(self, subscription: Subscription) -> None:
        """Poll the jobs of the subscription once, whatever its interval."""


class Subscription:
    """What one wait gets to know. It wakes its reader for news only, not for every poll."""

    __slots__ = (
        "_awaits_poll",
        "_news",
        "_poll_began",
        "_poller",
        "_problem",
        "_reader",
        "first_poll_at",
        "job_ids",
        "poke_interval",
    )

    def __init__(self, poller: Source, poke_interval: float, job_ids: list[str], first_poll_at: float) -> None:
        self._poller = poller
        self.poke_interval = poke_interval
        self.job_ids = job_ids
        self.first_poll_at = first_poll_at
        self._news: dict[str, Observation] | None = None
        self._problem: str | None = None
        self._reader: asyncio.Future[None] | None = None
        self._poll_began = 0.0
        self._awaits_poll = False

    @property
    def poll_seconds(self) -> float:
        """How long ago the poll began that the latest news came from."""
        return asyncio.get_running_loop().time() - self._poll_began

    async def news(self, timeout: float) -> dict[str, Observation]:
        """
        Wait for news of the jobs and return them by job id; nothing when there are none in time.

        :param timeout: seconds
        :raises PollerError: the group cannot be served
        """
        if self._news is None and self._problem is None:
            await self._woken(timeout)
        return self._take_news()

    async def poll(self, timeout: float) -> dict[str, Observation]:
        """
        Have the jobs polled now, whatever their interval, and return the news of them by job id.

        :param timeout: seconds after which the poll is not waited for any more
        :raises PollerError: the group cannot be served
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        self._awaits_poll = True
        self._poller.poll_soon(self)
        while self._awaits_poll and self._problem is None and (left := until - loop.time()) > 0:
            await self._woken(left)
        return self._take_news()

    async def _woken(self, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        self._reader = loop.create_future()
        # Not wait_for: below Python 3.12 it can swallow a cancellation.
        timer = loop.call_later(timeout, self._wake)
        try:
            await self._reader
        finally:
            timer.cancel()
            self._reader = None

    def _take_news(self) -> dict[str, Observation]:
        if self._problem is not None:
            # A new exception each: shared, its traceback would grow with every wait that raises it.
            raise PollerError(self._problem)
        news, self._news = self._news or {}, None
        return news

    def keep_only(self, job_ids: list[str]) -> None:
        """Have only these of the jobs looked at from now on."""
        dropped = set(self.job_ids).difference(job_ids)
        if dropped:
            self.job_ids = job_ids
            self._poller.leave(self, dropped)

    def tell(self, job_id: str, seen: Observation, poll_began: float) -> bool:
        """Take note of news, and return whether that woke the reader."""
        if self._news is None:
            self._news = {}
        self._news[job_id] = seen
        self._poll_began = poll_began
        return self._wake()

    def end_poll(self) -> None:
        """Take note that the poll which was asked for is over."""
        self._awaits_poll = False
        self._wake()

    def break_off(self, problem: str) -> None:
        """Tell the reader that there will be no more news."""
        self._problem = problem
        self._wake()

    def _wake(self) -> bool:
        if self._reader is None or self._reader.done():
            return False
        self._reader.set_result(None)
        return True


class Group:
    """The subscriptions of one interval: who wants to know of which job, and what they know already."""

    def __init__(self) -> None:
        self.known: dict[str, Hashable] = {}
        self._readers: dict[str, list[Subscription]] = {}
        self._newcomers: list[Subscription] = []

    def __bool__(self) -> bool:
        return bool(self._readers or self._newcomers)

    def everybody(self) -> set[Subscription]:
        """Return all subscriptions."""
        return {*self._newcomers, *(reader for readers in self._readers.values() for reader in readers)}

    def add(self, subscription: Subscription) -> None:
        """Let a subscription in, once its first look may come."""
        self._newcomers.append(subscription)

    def admit(self, now: float) -> None:
        """Take in the newcomers whose time has come."""
        early = []
        for subscription in self._newcomers:
            if subscription.first_poll_at > now:
                early.append(subscription)
                continue
            for job_id in subscription.job_ids:
                self._readers.setdefault(job_id, []).append(subscription)
                self.known[job_id] = None
        self._newcomers = early

    def remove(self, subscription: Subscription, job_ids: Iterable[str]) -> None:
        """Let a subscription know of these jobs no more."""
        if subscription in self._newcomers:
            if set(job_ids) >= set(subscription.job_ids):
                self._newcomers.remove(subscription)
            return
        for job_id in job_ids:
            readers = self._readers.get(job_id, [])
            if subscription in readers:
                readers.remove(subscription)
            if not readers:
                self._readers.pop(job_id, None)
                self.known.pop(job_id, None)

    def tell(self, job_id: str, seen: Observation, fingerprint: Hashable, poll_began: float) -> int:
        """Tell all who want to know, and return how many readers that woke."""
        if job_id in self.known:
            self.known[job_id] = fingerprint
        return sum(reader.tell(job_id, seen, poll_began) for reader in self._readers.get(job_id, ()))
