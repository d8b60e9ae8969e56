"""
Visualization jobs, which follow scripts, and what may be done to them in which status.

A script is a list of steps: (seconds after the step before, status code or "gone"). As text it is ``status:seconds``,
joined by commas: ``1:0,4:2,7:3,8:10`` is the script of a job that starts well. Wherever a script is expected, such a
text or a name in :data:`SCRIPTS` will do.
"""

from __future__ import annotations

import math
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from typing import Any, Final, Literal

from airflow_provider_modelarts.api.models import ENDED, FAILED, JobStatus

GONE: Final = "gone"
"""The step after which the job does not exist."""

Step = tuple[float, "int | Literal['gone']"]
Script = tuple[Step, ...]

_SUBMITTED: Final[Script] = ((0, 1), (2, 4))
_QUEUED: Final[Script] = (*_SUBMITTED, (3, 7))
_RUNNING: Final[Script] = (*_QUEUED, (10, 8))

SCRIPTS: Final[dict[str, Script]] = {
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

STOP: Final[Script] = ((0, 9), (5, 12))
DELETE: Final[Script] = ((0, 9), (5, GONE))
RESTART: Final[Script] = ((2, 1), *_RUNNING[1:])
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


def parse_script(text: str) -> Script:
    """
    Return the script of a name or a text.

    :raises ValueError: it is not a script
    """
    if text in SCRIPTS:
        return SCRIPTS[text]
    if ":" not in text:
        raise ValueError(f"no script is named {text!r}; there are {', '.join(SCRIPTS)}, or write status:seconds,...")
    return tuple(_parse_step(step.strip()) for step in text.split(","))


def _parse_step(text: str) -> Step:
    status, _, seconds = text.partition(":")
    try:
        delay = float(seconds)
        if not 0 <= delay < math.inf:
            raise ValueError(seconds)
        return delay, GONE if status == GONE else int(status)
    except ValueError:
        raise ValueError(f"not a step of a script (status:seconds or gone:seconds): {text!r}") from None


class ScriptRules:
    """The script of a new job by its name: an exact rule comes first, then the newest pattern that fits."""

    def __init__(self) -> None:
        self.by_name: dict[str, str] = {}

    def add(self, name: str, script: str) -> None:
        """Set the script of all jobs of this name that are created from now on; ValueError if it is invalid."""
        parse_script(script)
        self.by_name.pop(name, None)
        self.by_name[name] = script

    def script_for(self, job_name: str) -> str:
        """Return the script for a new job."""
        if job_name in self.by_name:
            return self.by_name[job_name]
        return next((self.by_name[name] for name in reversed(self.by_name) if fnmatchcase(job_name, name)), "normal")


class StateConflict(Exception):
    """The job's status does not allow the operation. The message is the API's own, grammar included."""

    def __init__(self, verb: str, status: int) -> None:
        super().__init__(f"This job can't be {verb}. job status: {status}")


@dataclass(kw_only=True, eq=False)
class Job:
    """
    A visualization job. Nothing moves it by itself: :meth:`settle` brings it up to date.

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
    _steps: deque[tuple[float, int | str]] = field(default_factory=deque, repr=False)
    _due: float = field(default=math.inf, repr=False)
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
        """Return the seconds until auto stop; None if nothing will stop the job."""
        return None if self._auto_stop_at == math.inf else self._auto_stop_at - now

    def follow(self, script: Script, now: float) -> None:
        """Follow this script from now on, instead of the rest of the one before."""
        self._steps.clear()
        due = now
        for delay, status in script:
            due += delay
            self._steps.append((due, status))
        self._find_due()
        self.settle(now)

    def settle(self, now: float) -> None:
        """Take all steps that are due."""
        while self._due <= now:
            if self._auto_stop_at <= self._due:
                due, self._auto_stop_at = self._auto_stop_at, math.inf
                self.follow(STOP, due)
            else:
                due, status = self._steps.popleft()
                self._enter(status, due)
                self._find_due()

    def stop(self, now: float) -> None:
        """Start to stop; StateConflict if the status does not allow it."""
        self._require(self.status in STOPPABLE, "stop")
        self.follow(STOP, now)

    def restart(self, now: float) -> None:
        """Start again, by the normal script; StateConflict if the status does not allow it."""
        self._require(self.status in RESTARTABLE, "resubmit")
        self.follow(RESTART, now)

    def delete(self, now: float) -> None:
        """Start to go away; StateConflict if the status does not allow it."""
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


class VisualizationJobs:
    """
    All jobs of the project, by ID and by name, and the scripts of new ones.

    A job is brought up to date when somebody asks for it. A job that is gone by then is dropped.

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
        self.rules = ScriptRules()
        for name, script in scripts.items():
            self.rules.add(name, script)

    def create(
        self, job_name: str | None = None, *, script: str | None = None, status: int | None = None, **fields: Any
    ) -> Job:
        """
        Create a job.

        :param job_name: a unique name; by default, made from the job's ID
        :param script: name or text of the script that it follows; by default, the script for its name
        :param status: any status code, in which the job stays, instead of a script
        :param fields: more fields of :class:`Job`
        :raises ValueError: the name is taken, or the script is invalid
        """
        job_id = next(self._new_ids)
        name = job_name or f"job-{job_id}"
        if self.named(name):
            raise ValueError(f"there is a job named {name!r} already")
        steps = parse_script(script or self.rules.script_for(name)) if status is None else ((0, status),)
        job = Job(job_id=job_id, job_name=name, create_time=self._server_time(), **fields)
        self._jobs[str(job_id)] = job
        self._ids[name] = str(job_id)
        job.follow(steps, self._job_time())
        return job

    def get(self, job_id: int | str) -> Job:
        """
        Return a job.

        :raises KeyError: there is no such job
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
        """Put a job into a status, in which it stays until an operation moves it on; KeyError if there is none."""
        self.get(job_id).follow(((0, status),), self._job_time())

    def set_script(self, job_id: int | str, script: str) -> None:
        """Let a job follow another script; KeyError if there is no such job, ValueError if the script is invalid."""
        self.get(job_id).follow(parse_script(script), self._job_time())

    def remove(self, job_id: int | str) -> None:
        """Let a job vanish at once; KeyError if there is no such job."""
        self._drop(self.get(job_id))

    def _drop(self, job: Job) -> None:
        del self._jobs[str(job.job_id)]
        del self._ids[job.job_name]
