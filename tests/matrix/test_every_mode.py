"""A real DAG with waits in every mode, on the real processes of whichever Airflow is installed."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_modelarts._compat import airflow_version
from airflow_provider_modelarts.emulator import Emulator
from tests.matrix.command_line_airflow import CommandLineAirflow
from tests.matrix.dags.every_mode import MODES, WAYS
from tests.matrix.observations import record
from tools.local_airflow import poll_until

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(900)]

DAG_ID = "every_mode"
FINAL = ("success", "failed", "skipped", "upstream_failed")
TIMEOUT = 480.0  # seconds
LIFE_CYCLE = ("create", "running", "check", "stop", "over", "delete")
WAITS = ("running", "over", "fails", "hangs")

IS_WAITING = "is WAITING (7); waiting for RUNNING (8)"
SKIPS_WORKER = airflow_version() >= (3, 3)
DEFERS_AT_ONCE = "skip_worker: deferring from a worker"
WORKER_RUN = re.compile(
    rf"Received executor event with state \w+ for task instance TaskInstanceKey\(dag_id='{DAG_ID}', task_id='([^']+)'"
)


@dataclass
class Finished:
    """The run when it is over. ``worker_runs`` is how often each task was on a worker."""

    states: dict[str, str | None]
    logs: dict[str, str]
    worker_runs: Counter[str]
    jobs_left: list[str]


@pytest.fixture(scope="module")
def finished(pytestconfig: pytest.Config) -> Finished:
    with Emulator(scripts={"matrix-*": "7:0"}) as emulator:
        env = {"AIRFLOW_CONN_MODELARTS_DEFAULT": json.dumps(emulator.connection())}
        airflow = CommandLineAirflow(Path(__file__).parent / "dags", env=env)
        with airflow:
            hanging_job_id = emulator.create_job(job_name="hangs", status=7)
            run_id = airflow.trigger(DAG_ID, {"hanging_job_id": hanging_job_id})
            _let_jobs_go_on_once_waited_for(emulator, airflow, run_id)
            states = airflow.wait_for_tasks(DAG_ID, run_id, FINAL, TIMEOUT)
            # A deleted job is there for some seconds more.
            poll_until(
                lambda: {job.status for job in emulator.jobs.values()} == {7, 11},
                20,
                lambda: f"jobs left: {emulator.jobs}",
            )
            run = Finished(
                states,
                {task_id: airflow.task_log_text(DAG_ID, run_id, task_id) for task_id in states},
                Counter(WORKER_RUN.findall(airflow.component_log("scheduler"))),
                sorted(job.job_name for job in emulator.jobs.values()),
            )
    record(pytestconfig, "modes", {mode: _observed(run, mode) for mode in MODES})
    record(pytestconfig, "jobs_left", run.jobs_left)
    last = {way: f"delete_again-{way}" for way in WAYS} | {"retried": "delete_retried"}
    record(pytestconfig, "operators", {way: run.states[task_id] for way, task_id in last.items()})
    return run


def _let_jobs_go_on_once_waited_for(emulator: Emulator, airflow: CommandLineAirflow, run_id: str) -> None:
    """No job goes on before every wait for it has begun, however slow the machine is."""
    waits = ["retried", *(f"{wait}-{mode}" for wait in ("running", "fails") for mode in MODES)]

    def not_begun() -> list[str]:
        return [task for task in waits if IS_WAITING not in airflow.task_log_text(DAG_ID, run_id, task)]

    poll_until(lambda: not not_begun(), TIMEOUT, lambda: f"not begun: {not_begun()}", interval=1)
    for job_id, job in emulator.jobs.items():
        if job.job_name.startswith("matrix-"):
            emulator.set_status(job_id, 11 if job.job_name.startswith("matrix-fails") else 8)


def _observed(run: Finished, mode: str) -> dict[str, dict[str, object]]:
    """What the waits of a mode did: their ends, how often each was on a worker, what they said of it."""
    return {
        wait: {
            "state": run.states[f"{wait}-{mode}"],
            "worker_runs": run.worker_runs[f"{wait}-{mode}"],
            "defers_at_once": DEFERS_AT_ONCE in run.logs[f"{wait}-{mode}"],
        }
        for wait in WAITS
    }


@pytest.mark.parametrize("mode", MODES)
def test_a_job_is_waited_for_through_its_life(mode: str, finished: Finished) -> None:
    """That the wait's XCom is a dict downstream, and its link leads to the job, is what the task `check` checks."""
    tasks = [f"{step}-{mode}" for step in LIFE_CYCLE]
    assert {task: finished.states[task] for task in tasks} == dict.fromkeys(tasks, "success"), finished.logs
    assert "went from WAITING (7) to RUNNING (8) after " in finished.logs[f"running-{mode}"] or mode == "reschedule"


