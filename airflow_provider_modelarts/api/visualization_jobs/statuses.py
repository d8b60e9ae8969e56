"""Statuses of a visualization job, and what each means for a wait."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class JobStatus(IntEnum):
    """
    Status code of a visualization job (API page "Job statuses"; code 22 is known from the SDK reference only).

    The API's own names have a prefix, ``JOBSTAT_RUNNING``. Parameters accept both forms.
    """

    UNKNOWN = 0
    INIT = 1
    IMAGE_CREATING = 2
    IMAGE_FAILED = 3
    SUBMIT_TRYING = 4
    SUBMIT_FAILED = 5
    DELETE_FAILED = 6
    WAITING = 7
    RUNNING = 8
    KILLING = 9
    COMPLETED = 10
    FAILED = 11
    KILLED = 12
    CANCELED = 13
    LOST = 14
    SCALING = 15
    SUBMIT_MODEL_FAILED = 16
    DEPLOY_SERVICE_FAILED = 17
    CHECK_INIT = 18
    CHECK_RUNNING = 19
    CHECK_RUNNING_COMPLETED = 20
    CHECK_FAILED = 21
    MOUNT_FAILED = 22


READY: Final = frozenset({JobStatus.RUNNING})
"""The job can be used: a visualization job is a server, which does not finish by itself."""

ENDED: Final = frozenset({JobStatus.COMPLETED, JobStatus.KILLED, JobStatus.CANCELED, JobStatus.CHECK_RUNNING_COMPLETED})
"""The job was stopped, also by auto stop, or has ended. The API does not document the status after a stop."""

FAILED: Final = frozenset(
    {
        JobStatus.IMAGE_FAILED,
        JobStatus.SUBMIT_FAILED,
        JobStatus.DELETE_FAILED,
        JobStatus.FAILED,
        JobStatus.LOST,
        JobStatus.SUBMIT_MODEL_FAILED,
        JobStatus.DEPLOY_SERVICE_FAILED,
        JobStatus.CHECK_FAILED,
        JobStatus.MOUNT_FAILED,
    }
)
"""The job has failed."""

OVER: Final = ENDED | FAILED
"""The job does not run, is not billed, and will not run by itself."""

ON_THE_WAY: Final = frozenset(JobStatus) - READY - OVER
"""The job is between two of the others."""


def to_status(code: int) -> JobStatus | int:
    """Return the :class:`JobStatus` of a code, or the code itself if it is not documented."""
    try:
        return JobStatus(code)
    except ValueError:
        return code


def status_name(code: int) -> str:
    """Return the name of a status without the API's prefix, ``RUNNING``; an undocumented code in digits."""
    status = to_status(code)
    return status.name if isinstance(status, JobStatus) else str(code)


def status_label(code: int) -> str:
    """Return a status as text for messages: ``RUNNING (8)``, or ``undocumented status 42``."""
    status = to_status(code)
    return f"{status.name} ({code})" if isinstance(status, JobStatus) else f"undocumented status {code}"
