"""Waits on this thread, until the jobs have arrived or the time is up."""

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
    seen = fetcher.fetch(dict.fromkeys(jobs.pending()))
    return jobs.observe(seen, time.time(), poll_seconds=time.monotonic() - began)


def wait_here(
    jobs: JobsWait,
    fetcher: JobFetcher,
    *,
    poke_interval: float,
    timeout: float,
    after_look: Callable[[], object] = lambda: None,
) -> None:
    """
    Look at jobs, again and again, until the wait is over.

    :param poke_interval: seconds between two looks
    :param timeout: seconds until the wait is given up
    :param after_look: called after each look that left the wait going on or ended it well
    :raises JobCannotArriveError: a job failed, ended, or is not there
    :raises JobStateUnknownError: the API refuses, or could not be reached for too long
    :raises WaitTimeoutError: the time is up
    """
    deadline = time.monotonic() + timeout
    while True:
        arrived = poll(jobs, fetcher)
        after_look()
        if arrived:
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise WaitTimeoutError(f"Timed out after {duration(timeout)} waiting for {jobs.describe()}")
        time.sleep(min(poke_interval, left))
