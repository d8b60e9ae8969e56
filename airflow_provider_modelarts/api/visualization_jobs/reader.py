"""Polls many visualization jobs with few requests, by the list of API v1."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Final

from airflow_provider_modelarts.api.errors import ModelArtsBadRequestError, ModelArtsMalformedResponseError
from airflow_provider_modelarts.api.pages import read_pages

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
    from airflow_provider_modelarts.api.visualization_jobs.operations import VisualizationJobs
    from airflow_provider_modelarts.api.visualization_jobs.pages import StatusPage

log = logging.getLogger(__name__)

PAGE_SIZE: Final = 1000
SMALL_PAGE_SIZE: Final = 100
"""Jobs per page that the API accepts today, and that old deployments accept."""

LARGE_PAGES_AGAIN_AFTER: Final = 3600.0
"""Seconds until large pages are requested again after they were refused."""


class VisualizationJobReader:
    """
    Reads the visualization jobs of a project. Implements :class:`~airflow_provider_modelarts.waiting.kind.Reader`.

    :param operations: send the requests
    :param clock: seconds on a clock that only goes forward
    """

    def __init__(self, operations: VisualizationJobs, clock: Callable[[], float]) -> None:
        self._operations = operations
        self._clock = clock
        self._page_size = PAGE_SIZE
        self._large_pages_at = 0.0

    def one(self, job_id: str) -> VisualizationJob:
        """
        Return a job by its ID.

        :raises ModelArtsError: the request failed, or the response describes another job
        """
        job = self._operations.get(job_id)
        if job.job_id != job_id:
            raise ModelArtsMalformedResponseError(
                f"Asked for visualization job {job_id}, the answer describes job {job.job_id}"
            )
        return job

    def named(self, job_name: str) -> VisualizationJob:
        """
        Return the job of a name.

        :raises ModelArtsError: the request failed, or no job or several have the name
        """
        return self._operations.get_by_name(job_name)

    def find(self, job_ids: Collection[str]) -> Iterator[tuple[StatusPage, set[str]]]:
        """
        Read the list, newest jobs first, as long as that takes fewer requests than reading the jobs one by one.

        IDs grow, so it reads the list at most back to the oldest of the jobs.

        :return: each page, and the jobs that the pages so far should have shown but did not
        """
        missing = set(job_ids)
        received, pages_left = 0, 1
        oldest_before = math.inf
        number = 1
        while len(missing) > pages_left:
            page = self._page(number)
            missing -= page.statuses.keys()
            received += page.row_count
            pages_left = self._pages_left(page, received)
            oldest = min(map(int, page.statuses), default=0) if pages_left else 0
            overlooked = {job_id for job_id in missing if int(job_id) >= oldest}
            missing -= overlooked
            yield page, overlooked
            if oldest >= oldest_before:
                # The server ignores the page or the order, and this would never end.
                return
            oldest_before = oldest
            number += 1

    def pages(self, status: int | str | None = None) -> Iterator[StatusPage]:
        """
        Yield all pages of the list, newest jobs first, each when it is needed.

        :param status: only jobs in this status, if the deployment supports the filter
        """
        return read_pages(lambda number: self._page(number, status))

    def pages_needed(self, job_count: int) -> int:
        """Return the number of requests that it takes to list this many jobs."""
        return max(1, math.ceil(job_count / self._page_size))

    def _page(self, number: int, status: int | str | None = None) -> StatusPage:
        if number == 1 and self._clock() >= self._large_pages_at:
            self._page_size = PAGE_SIZE
        try:
            return self._operations.list_statuses(per_page=self._page_size, page=number, status=status)
        except ModelArtsBadRequestError as error:
            # Other refusals, such as a redirect, and refusals in the middle of the list do not concern the size.
            if self._page_size == SMALL_PAGE_SIZE or number > 1 or error.status_code not in (200, 400):
                raise
        page = self._operations.list_statuses(per_page=SMALL_PAGE_SIZE, page=number, status=status)
        self._page_size = SMALL_PAGE_SIZE
        self._large_pages_at = self._clock() + LARGE_PAGES_AGAIN_AFTER
        log.info("This deployment refuses pages of %d jobs; taking %d", PAGE_SIZE, SMALL_PAGE_SIZE)
        return page

    def _pages_left(self, page: StatusPage, received: int) -> int:
        """Return the number of pages after this one, if the server has told it."""
        if not page.row_count:
            return 0
        if page.job_total_count is None:
            return 1 if page.row_count >= self._page_size else 0
        left = max(0, page.job_total_count - received)
        return math.ceil(left / min(self._page_size, page.row_count))
