"""Polls many jobs with few requests: by pages of the list, or one by one, whichever takes fewer."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Set
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow_provider_modelarts.api.errors import (
    ModelArtsAuthenticationError,
    ModelArtsConnectionError,
    ModelArtsError,
    ModelArtsMalformedResponseError,
    ModelArtsNotFoundError,
    ModelArtsThrottledError,
    ModelArtsUnexpectedError,
)
from airflow_provider_modelarts.api.unexpected import UnexpectedErrors
from airflow_provider_modelarts.waiting.kind import Job, Kind, Page, Reader
from airflow_provider_modelarts.waiting.names import job_name_in
from airflow_provider_modelarts.waiting.threads import DaemonThreads

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.api.client_owner import ClientOwner

log = logging.getLogger(__name__)

Observation: TypeAlias = Job | ModelArtsError
"""The result of polling one job: the job, or why the poll failed."""

PARALLEL_REQUESTS: Final = 8
MAX_PAUSE: Final = 300.0
"""The longest pause in seconds, whatever ``Retry-After`` says: waits must learn of an outage."""

LIST_AGAIN_AFTER: Final = 3600.0
"""Seconds until the list is requested again after it was refused."""

LIST_AGAIN_AFTER_FAILURE: Final = 300.0
"""Seconds until the list is requested again after it failed while a single job could be read."""

_MISSES_UNTIL_UNLISTED: Final = 2
"""How often the list must miss a job. Pages that shift during a poll can hide a job once."""


class JobFetcher:
    """
    Polls jobs of one connection. Remembers whether the list can be read, and which jobs it does not show.

    Only `close` may be called while another thread uses the fetcher. Blocks during a poll.

    :param owner: has the client, and renews it if its credentials are refused; the fetcher does not close it
    :param kind: the kind of the jobs
    :param clock: seconds on a clock that only goes forward
    """

    def __init__(
        self,
        owner: ClientOwner,
        kind: Kind[Any],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owner = owner
        self._kind = kind
        self._clock = clock
        self._client: ModelArtsClient | None = None
        self._reader: Reader
        self._list_at = 0.0
        self._misses: Counter[str] = Counter()
        self._turns: dict[str, int] = {}
        self._next_turn = count(1)
        self._resume_at = 0.0
        self._pool: DaemonThreads | None = None
        self._closed = False
        self._unexpected = UnexpectedErrors()
        self._ids_by_name: dict[str, str] = {}

    def close(self) -> None:
        """Stop polling; requests in progress end by themselves."""
        self._closed = True
        if self._pool is not None:
            self._pool.shutdown()

    def keep_only(self, job_ids: Set[str]) -> None:
        """Forget all other jobs; jobs are given as for :meth:`fetch`."""
        self._ids_by_name = {key: job_id for key, job_id in self._ids_by_name.items() if key in job_ids}
        wanted = job_ids | set(self._ids_by_name.values())
        remembered: dict[str, int]
        for remembered in (self._misses, self._turns):
            for job_id in remembered.keys() - wanted:
                del remembered[job_id]

    def fetch(self, fingerprints: Mapping[str, Hashable]) -> dict[str, Observation]:
        """
        Poll jobs, and return those whose fingerprint has changed, and the errors.

        A job that is not in the result is unchanged or was not polled. During a pause (``Retry-After``), and after a
        throttled request, nothing is sent. The next poll begins with the jobs that were not polled.

        :param fingerprints: the last fingerprint of each job, by job ID or :func:`.name_key`; None to return the job
            in any case
        """
        if self._clock() < self._resume_at:
            return {}
        try:
            self._take_client()
            changed = self._poll(fingerprints)
            if _refusal(changed.values()) and self._has_renewed():
                self._take_client()
                changed = self._poll(fingerprints)
        except Exception as error:  # noqa: BLE001 - an unexpected error must not end the waits that share this
            # An error caused by `close` is not logged.
            return {} if self._closed else dict.fromkeys(fingerprints, self._unexpected.failure(error))
        return changed

    def _take_client(self) -> None:
        """Use the owner's present client. A new one may have permission to list jobs."""
        client = self._owner.client()
        if client is not self._client:
            self._client = client
            self._reader = self._kind.reader(client, self._clock)
            self._list_at = 0.0
            self._misses.clear()

    def _has_renewed(self) -> bool:
        """Return whether the connection now has other credentials; a secret may have been changed during the wait."""
        try:
            is_renewed = self._owner.renew()
        except Exception as error:  # noqa: BLE001 - whatever Airflow raises; the refusal is the error to report
            failure = self._unexpected.failure(error)
            log.warning("The credentials were refused, and the connection cannot be read again. %s", failure)
            return False
        if is_renewed:
            log.info("The credentials were refused. The connection has other credentials now; polling again with those")
        return is_renewed

    def _poll(self, fingerprints: Mapping[str, Hashable]) -> dict[str, Observation]:
        """Poll jobs, some of which may be given by name."""
        resolved_before = fingerprints.keys() & self._ids_by_name.keys()
        changed = self._resolve(fingerprints)
        ids = {key: self._ids_by_name.get(key, key) for key in fingerprints}
        by_id: dict[str, Hashable] = {}
        for key, job_id in ids.items():
            if job_name_in(job_id) is None:
                fingerprint = fingerprints[key]
                by_id[job_id] = fingerprint if by_id.get(job_id, fingerprint) == fingerprint else None
        polled = self._poll_ids(by_id) if by_id else {}
        changed.update((key, polled[job_id]) for key, job_id in ids.items() if job_id in polled)
        # If the job of a name is gone, another job may have the name now.
        missing = {key for key, observed in changed.items() if isinstance(observed, ModelArtsNotFoundError)}
        gone = missing & self._ids_by_name.keys()
        for key in gone:
            del self._ids_by_name[key]
        if again := gone & resolved_before:
            changed.update(self._poll({key: fingerprints[key] for key in again}))
        return changed

    def _resolve(self, keys: Iterable[str]) -> dict[str, Observation]:
        """Find the IDs of jobs that are given by name, one by one, and return the errors."""
        failures: dict[str, Observation] = {}
        rest = self._in_turn(key for key in keys if job_name_in(key) and key not in self._ids_by_name)
        is_answered = False
        while rest and not self._closed:
            key, *rest = rest
            found = self._by_name(key)
            if not isinstance(found, ModelArtsError):
                self._ids_by_name[key] = found.job_id
                is_answered = True
                continue
            if not _is_throttled(found):
                self._turns[key] = next(self._next_turn)
                failures[key] = found
            if isinstance(found, ModelArtsAuthenticationError):
                return {**failures, **dict.fromkeys(rest, found)}
            if _is_outage(found):
                self._pause(found)
                return failures if is_answered else {**failures, **dict.fromkeys([key, *rest], found)}
            is_answered = True
        return failures

    def _by_name(self, key: str) -> Observation:
        try:
            return self._reader.named(str(job_name_in(key)))
        except Exception as error:  # noqa: BLE001 - an error about one job must not hide the others
            return self._unexpected.failure(error)

    def _poll_ids(self, fingerprints: Mapping[str, Hashable]) -> dict[str, Observation]:
        changed: dict[str, Observation] = {}
        to_poll = dict.fromkeys(fingerprints)
        try:
            self._read_list(fingerprints, to_poll, changed)
        except ModelArtsError as error:
            if not self._only_the_list_fails(error, to_poll):
                self._pause(error)
                return {**changed, **dict.fromkeys(to_poll, error)}
        self._read_details(to_poll, fingerprints, changed)
        return changed

    def _read_list(
        self, fingerprints: Mapping[str, Hashable], to_poll: dict[str, None], changed: dict[str, Observation]
    ) -> None:
        """
        Poll jobs by the list, and remove those that it shows from ``to_poll``.

        :raises ModelArtsError: the list cannot be read at the moment
        """
        if self._clock() < self._list_at:
            return
        listed = [job_id for job_id in to_poll if self._misses[job_id] < _MISSES_UNTIL_UNLISTED]
        missed: set[str] = set()
        try:
            for page, not_shown in self._reader.find(listed):
                missed |= not_shown
                for job_id in page.statuses.keys() & to_poll.keys():
                    del to_poll[job_id]
                    self._misses.pop(job_id, None)
                    if page.fingerprint(job_id) != fingerprints[job_id]:
                        changed[job_id] = _read_row(page, job_id)
        except ModelArtsError as error:
            if error.retryable or isinstance(error, ModelArtsAuthenticationError):
                raise
            self._suspend_list(error, LIST_AGAIN_AFTER)
        else:
            self._misses.update(missed)

    def _only_the_list_fails(self, error: ModelArtsError, job_ids: Iterable[str]) -> bool:
        """Return whether a single job can be read although the list has failed; if so, suspend the list."""
        if not (error.retryable and error.may_have_happened) or error.retry_after is not None:
            return False
        job_id = self._in_turn(job_ids)[0]
        self._turns[job_id] = next(self._next_turn)
        observation = self._detail(job_id)
        if isinstance(observation, ModelArtsError) and observation.retryable:
            return False
        self._suspend_list(error, LIST_AGAIN_AFTER_FAILURE)
        return True

    def _suspend_list(self, error: ModelArtsError, seconds: float) -> None:
        log.warning("Polling jobs one by one for now, because the list cannot be read. %s", error)
        self._list_at = self._clock() + seconds

    def _read_details(
        self, job_ids: Iterable[str], fingerprints: Mapping[str, Hashable], changed: dict[str, Observation]
    ) -> None:
        """
        Poll jobs one by one, the longest not polled first: one alone, then a few in parallel.

        In an outage, when throttled, or when the credentials are refused, the rest is not polled: many refusals would
        lock the account. The rest then counts as failed, unless a job was read in this poll.
        """
        rest = self._in_turn(job_ids)
        is_answered = False
        size = 1
        while rest and not self._closed:
            batch, rest = rest[:size], rest[size:]
            size = PARALLEL_REQUESTS
            observed = self._details(batch)
            # A throttled request does not count as a poll, so its job keeps its turn.
            polled = {job_id: result for job_id, result in observed.items() if not _is_throttled(result)}
            self._turns.update((job_id, next(self._next_turn)) for job_id in polled)
            changed.update(
                (job_id, result)
                for job_id, result in polled.items()
                if isinstance(result, ModelArtsError) or self._kind.fingerprint(result) != fingerprints[job_id]
            )
            if refusal := _refusal(polled.values()):
                changed.update(dict.fromkeys(rest, refusal))
                return
            is_answered = is_answered or not all(map(_is_outage, observed.values()))
            if failure := _reason_to_stop(observed.values()):
                self._pause(failure)
                if not is_answered:
                    changed.update(dict.fromkeys([*(observed.keys() - polled.keys()), *rest], failure))
                return

    def _in_turn(self, job_ids: Iterable[str]) -> list[str]:
        return sorted(job_ids, key=lambda job_id: self._turns.get(job_id, 0))

    def _details(self, job_ids: list[str]) -> dict[str, Observation]:
        if len(job_ids) == 1:
            return {job_ids[0]: self._detail(job_ids[0])}
        if self._pool is None:
            self._pool = DaemonThreads(PARALLEL_REQUESTS, "modelarts-details")
        return dict(zip(job_ids, self._pool.map(self._detail, job_ids), strict=True))

    def _detail(self, job_id: str) -> Observation:
        if self._closed:
            return ModelArtsConnectionError("Not polled, because nothing waits for the job any more")
        try:
            return self._reader.one(job_id)
        except Exception as error:  # noqa: BLE001 - an error about one job must not hide the others
            return self._unexpected.failure(error)

    def _pause(self, error: ModelArtsError) -> None:
        if error.retry_after is not None:
            self._resume_at = self._clock() + min(error.retry_after, MAX_PAUSE)


