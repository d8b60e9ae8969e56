"""Phases of a training job, and what each means for a wait."""

from __future__ import annotations

from enum import Enum
from typing import Final


class TrainingJobPhase(str, Enum):
    """Phase of a training job, ``status.phase`` in the API."""

    CREATING = "Creating"
    PENDING = "Pending"
    RUNNING = "Running"
    TERMINATING = "Terminating"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TERMINATED = "Terminated"
    ABNORMAL = "Abnormal"

    __str__ = str.__str__


READY: Final = frozenset({TrainingJobPhase.RUNNING})
"""The job runs."""

ENDED: Final = frozenset({TrainingJobPhase.COMPLETED, TrainingJobPhase.TERMINATED})
"""The job succeeded, or was stopped by a user or by auto stop."""

FAILED: Final = frozenset({TrainingJobPhase.FAILED, TrainingJobPhase.ABNORMAL})
"""The job failed. An abnormal job often never started."""

TERMINAL: Final = ENDED | FAILED
"""The job has ended and is not billed."""

ON_THE_WAY: Final = frozenset(TrainingJobPhase) - READY - TERMINAL
"""The job is in transition. A running job that is rescheduled comes back here."""

_BY_NAME: Final = {phase.value.lower(): phase for phase in TrainingJobPhase}


def to_phase(name: str) -> TrainingJobPhase | str:
    """Return the :class:`TrainingJobPhase` for a name in any case, or the name itself if it is not documented."""
    return _BY_NAME.get(name.strip().lower(), name)


def checked_phase(phase: object) -> TrainingJobPhase:
    """
    Return the phase for a name in any case.

    :raises ValueError: there is no such phase
    """
    found = to_phase(phase) if isinstance(phase, str) else None
    if isinstance(found, TrainingJobPhase):
        return found
    raise ValueError(f"phase: {phase!r:.100} is not a phase. Phases are {', '.join(TrainingJobPhase)}")
