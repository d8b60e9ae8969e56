"""Waits on the calling thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_modelarts.waiting.wait import WaitTimeoutError, duration

if TYPE_CHECKING:
    from airflow_provider_modelarts.waiting.fetch import JobFetcher
    from airflow_provider_modelarts.waiting.jobs import JobsWait


def poll(jobs: JobsWait, fetcher: JobFetcher) -> bool:
    """
    Poll the jobs once, and return whether the wait is over.

    :raises WaitError: the wait ended without its target
    """
    began = time.monotonic()
    observations = fetcher.fetch(dict.fromkeys(jobs.pending()))
    return jobs.observe(observations, time.time(), poll_seconds=time.monotonic() - began)


def wait_on_thread(
    jobs: JobsWait,
    fetcher: JobFetcher,
    *,
    poke_interval: float,
    timeout: float,
    after_poll: Callable[[], object] = lambda: None,
) -> None:
    """
    Poll jobs until the wait is over.

    :param poke_interval: seconds between two polls
    :param timeout: seconds until the wait times out
    :param after_poll: called after each poll, unless it has failed the wait
    :raises JobCannotArriveError: a job has failed, ended, or does not exist
    :raises JobStateUnknownError: the API refuses, or could not be reached for too long
    :raises WaitTimeoutError: the wait timed out
    """
    deadline = time.monotonic() + timeout
    while True:
        arrived = poll(jobs, fetcher)
        after_poll()
        if arrived:
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise WaitTimeoutError(f"Timed out after {duration(timeout)} waiting for {jobs.describe()}")
        time.sleep(min(poke_interval, left))
