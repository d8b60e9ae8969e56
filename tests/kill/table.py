"""Plays each disaster on real Airflow processes, and tells of each wait how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airflow_provider_modelarts._compat import FIRST_POLL_AFTER_DEFERRAL
from airflow_provider_modelarts.api.training_jobs.kind import TRAINING_JOBS
from airflow_provider_modelarts.api.training_jobs.statuses import TrainingJobPhase
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.waiting.kind import Kind
from tests.e2e.observed_run import ObservedRun, training_jobs_of
from tests.kill.dags.waits_to_be_killed import MODES, POKE_INTERVAL, task_id_of
from tests.kill.disasters import TRIGGERERS, Disaster, Scene
from tools.local_airflow import COMPONENTS, LocalAirflow, poll_until

DAG_ID: Final = "waits_to_be_killed"
TIMEOUT: Final = 150.0  # seconds
SETTLING: Final = FIRST_POLL_AFTER_DEFERRAL + POKE_INTERVAL
"""Seconds until a triggerer has looked at the jobs of all deferred waits; before that, they have not really begun."""

WAITS: Final = [(mode, fate) for mode in MODES for fate in MODES[mode].fates]
STOPS: Final = ("stop", "training.terminate")
ENDED: Final = ("success", "failed", "upstream_failed", "skipped")
SETTINGS: Final = {
    "AIRFLOW__CORE__PARALLELISM": "16",
    # How soon Airflow notices what is dead. By default after minutes; too soon is fatal where processes start slowly.
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
    # Two triggerers share even a few waits.
    "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": "2",
}


@dataclass(frozen=True)
class JobKind:
    """How the jobs of a mode move on the emulator, and what is said of it."""

    kind: Kind[Any]
    arrived: Any
    failed: Any
    set_status: Callable[[Emulator, str, Any], None]
    status_field: str

    @property
    def target(self) -> str:
        return self.kind.status_label(self.arrived)

    @classmethod
    def of(cls, mode: str) -> JobKind:
        return TRAINING if MODES[mode].is_training else VISUALIZATION


VISUALIZATION: Final = JobKind(
    VISUALIZATION_JOBS, JobStatus.RUNNING, JobStatus.FAILED, Emulator.set_status, "status_name"
)
TRAINING: Final = JobKind(
    TRAINING_JOBS,
    str(TrainingJobPhase.COMPLETED),
    str(TrainingJobPhase.FAILED),
    lambda emulator, job_id, phase: emulator.training_jobs.set_phase(job_id, phase),
    "phase",
)


@dataclass
class WaitOutcome:
    """How one wait ended, and what is wrong with that."""

    mode: str
    fate: str
    tries: int
    ends: int
    mistakes: list[str]


@dataclass
class Outcome:
    """How all waits of a disaster ended."""

    disaster: Disaster
    waits: list[WaitOutcome]
    jobs: int
    creates: int
    stops: int
    """Without those that were refused, because the job had ended already."""
    seconds: float
    leaks: list[str]

    def of(self, mode: str) -> list[WaitOutcome]:
        """Return the waits of a mode."""
        return [wait for wait in self.waits if wait.mode == mode]


@contextmanager
def airflow_for_disasters() -> Iterator[LocalAirflow]:
    """Run Airflow with two triggerers."""
    components = (*COMPONENTS, *TRIGGERERS[1:])
    with LocalAirflow(Path(__file__).parent / "dags", env=SETTINGS, components=components) as airflow:
        yield airflow


def play(airflow: LocalAirflow, disaster: Disaster) -> Outcome:
    """Let waits begin, do the worst, mend it, let all jobs arrive or fail, and look at what has become of the waits."""
    began = time.monotonic()
    with Emulator(scripts={"*": "hangs"}, training_scripts={"*": "runs"}) as emulator:
        connection = "".join(letter if letter.isalnum() else "_" for letter in disaster.name)
        airflow.add_connection(connection, emulator.connection())
        run = ObservedRun(airflow, DAG_ID, {"connection": connection})
        scene = Scene(airflow, emulator, connection, run)
        poll_until(lambda: _everybody_waits(run), TIMEOUT, lambda: f"not everybody waits: {_states(run)}")
        job_ids = _job_ids(airflow, run)
        time.sleep(SETTLING)
        disaster.strike(scene)
        _move(emulator, job_ids, "meanwhile")
        disaster.mend(scene)
        poll_until(lambda: _have_ended(run, "meanwhile"), TIMEOUT, lambda: f"still waiting: {_states(run)}")
        for component in set(airflow.components) - set(airflow.running):
            airflow.start_component(component)
        _move(emulator, job_ids, "afterwards")
        run.wait(TIMEOUT)
        waits = [_judge(scene, mode, fate, job_ids) for mode, fate in WAITS]
        logs = airflow.home.rglob("*.log")
        leaks = [log.name for log in logs if emulator.sk in log.read_text(errors="replace")]
        airflow.wait_until_healthy()
        counts = emulator.request_counts()
        return Outcome(
            disaster,
            waits,
            jobs=len(emulator.jobs) + len(emulator.training_jobs.all()),
            creates=counts["create"] + counts["training.create"],
            stops=sum(request.operation in STOPS and request.status in (200, 202) for request in emulator.requests()),
            seconds=time.monotonic() - began,
            leaks=leaks,
        )


def _states(run: ObservedRun) -> dict[str, str | None]:
    return {instance["task_id"]: instance["state"] for instance in run.instances()}


def _everybody_waits(run: ObservedRun) -> bool:
    states = _states(run)
    if any(states[task_id_of(mode, fate)] not in (MODES[mode].state, "running") for mode, fate in WAITS):
        return False
    return all(f"waiting for {JobKind.of(mode).target}" in run.log(task_id_of(mode, fate)) for mode, fate in WAITS)


def _job_ids(airflow: LocalAirflow, run: ObservedRun) -> dict[str, str]:
    """Return the job that each task waits for, by task ID."""
    tasks = [task_id_of(mode, fate) for mode, fate in WAITS if MODES[mode].creates]
    own = {task_id: airflow.xcom(DAG_ID, run.run_id, task_id, "job_id") for task_id in tasks}
    return {**airflow.xcom(DAG_ID, run.run_id, "create"), **own}


def _have_ended(run: ObservedRun, moment: str) -> bool:
    states = _states(run)
    return all(states[task_id_of(mode, fate)] in ENDED for mode, fate in WAITS if _moment(mode, fate) == moment)


def _moment(mode: str, fate: str) -> str:
    return MODES[mode].fates[fate][0]


def _move(emulator: Emulator, job_ids: dict[str, str], moment: str) -> None:
    for mode, fate in WAITS:
        if _moment(mode, fate) == moment:
            kind = JobKind.of(mode)
            status = kind.arrived if MODES[mode].fates[fate][1] else kind.failed
            kind.set_status(emulator, job_ids[task_id_of(mode, fate)], status)


def _judge(scene: Scene, mode: str, fate: str, job_ids: dict[str, str]) -> WaitOutcome:
    """Compare a wait, and the task behind it, with what became of its job."""
    airflow, run, kind = scene.airflow, scene.run, JobKind.of(mode)
    task_id = task_id_of(mode, fate)
    _, arrives = MODES[mode].fates[fate]
    path = f"dags/{DAG_ID}/dagRuns/{run.run_id}/taskInstances/{task_id}/tries"
    tries = airflow.api("GET", path)["task_instances"]
    [instance] = run.instances(task_id)
    [use] = run.instances(f"{task_id}.use")
    used = run.log(f"{task_id}.use").count(f"using job {job_ids[task_id]}")
    successes = [each for each in tries if each["state"] == "success"]
    mistakes = []

    def expect(what: str, seen: object, right: object) -> None:
        if seen != right:
            mistakes.append(f"{what}: {seen!r}, not {right!r}")

    expect("state", instance["state"], "success" if arrives else "failed")
    expect("state of the task behind", use["state"], "success" if arrives else "upstream_failed")
    expect("uses of the job", used, 1 if arrives else 0)
    expect("successes", len(successes), 1 if arrives else 0)
    if not arrives:
        reason = f"is {kind.kind.status_label(kind.failed)} and cannot become {kind.target}"
        expect("reason in the log", reason in run.log(task_id), True)
    xcoms = run.xcoms(task_id)
    job = xcoms.get("return_value") or {}
    expect("job in the XCom", job.get("job_id"), job_ids[task_id] if arrives else None)
    status = kind.kind.status_name(kind.arrived)
    expect("status in the XCom", job.get(kind.status_field), status if arrives else None)
    if MODES[mode].creates:
        phases = [job.phase for job in training_jobs_of(scene.emulator, run, task_id)]
        expect("jobs of the task", phases, [kind.arrived])
    return WaitOutcome(mode, fate, instance["try_number"], max(used, len(successes)) if arrives else 1, mistakes)
