"""The emulated cloud: jobs, credentials, faults and requests. No HTTP in it; its public methods are thread-safe."""

from __future__ import annotations

import copy
import functools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from airflow_provider_modelarts.emulator.clock import JobClock
from airflow_provider_modelarts.emulator.faults import OPERATIONS, Fault, FaultPlan
from airflow_provider_modelarts.emulator.jobs import Job, JobStore
from airflow_provider_modelarts.emulator.options import Options
from airflow_provider_modelarts.emulator.requestlog import RequestLog, RequestRecord
from airflow_provider_modelarts.emulator.scripts import ScriptRules, parse_script
from airflow_provider_modelarts.emulator.tokens import TokenStore

MAX_FAILURES: Final = 5
LOCK_SECONDS: Final = 5 * 60

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _locked(method: Callable[Concatenate[Any, _P], _R]) -> Callable[Concatenate[Any, _P], _R]:
    """Let a method run alone: the server's thread and the test's share everything here."""

    @functools.wraps(method)
    def run(self: Cloud, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with self.lock:
            return method(self, *args, **kwargs)

    return run


class AccessKeyLock:
    """Refuses the access key for a while after more than MAX_FAILURES failures in a row, as the gateway does."""

    def __init__(self) -> None:
        self._failures = 0
        self._locked_until = 0.0

    def is_locked(self, now: float) -> bool:
        """Tell whether the key is refused at this time, in seconds since the epoch."""
        return now < self._locked_until

    def failed(self, now: float) -> None:
        """Count a failure."""
        self._failures += 1
        if self._failures > MAX_FAILURES:
            self._failures = 0
            self._locked_until = now + LOCK_SECONDS

    def succeeded(self) -> None:
        """Begin to count anew."""
        self._failures = 0


@dataclass(kw_only=True, eq=False)
class Cloud(Options):
    """
    An account with one project, and everything in it.

    The methods are for tests; the attributes are for this package, whose handlers hold the lock while they run.
    """

    def __post_init__(self) -> None:
        unknown = set(self.deny) - set(OPERATIONS)
        if unknown:
            raise ValueError(
                f"deny: no such operation: {', '.join(sorted(unknown))}; there are {', '.join(OPERATIONS)}"
            )
        self.lock = threading.RLock()
        self.clock = JobClock(self.time_scale)
        self.job_store = JobStore()
        self.tokens = TokenStore()
        self.access_key_lock = AccessKeyLock()
        self.fault_plan = FaultPlan()
        self.request_log = RequestLog()
        self.rules = ScriptRules()
        for name, script in (self.scripts or {}).items():
            self.rules.add(name, script)

    def now(self) -> float:
        """Return this server's time, seconds since the epoch."""
        return time.time() + self.clock_offset

    @_locked
    def create_job(
        self,
        job_name: str | None = None,
        *,
        train_url: str = "/bucket/logs/",
        job_desc: str = "",
        job_type: str = "tensorboard",
        workspace_id: str = "0",
        auto_stop_hours: int = 0,
        script: str | None = None,
        status: int | None = None,
    ) -> str:
        """
        Put a job in place, past the API: no quota, no limits on its fields.

        :param job_name: unique; made from the job's id by default
        :param auto_stop_hours: hours of running after which the job is stopped; 0 for never
        :param script: name or text of the path it takes (see :mod:`.scripts`); by the rules of its name by default
        :param status: any status code, to stay in, instead of a script
        :return: its id
        :raises ValueError: the name is taken, or the script is none
        """
        now = self.clock.now()
        job_id = self.job_store.next_id()
        name = job_name or f"job-{job_id}"
        if self.job_store.named(name, now):
            raise ValueError(f"there is a job named {name!r} already")
        path = parse_script(script or self.rules.script_for(name)) if status is None else ((0, status),)
        job = Job(
            job_id=job_id,
            job_name=name,
            train_url=train_url,
            job_desc=job_desc,
            job_type=job_type,
            workspace_id=workspace_id,
            auto_stop_hours=auto_stop_hours,
            create_time=self.now(),
        )
        self.job_store.add(job)
        job.follow(path, now)
        return str(job_id)

    @_locked
    def set_status(self, job_id: int | str, status: int) -> None:
        """
        Put a job into a status, any number, where it stays until an operation moves it on.

        :raises KeyError: there is no such job
        """
        self._job(job_id).follow(((0, status),), self.clock.now())

    @_locked
    def set_script(self, job_id: int | str, script: str) -> None:
        """
        Let a job take another path from now on.

        :raises KeyError: there is no such job
        :raises ValueError: it is no script
        """
        self._job(job_id).follow(parse_script(script), self.clock.now())

    @_locked
    def remove_job(self, job_id: int | str) -> None:
        """Let a job vanish at once; KeyError when there is no such job."""
        self.job_store.drop(self._job(job_id))

    @_locked
    def job(self, job_id: int | str) -> Job:
        """Return a copy of a job as it is now; KeyError when there is no such job."""
        return copy.copy(self._job(job_id))

    @property
    def jobs(self) -> dict[str, Job]:
        """Copies of all jobs as they are now, by id."""
        with self.lock:
            return {str(job.job_id): copy.copy(job) for job in self.job_store.all(self.clock.now())}

    @_locked
    def add_script_rule(self, name: str, script: str) -> None:
        """Let all jobs of this name (or pattern, ``will-fail-*``) that are created from now on take this path."""
        self.rules.add(name, script)

    @_locked
    def script_rules(self) -> dict[str, str]:
        """Return the script of each name that has one."""
        return dict(self.rules.rules)

    @_locked
    def clear_script_rules(self) -> None:
        """Let new jobs take the normal path again."""
        self.rules.rules.clear()

    @_locked
    def advance(self, seconds: float) -> None:
        """Move the clock of the jobs forward at once; ValueError when negative."""
        self.clock.advance(seconds)

    @_locked
    def inject(self, fault: Fault) -> None:
        """Let requests fail from now on."""
        self.fault_plan.add(fault)

    @_locked
    def faults(self) -> list[Fault]:
        """Return the faults that can still happen."""
        return self.fault_plan.pending()

    @_locked
    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self.fault_plan.clear()

    @_locked
    def request_counts(self) -> dict[str, int]:
        """Return how many requests have arrived, by operation (see :class:`.RequestRecord`)."""
        return dict(self.request_log.counts)

    @_locked
    def requests(self) -> list[RequestRecord]:
        """Return the newest requests, oldest first."""
        return [replace(record) for record in self.request_log.records]

    @_locked
    def clear_requests(self) -> None:
        """Begin to count requests anew."""
        self.request_log.clear()

    @_locked
    def expire_tokens(self) -> None:
        """Let every token that was issued so far be refused."""
        self.tokens.expire_all(self.now())

    def _job(self, job_id: int | str) -> Job:
        job = self.job_store.get(str(job_id), self.clock.now())
        if job is None:
            raise KeyError(f"no job {job_id}")
        return job
