"""Creates a job exactly once, even if responses are lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol, TypeVar

import pendulum

from airflow_provider_modelarts.api.errors import ModelArtsError, ModelArtsNameTakenError
from airflow_provider_modelarts.api.http import Call, Http

log = logging.getLogger(__name__)

CREATION_TOLERANCE: Final = timedelta(minutes=15)
"""The tolerated difference between the clocks of the servers, and of this machine if a response has no date."""

_LIST_LAG: Final = (2.0, 4.0, 8.0, 16.0)
"""Seconds between searches for a job that must exist. Lists may miss a new job for half a minute."""


class CreatedJob(Protocol):
    """The fields of a job that show whether a request has created it."""

    @property
    def job_id(self) -> str: ...

    @property
    def job_name(self) -> str | None: ...

    @property
    def create_time(self) -> pendulum.DateTime | None: ...


JobT = TypeVar("JobT", bound=CreatedJob)


def create_once(
    http: Http,
    call: Call[JobT],
    find: Callable[[], JobT | None],
    is_asked_for: Callable[[JobT], bool] = lambda job: True,
) -> JobT:
    """
    Send the request that creates a job, with retries, and return the job.

    After a lost response, the job is searched for before the request is sent again. A job that is older than the first
    request does not count.

    :param find: returns the job with the requested name, if the API shows one
    :param is_asked_for: returns whether a job has the requested settings, as far as the API returns them
    :raises ModelArtsNameTakenError: another job has the name
    """
    began = pendulum.now("UTC")
    lost: ModelArtsError | None = None

    def find_created(pauses: tuple[float, ...] = ()) -> JobT | None:
        if lost is None:
            return None
        try:
            job = _find_late(http, find, pauses)
        except ModelArtsError as error:
            log.warning("The API does not say whether the job was created. %s", error)
            raise lost from error
        earliest = began - http.clock_skew - CREATION_TOLERANCE
        if job is None or not is_asked_for(job) or (job.create_time and job.create_time < earliest):
            return None
        log.info("The answer to creating job %s was lost, but the job exists: %s", job.job_name, job.job_id)
        return job

    def attempt() -> JobT:
        nonlocal lost
        created = find_created()
        if created is not None:
            return created
        try:
            return http.send(call)
        except ModelArtsNameTakenError:
            # The job of an earlier attempt may not be in lists yet.
            created = find_created(_LIST_LAG)
            if created is None:
                raise
            return created
        except ModelArtsError as error:
            if lost is not None:
                error.doubt()
            lost = error if error.may_have_happened else None
            raise

    return http.repeat(attempt)


def _find_late(http: Http, find: Callable[[], JobT | None], pauses: tuple[float, ...]) -> JobT | None:
    """Search, and repeat that after each pause (in seconds) until there is a result."""
    for pause in pauses:
        if (job := find()) is not None:
            return job
        http.sleep(pause)
    return find()
