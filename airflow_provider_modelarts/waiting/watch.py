"""Looks at all jobs of a project, for as long as somebody listens. Only asyncio, and no Airflow."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_modelarts.api.errors import ModelArtsAuthenticationError, ModelArtsError
from airflow_provider_modelarts.waiting.fetch import MAX_BREAK
from airflow_provider_modelarts.waiting.kind import Job, Kind, Page, Reader, Status
from airflow_provider_modelarts.waiting.pause import Pause
from airflow_provider_modelarts.waiting.threads import DaemonThreads
from airflow_provider_modelarts.waiting.unexpected import UnexpectedErrors
from airflow_provider_modelarts.waiting.wait import HEARTBEAT_SECONDS, duration

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.waiting.poller import Connect

log = logging.getLogger(__name__)


class Snapshot:
    """
    All jobs of a project at one look.

    :param pages: of the list; read here, on the thread that calls
    """

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages = list(pages)
        self.statuses: dict[str, Status] = {}
        """Statuses by job id."""
        for page in self._pages:
            self.statuses.update(page.statuses)

    def job(self, job_id: str) -> Job:
        """
        Return one of the jobs.

        :raises ValueError: a field of it has a type that it cannot have
        """
        page = next(page for page in self._pages if job_id in page.statuses)
        return page.job(job_id)


async def snapshots(kind: Kind[Any], connect: Connect, *, poke_interval: float) -> AsyncGenerator[Snapshot, None]:
    """
    Look at all jobs again and again, and yield what was seen. It ends only with who listens.

    What fails is logged, when it begins, now and then, and when it is over. After what cannot heal by itself, refused
    credentials say, the connection is read anew, as whoever mends it may change it.

    :param kind: the kind of the jobs
    :param connect: finds out how to make the client; the client is to pause in the given way, which ends with this
    :param poke_interval: seconds between two looks
    """
    pause = Pause("nobody listens any more")
    threads = DaemonThreads(1, "modelarts-watch")
    loop = asyncio.get_running_loop()
    outage = _Outage()
    unexpected = UnexpectedErrors()
    client: ModelArtsClient | None = None
    try:
        while True:
            delay = poke_interval
            try:
                if client is None:
                    client = await loop.run_in_executor(threads, await connect(), pause)
                    reader = kind.reader(client, time.monotonic)
                snapshot = await loop.run_in_executor(threads, _look, reader)
            except Exception as error:  # noqa: BLE001 - whatever it is, DAGs go on being scheduled by this
                # A changed secret is tried at once; what is refused then, too, must not lock the credentials.
                refused_again = outage.refused and isinstance(error, ModelArtsAuthenticationError)
                outage.note(unexpected.failure(error))
                delay = max(delay, MAX_BREAK if refused_again else _wanted_break(error))
                if client is not None and not (isinstance(error, ModelArtsError) and error.retryable):
                    threads.submit(client.close)
                    client = None
            else:
                outage.over()
                yield snapshot
            await asyncio.sleep(delay)
    finally:
        pause.end()
        if client is not None:
            threads.submit(client.close)
        threads.shutdown()


def _look(reader: Reader) -> Snapshot:
    return Snapshot(reader.pages())


def _wanted_break(error: Exception) -> float:
    """Return the seconds for which the server wants to be left alone."""
    return min(error.retry_after or 0.0, MAX_BREAK) if isinstance(error, ModelArtsError) else 0.0


class _Outage:
    """Logs failures of the same kind once in a while, and their end."""

    def __init__(self) -> None:
        self.refused = False
        self._since: float | None = None
        self._last_log = 0.0

    def note(self, error: ModelArtsError) -> None:
        now = time.monotonic()
        self.refused = isinstance(error, ModelArtsAuthenticationError)
        if self._since is None:
            self._since = now
        elif now - self._last_log < HEARTBEAT_SECONDS:
            return
        self._last_log = now
        log.error("The jobs of a project cannot be looked at, for %s now. %s", duration(now - self._since), error)

    def over(self) -> None:
        self.refused = False
        if self._since is not None:
            log.info("The jobs of a project can be looked at again, after %s", duration(time.monotonic() - self._since))
            self._since = None
