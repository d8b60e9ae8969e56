"""Polls many training jobs with few requests: a page of a search holds 50 jobs, a search by ID takes 10."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final

from airflow_provider_modelarts.api.errors import ModelArtsMalformedResponseError
from airflow_provider_modelarts.api.training_jobs.models import TrainingJob, TrainingJobPage
from airflow_provider_modelarts.api.training_jobs.parameters import MAX_FILTER_VALUES, MAX_PER_PAGE, Filter
from airflow_provider_modelarts.api.training_jobs.statuses import ON_THE_WAY, READY

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.training_jobs.operations import TrainingJobs

PAGES_FROM: Final = 3 * MAX_FILTER_VALUES
"""Least number of jobs for which pages are read. A page may show none of them, so it must be able to save requests."""

ACTIVE: Final = Filter("phase", "in", tuple(sorted(map(str, ON_THE_WAY | READY))))


class TrainingJobReader:
    """
    Reads the training jobs of a workspace. Implements :class:`~airflow_provider_modelarts.waiting.kind.Reader`.

    :param operations: send the requests
    """

    def __init__(self, operations: TrainingJobs) -> None:
        self._operations = operations

    def one(self, job_id: str) -> TrainingJob:
        """
        Return a job by its id.

        :raises ModelArtsError: the request failed, or the response describes another job
        """
        job = self._operations.get(job_id)
        if job.job_id != job_id:
            raise ModelArtsMalformedResponseError(
                f"Asked for training job {job_id}, the answer describes job {job.job_id}"
            )
        return job

    def named(self, job_name: str) -> TrainingJob:
        """
        Return the job of a name.

        :raises ModelArtsNotFoundError: the job does not exist
        """
        return self._operations.get_by_name(job_name)

    def find(self, job_ids: Collection[str]) -> Iterator[tuple[TrainingJobPage, set[str]]]:
        """
        Search for jobs while that takes fewer requests than getting them one by one.

        Most jobs that are waited for are active, so the pages of active jobs come first. The others have ended: pages
        of all jobs, newest first, show many of them at once. The rest are searched by ID.

        :return: each page, and those of the jobs that a search by id did not show
        """
        remaining = set(job_ids)
        for filters in ([ACTIVE], []):
            for page in self._pages_worth_reading(remaining, filters):
                yield page, set()
        in_order = sorted(remaining)
        if len(in_order) < 2:
            return
        for start in range(0, len(in_order), MAX_FILTER_VALUES):
            wanted = in_order[start : start + MAX_FILTER_VALUES]
            by_id = Filter("id", "in", tuple(wanted))
            page = self._operations.search_page(filters=[by_id], limit=MAX_FILTER_VALUES)
            yield page, set(wanted).difference(page.statuses)

    def pages(self, status: int | str | None = None) -> Iterator[TrainingJobPage]:
        """
        Yield all pages of the workspace's jobs, newest first, fetching each on demand.

        :param status: only jobs in this phase
        """
        filters = [] if status is None else [Filter("phase", "in", (str(status),))]
        return self._operations.search_pages(filters=filters)

    def pages_needed(self, job_count: int) -> int:
        """Return how many requests it takes to list this many jobs."""
        return max(1, math.ceil(job_count / MAX_PER_PAGE))

    def _pages_worth_reading(self, remaining: set[str], filters: list[Filter]) -> Iterator[TrainingJobPage]:
        """
        Yield pages of a search while they take fewer requests than searching for the remaining jobs by ID.

        Jobs that a page shows are removed from ``remaining``.
        """
        if len(remaining) < PAGES_FROM:
            return
        received = 0
        for page in self._operations.search_pages(filters=filters):
            shown = len(remaining.intersection(page.statuses))
            remaining.difference_update(page.statuses)
            received += page.row_count
            yield page
            pages_left = math.ceil(max(0, (page.job_total_count or 0) - received) / MAX_PER_PAGE)
            requests_by_id = math.ceil(len(remaining) / MAX_FILTER_VALUES)
            # A page that showed more jobs than a search by ID can justifies another one, however long the list is.
            if requests_by_id <= 1 or (pages_left >= requests_by_id and shown <= MAX_FILTER_VALUES):
                return
