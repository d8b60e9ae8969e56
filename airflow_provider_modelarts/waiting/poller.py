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
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from airflow_provider_modelarts.api.metrics import POLL_FAILURES, POLLS, WAITS, Metrics
from airflow_provider_modelarts.waiting.fetch import JobFetcher, Observation
from airflow_provider_modelarts.waiting.pause import Pause
from airflow_provider_modelarts.waiting.unexpected import UnexpectedErrors

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient

log = logging.getLogger(__name__)

Sleep: TypeAlias = Callable[[float], None]
"""Waits for some seconds, on a thread."""

Connect: TypeAlias = "Callable[[], Coroutine[Any, Any, Callable[[Sleep], ModelArtsClient]]]"
"""
Finds out on the event loop how to make the client of a group. What it returns makes it, on the poller's thread; the
client is to pause between attempts in the given way, which ends with the poller.
"""

CONNECT_DELAYS: Final = (0.0, 3.0, 6.0)
"""Seconds before each attempt to connect: a hiccup of Airflow's own must not end the waits of a connection."""

RENEWAL_TIMEOUT: Final = 60.0
"""Seconds that the event loop has to read the connection anew, when its credentials are refused."""

WAKEUPS_BETWEEN_YIELDS: Final = 10
_TOGETHER: Final = 0.05
"""Seconds within which looks of different intervals are one."""

_GATHERING: Final = 0.5
"""Seconds until the first look of a poller, so that a burst of waits is served by it."""

_waiting: set[Subscription] = set()
"""All waits in progress in this process."""

_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, Poller]] = WeakKeyDictionary()


@asynccontextmanager
async def subscribe(
    key: Hashable,
    connect: Connect,
    job_ids: Iterable[str],
    *,
    poke_interval: float,
    first_poll_after: float = 0.0,
) -> AsyncIterator[Subscription]:
    """
    Have jobs looked at, together with everybody who waits under the same key in this event loop.

    :param key: what may be looked at together: connection, region, project
    :param connect: makes the client, if nobody under this key has yet
    :param job_ids: the jobs
    :param poke_interval: seconds between two looks, greater than 0
    :param first_poll_after: seconds to leave the jobs alone at first
    """
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    if key not in pollers or pollers[key].ended:
        pollers[key] = Poller(connect)
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


class PollerError(Exception):
    """The poller itself has a bug, so that it cannot serve its waits. It has logged the traceback."""


class Subscription:
    """What one wait gets to know. It wakes its reader for news only, not for every look."""

    __slots__ = ("_news", "_poller", "_problem", "_reader", "first_poll_at", "job_ids", "poke_interval")

    def __init__(self, poller: Poller, poke_interval: float, job_ids: list[str], first_poll_at: float) -> None:
        self._poller = poller
        self.poke_interval = poke_interval
        self.job_ids = job_ids
        self.first_poll_at = first_poll_at
        self._news: dict[str, Observation] | None = None
        self._problem: str | None = None
        self._reader: asyncio.Future[None] | None = None

    async def news(self, timeout: float) -> dict[str, Observation]:
        """
        Wait for news of the jobs and return them by job id; nothing when there are none in time.

        :param timeout: seconds
        :raises PollerError: the group cannot be served
        """
        if self._news is None and self._problem is None:
            loop = asyncio.get_running_loop()
            self._reader = loop.create_future()
            # Not wait_for: below Python 3.12 it can swallow a cancellation.
            timer = loop.call_later(timeout, self._wake)
            try:
                await self._reader
            finally:
                timer.cancel()
                self._reader = None
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

    def tell(self, job_id: str, seen: Observation) -> bool:
        """Take note of news, and return whether that woke the reader."""
        if self._news is None:
            self._news = {}
        self._news[job_id] = seen
        return self._wake()

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
        self.known: dict[str, int | None] = {}
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

    def tell(self, job_id: str, seen: Observation) -> int:
        """Tell all who want to know, and return how many readers that woke."""
        if job_id in self.known:
            # After a failure the next look is news whatever it shows: the readers must learn that it is over.
            self.known[job_id] = None if isinstance(seen, Exception) else int(seen.status)
        return sum(reader.tell(job_id, seen) for reader in self._readers.get(job_id, ()))


