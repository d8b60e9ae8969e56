"""Ends the job of a task that failed or was killed, so that nobody pays for it: in bounded time, raising nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Final, TypeAlias

from airflow_provider_modelarts.api.errors import ModelArtsConflictError, ModelArtsNotFoundError
from airflow_provider_modelarts.api.models import OVER, JobStatus

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.waiting.wait import Log

STOP_TIMEOUT: Final = 20.0
"""Seconds for a stop when a worker is told to end its task. (Airflow 3 kills it for good after about 5.)"""

RESTART_SHOWS: Final = 10.0
"""Seconds for which a job that was restarted is taken to show its old status."""

_PAUSE: Final = 1.0

FindJob: TypeAlias = "Callable[[ModelArtsClient], str | None]"
"""Returns the id of a job, None when there is no job."""


def stop_job(client: ModelArtsClient, find: FindJob, log: Log, *, restarted: bool = False) -> None:
    """
    Ask for a job to be stopped, unless it is over; say in the log what came of it.

    :param restarted: whether the job has just been restarted, and so may only look as if it were over
    """
    job = "The visualization job of this task, if there is one,"
    try:
        job_id = find(client)
        if job_id is None:
            return
        job = f"Visualization job {job_id}"
        outcome = request_stop(client, job_id, restarted=restarted) or "is being stopped"
    except Exception as error:  # noqa: BLE001 - the task has an error of its own, which must be the one that is told
        log.log(logging.ERROR, "%s could not be stopped and may run on, billed. %s", job, error)
    else:
        log.log(logging.INFO, "%s %s, as its task ended early", job, outcome)


def request_stop(client: ModelArtsClient, job_id: str, *, restarted: bool = False) -> str | None:
    """
    Ask for a job to be stopped; return None when that was accepted, else what makes it unnecessary.

    :param restarted: whether the job has just been restarted: it is asked again while it looks as if it were over
    :raises ModelArtsError: it cannot be stopped, and is not known to be over either
    """
    deadline = time.monotonic() + RESTART_SHOWS
    while True:
        try:
            client.stop_visualization_job(job_id)
        except ModelArtsNotFoundError:
            return "is gone"
        except ModelArtsConflictError:
            try:
                job = client.get_visualization_job(job_id)
            except ModelArtsNotFoundError:
                return "is gone"
            is_over = job.status in OVER
            if job.status == JobStatus.KILLING or (is_over and not restarted):
                return f"is {job.status_name} already"
            if not is_over or time.monotonic() > deadline:
                raise
        else:
            return None
        time.sleep(_PAUSE)


def stop_job_in_time(
    make_client: Callable[[], ModelArtsClient], find: FindJob, log: Log, *, restarted: bool = False
) -> None:
    """
    Ask for a job to be stopped, on a thread of its own, and wait for that no longer than ``STOP_TIMEOUT``.

    For signal handlers: what they interrupt may hold any lock of this thread's client.
    """

    def stop() -> None:
        try:
            client = make_client()
        except Exception as error:  # noqa: BLE001 - nobody but the log is there to be told
            log.log(logging.ERROR, "No visualization job could be stopped, and one may run on, billed. %s", error)
            return
        with closing(client):
            stop_job(client, find, log, restarted=restarted)

    thread = threading.Thread(target=stop, name="modelarts-stop", daemon=True)
    thread.start()
    thread.join(STOP_TIMEOUT)
    if thread.is_alive():
        log.log(logging.ERROR, "The task's visualization job is not known to be stopped after %.0f s", STOP_TIMEOUT)
