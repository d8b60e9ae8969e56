"""Looks at all jobs of a project, for as long as somebody listens. Only asyncio, and no Airflow."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import ChainMap
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from airflow_provider_modelarts.api.errors import ModelArtsConnectionError, ModelArtsError
from airflow_provider_modelarts.waiting.pages import StatusPages
from airflow_provider_modelarts.waiting.wait import HEARTBEAT_SECONDS, duration

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.api.models import StatusPage, VisualizationJob
    from airflow_provider_modelarts.waiting.poller import Connect

log = logging.getLogger(__name__)

MAX_BREAK: Final = 300.0
"""Seconds for which a project is left alone at most, whatever ``Retry-After`` says."""


class Snapshot:
    """
    All jobs of a project at one look.

    :param pages: of the list
    """

    def __init__(self, pages: list[StatusPage]) -> None:
        self._pages = pages

    @classmethod
    def read(cls, pages: StatusPages) -> Snapshot:
        """Read all pages of the list; errors are the client's."""
        return cls(list(pages.all()))

    @property
    def statuses(self) -> Mapping[str, int]:
        """Status codes by job id."""
        return ChainMap(*(dict(page.statuses) for page in self._pages))

    def job(self, job_id: str) -> VisualizationJob:
        """
        Return one of the jobs.

        :raises ValueError: a field of it has a type that it cannot have
        """
        page = next(page for page in self._pages if job_id in page.statuses)
        return page.job(job_id)


async def snapshots(connect: Connect, *, poke_interval: float) -> AsyncGenerator[Snapshot, None]:
    """
    Look at all jobs again and again, and yield what was seen. It ends only with who listens.

    What fails is logged, when it begins, now and then, and when it is over; the connection is then made anew, as
    whoever mends it may have changed it.

    :param connect: finds out how to make the client; the client is to pause in the given way, which ends with this
    :param poke_interval: seconds between two looks
    """
    closed = threading.Event()
    threads = ThreadPoolExecutor(1, thread_name_prefix="modelarts-watch")
    loop = asyncio.get_running_loop()
    outage = _Outage()

    def pause(seconds: float) -> None:
        if closed.wait(seconds):
            raise ModelArtsConnectionError("Given up, as nobody listens any more")

    client: ModelArtsClient | None = None
    try:
        while True:
            delay = poke_interval
            try:
                if client is None:
                    client = await loop.run_in_executor(threads, await connect(), pause)
                    pages = StatusPages(client)
                snapshot = await loop.run_in_executor(threads, Snapshot.read, pages)
            except Exception as error:  # noqa: BLE001 - whatever it is, DAGs go on being scheduled by this
                outage.note(error)
                if isinstance(error, ModelArtsError) and error.retry_after:
                    delay = max(delay, min(error.retry_after, MAX_BREAK))
                if client is not None:
                    threads.submit(client.close)
                    client = None
            else:
                outage.over()
                yield snapshot
            await asyncio.sleep(delay)
    finally:
        closed.set()
        if client is not None:
            threads.submit(client.close)
        threads.shutdown(wait=False)


class _Outage:
    """Logs failures of the same kind once in a while, and their end."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._last_log = 0.0

    def note(self, error: Exception) -> None:
        now = time.monotonic()
        if self._since is None:
            self._since = now
        elif now - self._last_log < HEARTBEAT_SECONDS:
            return
        self._last_log = now
        log.error("The jobs of a project cannot be looked at, for %s now. %s", duration(now - self._since), error)

    def over(self) -> None:
        if self._since is not None:
            log.info("The jobs of a project can be looked at again, after %s", duration(time.monotonic() - self._since))
            self._since = None
