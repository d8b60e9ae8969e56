"""Polls the jobs of a project: its whole list, or only the watched statuses where that takes fewer requests."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Set
from typing import Any, Final

from airflow_provider_modelarts.api.errors import (
    ModelArtsAuthenticationError,
    ModelArtsError,
    ModelArtsMalformedResponseError,
)
from airflow_provider_modelarts.waiting.kind import Job, Kind, Page, Reader, Status

log = logging.getLogger(__name__)

WHOLE_LIST_AFTER: Final = 3600.0
"""Seconds after which the whole list is read again. A wrong filter can thus delay an arrival, but not lose it."""


class Snapshot:
    """
    The jobs of a project at one poll.

    :param pages: of the list
    :param jobs: single jobs and their statuses, which override the pages
    :param watched: statuses of which the snapshot has all jobs; None if it has all jobs of the project
    """

    def __init__(
        self,
        pages: Iterable[Page],
        jobs: Iterable[tuple[Job, Status]] = (),
        watched: frozenset[Status] | None = None,
    ) -> None:
        self._pages = list(pages)
        self._watched = watched
        self._jobs: dict[str, Job] = {}
        self.statuses: dict[str, Status] = {}
        """Statuses by job id."""
        for page in self._pages:
            self.statuses.update(page.statuses)
        for job, status in jobs:
            self._jobs[job.job_id] = job
            self.statuses[job.job_id] = status

    def covers(self, statuses: Set[Status]) -> bool:
        """Return whether the snapshot has all jobs in these statuses."""
        return self._watched is None or statuses <= self._watched

    def present(self, statuses: Set[Status]) -> set[str]:
        """Return the ids of the jobs in these statuses."""
        return {job_id for job_id, status in self.statuses.items() if status in statuses}

    def job(self, job_id: str) -> Job:
        """
        Return one of the jobs.

        :raises ValueError: it cannot be read
        :raises OverflowError: it cannot be read
        """
        if job_id in self._jobs:
            return self._jobs[job_id]
        return next(page for page in self._pages if job_id in page.statuses).job(job_id)


class ProjectPoller:
    """
    Polls the jobs of a project. Blocks during a poll.

    The API's status filter is used only if a test shows that it works in this deployment. A job that the filtered list
    no longer has is polled by itself: it may have left the status, or shifting pages may hide it.

    :param kind: the kind of the jobs
    :param reader: reads them
    :param clock: seconds on a clock that only goes forward
    """

    def __init__(self, kind: Kind[Any], reader: Reader, clock: Callable[[], float]) -> None:
        self._kind = kind
        self._reader = reader
        self._clock = clock
        self._watched: frozenset[Status] = frozenset()
        self._present: set[str] = set()
        self._list_pages = 0
        self._whole_list_at = 0.0
        self._use_filter = False

    def poll(self, watched: frozenset[Status]) -> Snapshot:
        """
        Return the jobs of the project, at least those in the watched statuses.

        :raises ModelArtsError: the poll failed
        """
        may_filter = self._use_filter and watched == self._watched and self._clock() < self._whole_list_at
        snapshot = self._poll_filtered(watched) if may_filter else None
        if snapshot is None:
            snapshot = self._poll_whole_list(watched)
        self._present = snapshot.present(watched)
        return snapshot

    def _poll_whole_list(self, watched: frozenset[Status]) -> Snapshot:
        snapshot = Snapshot(self._reader.pages())
        self._watched = watched
        counts = Counter(snapshot.statuses.values())
        self._list_pages = self._reader.pages_needed(len(snapshot.statuses))
        self._whole_list_at = self._clock() + WHOLE_LIST_AFTER
        filtered_pages = sum(self._reader.pages_needed(counts[status]) for status in watched)
        self._use_filter = 0 < filtered_pages < self._list_pages and self._test_filter(counts)
        return snapshot

    def _test_filter(self, counts: Counter[Status]) -> bool:
        """Return whether a filtered list has the jobs of its status, and no others."""
        rarest = min(counts, key=lambda status: counts[status])
        try:
            page = next(self._reader.pages(rarest))
        except ModelArtsError as error:
            log.info("The list of jobs cannot be filtered by status; reading the whole list. %s", error)
            return False
        return set(page.statuses.values()) == {rarest}

    def _poll_filtered(self, watched: frozenset[Status]) -> Snapshot | None:
        """Return the jobs in the watched statuses; None if the whole list is needed."""
        pages = [page for status in watched for page in self._reader.pages(status)]
        listed = Snapshot(pages, watched=watched)
        missing = self._present - listed.statuses.keys()
        if not watched.issuperset(listed.statuses.values()) or len(pages) + len(missing) >= self._list_pages:
            return None
        jobs = [job for job in map(self._one, sorted(missing)) if job is not None]
        return Snapshot(pages, [(job, self._kind.status_of(job)) for job in jobs], watched)

    def _one(self, job_id: str) -> Job | None:
        """Return a job, None if it is gone or cannot be read."""
        try:
            return self._reader.one(job_id)
        except ModelArtsMalformedResponseError:
            return None
        except ModelArtsError as error:
            if error.retryable or isinstance(error, ModelArtsAuthenticationError):
                raise
            return None
