"""Which jobs of a project have come into a status since the last look. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from airflow_provider_modelarts.waiting.kind import Status

_MISSES_UNTIL_GONE = 100
"""Looks. A list that shifts or lies hides a job for a while, which must not make it arrive again."""


class Arrivals:
    """
    Compares each look at all jobs of a project with the one before.

    :param statuses: codes of the statuses that jobs arrive in
    :param here: ids of the jobs that were in one of them at the last look of an earlier process; None when there was
        none: what is there at the first look has not arrived since then
    """

    def __init__(self, statuses: Collection[Status], here: Collection[str] | None = None) -> None:
        self._statuses = frozenset(statuses)
        self._here: dict[str, int] | None = None if here is None else dict.fromkeys(here, 0)

    @property
    def here(self) -> set[str]:
        """Ids of the jobs that are in one of the statuses, as far as is known."""
        return set(self._here or ())

    def observe(self, statuses: Mapping[str, Status]) -> list[str]:
        """
        Take note of a look, and return the jobs that have come since the one before, oldest first.

        :param statuses: the status of each job of the project, by id
        """
        here = {job_id: 0 for job_id, status in statuses.items() if status in self._statuses}
        if self._here is None:
            self._here = here
            return []
        arrived = sorted(here.keys() - self._here.keys(), key=int)
        for job_id, misses in self._here.items():
            if job_id not in statuses and misses + 1 < _MISSES_UNTIL_GONE:
                here[job_id] = misses + 1
        self._here = here
        return arrived


def packed(job_ids: Collection[str]) -> str:
    """Return job ids as short text: the first, and then by how much each is higher than the one before."""
    numbers = sorted(map(int, job_ids))
    return " ".join(str(number - before) for before, number in zip([0, *numbers], numbers, strict=False))


def unpacked(text: str) -> list[str]:
    """
    Return the job ids that :func:`packed` made text of.

    :raises ValueError: it did not
    """
    job_ids: list[str] = []
    number = 0
    for step in map(int, text.split()):
        number += step
        job_ids.append(str(number))
    return job_ids
