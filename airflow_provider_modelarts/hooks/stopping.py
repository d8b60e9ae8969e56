"""Stops the job of a task that has failed or was killed, so that billing ends. Takes limited time, raises nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.waiting.wait import Log

STOP_TIMEOUT: Final = 20.0
"""Seconds that a killed worker spends on a stop."""

KILL_GRACE: Final = 4.0
"""Seconds until the log says that a stop is not confirmed yet. Airflow 3 kills the process after about 5."""

Connect: TypeAlias = "Callable[[], ModelArtsClient]"
"""Returns a client, which is closed after use."""

FindJobId: TypeAlias = "Callable[[ModelArtsClient], str | None]"
"""Returns the ID of the job to stop; None if there is no job."""

EnsureStopped: TypeAlias = "Callable[[ModelArtsClient, str], str | None]"
"""Stops a job. If that was unnecessary, returns why; else None."""


def stop_or_log(noun: str, connect: Connect, find_job_id: FindJobId, ensure_stopped: EnsureStopped, log: Log) -> None:
    """
    Stop a job unless that is unnecessary. Raise nothing, and log the outcome in one line.

    :param noun: the job in messages
    """
    job = f"The {noun} of this task, if there is one,"
    try:
        with closing(connect()) as client:
            job_id = find_job_id(client)
            if job_id is None:
                return
            job = f"{noun.capitalize()} {job_id}"
            outcome = ensure_stopped(client, job_id) or "is being stopped"
    except Exception as error:  # noqa: BLE001 - Airflow must show the error that has ended the task
        log.log(logging.ERROR, "%s could not be stopped and may run on, billed. %s", job, error)
    else:
        log.log(logging.INFO, "%s %s, as its task ended early", job, outcome)


def stop_with_deadline(
    noun: str, connect: Connect, find_job_id: FindJobId, ensure_stopped: EnsureStopped, log: Log
) -> None:
    """
    Stop a job as :func:`stop_or_log` does, on another thread, and wait for at most ``STOP_TIMEOUT``.

    For signal handlers: the code that they interrupt may hold any lock of this thread's client.
    """
    thread = threading.Thread(
        target=stop_or_log,
        args=(noun, connect, find_job_id, ensure_stopped, log),
        name="modelarts-stop",
        daemon=True,
    )
    thread.start()
    thread.join(KILL_GRACE)
    if thread.is_alive():
        # Logged now, because Airflow may kill this process next.
        log.log(
            logging.ERROR,
            "The %s of this task could not be stopped within %.0f s and may run on, billed",
            noun,
            KILL_GRACE,
        )
        thread.join(STOP_TIMEOUT - KILL_GRACE)
