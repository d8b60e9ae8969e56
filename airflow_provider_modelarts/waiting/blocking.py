"""Waits on the calling thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_modelarts.api.clock import SYSTEM_CLOCK, Clock
from airflow_provider_modelarts.waiting.wait import WaitTimeoutError, duration

if TYPE_CHECKING:
    from airflow_provider_modelarts.waiting.fetch import JobFetcher
    from airflow_provider_modelarts.waiting.jobs import JobsWait


def poll(jobs: JobsWait, fetcher: JobFetcher, clock: Clock = SYSTEM_CLOCK) -> bool:
    """
    Poll the jobs once, and return whether the wait is over.

    :raises WaitError: the wait ended without its target
    """
    began = clock.monotonic()
    observations = fetcher.fetch(dict.fromkeys(jobs.pending()))
    return jobs.observe(observations, clock.time(), poll_seconds=clock.monotonic() - began)


def wait_on_thread(
    jobs: JobsWait,
    fetcher: JobFetcher,
    *,
    poke_interval: float,
    timeout: float,
    clock: Clock = SYSTEM_CLOCK,
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
    deadline = clock.monotonic() + timeout
    while True:
        arrived = poll(jobs, fetcher, clock)
        after_poll()
        if arrived:
            return
        left = deadline - clock.monotonic()
        if left <= 0:
            raise WaitTimeoutError(f"Timed out after {duration(timeout)} waiting for {jobs.describe()}")
        clock.sleep(min(poke_interval, left))
