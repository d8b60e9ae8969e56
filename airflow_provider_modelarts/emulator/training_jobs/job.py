"""A training job, which follows a script: its phases, runs, logs and events."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

from airflow_provider_modelarts.api.training_jobs.statuses import TERMINAL
from airflow_provider_modelarts.emulator.scripts import GONE, Script, Timeline

RESTARTED: Final = "Restarted"
"""A step at which the job's processes restart; the phase stays Running."""

_QUEUED: Final[Script[str]] = ((0, "Creating"), (2, "Pending"))
_RUNNING: Final[Script[str]] = (*_QUEUED, (3, "Running"))

SCRIPTS: Final[dict[str, Script[str]]] = {
    "normal": (*_RUNNING, (60, "Completed")),
    "runs": _RUNNING,
    "hangs": _QUEUED,
    "fails": (*_RUNNING, (10, "Failed")),
    "killed": (*_RUNNING, (10, "Failed=137")),
    "abnormal": ((0, "Creating"), (3, "Abnormal")),
    "terminated": (*_RUNNING, (10, "Terminating"), (5, "Terminated")),
    "rescheduled": (*_RUNNING, (10, "Pending"), (20, "Running"), (60, "Completed")),
    "restarts": (*_RUNNING, (10, RESTARTED), (60, "Completed")),
    "vanishes": (*_RUNNING, (10, GONE)),
    "unknown": (*_QUEUED, (3, "Hibernating"), (10, "Running"), (60, "Completed")),
}
"""Scripts by name. ``Failed=137`` is the phase Failed with an exit code; without one it is 1."""

TERMINATE: Final[Script[str]] = ((0, "Terminating"), (5, "Terminated"))
DELETE_DELAY: Final = 5
"""Seconds for which a deleted job is still there."""

TERMINABLE: Final = frozenset({"Creating", "Pending", "Running"})
MAX_STEPS: Final = 100_000
"""Number of training steps in a log, one for each second of running."""

_EVENTS: Final = {
    "Creating": ("Info", "Training job created."),
    "Pending": ("Info", "Training job is queuing."),
    "Running": ("Info", "Training started."),
    "Terminating": ("Info", "Training job is being terminated."),
    "Completed": ("Info", "Training job completed."),
    "Failed": ("Error", "Training job failed."),
    "Terminated": ("Info", "Training job terminated."),
    "Abnormal": ("Error", "Failed to create the training job."),
}


@dataclass
class Run:
    """One run of a job, in seconds since the epoch."""

    start: float
    start_type: str
    end: float | None = None
    end_reason: str = ""
    end_recover: str = ""


@dataclass
class Event:
    """
    An event of a job.

    :param time: seconds since the epoch
    """

    time: float
    level: str
    message: str
    source: str = "Job"


