"""Creating a job exactly once, although answers get lost."""

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
"""By how much the server's own clocks may differ, and this machine's from them where an answer has no date."""

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
    Send the request that creates a job, again while that may help, and return the job.

    After a lost answer the job is looked up before anything is sent again. A job that is older than the first request
    is not the one.

    :param find: returns the job of the name that was asked for, if the API shows one
    :param is_asked_for: returns whether a job is what the request asks for, as far as the job tells
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
            # Whose job has the name? An earlier attempt's may not be in lists yet.
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
    """Return what is found, if need be after some pauses in seconds."""
    for pause in pauses:
        if (job := find()) is not None:
            return job
        http.sleep(pause)
    return find()
