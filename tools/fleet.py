"""
Airflow past one machine, with its own means, and what hundreds of waits cost there while parts of it die.

CeleryExecutor on Redis, PostgreSQL, two Celery workers, two triggerers, each a process of its own that knows the others
only through these; two projects, each behind an emulator and a connection. A triggerer and a worker are killed for good
while everybody waits.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from airflow_provider_modelarts.emulator import Emulator
from tools.local_airflow import LocalAirflow, poll_until
from tools.services import postgresql, redis

DAG_ID: Final = "fleet_waits"
WAITS: Final = int(os.environ.get("MODELARTS_FLEET_WAITS", "500"))
POKE_INTERVAL: Final = 10.0
"""Seconds; as in the DAG."""

QUIET: Final = 60.0
"""Seconds for which requests are counted while nothing happens."""

TIMEOUT: Final = 1200.0  # seconds
TASKS: Final = ("deferrable", "each.skip_worker")
TRIGGERERS: Final = ("triggerer", "triggerer-2")
WORKERS: Final = ("celery-worker", "celery-worker-2")
COMPONENTS: Final = ("api-server", "scheduler", "dag-processor", *TRIGGERERS, *WORKERS)


def settings(database: str, broker: str) -> dict[str, str]:
    """Return what a deployment sets so that its components work together: the same on all of its machines."""
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__PARALLELISM": "64",
        "AIRFLOW__CELERY__BROKER_URL": f"redis://{broker}/0",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "4",
        # How long the loss of a worker, or of what lay in its hands, goes unnoticed: by default 5 and 10 minutes.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "90",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "15",
        # The default, for two machines' worth of waits; a triggerer takes over from one that was silent for this long.
        "AIRFLOW__TRIGGERER__CAPACITY": "1000",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "30",
    }


@dataclass
class Project:
    """A project with its jobs, the connection to it, and the run that waits for them."""

    name: str
    emulator: Emulator
    jobs: dict[str, list[str]]
    run_id: str = ""


@dataclass
class Report:
    """What was seen."""

    states: Counter[str] = field(default_factory=Counter)
    tries: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    quiet_requests: dict[str, dict[str, int]] = field(default_factory=dict)
    requests: dict[str, dict[str, int]] = field(default_factory=dict)
    waits_of_triggerers: list[int] = field(default_factory=list)
    in_hand: int = 0

    def __str__(self) -> str:
        return "\n".join(
            [
                f"Waits a triggerer held: {self.waits_of_triggerers}",
                f"Waits on the worker that was killed: {self.in_hand}",
                f"How the waits ended: {dict(self.states)}; tries used: {dict(sorted(self.tries.items()))}",
                *(f"Requests to {name}, from the first to the last: {sent}" for name, sent in self.requests.items()),
            ]
        )


class Fleet:
    """Airflow on several machines, as far as its processes can tell, and two projects."""

    def __init__(self, airflow: LocalAirflow, projects: Sequence[Project]) -> None:
        self.airflow = airflow
        self.projects = projects
        self.report = Report()
        self._began = time.monotonic()

    def play(self) -> Report:
        """Let everybody wait, kill a triggerer, let all jobs arrive, kill a worker; return what was seen."""
        for project in self.projects:
            conf = {"connection": project.name, "by_workers": project.jobs[TASKS[0]], "by_none": project.jobs[TASKS[1]]}
            project.run_id = self.airflow.trigger(DAG_ID, conf)
        self._step("Everybody waits", self._everybody_waits)
        self._count_in_quiet()
        self.airflow.kill(TRIGGERERS[0])
        self._step("A triggerer is killed; the other one has all waits", lambda: len(self._holders()) == 1)
        for project in self.projects:
            for job_ids in project.jobs.values():
                for job_id in job_ids:
                    project.emulator.set_status(job_id, 8)
        self._step(f"All jobs are RUNNING; {WORKERS[0]} has waits in hand", lambda: self._in_hand(WORKERS[0]))
        self.airflow.kill(WORKERS[0])
        self._step("It is killed; all runs have ended", self._have_ended)
        self._judge()
        return self.report

    def _step(self, what: str, condition: Any) -> None:
        poll_until(condition, TIMEOUT, lambda: f"{what}: not so. {Counter(i['state'] for i in self._waits())}")
        print(f"{time.monotonic() - self._began:6.0f} s  {what}", flush=True)

    def _waits(self) -> list[dict[str, Any]]:
        return [
            instance
            for project in self.projects
            for instance in self.airflow.task_instances(DAG_ID, project.run_id)
            if instance["task_id"] in TASKS and instance["map_index"] >= 0
        ]

    def _everybody_waits(self) -> bool:
        waits = self._waits()
        waiting = [wait for wait in waits if wait["state"] == "deferred" and wait["triggerer_job"]]
        time.sleep(2)
        return len(waits) == len(waiting) == sum(map(len, (j for p in self.projects for j in p.jobs.values())))

    def _holders(self) -> Counter[int]:
        """Return how many waits each triggerer holds."""
        time.sleep(2)
        return Counter(wait["triggerer_job"]["id"] for wait in self._waits() if wait["triggerer_job"])

    def _count_in_quiet(self) -> None:
        self.report.waits_of_triggerers = sorted(self._holders().values())
        time.sleep(2 * POKE_INTERVAL)
        before = {project.name: Counter(project.emulator.request_counts()) for project in self.projects}
        time.sleep(QUIET)
        for project in self.projects:
            counts = Counter(project.emulator.request_counts()) - before[project.name]
            self.report.quiet_requests[project.name] = dict(counts)
            print(f"          {project.name}: {dict(counts)} in {QUIET:.0f} s", flush=True)

    def _in_hand(self, worker: str) -> int:
        """Return how many waits are on a worker, and keep that number."""
        pids = {process.pid for process in self.airflow.processes(worker)}
        paths = [f"dags/{DAG_ID}/dagRuns/{project.run_id}/taskInstances" for project in self.projects]
        running = [self.airflow.api("GET", path, params={"state": "running"})["task_instances"] for path in paths]
        self.report.in_hand = sum(instance["pid"] in pids for instances in running for instance in instances)
        return self.report.in_hand

    def _have_ended(self) -> bool:
        time.sleep(2)
        return all(self.airflow.run_state(DAG_ID, project.run_id) in ("success", "failed") for project in self.projects)

    def _judge(self) -> None:
        """Compare each wait with its job."""
        for project in self.projects:
            self.report.requests[project.name] = project.emulator.request_counts()
            for instance in self.airflow.task_instances(DAG_ID, project.run_id):
                task_id, index = instance["task_id"], instance["map_index"]
                if task_id not in TASKS or index < 0:
                    continue
                self.report.states[instance["state"]] += 1
                self.report.tries[instance["try_number"]] += 1
                right = {"job_id": project.jobs[task_id][index], "status_name": "RUNNING"}
                job = self.airflow.xcom(DAG_ID, project.run_id, task_id, map_index=index)
                if instance["state"] != "success" or not right.items() <= job.items():
                    self.report.wrong.append(f"{project.name} {task_id}[{index}]: {instance['state']}, {job}")


@contextmanager
def fleet(waits: int = WAITS) -> Iterator[Fleet]:
    """Run all of it, with so many jobs to wait for."""
    share = waits // 4
    with ExitStack() as stack:
        database, broker = stack.enter_context(postgresql()), stack.enter_context(redis())
        projects = []
        for name in ("project_a", "project_b"):
            emulator = stack.enter_context(Emulator(job_quota=10_000))
            jobs = {task_id: [emulator.create_job(status=7) for _ in range(share)] for task_id in TASKS}
            projects.append(Project(name, emulator, jobs))
        airflow = LocalAirflow(
            Path(__file__).parent / "fleet_dags", env=settings(database, broker), components=COMPONENTS
        )
        with airflow:
            for project in projects:
                airflow.add_connection(project.name, project.emulator.connection())
            yield Fleet(airflow, projects)
