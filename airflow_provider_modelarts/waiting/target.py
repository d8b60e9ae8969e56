"""What a status means for a wait: the job has arrived, is on its way, or cannot arrive any more."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Final, get_args

from airflow_provider_modelarts.api.checks import text_items
from airflow_provider_modelarts.choices import WaitFor
from airflow_provider_modelarts.waiting.kind import GONE, Kind, Status

ENDED: Final = "ENDED"
"""Stands for every terminal status where a target is expected."""

WAIT_FOR: Final[tuple[WaitFor, ...]] = get_args(WaitFor)


class Verdict(Enum):
    """What one observed status means for a wait."""

    ARRIVED = "arrived"
    WAITING = "waiting"
    CANNOT_ARRIVE = "cannot arrive"


@dataclass(frozen=True)
class Target:
    """
    The statuses that end a wait: those that it is for, and failures.

    :param kind: the kind of job whose statuses these are
    :param statuses: statuses to wait for; :data:`.GONE` for a deletion
    :param failures: statuses from which the job cannot reach any of these
    """

    kind: Kind[Any]
    statuses: frozenset[Status]
    failures: frozenset[Status]

    @classmethod
    def of(cls, kind: Kind[Any], target_status: Any, failure_statuses: Any = None) -> Target:
        """
        Read a target from arguments: one status or several, each a code or a name, ``ENDED`` or ``GONE``.

        By default, every other terminal status is a failure. A wait for the deletion fails only if the deletion fails,
        because the job may be in any status until then.

        :raises ValueError: a status does not exist, there is none, or a status is both a target and a failure
        """
        statuses = parse_statuses(kind, target_status, "target_status")
        if failure_statuses is not None:
            failures = parse_statuses(kind, failure_statuses, "failure_statuses", may_be_empty=True)
            if failures & statuses:
                both = ", ".join(_labels(kind, failures & statuses))
                raise ValueError(f"failure_statuses: {both} cannot be both waited for and a failure")
        elif GONE in statuses:
            failures = kind.deletion_failures - statuses
        else:
            failures = kind.terminal - statuses
        return _target(kind, statuses, failures)

    def observe(self, status: Status) -> Verdict:
        """Return what this status, or :data:`.GONE`, means for the wait."""
        if status in self.statuses:
            return Verdict.ARRIVED
        if status in self.failures or status == GONE:
            return Verdict.CANNOT_ARRIVE
        return Verdict.WAITING

    def __str__(self) -> str:
        if self.statuses >= self.kind.terminal:
            rest = _labels(self.kind, self.statuses - self.kind.terminal)
            return " or ".join([ENDED, *rest])
        return " or ".join(_labels(self.kind, self.statuses))


@cache
def _target(kind: Kind[Any], statuses: frozenset[Status], failures: frozenset[Status]) -> Target:
    """Return a shared target, because thousands of waits in a triggerer have the same one."""
    return Target(kind, statuses, failures)


def label(kind: Kind[Any], status: Status) -> str:
    """Return how messages show a status, or :data:`.GONE`."""
    return GONE if status == GONE else kind.status_label(status)


def parse_statuses(kind: Kind[Any], value: Any, field: str, *, may_be_empty: bool = False) -> frozenset[Status]:
    """
    Read an argument that is one status or several.

    :param field: name of the parameter, for the error
    :raises ValueError: a status does not exist, or there is none
    """
    several = text_items(value) if isinstance(value, str) else value
    given: Collection[Any] = list(several) if isinstance(several, Iterable) else [several]
    if not given and not may_be_empty:
        raise ValueError(f"{field}: at least one status is needed")
    statuses: frozenset[Status] = frozenset()
    return statuses.union(*(_parse(kind, item, field) for item in given))


def _parse(kind: Kind[Any], value: Any, field: str) -> frozenset[Status]:
    word = value.strip().upper() if isinstance(value, str) else ""
    if word == GONE:
        return frozenset({GONE})
    if word == ENDED:
        return kind.terminal
    try:
        return frozenset({kind.parse_status(value)})
    except ValueError as error:
        reason = str(error).partition(": ")[2]
        raise ValueError(f"{field}: {reason}, {ENDED} for any end, and {GONE} for a deleted job") from None


def _labels(kind: Kind[Any], statuses: frozenset[Status]) -> list[str]:
    in_order = sorted(statuses, key=lambda status: (status == GONE, isinstance(status, str), status))
    return [label(kind, status) for status in in_order]
