"""Exceptions that nobody foresaw: each type is logged once with its traceback, and ends nothing but one attempt."""

from __future__ import annotations

import logging

from airflow_provider_modelarts.api.errors import ModelArtsError, ModelArtsUnexpectedError

log = logging.getLogger(__name__)


class UnexpectedErrors:
    """
    Makes a failed poll of any exception, and logs the traceback of each type of unexpected exception once.

    A bug, or an answer that a library cannot read, must not end a poller, nor the waits that share it.
    """

    def __init__(self) -> None:
        self._logged: set[type[Exception]] = set()

    def failure(self, error: Exception) -> ModelArtsError:
        """Return the failure of the poll that raised the exception."""
        if isinstance(error, ModelArtsError):
            return error
        self.log(error)
        return ModelArtsUnexpectedError(f"The poll failed unexpectedly. {type(error).__name__}: {error}")

    def log(self, error: Exception) -> None:
        """Log the traceback, if no exception of this type was logged before."""
        if type(error) not in self._logged:
            self._logged.add(type(error))
            log.error("Unexpected %s: %s", type(error).__name__, error, exc_info=error)