@pytest.mark.parametrize("way", WAYS)
def test_operators_take_a_job_through_its_life(way: str, finished: Finished) -> None:
    tasks = [f"board_{way}.{step}" for step in ("create", "check", "describe", "stop")]
    tasks += [f"restart-{way}", f"delete_again-{way}"]
    assert {task: finished.states[task] for task in tasks} == dict.fromkeys(tasks, "success"), finished.logs


@pytest.mark.parametrize("mode", MODES)
def test_a_training_job_is_waited_for(mode: str, finished: Finished) -> None:
    tasks = [f"train-{mode}", f"trained-{mode}", f"check_trained-{mode}"]
    assert {task: finished.states[task] for task in tasks} == dict.fromkeys(tasks, "success"), finished.logs


@pytest.mark.parametrize("way", WAYS)
def test_a_task_trains_and_copies_the_log(way: str, finished: Finished) -> None:
    tasks = [f"train-{way}", f"check_trained-{way}"]
    assert {task: finished.states[task] for task in tasks} == dict.fromkeys(tasks, "success"), finished.logs
    assert "Ran for " in finished.logs[f"train-{way}"]


def test_no_log_has_a_warning_of_airflow_that_the_provider_causes(finished: Finished) -> None:
    warnings = ("outside TaskInstance", "No XCom value found", "XCom not found")
    assert [task for task, log in finished.logs.items() if any(text in log for text in warnings)] == []


def test_the_retry_of_a_deferred_create_waits_for_its_own_job(finished: Finished) -> None:
    tasks = ("retried", "check_retried", "delete_retried")
    assert {task: finished.states[task] for task in tasks} == dict.fromkeys(tasks, "success"), finished.logs
    log = finished.logs["retried"]
    assert "is FAILED (11) and cannot become RUNNING (8) any more" in log
    assert "Restarting visualization job" in log


@pytest.mark.parametrize("mode", MODES)
def test_a_job_that_fails_fails_the_task(mode: str, finished: Finished) -> None:
    assert finished.states[f"fails-{mode}"] == "failed"
    assert "is FAILED (11) and cannot become RUNNING (8) any more" in finished.logs[f"fails-{mode}"]


@pytest.mark.parametrize("mode", MODES)
def test_a_soft_wait_that_times_out_is_skipped(mode: str, finished: Finished) -> None:
    assert finished.states[f"hangs-{mode}"] == "skipped"
    assert "imed out" in finished.logs[f"hangs-{mode}"]


def test_workers_are_held_as_the_mode_says(finished: Finished) -> None:
    runs = {mode: finished.worker_runs[f"running-{mode}"] for mode in MODES}
    assert runs["reschedule"] >= 2
    assert {**runs, "reschedule": None} == {
        "poke": 1,
        "reschedule": None,
        "deferrable": 2,
        "skip_worker": 0 if SKIPS_WORKER else 2,
    }


@pytest.mark.skipif(SKIPS_WORKER, reason="below Airflow 3.3: skip_worker skips the worker here")
def test_a_wait_that_cannot_skip_the_worker_says_so(finished: Finished) -> None:
    assert DEFERS_AT_ONCE in finished.logs["running-skip_worker"]


def test_no_job_is_left_but_those_that_nobody_deletes(finished: Finished) -> None:
    assert finished.jobs_left == ["hangs", "matrix-fails"]
