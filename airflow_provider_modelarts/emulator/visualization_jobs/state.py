"""Visualization jobs, which follow scripts, and the operations that each status allows."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from airflow_provider_modelarts.api.visualization_jobs.statuses import ENDED, FAILED, JobStatus
from airflow_provider_modelarts.emulator.scripts import GONE, Script, Scripts, Timeline

_SUBMITTED: Final[Script[int]] = ((0, 1), (2, 4))
_QUEUED: Final[Script[int]] = (*_SUBMITTED, (3, 7))
_RUNNING: Final[Script[int]] = (*_QUEUED, (10, 8))

SCRIPTS: Final[dict[str, Script[int]]] = {
    "normal": _RUNNING,
    "hangs": _QUEUED,
    "fails": (*_QUEUED, (10, 11)),
    "image-fails": ((0, 1), (2, 2), (10, 3)),
    "submit-fails": (*_SUBMITTED, (3, 5)),
    "mount-fails": (*_QUEUED, (10, 22)),
    "canceled": (*_QUEUED, (10, 13)),
    "vanishes": (*_QUEUED, (10, GONE)),
    "unknown": (*_SUBMITTED, (3, 42), (10, 8)),
    "completes": (*_RUNNING, (60, 10)),
    "lost": (*_RUNNING, (60, 14)),
}
"""Scripts by name."""

STOP: Final[Script[int]] = ((0, 9), (5, 12))
DELETE: Final[Script[int]] = ((0, 9), (5, GONE))
RESTART: Final[Script[int]] = ((2, 1), *_RUNNING[1:])
"""The scripts of the operations. After a restart a job keeps its old status for 2 s, as the real API seems to do."""


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
    """The job's status does not allow the operation. The message is the API's own, including its grammar."""

    def __init__(self, verb: str, status: int) -> None:
        super().__init__(f"This job can't be {verb}. job status: {status}")


@dataclass(kw_only=True, eq=False)
class Job:
    """
    A visualization job. It changes only when :meth:`settle` brings it up to date.

    :param create_time: seconds since the epoch
    :param auto_stop_hours: hours of running after which the job is stopped; 0 for never
    :param has_service_url: whether the URL is known; as with the real API, it is known before the job runs
    """

    job_id: int
    job_name: str
    train_url: str = "/bucket/logs/"
    job_desc: str = ""
    job_type: str = "tensorboard"
    workspace_id: str = "0"
    auto_stop_hours: int = 0
    create_time: float
    resource_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: int = JobStatus.INIT
    has_service_url: bool = False
    gone: bool = False
    _timeline: Timeline[int] = field(default_factory=Timeline, repr=False)
    _running_since: float | None = field(default=None, repr=False)
    _ran: float = field(default=0.0, repr=False)
    _auto_stop_at: float = field(default=math.inf, repr=False)

    @property
    def active(self) -> bool:
        """Whether the job is running or may start to run."""
        return self.status not in _OVER

    def duration(self, now: float) -> float:
        """Return the seconds that the job has been running."""
        return self._ran + (0.0 if self._running_since is None else now - self._running_since)

    def remaining(self, now: float) -> float | None:
        """Return the seconds until auto stop; None if there is none."""
        return None if self._auto_stop_at == math.inf else self._auto_stop_at - now

    def follow(self, script: Script[int], now: float) -> None:
        """Follow this script from now on, instead of the current one."""
        self._timeline.follow(script, now)
        self.settle(now)

    def settle(self, now: float) -> None:
        """Apply all steps that are due."""
        while min(self._timeline.due, self._auto_stop_at) <= now:
            if self._auto_stop_at <= self._timeline.due:
                due, self._auto_stop_at = self._auto_stop_at, math.inf
                self.follow(STOP, due)
            else:
                self._enter(*self._timeline.take())

    def stop(self, now: float) -> None:
        """Begin to stop; raises StateConflict if the status does not allow it."""
        self._require(self.status in STOPPABLE, "stop")
        self.follow(STOP, now)

    def restart(self, now: float) -> None:
        """Start again, with the script ``normal``; raises StateConflict if the status does not allow it."""
        self._require(self.status in RESTARTABLE, "resubmit")
        self.follow(RESTART, now)

    def delete(self, now: float) -> None:
        """Begin the deletion; raises StateConflict if the status does not allow it."""
        self._require(self.status != JobStatus.KILLING, "delete")
        self.follow(DELETE, now)

    def _require(self, allowed: bool, verb: str) -> None:
        if not allowed:
            raise StateConflict(verb, self.status)

    def _enter(self, at: float, status: int | str) -> None:
        if status == GONE:
            self.gone = True
            self._timeline.follow((), at)
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


class VisualizationJobs:
    """
    All jobs of the project, by ID and by name, and the scripts of new ones.

    A job is brought up to date when it is read. If it is gone by then, it is dropped.

    :param job_time: returns the time in which jobs move, in seconds
    :param server_time: returns the server's time, seconds since the epoch
    :param scripts: script by job name or pattern
    """

    def __init__(
        self, job_time: Callable[[], float], server_time: Callable[[], float], scripts: Mapping[str, str]
    ) -> None:
        self._job_time = job_time
        self._server_time = server_time
        self._jobs: dict[str, Job] = {}
        self._ids: dict[str, str] = {}
        self._new_ids = count(FIRST_JOB_ID)
        self.scripts = Scripts(SCRIPTS, int, scripts)

    def create(
        self, job_name: str | None = None, *, script: str | None = None, status: int | None = None, **fields: Any
    ) -> Job:
        """
        Create a job.

        :param job_name: a unique name; by default, made from the job's ID
        :param script: name or text of the script that it follows; by default, the script for its name
        :param status: any status code, in which the job stays; replaces the script
        :param fields: more fields of :class:`Job`
        :raises ValueError: the name is taken, or the script is invalid
        """
        job_id = next(self._new_ids)
        name = job_name or f"job-{job_id}"
        if self.named(name):
            raise ValueError(f"there is a job named {name!r} already")
        if status is not None:
            steps: Script[int] = ((0, status),)
        else:
            steps = self.scripts.parse(script) if script else self.scripts.script_for(name)
        job = Job(job_id=job_id, job_name=name, create_time=self._server_time(), **fields)
        self._jobs[str(job_id)] = job
        self._ids[name] = str(job_id)
        job.follow(steps, self._job_time())
        return job

    def get(self, job_id: int | str) -> Job:
        """
        Return a job.

        :raises KeyError: the job does not exist
        """
        job = self._jobs.get(str(job_id))
        if job is not None:
            job.settle(self._job_time())
            if job.gone:
                self._drop(job)
        if job is None or job.gone:
            raise KeyError(f"no job {job_id}")
        return job

    def named(self, job_name: str) -> Job | None:
        """Return the job of this exact name; None if there is none."""
        try:
            return self.get(self._ids[job_name])
        except KeyError:
            return None

    def all(self) -> list[Job]:
        """Return all jobs, oldest first."""
        for job in list(self._jobs.values()):
            job.settle(self._job_time())
            if job.gone:
                self._drop(job)
        return list(self._jobs.values())

    def set_status(self, job_id: int | str, status: int) -> None:
        """Set the status that a job keeps until an operation changes it; raises KeyError if the job does not exist."""
        self.get(job_id).follow(((0, status),), self._job_time())

    def set_script(self, job_id: int | str, script: str) -> None:
        """Make a job follow another script; raises KeyError for an unknown job, ValueError for an invalid script."""
        self.get(job_id).follow(self.scripts.parse(script), self._job_time())

    def remove(self, job_id: int | str) -> None:
        """Remove a job at once; raises KeyError if the job does not exist."""
        self._drop(self.get(job_id))

    def _drop(self, job: Job) -> None:
        del self._jobs[str(job.job_id)]
        del self._ids[job.job_name]
