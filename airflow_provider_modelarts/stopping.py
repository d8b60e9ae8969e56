"""Ends the job of a task that failed or was killed, so that nobody pays for it: in bounded time, raising nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Final, TypeAlias

from airflow_provider_modelarts.api.errors import ModelArtsConflictError, ModelArtsNotFoundError
from airflow_provider_modelarts.api.visualization_jobs.statuses import OVER, JobStatus

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.waiting.wait import Log

STOP_TIMEOUT: Final = 20.0
"""Seconds for a stop when a worker is told to end its task."""

KILL_GRACE: Final = 4.0
"""Seconds until the log says that a stop has not been confirmed yet: Airflow 3 kills the process after about 5."""

RESTART_SHOWS: Final = 10.0
"""Seconds for which a job that was restarted is taken to show its old status."""

_PAUSE: Final = 1.0

Connect: TypeAlias = "Callable[[], ModelArtsClient]"
"""Returns a client, which is closed after use."""

FindJob: TypeAlias = "Callable[[ModelArtsClient], str | None]"
"""Returns the id of a job, None when there is no job."""


def stop_job(connect: Connect, find: FindJob, log: Log, *, restarted: bool = False) -> None:
    """
    Ask for a job to be stopped, unless it is over. Raise nothing: what came of it is one line in the log.

    :param restarted: whether the job has just been restarted, and so may only look as if it were over
    """
    job = "The visualization job of this task, if there is one,"
    try:
        with closing(connect()) as client:
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
            client.visualization_jobs.stop(job_id)
        except ModelArtsNotFoundError:
            return "is gone"
        except ModelArtsConflictError:
            try:
                job = client.visualization_jobs.get(job_id)
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


def stop_job_in_time(connect: Connect, find: FindJob, log: Log, *, restarted: bool = False) -> None:
    """
    Ask for a job to be stopped, on a thread of its own, and wait for that no longer than ``STOP_TIMEOUT``.

    For signal handlers: what they interrupt may hold any lock of this thread's client.
    """

    def stop() -> None:
        stop_job(connect, find, log, restarted=restarted)

    thread = threading.Thread(target=stop, name="modelarts-stop", daemon=True)
    thread.start()
    thread.join(KILL_GRACE)
    if thread.is_alive():
        # Said before Airflow may kill this process, after which nobody could say it.
        log.log(
            logging.ERROR,
            "The visualization job of this task could not be stopped within %.0f s and may run on, billed",
            KILL_GRACE,
        )
        thread.join(STOP_TIMEOUT - KILL_GRACE)
