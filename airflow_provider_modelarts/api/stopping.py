"""Stops a job of any kind in a way that is safe to repeat."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_modelarts.api.errors import ModelArtsConflictError, ModelArtsNotFoundError


def ensure_stopped(request_stop: Callable[[], None], get_end: Callable[[], str | None]) -> str | None:
    """
    Stop a job unless it has ended, is being stopped, or is gone.

    :param request_stop: asks the API to stop the job
    :param get_end: gets the job, and returns its status if it has ended or is being stopped, else None
    :return: None if the API accepted the request; else why it was unnecessary, such as "is KILLED already"
    :raises ModelArtsError: the job could not be stopped, and may still run
    """
    try:
        request_stop()
    except ModelArtsNotFoundError:
        return "is gone"
    except ModelArtsConflictError:
        try:
            end = get_end()
        except ModelArtsNotFoundError:
            return "is gone"
        if end is None:
            raise
        return f"is {end} already"
    return None
