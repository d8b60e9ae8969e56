"""Pages of the list of jobs, as large as the deployment gives them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Final

from airflow_provider_modelarts.api.errors import ModelArtsBadRequestError

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.api.models import StatusPage

log = logging.getLogger(__name__)

PAGE_SIZES: Final = (1000, 100)
"""Jobs a page: what the API takes today, and what old deployments take."""


class StatusPages:
    """
    Reads pages of the list, newest jobs first. Errors are the client's.

    :param client: what requests go through; it is not closed here
    """

    def __init__(self, client: ModelArtsClient) -> None:
        self._client = client
        self._size = PAGE_SIZES[0]

    def page(self, number: int) -> StatusPage:
        """Return a page; they are counted from 1."""
        try:
            return self._client.list_job_statuses(per_page=self._size, page=number)
        except ModelArtsBadRequestError:
            if self._size == PAGE_SIZES[-1]:
                raise
            self._size = PAGE_SIZES[-1]
            log.info("This deployment refuses pages of %d jobs; taking %d", PAGE_SIZES[0], self._size)
            return self.page(number)

    def all(self) -> Iterator[StatusPage]:
        """Yield all pages, each when it is needed; one that shows nothing new is the end, whatever the count says."""
        received = 0
        seen: set[str] = set()
        for number in count(1):
            page = self.page(number)
            if seen.issuperset(page.statuses):
                return
            yield page
            seen.update(page.statuses)
            received += page.row_count
            if not self.pages_left(page, received):
                return

    def pages_left(self, page: StatusPage, received: int) -> int:
        """
        Return how many pages there are behind this one, as far as the server lets it be known.

        :param received: how many jobs came with this page and those before it
        """
        if not page.row_count:
            return 0
        if page.job_total_count is None:
            return 1 if page.row_count >= self._size else 0
        left = max(0, page.job_total_count - received)
        return -(-left // min(self._size, page.row_count))
