"""Visualization jobs that move along their scripts, and the rules of what may be done to them in which status."""

from __future__ import annotations

import math
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from operator import attrgetter
from typing import Final

from airflow_provider_modelarts.api.models import ENDED, FAILED, JobStatus
from airflow_provider_modelarts.emulator.scripts import DELETE, GONE, RESTART, STOP, Script

FIRST_JOB_ID: Final = 1001

STOPPABLE: Final = frozenset(
    {
        JobStatus.INIT,
        JobStatus.IMAGE_CREATING,
        JobStatus.SUBMIT_TRYING,
        JobStatus.WAITING,
        JobStatus.RUNNING,
        JobStatus.SCALING,
    }
)
RESTARTABLE: Final = frozenset(
    {
        JobStatus.IMAGE_FAILED,
        JobStatus.SUBMIT_FAILED,
        JobStatus.COMPLETED,
        JobStatus.FAILED,
        JobStatus.KILLED,
        JobStatus.CANCELED,
        JobStatus.LOST,
        JobStatus.MOUNT_FAILED,
    }
)
_OVER: Final = ENDED | FAILED
_DEPLOYED: Final = frozenset({JobStatus.WAITING, JobStatus.RUNNING})


class StateConflict(Exception):
    """The status of the job does not allow the operation. The message is the API's own, grammar included."""

    def __init__(self, verb: str, status: int) -> None:
        super().__init__(f"This job can't be {verb}. job status: {status}")


@dataclass(kw_only=True, eq=False)
class Job:
    """
    A visualization job. Its status is brought up to date by :meth:`settle`, not by a task of its own.

    :param create_time: seconds since the epoch
    :param auto_stop_hours: hours of running after which the job is stopped; 0 for never
    :param has_service_url: whether the URL is known yet; it is before the job runs, as with the real API
    """

    job_id: int
    job_name: str
    train_url: str
    job_desc: str = ""
    job_type: str = "tensorboard"
    workspace_id: str = "0"
    auto_stop_hours: int = 0
    create_time: float
    resource_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: int = JobStatus.INIT
    has_service_url: bool = False
    gone: bool = False
    _steps: deque[tuple[float, int | str]] = field(default_factory=deque, repr=False)
    _due: float = field(default=math.inf, repr=False)
    _running_since: float | None = field(default=None, repr=False)
    _ran: float = field(default=0.0, repr=False)
    _auto_stop_at: float = field(default=math.inf, repr=False)

    @property
    def active(self) -> bool:
        """Whether the job is running or may come to run."""
        return self.status not in _OVER

    def duration(self, now: float) -> float:
        """Return for how many seconds the job has been running."""
        return self._ran + (0.0 if self._running_since is None else now - self._running_since)

    def remaining(self, now: float) -> float | None:
        """Return the seconds until auto stop; None when nothing will stop the job."""
        return None if self._auto_stop_at == math.inf else self._auto_stop_at - now

    def follow(self, script: Script, now: float) -> None:
        """Take this path from now on, instead of what was left of the one before."""
        self._steps.clear()
        due = now
        for delay, status in script:
            due += delay
            self._steps.append((due, status))
        self._find_due()
        self.settle(now)

    def settle(self, now: float) -> None:
        """Take all steps that were due until now."""
        while self._due <= now:
            if self._auto_stop_at <= self._due:
                due, self._auto_stop_at = self._auto_stop_at, math.inf
                self.follow(STOP, due)
            else:
                due, status = self._steps.popleft()
                self._enter(status, due)
                self._find_due()

    def stop(self, now: float) -> None:
        """Begin to stop; StateConflict when the status does not allow it, here and below."""
        self._require(self.status in STOPPABLE, "stop")
        self.follow(STOP, now)

    def restart(self, now: float) -> None:
        """Start again, along the normal path."""
        self._require(self.status in RESTARTABLE, "resubmit")
        self.follow(RESTART, now)

    def delete(self, now: float) -> None:
        """Begin to go away."""
        self._require(self.status != JobStatus.KILLING, "delete")
        self.follow(DELETE, now)

    def _require(self, allowed: bool, verb: str) -> None:
        if not allowed:
            raise StateConflict(verb, self.status)

    def _find_due(self) -> None:
        self._due = min(self._steps[0][0] if self._steps else math.inf, self._auto_stop_at)

    def _enter(self, status: int | str, at: float) -> None:
        if status == GONE:
            self.gone = True
            self._steps.clear()
            self._auto_stop_at = math.inf
            return
        self.status = int(status)
        if self.status in _DEPLOYED:
            self.has_service_url = True
        if self.status == JobStatus.INIT:
            self._ran = 0.0
        if self.status == JobStatus.RUNNING:
            self._run(at)
        else:
            self._halt(at)

    def _run(self, at: float) -> None:
        if self._running_since is None:
            self._running_since = at
            if self.auto_stop_hours:
                self._auto_stop_at = at + self.auto_stop_hours * 3600

    def _halt(self, at: float) -> None:
        if self._running_since is not None:
            self._ran += at - self._running_since
            self._running_since = None
            self._auto_stop_at = math.inf


class JobStore:
    """All jobs of the project, by id and by name. What is gone is dropped when it is looked at."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._ids: dict[str, str] = {}
        self._new_ids = count(FIRST_JOB_ID)

    def next_id(self) -> int:
        """Return the id for a new job; ids are never used again."""
        return next(self._new_ids)

    def add(self, job: Job) -> None:
        """Add a job; its name must be free (see :meth:`named`)."""
        self._jobs[str(job.job_id)] = job
        self._ids[job.job_name] = str(job.job_id)

    def get(self, job_id: str, now: float) -> Job | None:
        """Return the job as it is now; None when there is none."""
        job = self._jobs.get(job_id)
        if job is None:
            return None
        job.settle(now)
        if job.gone:
            self.drop(job)
            return None
        return job

    def named(self, job_name: str, now: float) -> Job | None:
        """Return the job of this exact name as it is now; None when there is none."""
        job_id = self._ids.get(job_name)
        return None if job_id is None else self.get(job_id, now)

    def all(self, now: float) -> list[Job]:
        """Return all jobs as they are now, oldest first."""
        for job in self._jobs.values():
            job.settle(now)
        for job in [job for job in self._jobs.values() if job.gone]:
            self.drop(job)
        return list(self._jobs.values())

    def drop(self, job: Job) -> None:
        """Forget a job."""
        del self._jobs[str(job.job_id)]
        del self._ids[job.job_name]


def select(
    jobs: Iterable[Job],
    *,
    workspace_id: str,
    statuses: frozenset[int] = frozenset(),
    search_content: str = "",
    sort_by: str = "job_id",
    descending: bool = False,
) -> list[Job]:
    """Return the jobs that fit, sorted; those that sort alike stay as they came. No statuses means every status."""
    fitting = [
        job
        for job in jobs
        if job.workspace_id == workspace_id
        and (not statuses or job.status in statuses)
        and (search_content in job.job_name or search_content in job.job_desc)
    ]
    fitting.sort(key=attrgetter(sort_by), reverse=descending)
    return fitting
