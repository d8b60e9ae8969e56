"""Which jobs of a project have come into a status since the last poll. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from airflow_provider_modelarts.waiting.kind import Status

_MISSES_UNTIL_GONE = 100
"""Polls. A list that shifts or lies hides a job for a while, which must not make it arrive again."""


class Arrivals:
    """
    Compares each poll of the jobs of a project with the one before.

    Jobs that are in one of the statuses at the first poll do not arrive by that, unless :meth:`recall` tells which
    of them an earlier process has not observed there.

    :param statuses: the statuses that jobs arrive in
    """

    def __init__(self, statuses: Collection[Status]) -> None:
        self._statuses = frozenset(statuses)
        self._present: dict[str, int] | None = None
        self._at_first: set[str] = set()

    @property
    def present(self) -> set[str]:
        """IDs of the jobs that are in one of the statuses, as far as is known."""
        return set(self._present or ())

    def recall(self, present: Collection[str]) -> None:
        """Take note of the jobs that were in one of the statuses at the last poll of an earlier process."""
        if self._present is None:
            self._present = {}
        # The others arrived in between. The next poll reports those that are still there.
        for job_id in self._at_first.difference(present):
            self._present.pop(job_id, None)
        for job_id in present:
            self._present.setdefault(job_id, 0)

    def observe(self, statuses: Mapping[str, Status]) -> list[str]:
        """
        Take note of a poll, and return the jobs that have arrived since the one before, oldest first.

        :param statuses: the status of each job of the project, by id; a job that is not in it keeps its status, until
            it is missing for long
        """
        present = {job_id: 0 for job_id, status in statuses.items() if status in self._statuses}
        if self._present is None:
            self._present = present
            self._at_first = set(present)
            return []
        arrived = sorted(present.keys() - self._present.keys(), key=lambda job_id: (len(job_id), job_id))
        for job_id, misses in self._present.items():
            if job_id not in statuses and misses + 1 < _MISSES_UNTIL_GONE:
                present[job_id] = misses + 1
        self._present = present
        return arrived
