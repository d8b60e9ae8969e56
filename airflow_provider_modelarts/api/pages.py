"""Reading a list page by page, while jobs come and go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import count
from typing import Final, Protocol, TypeVar

MAX_IDLE_PAGES: Final = 3
"""Pages in a row that may show nothing new. New jobs can move the list on by a page while it is read."""


class Page(Protocol):
    """A page of a list of jobs."""

    @property
    def job_ids(self) -> Collection[str]:
        """Ids of the jobs that could be read."""

    @property
    def row_count(self) -> int:
        """How many jobs are on the page."""

    @property
    def job_total_count(self) -> int | None:
        """How many jobs the list has, over all pages; None when the answer leaves it out."""


PageT = TypeVar("PageT", bound=Page)


def read_pages(read: Callable[[int], PageT]) -> Iterator[PageT]:
    """
    Yield the pages of a list, each when it is needed.

    Jobs are counted, not computed: some deployments give fewer jobs per page than they are asked for. Some ignore the
    page, or answer with a wrong total, so a few pages without a new job are the end as well.

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