def _read_row(page: Page, job_id: str) -> Observation:
    try:
        return page.job(job_id)
    except (ValueError, OverflowError) as error:
        return ModelArtsMalformedResponseError(f"The entry of job {job_id} in the list cannot be read: {error}")


def _refusal(observed: Iterable[Observation]) -> ModelArtsAuthenticationError | None:
    """Return the first refusal of the credentials."""
    return next((result for result in observed if isinstance(result, ModelArtsAuthenticationError)), None)


def _is_throttled(observation: Observation) -> bool:
    if not isinstance(observation, ModelArtsError) or not observation.retryable:
        return False
    return isinstance(observation, ModelArtsThrottledError) or bool(observation.retry_after)


def _is_outage(observation: Observation) -> bool:
    """Return whether the API did not respond. A response that cannot be read concerns only its job."""
    is_about_the_job = isinstance(observation, (ModelArtsMalformedResponseError, ModelArtsUnexpectedError))
    return isinstance(observation, ModelArtsError) and observation.retryable and not is_about_the_job


def _reason_to_stop(observed: Collection[Observation]) -> ModelArtsError | None:
    """Return the failure that ends the poll: any throttling, or the failure of several jobs at once."""
    failures = [result for result in observed if isinstance(result, ModelArtsError) and _is_outage(result)]
    throttled = [result for result in failures if _is_throttled(result)]
    if throttled or len(failures) == len(observed) > 1:
        return (throttled or failures)[0]
    return None
