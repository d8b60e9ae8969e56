"""What a status means to somebody who waits: arrived, still waiting, or cannot arrive any more. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Final

from airflow_provider_modelarts.api.checks import text_items
from airflow_provider_modelarts.api.models import OVER, JobStatus, status_label
from airflow_provider_modelarts.api.parameters import checked_status

GONE: Final = -1
"""Stands for "there is no such job" where a status is expected; never a code of the API. Written ``"GONE"``."""

WAIT_FOR: Final = ("all", "any")
"""How many of several jobs a wait is for."""


class Verdict(Enum):
    """What one look at a job means for a wait."""

    ARRIVED = "arrived"
    WAITING = "waiting"
    CANNOT_ARRIVE = "cannot arrive"


@dataclass(frozen=True)
class Target:
    """
    What is waited for, and what ends the wait without it.

    :param statuses: status codes that are waited for, :data:`GONE` among them for a deletion
    :param failures: status codes after which none of them can come any more
    """

    statuses: frozenset[int]
    failures: frozenset[int]

    @classmethod
    def of(cls, target_status: Any, failure_statuses: Any = None) -> Target:
        """
        Read a target as people write it: one status or several, each a code, a name or a `JobStatus`.

        By default every ended and every failed status is a failure, but for those that are waited for. A wait for
        the deletion fails only when the deletion does, since until then the job may be in any status.

        :raises ValueError: there is no such status, none at all, or the two contradict each other
        """
        statuses = checked_statuses(target_status, "target_status")
        if failure_statuses is not None:
            failures = checked_statuses(failure_statuses, "failure_statuses", may_be_empty=True)
            if failures & statuses:
                both = ", ".join(label(code) for code in sorted(failures & statuses))
                raise ValueError(f"failure_statuses: {both} cannot be both waited for and a failure")
        elif GONE in statuses:
            failures = frozenset({JobStatus.DELETE_FAILED}) - statuses
        else:
            failures = OVER - statuses
        return _target(statuses, frozenset(failures))

    def observe(self, status: int) -> Verdict:
        """Return what it means that the job has this status, or is :data:`GONE`."""
        if status in self.statuses:
            return Verdict.ARRIVED
        if status in self.failures or status == GONE:
            return Verdict.CANNOT_ARRIVE
        return Verdict.WAITING

    def __str__(self) -> str:
        return " or ".join(label(code) for code in sorted(self.statuses))


@cache
def _target(statuses: frozenset[int], failures: frozenset[int]) -> Target:
    """Return the one target of its kind: thousands of waits in a triggerer mostly wait for the same."""
    return Target(statuses, failures)


def label(status: int) -> str:
    """Return how a status, or :data:`GONE`, reads in a message."""
    return "GONE" if status == GONE else status_label(status)


def checked_statuses(value: Any, field: str, *, may_be_empty: bool = False) -> frozenset[int]:
    """
    Return the codes of one status or of several, as people write them.

    :param field: what to call it in an error
    :raises ValueError: there is no such status, or none at all
    """
    several = text_items(value) if isinstance(value, str) else value
    given: Collection[Any] = list(several) if isinstance(several, Iterable) else [several]
    if not given and not may_be_empty:
        raise ValueError(f"{field}: at least one status is needed")
    return frozenset(_code(item, field) for item in given)


def _code(value: Any, field: str) -> int:
    if isinstance(value, str) and value.strip().upper() == "GONE":
        return GONE
    try:
        return int(checked_status(value))
    except ValueError as error:
        raise ValueError(f"{field}: {str(error).partition(': ')[2]}, and GONE for a deleted job") from None
