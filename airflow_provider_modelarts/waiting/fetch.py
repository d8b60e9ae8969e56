"""Polls many jobs with few requests: pages of the list where that is cheaper, single jobs where those are."""

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
"""What one poll of a job gives: the job, or why it could not be observed."""

PARALLEL_REQUESTS: Final = 8
MAX_BREAK: Final = 300.0
"""Seconds for which no job is polled at most, whatever ``Retry-After`` says: waits must learn of an outage."""

LIST_AGAIN_AFTER: Final = 3600.0
"""Seconds after which a list that was refused is tried again."""

LIST_AGAIN_AFTER_FAILURE: Final = 300.0
"""Seconds after which a list that failed, while the details of a job could be had, is tried again."""

_MISSES_UNTIL_UNLISTED: Final = 2
"""A page that shifts while the list is read can hide a job once, so one miss says nothing."""


class JobFetcher:
    """
    Polls jobs of one connection, and remembers what the deployment allows and which jobs its list does not show.

    Not to be used by two threads at the same time, except for `close`. Blocks while it polls.

    :param owner: gives the client at each poll, and renews it if its credentials are refused; the fetcher does not
        close it
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
        """Stop polling; requests that are under way end by themselves."""
        self._closed = True
        if self._pool is not None:
            self._pool.shutdown()

    def keep_only(self, job_ids: Set[str]) -> None:
        """Forget what is remembered of all other jobs, which are given as for :meth:`fetch`."""
        self._ids_by_name = {key: job_id for key, job_id in self._ids_by_name.items() if key in job_ids}
        kept = job_ids | set(self._ids_by_name.values())
        remembered: dict[str, int]
        for remembered in (self._misses, self._turns):
            for job_id in remembered.keys() - kept:
                del remembered[job_id]

    def fetch(self, known: Mapping[str, Hashable]) -> dict[str, Observation]:
        """
        Poll jobs and return what is new: the job if its fingerprint has changed, or what went wrong.

        A job that is not in the result is unchanged, or was not asked for: while the server wants to be left alone
        (``Retry-After``), and after a request that was throttled, nothing is sent. Who was not asked for comes first
        the next time.

        :param known: the jobs by id, or by :func:`.name_key`, with the fingerprint that is known; None to return the
            job in any case
        """
        if self._clock() < self._resume_at:
            return {}
        try:
            self._take_client()
            changed = self._poll(known)
            if _refusal(changed.values()) and self._has_renewed():
                self._take_client()
                changed = self._poll(known)
        except Exception as error:  # noqa: BLE001 - a surprise must not end the waits that share this
            # What is cut short by `close` is not worth a line.
            return {} if self._closed else dict.fromkeys(known, self._unexpected.failure(error))
        return changed

    def _take_client(self) -> None:
        """Poll through the owner's client from now on; another one may be allowed to list jobs."""
        client = self._owner.client()
        if client is not self._client:
            self._client = client
            self._reader = self._kind.reader(client, self._clock)
            self._list_at = 0.0
            self._misses.clear()

    def _has_renewed(self) -> bool:
        """Return whether there are other credentials to poll with; a secret may have been changed during the wait."""
        try:
            is_renewed = self._owner.renew()
        except Exception as error:  # noqa: BLE001 - whatever Airflow raises; the refusal is what must be told
            failure = self._unexpected.failure(error)
            log.warning("The credentials are refused, and the connection cannot be read again. %s", failure)
            return False
        if is_renewed:
            log.info("The credentials are refused, but the connection has others by now; going on with those")
        return is_renewed

    def _poll(self, known: Mapping[str, Hashable]) -> dict[str, Observation]:
        """Poll jobs, some of which may be given by name."""
        resolved_before = known.keys() & self._ids_by_name.keys()
        changed = self._resolve(known)
        ids = {key: self._ids_by_name.get(key, key) for key in known}
        by_id: dict[str, Hashable] = {}
        for key, job_id in ids.items():
            if job_name_in(job_id) is None:
                by_id[job_id] = known[key] if by_id.get(job_id, known[key]) == known[key] else None
        seen = self._poll_ids(by_id) if by_id else {}
        changed.update((key, seen[job_id]) for key, job_id in ids.items() if job_id in seen)
        # A name whose job is gone is looked up again, because another job may have it by now.
        missing = {key for key, observed in changed.items() if isinstance(observed, ModelArtsNotFoundError)}
        gone = missing & self._ids_by_name.keys()
        for key in gone:
            del self._ids_by_name[key]
        if again := gone & resolved_before:
            changed.update(self._poll({key: known[key] for key in again}))
        return changed

    def _resolve(self, keys: Iterable[str]) -> dict[str, Observation]:
        """Look up the ids of jobs that are given by name, one by one, and return why some are not known."""
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
                self._take_a_break(found)
                return failures if is_answered else {**failures, **dict.fromkeys([key, *rest], found)}
            is_answered = True
        return failures

    def _by_name(self, key: str) -> Observation:
        try:
            return self._reader.named(str(job_name_in(key)))
        except Exception as error:  # noqa: BLE001 - a surprise about one job must not hide the others
            return self._unexpected.failure(error)

    def _poll_ids(self, known: Mapping[str, Hashable]) -> dict[str, Observation]:
        changed: dict[str, Observation] = {}
        missing = dict.fromkeys(known)
        try:
            self._read_list(known, missing, changed)
        except ModelArtsError as error:
            if not self._only_the_list_fails(error, missing):
                self._take_a_break(error)
                return {**changed, **dict.fromkeys(missing, error)}
        self._read_details(missing, known, changed)
        return changed

    def _read_list(
        self, known: Mapping[str, Hashable], missing: dict[str, None], changed: dict[str, Observation]
    ) -> None:
        """
        Observe jobs in the list, and take them out of ``missing``.

        :raises ModelArtsError: the list cannot be read, for a reason that may pass
        """
        if self._clock() < self._list_at:
            return
        listed = [job_id for job_id in missing if self._misses[job_id] < _MISSES_UNTIL_UNLISTED]
        overlooked: set[str] = set()
        try:
            for page, not_shown in self._reader.find(listed):
                overlooked |= not_shown
                for job_id in page.statuses.keys() & missing.keys():
                    del missing[job_id]
                    self._misses.pop(job_id, None)
                    if page.fingerprint(job_id) != known[job_id]:
                        changed[job_id] = _read_row(page, job_id)
        except ModelArtsError as error:
            if error.retryable or isinstance(error, ModelArtsAuthenticationError):
                raise
            self._do_without_list(error, LIST_AGAIN_AFTER)
        else:
            self._misses.update(overlooked)

    def _only_the_list_fails(self, error: ModelArtsError, job_ids: Iterable[str]) -> bool:
        """Return whether the details of a job can be had where the list failed; if so, do without it for a while."""
        if not (error.retryable and error.may_have_happened) or error.retry_after is not None:
            return False
        job_id = self._in_turn(job_ids)[0]
        self._turns[job_id] = next(self._next_turn)
        seen = self._detail(job_id)
        if isinstance(seen, ModelArtsError) and seen.retryable:
            return False
        self._do_without_list(error, LIST_AGAIN_AFTER_FAILURE)
        return True

    def _do_without_list(self, error: ModelArtsError, seconds: float) -> None:
        log.warning("Jobs are polled one by one for now, because they cannot be listed. %s", error)
        self._list_at = self._clock() + seconds

    def _read_details(
        self, job_ids: Iterable[str], known: Mapping[str, Hashable], changed: dict[str, Observation]
    ) -> None:
        """
        Poll jobs one by one, those that were not asked for longest first: one alone, the others a few at a time.

        In an outage, when throttled, or when the credentials are refused, the rest is not asked for: refusals add up
        until the cloud locks a key or a user, and a few at a time are enough for that. The rest then has failed, too,
        unless one of the jobs was answered for: then this was not the whole poll's failure.
        """
        rest = self._in_turn(job_ids)
        is_answered = False
        size = 1
        while rest and not self._closed:
            batch, rest = rest[:size], rest[size:]
            size = PARALLEL_REQUESTS
            observed = self._details(batch)
            # A throttled request was not carried out, so that its job keeps its turn.
            asked = {job_id: seen for job_id, seen in observed.items() if not _is_throttled(seen)}
            self._turns.update((job_id, next(self._next_turn)) for job_id in asked)
            changed.update(
                (job_id, seen)
                for job_id, seen in asked.items()
                if isinstance(seen, ModelArtsError) or self._kind.fingerprint(seen) != known[job_id]
            )
            if refusal := _refusal(asked.values()):
                changed.update(dict.fromkeys(rest, refusal))
                return
            is_answered = is_answered or not all(map(_is_outage, observed.values()))
            if failure := _reason_to_stop(observed.values()):
                self._take_a_break(failure)
                if not is_answered:
                    changed.update(dict.fromkeys([*(observed.keys() - asked.keys()), *rest], failure))
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
            return ModelArtsConnectionError("Not asked for, because nobody waits any more")
        try:
            return self._reader.one(job_id)
        except Exception as error:  # noqa: BLE001 - a surprise about one job must not hide the others
            return self._unexpected.failure(error)

    def _take_a_break(self, error: ModelArtsError) -> None:
        if error.retry_after is not None:
            self._resume_at = self._clock() + min(error.retry_after, MAX_BREAK)


