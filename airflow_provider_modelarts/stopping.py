"""Ends the job of a task that failed or was killed, so that nobody pays for it: in bounded time, never raising."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Final

from airflow_provider_modelarts.api.errors import ModelArtsConflictError, ModelArtsError, ModelArtsNotFoundError
from airflow_provider_modelarts.api.models import OVER, JobStatus

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.waiting.wait import Log

STOP_TIMEOUT: Final = 20.0
"""Seconds for a stop when a task is killed: Airflow gives the whole of a kill about 30 s."""

_ATTEMPTS: Final = 3


def stop_job(client: ModelArtsClient, job_id: str, log: Log) -> None:
    """Ask for a job to be stopped, unless it is over; say in the log what came of it."""
    try:
        outcome = _stop(client, job_id)
    except ModelArtsError as error:
        log.log(logging.ERROR, "Visualization job %s could not be stopped and may run on, billed. %s", job_id, error)
    else:
        log.log(logging.INFO, "Visualization job %s %s, as its task ended early", job_id, outcome)


def _stop(client: ModelArtsClient, job_id: str) -> str:
    """
    Ask for a job to be stopped, and return what that makes of it.

    Unlike other changes this one is repeated when its answer is lost: a job cannot be stopped twice.
    """
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            client.stop_visualization_job(job_id)
            break
        except ModelArtsNotFoundError:
            return "is gone"
        except ModelArtsConflictError:
            job = client.get_visualization_job(job_id)
            if job.status not in OVER and job.status != JobStatus.KILLING:
                raise
            return f"is {job.status_name} already"
        except ModelArtsError as error:
            if not error.retryable or not attempts_left:
                raise
    return "is being stopped"


def stop_job_in_time(make_client: Callable[[], ModelArtsClient], job_id: str, log: Log) -> None:
    """
    Ask for a job to be stopped, on a thread of its own, and wait for that no longer than ``STOP_TIMEOUT``.

    For signal handlers: what they interrupt may hold any lock of this thread's client.
    """

    def stop() -> None:
        with closing(make_client()) as client:
            stop_job(client, job_id, log)

    thread = threading.Thread(target=stop, name="modelarts-stop", daemon=True)
    thread.start()
    thread.join(STOP_TIMEOUT)
    if thread.is_alive():
        log.log(logging.ERROR, "Visualization job %s is not known to be stopped after %.0f s", job_id, STOP_TIMEOUT)
