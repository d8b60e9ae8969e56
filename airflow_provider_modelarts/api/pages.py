"""Reading a list page by page, while jobs come and go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import count
from typing import Final, Protocol, TypeVar

MAX_IDLE_PAGES: Final = 3
"""The most pages in a row without a new job. New jobs can shift the list by a page while it is read."""


class Page(Protocol):
    """A page of a list of jobs."""

    @property
    def job_ids(self) -> Collection[str]:
        """IDs of the jobs that could be read."""

    @property
    def row_count(self) -> int:
        """Number of jobs on the page."""

    @property
    def job_total_count(self) -> int | None:
        """Number of jobs on all pages; None if the response does not have it."""


PageT = TypeVar("PageT", bound=Page)


def read_pages(read: Callable[[int], PageT]) -> Iterator[PageT]:
    """
    Yield the pages of a list, each when it is needed.

    This counts the jobs, because some deployments return fewer jobs per page than requested. Some ignore the page or
    return a wrong total, so a few pages without a new job end the list as well.

    :param read: returns a page by its number, counted from 1
    """
    seen: set[str] = set()
    received = idle_pages = 0
    for number in count(1):
        page = read(number)
        yield page
        known = len(seen)
        seen.update(page.job_ids)
        idle_pages = 0 if len(seen) > known else idle_pages + 1
        received += page.row_count
        total = page.job_total_count
        is_last = idle_pages > 0 if total is None else received >= total
        if is_last or not page.row_count or idle_pages > MAX_IDLE_PAGES:
            return
