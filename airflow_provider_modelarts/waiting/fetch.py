"""Looks at many jobs with few requests: the list where it is cheaper, the details of single jobs where those are."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeAlias

from airflow_provider_modelarts.api.errors import (
    ModelArtsBadRequestError,
    ModelArtsError,
    ModelArtsMalformedResponseError,
    ModelArtsPermissionError,
    ModelArtsThrottledError,
)
from airflow_provider_modelarts.api.models import StatusPage, VisualizationJob

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient

log = logging.getLogger(__name__)

Observation: TypeAlias = VisualizationJob | ModelArtsError
"""What one look at a job gives: the job, or why it could not be seen."""

PAGE_SIZES: Final = (1000, 100)
"""Jobs a page: what the API takes today, and what old deployments take."""

PARALLEL_REQUESTS: Final = 8
_MISSES_UNTIL_UNLISTED: Final = 2
"""A page that shifts while the list is read can hide a job once, so one miss says nothing."""


class JobFetcher:
    """
    Looks at jobs through one client, and remembers what the deployment allows and which jobs its list does not show.

    Not to be used by two threads at the same time. Blocks while it looks.

    :param client: what requests go through; it is not closed here
    :param clock: seconds on a clock that only goes forward
    """

    def __init__(self, client: ModelArtsClient, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._page_size = PAGE_SIZES[0]
        self._may_list = True
        self._misses: Counter[str] = Counter()
        self._resume_at = 0.0
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Let go of the threads; requests that are under way end by themselves."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def fetch(self, known: Mapping[str, int | None]) -> dict[str, Observation]:
        """
        Look at jobs and return what is new of them: the job where its status is another, or what went wrong.

        While the server wants to be left alone (``Retry-After``), nothing is sent and nothing is new.

        :param known: the jobs by id, with the status that is known; None to be told of the job in any case
        """
        if self._clock() < self._resume_at:
            return {}
        news: dict[str, Observation] = {}
        missing = set(known)
        try:
            listed = self._from_list(known, missing, news)
        except (ModelArtsPermissionError, ModelArtsBadRequestError) as error:
            log.warning("Jobs are looked at one by one from now on, since they cannot be listed. %s", error)
            self._may_list = False
            listed = set()
        except ModelArtsError as error:
            self._take_a_break(error)
            return dict.fromkeys(known, error)
        self._from_details(missing, known, news)
        for job_id in listed:
            self._misses[job_id] += 1
        return news

    def _from_list(self, known: Mapping[str, int | None], missing: set[str], news: dict[str, Observation]) -> set[str]:
        """
        Read pages of the list, newest jobs first, as long as the pages left are fewer than the jobs looked for.

        Jobs that are found are taken out of ``missing``. Return those that the pages should have shown and did not.
        """
        wanted = {job_id for job_id in missing if self._misses[job_id] < _MISSES_UNTIL_UNLISTED}
        overlooked: set[str] = set()
        page_number, pages_left = 1, 1
        while self._may_list and len(wanted) > pages_left:
            page = self._page(page_number)
            found = wanted & page.statuses.keys()
            for job_id in found:
                self._misses.pop(job_id, None)
                if page.statuses[job_id] != known[job_id]:
                    news[job_id] = _job_of(page, job_id)
            missing -= found
            wanted -= found
            pages_left = max(0, -(-page.job_total_count // self._page_size) - page_number)
            oldest = min(map(int, page.statuses), default=0) if pages_left else 0
            overlooked |= {job_id for job_id in wanted if int(job_id) >= oldest}
            wanted -= overlooked
            page_number += 1
        return overlooked

    def _page(self, number: int) -> StatusPage:
        try:
            return self._client.list_job_statuses(per_page=self._page_size, page=number)
        except ModelArtsBadRequestError:
            if self._page_size == PAGE_SIZES[-1]:
                raise
            self._page_size = PAGE_SIZES[-1]
            log.info("This deployment refuses pages of %d jobs; taking %d", PAGE_SIZES[0], self._page_size)
            return self._client.list_job_statuses(per_page=self._page_size, page=number)

    def _from_details(
        self, job_ids: Iterable[str], known: Mapping[str, int | None], news: dict[str, Observation]
    ) -> None:
        """Look at jobs one by one, a few at a time; when the server throttles, the rest is not asked for."""
        rest = sorted(job_ids)
        while rest:
            batch, rest = rest[:PARALLEL_REQUESTS], rest[PARALLEL_REQUESTS:]
            for job_id, seen in zip(batch, self._details(batch), strict=True):
                if isinstance(seen, ModelArtsError) or int(seen.status) != known[job_id]:
                    news[job_id] = seen
                if isinstance(seen, ModelArtsThrottledError):
                    self._take_a_break(seen)
                    news.update(dict.fromkeys(rest, seen))
                    rest = []

    def _details(self, job_ids: list[str]) -> list[Observation]:
        if len(job_ids) == 1:
            return [self._detail(job_ids[0])]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(PARALLEL_REQUESTS, thread_name_prefix="modelarts-details")
        return list(self._pool.map(self._detail, job_ids))

    def _detail(self, job_id: str) -> Observation:
        try:
            return self._client.get_visualization_job(job_id)
        except ModelArtsError as error:
            return error

    def _take_a_break(self, error: ModelArtsError) -> None:
        if error.retry_after is not None:
            self._resume_at = self._clock() + error.retry_after


def _job_of(page: StatusPage, job_id: str) -> Observation:
    try:
        return page.job(job_id)
    except ValueError as error:
        return ModelArtsMalformedResponseError(f"The list describes job {job_id} in a way that cannot be read: {error}")
