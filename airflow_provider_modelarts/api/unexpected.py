"""Unexpected exceptions: each fails one poll, and each type is logged once with its traceback."""

from __future__ import annotations

import logging

from airflow_provider_modelarts.api.errors import ModelArtsError, ModelArtsUnexpectedError

log = logging.getLogger(__name__)


class UnexpectedErrors:
    """
    Turns any exception into a failed poll, and logs the traceback of each type of unexpected exception once.

    A bug, or a response that a library cannot read, must not end a poller with all its waits.
    """

    def __init__(self) -> None:
        self._logged: set[type[Exception]] = set()

    def failure(self, error: Exception) -> ModelArtsError:
        """Return an exception as the failure of a poll."""
        if isinstance(error, ModelArtsError):
            return error
        self.log(error)
        return ModelArtsUnexpectedError(f"The poll failed unexpectedly. {type(error).__name__}: {error}")

    def log(self, error: Exception) -> None:
        """Log the traceback, if no exception of this type was logged before."""
        if type(error) not in self._logged:
            self._logged.add(type(error))
            log.error("Unexpected %s: %s", type(error).__name__, error, exc_info=error)
