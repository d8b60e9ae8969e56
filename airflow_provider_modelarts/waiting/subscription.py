"""What a poller and its waits share: which wait is for which jobs, and what each job looked like at its last poll."""

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
        """Stop polling these jobs for the subscription."""

    def poll_soon(self, subscription: Subscription) -> None:
        """Poll the jobs of the subscription once, whatever its interval."""


class Subscription:
    """The observations that one wait gets. A poll that shows no change does not wake the wait."""

    __slots__ = (
        "_awaits_poll",
        "_observations",
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
        self._observations: dict[str, Observation] | None = None
        self._problem: str | None = None
        self._reader: asyncio.Future[None] | None = None
        self._poll_began = 0.0
        self._awaits_poll = False

    @property
    def poll_seconds(self) -> float:
        """Seconds since the start of the poll that made the latest observation."""
        return asyncio.get_running_loop().time() - self._poll_began

    async def observations(self, timeout: float) -> dict[str, Observation]:
        """
        Wait until a job has changed or could not be polled, and return such observations by job ID.

        :param timeout: seconds; after that, there are none
        :raises PollerError: the poller has a bug
        """
        if self._observations is None and self._problem is None:
            await self._woken(timeout)
        return self._take_observations()

    async def poll(self, timeout: float) -> dict[str, Observation]:
        """
        Have the jobs polled now, whatever their interval, and return the observations by job ID.

        :param timeout: seconds to wait for that poll
        :raises PollerError: the poller has a bug
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        self._awaits_poll = True
        self._poller.poll_soon(self)
        while self._awaits_poll and self._problem is None and (left := until - loop.time()) > 0:
            await self._woken(left)
        return self._take_observations()

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

    def _take_observations(self) -> dict[str, Observation]:
        if self._problem is not None:
            # A new exception each: shared, its traceback would grow with every wait that raises it.
            raise PollerError(self._problem)
        observations, self._observations = self._observations or {}, None
        return observations

    def keep_only(self, job_ids: list[str]) -> None:
        """Stop polling all other jobs."""
        dropped = set(self.job_ids).difference(job_ids)
        if dropped:
            self.job_ids = job_ids
            self._poller.leave(self, dropped)

    def notify(self, job_id: str, observation: Observation, poll_began: float) -> bool:
        """Add an observation, and return whether that woke the wait."""
        if self._observations is None:
            self._observations = {}
        self._observations[job_id] = observation
        self._poll_began = poll_began
        return self._wake()

    def end_poll(self) -> None:
        """End the poll that :meth:`poll` has requested."""
        self._awaits_poll = False
        self._wake()

    def fail(self, problem: str) -> None:
        """End the wait, because the poller has a bug."""
        self._problem = problem
        self._wake()

    def _wake(self) -> bool:
        if self._reader is None or self._reader.done():
            return False
        self._reader.set_result(None)
        return True


class Group:
    """
    The subscriptions of one interval.

    :ivar fingerprints: what each job looked like at its last poll; None if the next poll counts as a change
    """

    def __init__(self) -> None:
        self.fingerprints: dict[str, Hashable] = {}
        self._readers: dict[str, list[Subscription]] = {}
        self._newcomers: list[Subscription] = []

    def __bool__(self) -> bool:
        return bool(self._readers or self._newcomers)

    def subscriptions(self) -> set[Subscription]:
        """Return all subscriptions."""
        return {*self._newcomers, *(reader for readers in self._readers.values() for reader in readers)}

    def add(self, subscription: Subscription) -> None:
        """Add a subscription; its jobs are polled once :meth:`admit` is called after its ``first_poll_at``."""
        self._newcomers.append(subscription)

    def admit(self, now: float) -> None:
        """Have the jobs of new subscriptions polled if their first poll is due."""
        early = []
        for subscription in self._newcomers:
            if subscription.first_poll_at > now:
                early.append(subscription)
                continue
            for job_id in subscription.job_ids:
                self._readers.setdefault(job_id, []).append(subscription)
                self.fingerprints[job_id] = None
        self._newcomers = early

    def remove(self, subscription: Subscription, job_ids: Iterable[str]) -> None:
        """Remove these jobs of a subscription."""
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
                self.fingerprints.pop(job_id, None)

    def notify(self, job_id: str, observation: Observation, fingerprint: Hashable, poll_began: float) -> int:
        """Pass an observation to all waits for the job, and return how many of them woke."""
        if job_id in self.fingerprints:
            self.fingerprints[job_id] = fingerprint
        return sum(reader.notify(job_id, observation, poll_began) for reader in self._readers.get(job_id, ()))
