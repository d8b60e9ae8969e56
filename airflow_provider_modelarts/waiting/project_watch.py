"""Polls the jobs of a project for event triggers, and finds those that have come into a status. No Airflow."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow_provider_modelarts.api.client_owner import ClientOwner, Connect
from airflow_provider_modelarts.api.clock import SYSTEM_CLOCK, Clock
from airflow_provider_modelarts.api.errors import ModelArtsAuthenticationError, ModelArtsError
from airflow_provider_modelarts.api.unexpected import UnexpectedErrors
from airflow_provider_modelarts.waiting.fetch import MAX_PAUSE
from airflow_provider_modelarts.waiting.kind import Kind, Status
from airflow_provider_modelarts.waiting.project import ProjectPoller, Snapshot
from airflow_provider_modelarts.waiting.threads import DaemonThreads
from airflow_provider_modelarts.waiting.wait import HEARTBEAT_SECONDS, duration

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient

log = logging.getLogger(__name__)

_MISSES_UNTIL_GONE = 100
"""Polls. A list may hide a job for a while; the job must not arrive again after that."""

_watched: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, Counter[Status]]] = WeakKeyDictionary()
"""How many watchers watch each status, by key."""


@contextmanager
def watching(key: Hashable, statuses: Collection[Status]) -> Iterator[None]:
    """
    Have the polls under a key include all jobs in these statuses, from the next poll.

    :param key: identifies polls that are shared: connection, region, project, interval
    """
    counts = _watched.setdefault(asyncio.get_running_loop(), {}).setdefault(key, Counter())
    counts.update(statuses)
    try:
        yield
    finally:
        counts.subtract(statuses)


def _watched_statuses(key: Hashable) -> frozenset[Status]:
    counts = _watched.get(asyncio.get_running_loop(), {}).get(key, Counter())
    return frozenset(+counts)


async def snapshots(
    kind: Kind[Any], key: Hashable, connect: Connect, *, poke_interval: float, clock: Clock = SYSTEM_CLOCK
) -> AsyncGenerator[Snapshot, None]:
    """
    Poll the jobs of a project, and yield each poll, until the caller closes the generator.

    An outage is logged when it begins, every ten minutes, and when it is over. After a failure that does not pass by
    itself, such as refused credentials, the connection is read again, because somebody may have changed it.

    :param kind: the kind of the jobs
    :param key: as for :func:`watching`
    :param connect: makes the client, on a thread of the watch
    :param poke_interval: seconds between two polls
    :param clock: tells the time; what the client sleeps by
    """
    owner = ClientOwner(connect, clock)
    project = _OwnedProject(kind, owner, clock)
    threads = DaemonThreads(1, "modelarts-watch")
    loop = asyncio.get_running_loop()
    outage = _Outage(clock)
    unexpected = UnexpectedErrors()
    try:
        while True:
            delay = poke_interval
            try:
                snapshot = await loop.run_in_executor(threads, project.poll, _watched_statuses(key))
            except Exception as error:  # noqa: BLE001 - no error may end the scheduling of DAGs
                # A changed secret is tried at once. If it is refused as well, further tries could lock the account.
                refused_again = outage.refused and isinstance(error, ModelArtsAuthenticationError)
                outage.note(unexpected.failure(error))
                delay = max(delay, MAX_PAUSE if refused_again else _requested_pause(error))
            else:
                outage.over()
                yield snapshot
            await asyncio.sleep(delay)
    finally:
        owner.cancel()
        threads.submit(owner.close)
        threads.shutdown()


class _OwnedProject:
    """Polls a project through its owner's present client. Blocks during a poll."""

    def __init__(self, kind: Kind[Any], owner: ClientOwner, clock: Clock) -> None:
        self._kind = kind
        self._owner = owner
        self._clock = clock
        self._client: ModelArtsClient | None = None
        self._project: ProjectPoller
        self._renew_first = False

    def poll(self, watched: frozenset[Status]) -> Snapshot:
        """
        Return the jobs of the project, at least those in the watched statuses.

        :raises Exception: the poll failed, or the connection cannot be used
        """
        if self._renew_first:
            self._owner.renew()
            self._renew_first = False
        client = self._owner.client()
        if client is not self._client:
            self._client = client
            clock = self._clock.monotonic
            self._project = ProjectPoller(self._kind, self._kind.reader(client, clock), clock)
        try:
            return self._project.poll(watched)
        except ModelArtsError as error:
            self._renew_first = not error.retryable
            raise


def _requested_pause(error: Exception) -> float:
    """Return the seconds for which the server has asked not to be polled."""
    return min(error.retry_after or 0.0, MAX_PAUSE) if isinstance(error, ModelArtsError) else 0.0


class _Outage:
    """Logs the beginning and the end of an outage, and now and then that it lasts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.refused = False
        self._since: float | None = None
        self._last_log = 0.0

    def note(self, error: ModelArtsError) -> None:
        now = self._clock.monotonic()
        self.refused = isinstance(error, ModelArtsAuthenticationError)
        if self._since is None:
            self._since = now
        elif now - self._last_log < HEARTBEAT_SECONDS:
            return
        self._last_log = now
        log.error("The jobs of a project could not be polled for %s. %s", duration(now - self._since), error)

    def over(self) -> None:
        self.refused = False
        if self._since is not None:
            lasted = duration(self._clock.monotonic() - self._since)
            log.info("The jobs of a project can be polled again, after %s", lasted)
            self._since = None


class Arrivals:
    """
    Compares each poll of the jobs of a project with the one before.

    Jobs that are already in one of the statuses at the first poll do not count as arrived, unless :meth:`recall` shows
    that an earlier process had not observed them there.

    :param statuses: the statuses that jobs arrive in
    """

    def __init__(self, statuses: Collection[Status]) -> None:
        self._statuses = frozenset(statuses)
        self._present: dict[str, int] | None = None
        self._at_first: set[str] = set()

    @property
    def present(self) -> set[str]:
        """IDs of the jobs that are in one of the statuses, as of the last poll."""
        return set(self._present or ())

    def recall(self, present: Collection[str]) -> None:
        """Set the jobs that were in one of the statuses at the last poll of an earlier process."""
        if self._present is None:
            self._present = {}
        # The others have arrived since. The next poll reports those that are still in the status.
        for job_id in self._at_first.difference(present):
            self._present.pop(job_id, None)
        for job_id in present:
            self._present.setdefault(job_id, 0)

    def observe(self, statuses: Mapping[str, Status]) -> list[str]:
        """
        Compare a poll with the one before, and return the jobs that have arrived since, oldest first.

        :param statuses: the status of each job of the project, by ID; a job that is missing from a few polls keeps its
            status
        """
        present = {job_id: 0 for job_id, status in statuses.items() if status in self._statuses}
        if self._present is None:
            self._present = present
            self._at_first = set(present)
            return []
        arrived = sorted(present.keys() - self._present.keys(), key=lambda job_id: (len(job_id), job_id))
        for job_id, misses in self._present.items():
            if job_id not in statuses and misses + 1 < _MISSES_UNTIL_GONE:
                present[job_id] = misses + 1
        self._present = present
        return arrived