def _read_row(page: Page, job_id: str) -> Observation:
    try:
        return page.job(job_id)
    except (ValueError, OverflowError) as error:
        return ModelArtsMalformedResponseError(f"The list describes job {job_id} in a way that cannot be read: {error}")


def _refusal(observed: Iterable[Observation]) -> ModelArtsAuthenticationError | None:
    """Return the first refusal of the credentials."""
    return next((seen for seen in observed if isinstance(seen, ModelArtsAuthenticationError)), None)


def _is_throttled(seen: Observation) -> bool:
    if not isinstance(seen, ModelArtsError) or not seen.retryable:
        return False
    return isinstance(seen, ModelArtsThrottledError) or bool(seen.retry_after)


def _is_outage(seen: Observation) -> bool:
    """Return whether nothing was answered about the job; an answer that cannot be read is about this job alone."""
    is_about_the_job = isinstance(seen, (ModelArtsMalformedResponseError, ModelArtsUnexpectedError))
    return isinstance(seen, ModelArtsError) and seen.retryable and not is_about_the_job


def _reason_to_stop(observed: Collection[Observation]) -> ModelArtsError | None:
    """Return the failure after which nobody else is asked for: any throttling, or that of several jobs at once."""
    failures = [seen for seen in observed if isinstance(seen, ModelArtsError) and _is_outage(seen)]
    throttled = [seen for seen in failures if _is_throttled(seen)]
    if throttled or len(failures) == len(observed) > 1:
        return (throttled or failures)[0]
    return None
