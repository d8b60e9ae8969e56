"""All training jobs of the project."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final

from airflow_provider_modelarts.api.training_jobs.statuses import TrainingJobPhase
from airflow_provider_modelarts.emulator.scripts import Script, Scripts
from airflow_provider_modelarts.emulator.training_jobs.job import SCRIPTS, TrainingJob


class TrainingJobs:
    """
    All training jobs of the project, by ID, and the scripts of new ones. Its methods are thread-safe.

    A job is brought up to date when it is read. If it is gone by then, it is dropped.

    :param lock: lock of the emulated account
    :param job_time: returns the time in which jobs move, in seconds
    :param server_time: returns the server's time, seconds since the epoch
    :param rules: script by job name or pattern
    """

    def __init__(
        self,
        lock: threading.RLock,
        job_time: Callable[[], float],
        server_time: Callable[[], float],
        rules: Mapping[str, str],
    ) -> None:
        self._lock = lock
        self._job_time = job_time
        self._server_time = server_time
        self._jobs: dict[str, TrainingJob] = {}
        self._ids: dict[str, str] = {}
        self.scripts = Scripts(SCRIPTS, parse_phase, rules)

    def create(
        self,
        job_name: str | None = None,
        *,
        script: str | None = None,
        phase: str | None = None,
        workspace_id: str = "0",
        node_count: int = 1,
        auto_stop_hours: int = 0,
        body: Mapping[str, Any] | None = None,
    ) -> TrainingJob:
        """
        Create a job without the API: neither quotas nor the limits of its fields apply.

        :param job_name: a unique name; by default, a random one
        :param script: name or text of the script that it follows (see :mod:`.scripts`); by default, the script for its
            name
        :param phase: any phase, in which the job stays; replaces the script
        :param auto_stop_hours: hours of running after which the job is terminated; 0 for never
        :param body: the body of the create request; replaces the other parameters
        :raises ValueError: the name is taken, or the script is invalid
        """
        with self._lock:
            job_id = str(uuid.uuid4())
            content: dict[str, Any] = (
                deepcopy(dict(body))
                if body is not None
                else {
                    "kind": "job",
                    "metadata": {"name": job_name or f"job-{job_id[:8]}", "workspace_id": workspace_id},
                    "algorithm": {"id": str(uuid.uuid4())},
                    "spec": {"resource": {"flavor_id": "modelarts.vm.cpu.2u", "node_count": node_count}},
                }
            )
            if auto_stop_hours:
                content["spec"]["auto_stop"] = {"time_unit": "HOURS", "duration": auto_stop_hours}
            name = content["metadata"]["name"]
            if self.named(name):
                raise ValueError(f"there is a training job named {name!r} already")
            if phase is not None:
                steps: Script[str] = ((0, parse_phase(phase)),)
            else:
                steps = self.scripts.parse(script) if script else self.scripts.script_for(name)
            now = self._job_time()
            job = TrainingJob(job_id=job_id, body=content, create_time=self._server_time(), created_at=now)
            self._jobs[job_id] = job
            self._ids[name] = job_id
            job.follow(steps, now)
            return job

    def get(self, job_id: str) -> TrainingJob:
        """
        Return a job.

        :raises KeyError: the job does not exist
        """
        with self._lock:
            job = self._jobs.get(job_id)
            if job is not None:
                job.settle(self._job_time())
                if job.gone:
                    self._drop(job)
            if job is None or job.gone:
                raise KeyError(f"no training job {job_id}")
            return job

    def named(self, job_name: str) -> TrainingJob | None:
        """Return the job of this exact name; None if there is none."""
        try:
            return self.get(self._ids[job_name])
        except KeyError:
            return None

    def all(self) -> list[TrainingJob]:
        """Return all jobs, oldest first."""
        with self._lock:
            now = self._job_time()
            for job in list(self._jobs.values()):
                job.settle(now)
                if job.gone:
                    self._drop(job)
            return list(self._jobs.values())

    def set_phase(self, job_id: str, phase: str) -> None:
        """Set the phase that a job keeps until an operation changes it; raises KeyError if the job does not exist."""
        with self._lock:
            self.get(job_id).follow(((0, parse_phase(phase)),), self._job_time())

    def set_script(self, job_id: str, script: str) -> None:
        """Make a job follow another script; raises KeyError for an unknown job, ValueError for an invalid script."""
        with self._lock:
            self.get(job_id).follow(self.scripts.parse(script), self._job_time())

    def write_log(self, job_id: str, text: str, task: str = "worker-0") -> None:
        """Append lines to the log of a task; raises KeyError if the job does not exist."""
        with self._lock:
            self.get(job_id).write_log(task, self._job_time(), *text.split("\n"))

    def remove(self, job_id: str) -> None:
        """Remove a job at once; raises KeyError if the job does not exist."""
        with self._lock:
            self._drop(self.get(job_id))

    def _drop(self, job: TrainingJob) -> None:
        del self._jobs[job.job_id]
        del self._ids[job.job_name]


_PHASES: Final = {phase.lower(): phase.value for phase in TrainingJobPhase}


def parse_phase(text: str) -> str:
    """
    Return the phase of a step: a documented one in any case, or any other word. ``Failed`` may have an exit code.

    :raises ValueError: it is neither
    """
    name, _, code = text.partition("=")
    if not name.isalpha() or (code and (not code.isdigit() or name.lower() != "failed")):
        raise ValueError(f"not a phase: {text!r}")
    phase = _PHASES.get(name.lower(), name)
    return f"{phase}={code}" if code else phase
