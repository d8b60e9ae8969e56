"""Pages of a search for training jobs, by their numbers."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_modelarts.api.training_jobs.models import TrainingJobPage


class Offsets:
    """
    Converts page numbers into offsets of a search.

    An offset counts pages in some deployments, and jobs in others. The response for offset 1 shows which: if most of
    its jobs were on the first page, offsets count jobs.

    :param read: returns the page at an offset
    """

    def __init__(self, read: Callable[[int], TrainingJobPage]) -> None:
        self._read = read
        self._step = 1
        self._first: tuple[str, ...] = ()

    def page(self, number: int) -> TrainingJobPage:
        """Return a page by its number, counted from 1, in order."""
        page = self._read((number - 1) * self._step)
        if number == 1:
            self._first = page.job_ids
        if number == 2 and len(self._first) > 1 and 2 * len({*self._first} & {*page.job_ids}) >= len(self._first):
            self._step = len(self._first)
            page = self._read(self._step)
        return page
