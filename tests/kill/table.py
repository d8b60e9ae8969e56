"""Plays each disaster on real Airflow processes, and tells of each wait how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airflow_provider_modelarts._compat import FIRST_POLL_AFTER_DEFERRAL
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus
from airflow_provider_modelarts.emulator import Emulator
from tests.e2e.observed_run import ObservedRun
from tests.kill.dags.waits_to_be_killed import FATES, MODES, POKE_INTERVAL, task_id_of
from tests.kill.disasters import TRIGGERERS, Disaster, Scene
from tools.local_airflow import COMPONENTS, LocalAirflow, poll_until

DAG_ID: Final = "waits_to_be_killed"
TIMEOUT: Final = 150.0  # seconds
SETTLING: Final = FIRST_POLL_AFTER_DEFERRAL + POKE_INTERVAL
"""Seconds until a triggerer has looked at the jobs of all deferred waits; before that, they have not really begun."""

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
    with Emulator(scripts={"*": "hangs"}) as emulator:
        connection = "".join(letter if letter.isalnum() else "_" for letter in disaster.name)
        airflow.add_connection(connection, emulator.connection())
        run = ObservedRun(airflow, DAG_ID, {"connection": connection})
        scene = Scene(airflow, emulator, connection, run)
        poll_until(lambda: _everybody_waits(run), TIMEOUT, lambda: f"not everybody waits: {_states(run)}")
        job_ids = airflow.xcom(DAG_ID, run.run_id, "create")
        time.sleep(SETTLING)
        disaster.strike(scene)
        _move(emulator, job_ids, "meanwhile")
        disaster.mend(scene)
        poll_until(lambda: _have_ended(run, "meanwhile"), TIMEOUT, lambda: f"still waiting: {_states(run)}")
        for component in set(airflow.components) - set(airflow.running):
            airflow.start_component(component)
        _move(emulator, job_ids, "afterwards")
        run.wait(TIMEOUT)
        waits = [_judge(airflow, run, mode, fate, job_ids) for mode in MODES for fate in FATES]
        logs = airflow.home.rglob("*.log")
        leaks = [log.name for log in logs if emulator.sk in log.read_text(errors="replace")]
        creates = emulator.request_counts()["create"]
        airflow.wait_until_healthy()
        return Outcome(disaster, waits, len(emulator.jobs), creates, time.monotonic() - began, leaks)


def _states(run: ObservedRun) -> dict[str, str | None]:
    return {instance["task_id"]: instance["state"] for instance in run.instances()}


def _everybody_waits(run: ObservedRun) -> bool:
    states = _states(run)
    due = {"poke": "running", "reschedule": "up_for_reschedule", "deferrable": "deferred", "skip_worker": "deferred"}
    waits = [(mode, task_id_of(mode, fate)) for mode in MODES for fate in FATES]
    if any(states[task_id] not in (due.get(mode, "deferred"), "running") for mode, task_id in waits):
        return False
    return all("waiting for RUNNING (8)" in run.log(task_id) for _, task_id in waits)


def _have_ended(run: ObservedRun, moment: str) -> bool:
    states = _states(run)
    return all(
        states[task_id_of(mode, fate)] in ENDED for mode in MODES for fate, (when, _) in FATES.items() if when == moment
    )


def _move(emulator: Emulator, job_ids: dict[str, str], moment: str) -> None:
    for mode in MODES:
        for fate, (when, status) in FATES.items():
            if when == moment:
                emulator.set_status(job_ids[task_id_of(mode, fate)], JobStatus[status])


def _judge(airflow: LocalAirflow, run: ObservedRun, mode: str, fate: str, job_ids: dict[str, str]) -> WaitOutcome:
    """Compare a wait, and the task behind it, with what became of its job."""
    task_id = task_id_of(mode, fate)
    arrives = FATES[fate][1] == "RUNNING"
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
        expect("reason in the log", "is FAILED (11) and cannot become RUNNING (8)" in run.log(task_id), True)
    xcoms = run.xcoms(task_id)
    job = xcoms.get("return_value") or {}
    expect("job in the XCom", job.get("job_id"), job_ids[task_id] if arrives else None)
    expect("status in the XCom", job.get("status_name"), "RUNNING" if arrives else None)
    return WaitOutcome(mode, fate, instance["try_number"], max(used, len(successes)) if arrives else 1, mistakes)
