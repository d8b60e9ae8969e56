"""Ends the job of a task that failed or was killed, so that nobody pays for it: in bounded time, never raising."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Final

from airflow_provider_modelarts.api.errors import ModelArtsConflictError, ModelArtsError, ModelArtsNotFoundError

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.waiting.wait import Log

STOP_TIMEOUT: Final = 20.0
"""Seconds for a stop when a task is killed: Airflow gives the whole of a kill about 30 s."""

_ATTEMPTS: Final = 3


def stop_job(client: ModelArtsClient, job_id: str, log: Log) -> None:
    """
    Ask for a job to be stopped, unless it is over; say in the log what came of it.

    Unlike other changes this one is repeated when its answer is lost: a job cannot be stopped twice.
    """
    error: Exception | None = None
    for _ in range(_ATTEMPTS):
        try:
            client.stop_visualization_job(job_id)
        except (ModelArtsConflictError, ModelArtsNotFoundError) as refusal:
            log.log(logging.INFO, "Visualization job %s needs no stop: %s", job_id, refusal.error_message)
            return
        except ModelArtsError as failure:
            error = failure
            if not failure.retryable:
                break
        else:
            log.log(logging.INFO, "Visualization job %s is being stopped, as its task ended early", job_id)
            return
    log.log(logging.ERROR, "Visualization job %s could not be stopped and may run on, billed. %s", job_id, error)


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
