"""The training jobs that a task instance has created: found by their names, and created once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts.api.clock import SYSTEM_CLOCK, Clock
from airflow_provider_modelarts.api.errors import ModelArtsNameTakenError, ModelArtsQuotaError
from airflow_provider_modelarts.api.training_jobs.parameters import Filter
from airflow_provider_modelarts.api.training_jobs.statuses import TERMINAL, TrainingJobPhase

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.training_jobs.models import TrainingJob
    from airflow_provider_modelarts.api.training_jobs.operations import TrainingJobs
    from airflow_provider_modelarts.operators.training_job_names import TrainingJobNames
    from airflow_provider_modelarts.waiting.wait import Log

SEARCH_PAUSES: Final = (2.0, 4.0, 8.0, 16.0)
"""Seconds between searches for a job that must exist. A search may miss a new job for half a minute."""

QUOTA_PAUSE: Final = 60.0
"""Seconds until a job that a quota has refused is submitted again."""


class OwnTrainingJobs:
    """
    The training jobs of one task instance.

    :param jobs: the operations on training jobs
    :param names: the names of its jobs
    :param is_wanted: whether the task goes on with a job that an earlier try has created
    :param clock: what pauses are measured by
    """

    def __init__(
        self,
        jobs: TrainingJobs,
        names: TrainingJobNames,
        log: Log,
        *,
        is_wanted: Callable[[TrainingJob], bool],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._jobs = jobs
        self._names = names
        self._log = log
        self._is_wanted = is_wanted
        self._clock = clock
        self._found: dict[tuple[int, int], TrainingJob] = {}

    def find(self) -> list[TrainingJob]:
        """Find the jobs that earlier tries have created, and return those that must end before another is created."""
        named = Filter("name", "like", (self._names.stem,))
        found = ((self._names.parse(job.job_name), job) for job in self._jobs.search(filters=[named]))
        self._found = {key: job for key, job in found if key is not None}
        latest = self.latest()
        return [job for job in self._found.values() if job.phase not in TERMINAL and job is not latest]

    def latest(self) -> TrainingJob | None:
        """Return the job of this round to go on with; None if the task needs another."""
        job = self._found.get((self._names.round, self._last_number()))
        return job if job is not None and self._is_wanted(job) else None

    def create(
        self, body: Callable[[str], Mapping[str, Any]], *, max_pending: float | None, check: Callable[[], object]
    ) -> TrainingJob:
        """
        Create the next job of this round, and return it. A job that an earlier try has created by then is returned.

        :param body: returns the body of the request for a name
        :param max_pending: seconds for which a job that a quota refuses is submitted again; None for not at all
        :param check: called before each request; raises an error if the task must not create a job any more
        :raises ModelArtsQuotaError: a quota has refused the job for that long
        :raises ModelArtsNameTakenError: the name is taken by a job that cannot be found
        """
        for number in count(self._last_number() + 1):
            name = self._names.name(number)
            try:
                job = self._submit(body(name), max_pending=max_pending, check=check)
                self._log.log(logging.INFO, "Created training job %s (%s)", job.job_id, job.job_name)
            except ModelArtsNameTakenError:
                job = self._find_late(name)
                self._log.log(
                    logging.INFO, "Training job %s (%s), of an earlier try, is %s", job.job_id, job.job_name, job.phase
                )
            if self._is_wanted(job):
                return job
        raise AssertionError("unreachable")

    def _last_number(self) -> int:
        return max((number for round_, number in self._found if round_ == self._names.round), default=0)

    def _submit(
        self, body: Mapping[str, Any], *, max_pending: float | None, check: Callable[[], object]
    ) -> TrainingJob:
        deadline = self._clock.monotonic() + (max_pending or 0.0)
        while True:
            check()
            try:
                return self._jobs.create(body)
            except ModelArtsQuotaError as error:
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    raise
                pause = min(QUOTA_PAUSE, left)
                self._log.log(logging.WARNING, "Submitting the training job again in %.0f s. %s", pause, error)
            self._clock.sleep(pause)

    def _find_late(self, name: str) -> TrainingJob:
        """Return the job that has a name, although a search may not show it yet."""
        for pause in SEARCH_PAUSES:
            if (job := self._jobs.find(name)) is not None:
                return job
            self._clock.sleep(pause)
        if (job := self._jobs.find(name)) is not None:
            return job
        raise ModelArtsNameTakenError(
            f"The name {name} is taken, but no training job of this name can be found. If the job was just deleted, or "
            "is in another workspace, clear the task: it then uses another name."
        )


def needs_another(phase: TrainingJobPhase | str, *, is_server: bool) -> bool:
    """
    Return whether a task whose job is in a phase needs another job.

    :param is_server: whether the job serves until it is stopped, so that a completed one is no success
    """
    is_success = phase == TrainingJobPhase.COMPLETED and not is_server
    return phase in (*TERMINAL, TrainingJobPhase.TERMINATING) and not is_success
