"""Looks at many jobs with few requests: the list where it is cheaper, the details of single jobs where those are."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeAlias

from airflow_provider_modelarts.api.errors import (
    ModelArtsAuthenticationError,
    ModelArtsError,
    ModelArtsMalformedResponseError,
    ModelArtsThrottledError,
)
from airflow_provider_modelarts.api.models import StatusPage, VisualizationJob
from airflow_provider_modelarts.waiting.pages import StatusPages
from airflow_provider_modelarts.waiting.unexpected import UnexpectedErrors

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient

log = logging.getLogger(__name__)

Observation: TypeAlias = VisualizationJob | ModelArtsError
"""What one look at a job gives: the job, or why it could not be seen."""

PARALLEL_REQUESTS: Final = 8
MAX_BREAK: Final = 300.0
"""Seconds for which the jobs are left alone at most, whatever ``Retry-After`` says: waits must learn of an outage."""

LIST_AGAIN_AFTER: Final = 3600.0
"""Seconds after which a list that was refused is tried again."""

LIST_AGAIN_AFTER_FAILURE: Final = 300.0
"""Seconds after which a list that failed, while the details of a job could be had, is tried again."""

_MISSES_UNTIL_UNLISTED: Final = 2
"""A page that shifts while the list is read can hide a job once, so one miss says nothing."""


class JobFetcher:
    """
    Looks at jobs through one client, and remembers what the deployment allows and which jobs its list does not show.

    Not to be used by two threads at the same time, but for `close`. Blocks while it looks.

    :param client: what requests go through; it is not closed here
    :param renew: asked when the credentials are refused: reads the connection anew, and returns another client when
        that has other credentials by now. The fetcher goes on with it, and closes neither
    :param clock: seconds on a clock that only goes forward
    """

    def __init__(
        self,
        client: ModelArtsClient,
        *,
        renew: Callable[[], ModelArtsClient | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._renew = renew
        self._clock = clock
        self._pages = StatusPages(client)
        self._list_at = 0.0
        self._misses: Counter[str] = Counter()
        self._resume_at = 0.0
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False
        self._unexpected = UnexpectedErrors()

    def close(self) -> None:
        """Stop looking; requests that are under way end by themselves."""
        self._closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def fetch(self, known: Mapping[str, int | None]) -> dict[str, Observation]:
        """
        Look at jobs and return what is new of them: the job where its status is another, or what went wrong.

        While the server wants to be left alone (``Retry-After``), nothing is sent and nothing is new. Whatever is
        raised is what went wrong with this poll.

        :param known: the jobs by id, with the status that is known; None to be told of the job in any case
        """
        if self._clock() < self._resume_at:
            return {}
        try:
            news = self._look(known)
            if any(isinstance(seen, ModelArtsAuthenticationError) for seen in news.values()) and self._has_renewed():
                news = self._look(known)
        except Exception as error:  # noqa: BLE001 - a surprise must not end the waits that share this
            return dict.fromkeys(known, self._unexpected.failure(error))
        return news

    def _has_renewed(self) -> bool:
        """Return whether there are other credentials to look with; a secret may have been changed while we wait."""
        try:
            client = self._renew()
        except Exception as error:  # noqa: BLE001 - whatever Airflow raises; the refusal is what must be told
            failure = self._unexpected.failure(error)
            log.warning("The credentials are refused, and the connection cannot be read again. %s", failure)
            return False
        if client is None:
            return False
        log.info("The credentials are refused, but the connection has others by now; going on with those")
        self._client = client
        self._pages = StatusPages(client)
        self._list_at = 0.0
        self._misses.clear()
        return True

    def _look(self, known: Mapping[str, int | None]) -> dict[str, Observation]:
        news: dict[str, Observation] = {}
        missing = set(known)
        try:
            overlooked = self._from_list(known, missing, news)
        except ModelArtsError as error:
            if not self._only_the_list_fails(error, min(missing)):
                self._take_a_break(error)
                return {**news, **dict.fromkeys(missing, error)}
            overlooked = set()
        self._from_details(missing, known, news)
        self._misses = Counter({job_id: self._misses[job_id] for job_id in self._misses.keys() & known.keys()})
        self._misses.update(overlooked)
        return news

    def _from_list(self, known: Mapping[str, int | None], missing: set[str], news: dict[str, Observation]) -> set[str]:
        """
        Read pages of the list, newest jobs first, as long as the pages left are fewer than the jobs looked for.

        Jobs that are found are taken out of ``missing``. Return those that the pages should have shown and did not.
        """
        wanted = {job_id for job_id in missing if self._misses[job_id] < _MISSES_UNTIL_UNLISTED}
        overlooked: set[str] = set()
        received, page_number, pages_left = 0, 1, 1
        oldest_before = math.inf
        while len(wanted) > pages_left and self._clock() >= self._list_at:
            page = self._page(page_number)
            if page is None:
                return set()
            found = wanted & page.statuses.keys()
            for job_id in found:
                self._misses.pop(job_id, None)
                if page.statuses[job_id] != known[job_id]:
                    news[job_id] = _job_of(page, job_id)
            missing -= found
            wanted -= found
            received += page.row_count
            pages_left = self._pages.pages_left(page, received)
            oldest = min(map(int, page.statuses), default=0) if pages_left else 0
            overlooked |= {job_id for job_id in wanted if int(job_id) >= oldest}
            wanted -= overlooked
            if oldest >= oldest_before:
                # The server takes no notice of the page or of the order; this would go on for ever.
                break
            oldest_before = oldest
            page_number += 1
        return overlooked

    def _page(self, number: int) -> StatusPage | None:
        """Return a page of the list, None where it is refused."""
        try:
            return self._pages.page(number)
        except ModelArtsError as error:
            if error.retryable or isinstance(error, ModelArtsAuthenticationError):
                raise
            self._do_without_list(error, LIST_AGAIN_AFTER)
            return None

    def _only_the_list_fails(self, error: ModelArtsError, job_id: str) -> bool:
        """Return whether the details of a job can be had where the list failed; then it is left alone for a while."""
        if not (error.retryable and error.may_have_happened) or error.retry_after is not None:
            return False
        seen = self._detail(job_id)
        if isinstance(seen, ModelArtsError) and seen.retryable:
            return False
        self._do_without_list(error, LIST_AGAIN_AFTER_FAILURE)
        return True

    def _do_without_list(self, error: ModelArtsError, seconds: float) -> None:
        log.warning("Jobs are looked at one by one for now, since they cannot be listed. %s", error)
        self._list_at = self._clock() + seconds

    def _from_details(
        self, job_ids: Iterable[str], known: Mapping[str, int | None], news: dict[str, Observation]
    ) -> None:
        """
        Look at jobs one by one: the first alone, the others a few at a time.

        In an outage, when throttled, or when the credentials are refused, the rest is not asked for: refusals add up
        until the cloud locks a key or a user, and a few at a time are enough for that.
        """
        rest = sorted(job_ids)
        size = 1
        while rest and not self._closed:
            batch, rest = rest[:size], rest[size:]
            size = PARALLEL_REQUESTS
            observations = self._details(batch)
            for job_id, seen in zip(batch, observations, strict=True):
                if isinstance(seen, ModelArtsError) or int(seen.status) != known[job_id]:
                    news[job_id] = seen
            refusal = next((seen for seen in observations if isinstance(seen, ModelArtsAuthenticationError)), None)
            if refusal is not None:
                news.update(dict.fromkeys(rest, refusal))
                return
            failures = [seen for seen in observations if isinstance(seen, ModelArtsError) and seen.retryable]
            throttled = [seen for seen in failures if isinstance(seen, ModelArtsThrottledError) or seen.retry_after]
            if throttled or len(failures) == len(batch) > 1:
                failure = (throttled or failures)[0]
                self._take_a_break(failure)
                news.update(dict.fromkeys(rest, failure))
                return

    def _details(self, job_ids: list[str]) -> list[Observation]:
        if len(job_ids) == 1:
            return [self._detail(job_ids[0])]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(PARALLEL_REQUESTS, thread_name_prefix="modelarts-details")
        return list(self._pool.map(self._detail, job_ids))

    def _detail(self, job_id: str) -> Observation:
        try:
            job = self._client.get_visualization_job(job_id)
        except ModelArtsError as error:
            return error
        if int(job.job_id) != int(job_id):
            return ModelArtsMalformedResponseError(
                f"Asked for visualization job {job_id}, the answer describes job {job.job_id}"
            )
        return job

    def _take_a_break(self, error: ModelArtsError) -> None:
        if error.retry_after is not None:
            self._resume_at = self._clock() + min(error.retry_after, MAX_BREAK)


def _job_of(page: StatusPage, job_id: str) -> Observation:
    try:
        return page.job(job_id)
    except (ValueError, OverflowError) as error:
        return ModelArtsMalformedResponseError(f"The list describes job {job_id} in a way that cannot be read: {error}")