@dataclass(kw_only=True, eq=False)
class TrainingJob:
    """
    A training job. It changes only when :meth:`settle` brings it up to date.

    :param body: what it was created with
    :param create_time: seconds since the epoch
    :param created_at: the same, in seconds of the job clock
    :param token: the secret in its endpoints
    :param exit_code: exit code of its first failed task; None if none failed
    :param utilization: percent of its accelerators that are in use
    """

    job_id: str
    body: dict[str, Any]
    create_time: float
    created_at: float
    token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    phase: str = "Creating"
    exit_code: int | None = None
    utilization: float = 75.0
    gone: bool = False
    events: list[Event] = field(default_factory=list, repr=False)
    runs: list[Run] = field(default_factory=list, repr=False)
    _timeline: Timeline[str] = field(default_factory=Timeline, repr=False)
    _running_since: float | None = field(default=None, repr=False)
    _ran: float = field(default=0.0, repr=False)
    _logs: dict[str, list[int | str]] = field(default_factory=dict, repr=False)
    """By task: lines, and how many steps of the training come before them."""
    _auto_stop_at: float = field(default=math.inf, repr=False)

    @property
    def job_name(self) -> str:
        """Its unique name."""
        return str(self.body["metadata"]["name"])

    @property
    def workspace_id(self) -> str:
        """ID of its workspace."""
        return str(self.body["metadata"].get("workspace_id", "0"))

    @property
    def tasks(self) -> list[str]:
        """Names of its tasks; none before its first run."""
        return list(self._logs)

    @property
    def active(self) -> bool:
        """Whether it is running or may start to run."""
        return self.phase not in TERMINAL

    @property
    def auto_stop_hours(self) -> int:
        """Hours of running after which it is terminated; 0 for never."""
        return int((self.body["spec"].get("auto_stop") or {}).get("duration", 0))

    def epoch(self, at: float) -> float:
        """Convert a time of the job clock to seconds since the epoch."""
        return self.create_time + at - self.created_at

    def duration(self, now: float) -> float:
        """Return the seconds that the job has been running."""
        return self._ran + (0.0 if self._running_since is None else now - self._running_since)

    def log(self, task: str, now: float) -> list[str]:
        """Return the lines of a task's log; KeyError if there is no such task."""
        lines: list[str] = []
        steps = 0
        for entry in (*self._logs[task], self._steps(now)):
            if isinstance(entry, str):
                lines.append(entry)
            else:
                lines += (f"INFO step {step}: loss {1 / step:.4f}" for step in range(steps + 1, entry + 1))
                steps = entry
        return lines

    def write_log(self, task: str, now: float, *lines: str) -> None:
        """Append lines to the log of a task."""
        self._logs.setdefault(task, []).extend((self._steps(now), *lines))

    def follow(self, script: Script[str], now: float) -> None:
        """Follow this script from now on, instead of the current one."""
        self._timeline.follow(script, now)
        self.settle(now)

    def settle(self, now: float) -> None:
        """Apply all steps that are due."""
        while min(self._timeline.due, self._auto_stop_at) <= now:
            if self._auto_stop_at <= self._timeline.due:
                self._stop_automatically()
            else:
                self._enter(*self._timeline.take())

    def terminate(self, now: float) -> bool:
        """Begin to stop, and return whether the phase allows it."""
        allowed = self.phase in TERMINABLE
        if allowed:
            self.follow(TERMINATE, now)
        return allowed

    def delete(self, now: float) -> None:
        """Begin the deletion, which stops a running job."""
        self.follow((*(TERMINATE[:1] if self.active else ()), (DELETE_DELAY, GONE)), now)

    def _stop_automatically(self) -> None:
        due, self._auto_stop_at = self._auto_stop_at, math.inf
        message = f"The training job has been stopped. (Maximum running duration: {self.auto_stop_hours} hours)"
        self.events.append(Event(self.epoch(due), "Warning", message))
        self.follow(TERMINATE, due)

    def _enter(self, at: float, status: str) -> None:
        if status == GONE:
            self.gone = True
            self._timeline.follow((), at)
            self._auto_stop_at = math.inf
            return
        phase, _, code = status.partition("=")
        if phase == RESTARTED:
            self._end_run(at, "", recover="proc_restart")
            self._start_run(at, "restarted")
            self.events.append(Event(self.epoch(at), "Warning", "The training processes have been restarted."))
            return
        if phase == "Failed":
            self.exit_code = int(code or 1)
        if phase == "Running":
            self._start_run(at, "init_or_rescheduled")
        elif self._running_since is not None:
            recover = "job_reschedule" if phase in ("Pending", "Creating") else ""
            self._end_run(at, self._end_reason(phase), recover)
        self.phase = phase
        level, message = _EVENTS.get(phase, ("Info", f"Training job is {phase}."))
        self.events.append(Event(self.epoch(at), level, message))

    def _end_reason(self, phase: str) -> str:
        if phase == "Failed":
            return f"exit with {self.exit_code}"
        return {"Completed": "job completed", "Terminating": "job terminated"}.get(phase, "node fault")

    def _start_run(self, at: float, start_type: str) -> None:
        if self._running_since is not None:
            return
        self._running_since = at
        self.runs.append(Run(self.epoch(at), start_type))
        if self.auto_stop_hours and self._auto_stop_at == math.inf:
            self._auto_stop_at = at + self.auto_stop_hours * 3600 - self._ran
        for index in range(int(self.body["spec"]["resource"].get("node_count", 1))):
            self.write_log(f"worker-{index}", at, f"{self._date(at)} [ModelArts Service Log]training start")

    def _end_run(self, at: float, reason: str, recover: str) -> None:
        if self._running_since is None:
            return
        if reason.startswith("exit with"):
            self.write_log("worker-0", at, *self.failure_message.splitlines())
            self.events.append(
                Event(self.epoch(at), "Error", f"Training finished. Exit code {self.exit_code}.", "Task")
            )
        for task in self.tasks:
            self.write_log(task, at, f"{self._date(at)} [ModelArts Service Log]training end: {reason or recover}")
        self._ran += at - self._running_since
        self._running_since = None
        self.runs[-1].end, self.runs[-1].end_reason, self.runs[-1].end_recover = self.epoch(at), reason, recover

    @property
    def failure_message(self) -> str:
        """The message of the first failed task: a traceback."""
        return (
            "Traceback (most recent call last):\n"
            '  File "/home/ma-user/modelarts/user-job-dir/code/train.py", line 42, in <module>\n'
            "    train()\n"
            f"RuntimeError: the emulated training failed with exit code {self.exit_code}"
        )

    def _steps(self, at: float) -> int:
        return min(int(self.duration(at)), MAX_STEPS)

    def _date(self, at: float) -> str:
        return f"{datetime.fromtimestamp(self.epoch(at), timezone.utc):%Y-%m-%d %H:%M:%S}"
