"""
Many waits, few requests: all waits on one connection in one event loop share one poller.

Only asyncio, and no Airflow. HTTP runs on threads of the poller's own, never on the loop and never on its default
executor, so that a server that hangs delays the waits of its own group and nothing else.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from collections.abc import AsyncIterator, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

from airflow_provider_modelarts.api.client_owner import ClientOwner, Connect
from airflow_provider_modelarts.api.clock import SYSTEM_CLOCK, Clock
from airflow_provider_modelarts.api.metrics import POLL_FAILURES, POLLS, WAITS, Metrics, NoMetrics
from airflow_provider_modelarts.waiting.fetch import JobFetcher, Observation
from airflow_provider_modelarts.waiting.kind import Kind
from airflow_provider_modelarts.waiting.subscription import Group, Subscription
from airflow_provider_modelarts.waiting.threads import DaemonThreads

log = logging.getLogger(__name__)

WAKEUPS_BETWEEN_YIELDS: Final = 10

_TOGETHER: Final = 0.05
"""Seconds within which polls of different intervals become one."""

_GATHERING: Final = 0.5
"""Seconds until the first poll of a poller, so that one poll serves a burst of waits."""

_waiting: set[Subscription] = set()
"""All waits in progress in this process."""

_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, Poller]] = WeakKeyDictionary()


@asynccontextmanager
async def subscribe(
    kind: Kind[Any],
    key: Hashable,
    connect: Connect,
    job_ids: Iterable[str],
    *,
    poke_interval: float,
    first_poll_after: float = 0.0,
    metrics: Metrics | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> AsyncIterator[Subscription]:
    """
    Have jobs polled, together with all jobs of the same kind and key in this event loop.

    :param kind: the kind of the jobs
    :param key: what may be polled together: connection, region, project
    :param connect: makes the client, on the poller's thread; used by the first subscription under a key
    :param job_ids: the jobs
    :param poke_interval: seconds between two polls, greater than 0
    :param first_poll_after: seconds until the first poll
    :param metrics: counts the polls; used by the first subscription under a key
    :param clock: what the client sleeps by; used by the first subscription under a key
    """
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    key = (kind, key)
    if key not in pollers or pollers[key].ended:
        pollers[key] = Poller(kind, connect, metrics or NoMetrics(), clock)
    del connect, metrics  # thousands of waits would keep theirs
    poller = pollers[key]
    first_poll_at = asyncio.get_running_loop().time() + first_poll_after
    subscription = Subscription(poller, poke_interval, list(job_ids), first_poll_at)
    poller.join(subscription)
    _waiting.add(subscription)
    try:
        yield subscription
    finally:
        _waiting.discard(subscription)
        poller.leave(subscription)
        if poller.idle and pollers.get(key) is poller:
            del pollers[key]
            poller.close()


class Poller:
    """
    Polls the jobs of all subscriptions under one key, each at its own interval, together where those coincide.

    All intervals count from the start of the poller. Waits that begin at different times therefore share polls.
    """

    def __init__(self, kind: Kind[Any], connect: Connect, metrics: Metrics, clock: Clock) -> None:
        self._kind = kind
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time() + _GATHERING
        self._groups: dict[float, Group] = {}
        self._due: dict[float, float] = {}
        self._requests: set[Subscription] = set()
        self._requests_due = math.inf
        self._alarm: asyncio.Future[None] | None = None
        self._owner = ClientOwner(connect, clock)
        self._fetcher = JobFetcher(self._owner, kind, clock=self._loop.time)
        self._broken = False
        # In its own context, so that the poller's log lines do not go into the log of the task that came first.
        self._task = contextvars.Context().run(self._loop.create_task, self._serve())

    @property
    def idle(self) -> bool:
        """Whether there are no subscriptions."""
        return not self._groups

    @property
    def ended(self) -> bool:
        """Whether it polls no more."""
        return self._broken or self._task.done()

    def join(self, subscription: Subscription) -> None:
        """Add a subscription; the next poll of its interval includes its jobs."""
        interval = subscription.poke_interval
        if interval not in self._groups:
            self._groups[interval] = Group()
            self._due[interval] = self._next_due(interval)
            self._ring()
        self._groups[interval].add(subscription)

    def leave(self, subscription: Subscription, job_ids: Iterable[str] | None = None) -> None:
        """Remove a subscription, or only these of its jobs."""
        group = self._groups.get(subscription.poke_interval)
        if group is None:
            return
        if job_ids is None:
            self._requests.discard(subscription)
        group.remove(subscription, subscription.job_ids if job_ids is None else job_ids)
        if not group:
            del self._groups[subscription.poke_interval], self._due[subscription.poke_interval]

    def poll_soon(self, subscription: Subscription) -> None:
        """Poll the jobs of a subscription once, whatever its interval, together with other requests of this kind."""
        if not self._requests:
            self._requests_due = self._loop.time() + _GATHERING
        self._requests.add(subscription)
        self._ring()

    def close(self) -> None:
        """Stop polling. A request in progress ends on its thread."""
        self._owner.cancel()
        self._task.cancel()

    async def _serve(self) -> None:
        threads = DaemonThreads(1, "modelarts-poller")
        try:
            while True:
                due, requests = await self._polls_that_are_due()
                fingerprints = _merged([*(group.fingerprints for group in due), *map(self._fingerprints_for, requests)])
                # Collected before the poll: a group may end during it.
                groups = {*due, *map(self._group_of, requests)}
                if fingerprints:
                    began = self._loop.time()
                    observations = await self._poll(threads, fingerprints)
                    _count(self._metrics, observations)
                    await self._notify(observations, began, groups)
                    await self._end_polls(requests)
        except Exception as problem:
            # No wait may hang, and no other wait may join.
            self._broken = True
            log.exception("The jobs of a connection cannot be polled")
            await self._fail_all(f"{type(problem).__name__}: {problem}")
        finally:
            self._fetcher.close()
            self._metrics.gauge(WAITS, len(_waiting))
            threads.submit(self._owner.close)
            threads.shutdown()

    async def _poll(self, threads: DaemonThreads, fingerprints: Mapping[str, Hashable]) -> Mapping[str, Observation]:
        """Poll the jobs. If the connection cannot be used, the poll has failed, and the next poll tries again."""
        self._fetcher.keep_only({job_id for group in self._groups.values() for job_id in group.fingerprints})
        return await self._loop.run_in_executor(threads, self._fetcher.fetch, fingerprints)

    async def _fail_all(self, problem: str) -> None:
        subscriptions = [each for group in self._groups.values() for each in group.subscriptions()]
        for number, subscription in enumerate(subscriptions, 1):
            subscription.fail(problem)
            if number % WAKEUPS_BETWEEN_YIELDS == 0:
                await asyncio.sleep(0)

    async def _polls_that_are_due(self) -> tuple[list[Group], list[Subscription]]:
        """Sleep until a poll is due, and return the groups and the single subscriptions that it includes."""
        while (delay := min([*self._due.values(), self._requests_due]) - self._loop.time()) > 0:
            self._alarm = self._loop.create_future()
            timer = None if delay == math.inf else self._loop.call_later(delay, self._ring)
            try:
                await self._alarm
            finally:
                self._alarm = None
                if timer is not None:
                    timer.cancel()
        now = self._loop.time() + _TOGETHER
        due = [interval for interval, moment in self._due.items() if moment <= now]
        for interval in due:
            self._due[interval] = self._next_due(interval)
            self._groups[interval].admit(now)
        return [self._groups[interval] for interval in due], self._take_requests(now)

    def _take_requests(self, now: float) -> list[Subscription]:
        if self._requests_due > now:
            return []
        requests = list(self._requests)
        self._requests.clear()
        self._requests_due = math.inf
        for subscription in requests:
            self._group_of(subscription).admit(now)
        return requests

    def _group_of(self, subscription: Subscription) -> Group:
        return self._groups[subscription.poke_interval]

    def _fingerprints_for(self, subscription: Subscription) -> dict[str, Hashable]:
        fingerprints = self._group_of(subscription).fingerprints
        return {job_id: fingerprints.get(job_id) for job_id in subscription.job_ids}

    def _ring(self) -> None:
        if self._alarm is not None and not self._alarm.done():
            self._alarm.set_result(None)

    async def _notify(
        self, observations: Mapping[str, Observation], poll_began: float, groups: Iterable[Group]
    ) -> None:
        woken = 0
        for job_id, observation in observations.items():
            # After a failed poll, the next one counts as a change, so that the waits learn that the outage is over.
            failed = isinstance(observation, Exception)
            fingerprint = None if failed else self._kind.fingerprint(observation)
            woken += sum(group.notify(job_id, observation, fingerprint, poll_began) for group in groups)
            if woken >= WAKEUPS_BETWEEN_YIELDS:
                woken = 0
                await asyncio.sleep(0)

    async def _end_polls(self, requests: Iterable[Subscription]) -> None:
        for number, subscription in enumerate(requests, 1):
            subscription.end_poll()
            if number % WAKEUPS_BETWEEN_YIELDS == 0:
                await asyncio.sleep(0)

    def _next_due(self, interval: float) -> float:
        passed = self._loop.time() + _TOGETHER - self._start
        return self._start + (passed // interval + 1) * interval


def _count(metrics: Metrics, observations: Mapping[str, Observation]) -> None:
    metrics.gauge(WAITS, len(_waiting))
    metrics.incr(POLLS)
    if failures := sum(isinstance(observation, Exception) for observation in observations.values()):
        metrics.incr(POLL_FAILURES, failures)


def _merged(parts: Iterable[Mapping[str, Hashable]]) -> dict[str, Hashable]:
    """Return the fingerprint of each job; None if the parts differ."""
    merged: dict[str, Hashable] = {}
    for part in parts:
        for job_id, fingerprint in part.items():
            merged[job_id] = fingerprint if merged.get(job_id, fingerprint) == fingerprint else None
    return merged