class Poller:
    """
    Looks at the jobs of all subscriptions under one key, each at its own interval, together where those coincide.

    Intervals are counted from the start of the poller for everybody, so that waits that begin at different times are
    served by the same looks.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time() + _GATHERING
        self._groups: dict[float, Group] = {}
        self._due: dict[float, float] = {}
        self._alarm: asyncio.Future[None] | None = None
        self._client: ModelArtsClient | None = None
        self._fetcher: JobFetcher | None = None
        self._unexpected = UnexpectedErrors()
        self._pause = Pause("nobody waits any more")
        self._broken = False
        # In a context of its own: log lines of the poller do not belong to the wait that happens to come first.
        self._task = contextvars.Context().run(self._loop.create_task, self._serve())

    @property
    def idle(self) -> bool:
        """Whether nobody waits."""
        return not self._groups

    @property
    def ended(self) -> bool:
        """Whether it cannot serve anybody any more."""
        return self._broken or self._task.done()

    def join(self, subscription: Subscription) -> None:
        """Add a subscription; it is served with the next look of its interval."""
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
        group.remove(subscription, subscription.job_ids if job_ids is None else job_ids)
        if not group:
            del self._groups[subscription.poke_interval], self._due[subscription.poke_interval]

    def close(self) -> None:
        """Stop looking. A request that is under way ends on its thread."""
        self._pause.end()
        self._task.cancel()

    async def _serve(self) -> None:
        threads = ThreadPoolExecutor(1, thread_name_prefix="modelarts-poller")
        try:
            while True:
                due = await self._groups_that_are_due()
                known = _merged(due)
                if known:
                    seen = await self._poll(threads, known)
                    if self._client is not None:
                        _count(self._client.metrics, seen)
                    await self._tell(due, seen)
        except Exception as problem:
            # Whatever it is, nobody must wait for ever, nor join from now on.
            self._broken = True
            log.exception("The waits of a connection cannot be served")
            await self._break_off(f"{type(problem).__name__}: {problem}")
        finally:
            if self._fetcher is not None:
                self._fetcher.close()
            if self._client is not None:
                self._client.metrics.gauge(WAITS, len(_waiting))
            threads.submit(self._close_client)
            threads.shutdown(wait=False)

    async def _poll(self, threads: ThreadPoolExecutor, known: Mapping[str, int | None]) -> Mapping[str, Observation]:
        """Look at the jobs; a connection that cannot be used is a failed look, and is tried again with the next."""
        try:
            if self._fetcher is None:
                self._client = await self._connected(threads)
                self._fetcher = JobFetcher(self._client, renew=self._renewed)
            return await self._loop.run_in_executor(threads, self._fetcher.fetch, known)
        except Exception as error:  # noqa: BLE001 - a surprise must not end the waits that share this
            return dict.fromkeys(known, self._unexpected.failure(error))

    async def _connected(self, threads: ThreadPoolExecutor) -> ModelArtsClient:
        """Return the client, trying a few times."""
        for attempt, delay in enumerate(CONNECT_DELAYS, 1):
            await asyncio.sleep(delay)
            try:
                return await self._loop.run_in_executor(threads, await self._connect(), self._pause)
            except Exception as error:
                if attempt == len(CONNECT_DELAYS):
                    raise
                log.warning("Cannot connect (attempt %d of %d): %s", attempt, len(CONNECT_DELAYS), error)
        raise AssertionError("unreachable")

    def _renewed(self) -> ModelArtsClient | None:
        """Read the connection anew, on the event loop; return a client if it has changed. Runs on our thread."""
        connecting = asyncio.run_coroutine_threadsafe(self._connect(), self._loop)
        try:
            make_client = connecting.result(RENEWAL_TIMEOUT)
        finally:
            connecting.cancel()
        client = make_client(self._pause)
        if self._client is not None and client.calls_like(self._client):
            client.close()
            return None
        self._close_client()
        self._client = client
        return client

    def _close_client(self) -> None:
        if self._client is not None:
            self._client.close()

    async def _break_off(self, problem: str) -> None:
        everybody = [subscription for group in self._groups.values() for subscription in group.everybody()]
        for number, subscription in enumerate(everybody, 1):
            subscription.break_off(problem)
            if number % WAKEUPS_BETWEEN_YIELDS == 0:
                await asyncio.sleep(0)

    async def _groups_that_are_due(self) -> list[Group]:
        """Sleep until a look is due, and return the groups it is for."""
        while (delay := min(self._due.values(), default=math.inf) - self._loop.time()) > 0:
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
        return [self._groups[interval] for interval in due]

    def _ring(self) -> None:
        if self._alarm is not None and not self._alarm.done():
            self._alarm.set_result(None)

    async def _tell(self, due: list[Group], seen: Mapping[str, Observation]) -> None:
        woken = 0
        for job_id, observation in seen.items():
            woken += sum(group.tell(job_id, observation) for group in due)
            if woken >= WAKEUPS_BETWEEN_YIELDS:
                woken = 0
                await asyncio.sleep(0)

    def _next_due(self, interval: float) -> float:
        passed = self._loop.time() + _TOGETHER - self._start
        return self._start + (passed // interval + 1) * interval


def _count(metrics: Metrics, seen: Mapping[str, Observation]) -> None:
    metrics.gauge(WAITS, len(_waiting))
    metrics.incr(POLLS)
    if failures := sum(isinstance(observation, Exception) for observation in seen.values()):
        metrics.incr(POLL_FAILURES, failures)


def _merged(groups: list[Group]) -> dict[str, int | None]:
    """Return what all groups know of each job; None where they do not know the same."""
    merged = dict(groups[0].known)
    for group in groups[1:]:
        for job_id, status in group.known.items():
            merged[job_id] = status if merged.get(job_id, status) == status else None
    return merged
