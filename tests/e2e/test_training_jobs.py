"""Training jobs on real Airflow processes: one task, one paid job, whatever happens to the task and to the job."""

from __future__ import annotations

import os
import secrets
import signal
import time
from dataclasses import dataclass
from itertools import pairwise

import pytest

from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.emulator.faults import Fault
from airflow_provider_modelarts.emulator.training_jobs.job import TrainingJob
from tests.e2e.dags.training_jobs import HOW, LIMITS, SETTING
from tests.e2e.observed_run import ObservedRun, connected_to, training_jobs_of
from tests.secrets.search import Secret, found
from tools.local_airflow import LocalAirflow, poll_until

TIMEOUT = 120.0  # seconds
RUNS = "Creating:0,Running:4"
"""The triggerer, which polls later, is the first to see the jobs of deferred tasks run."""

COMPLETES = "Creating:0,Running:1,Completed:3"
SCRIPTS = {
    "*": RUNS,
    "train_quickly-*": COMPLETES,
    "train_after_failure-*-r1": "Creating:0,Running:1,Failed=137:2",
    "train_after_failure-*-r1-2": COMPLETES,
    "train_by_policy-*-r3": "Creating:0,Running:1,Failed=143:2",
    "train_by_policy-*-r3-2": "Creating:0,Running:1,Failed=1:2",
    "train_long-max_pending-*": "Creating:0,Pending:1",
}


@dataclass
class Runs:
    """Runs that go on at the same time, and how their jobs are found."""

    server: Emulator
    cleared: ObservedRun
    failed: ObservedRun
    quick: ObservedRun
    after_failure: ObservedRun
    by_policy: ObservedRun
    once: ObservedRun
    long: ObservedRun

    def jobs(self, run: ObservedRun, task_id: str) -> list[TrainingJob]:
        return training_jobs_of(self.server, run, task_id)


@pytest.fixture(scope="module")
def setting(local_airflow: LocalAirflow) -> str:
    """Return the value that is in the environment of all jobs."""
    value = secrets.token_hex(16)
    local_airflow.api("POST", "variables", json={"key": SETTING, "value": value})
    return value


@pytest.fixture(scope="module")
def server(servers: dict[str, Emulator]) -> Emulator:
    """Return the emulator of tests that let it fail, or count its requests."""
    servers["training"].training_jobs.scripts.add_rule("*", RUNS)
    return servers["training"]


@pytest.fixture(scope="module")
def runs(local_airflow: LocalAirflow, servers: dict[str, Emulator], setting: str) -> Runs:
    assert setting
    server = servers["trainings"]
    for name, script in SCRIPTS.items():
        server.training_jobs.scripts.add_rule(name, script)
    dag_ids = ("train", "train", "train_quickly", "train_after_failure", "train_by_policy", "train_once", "train_long")
    return Runs(server, *(ObservedRun(local_airflow, dag_id, {}) for dag_id in dag_ids))


def phases(server: Emulator, run: ObservedRun) -> dict[str, list[str]]:
    """Return the phases of the jobs of each task, oldest first."""
    return {task_id: [job.phase for job in training_jobs_of(server, run, task_id)] for task_id in HOW}


def each(*phases: str) -> dict[str, list[str]]:
    return {task_id: list(phases) for task_id in HOW}


def logs(run: ObservedRun) -> str:
    return "\n\n".join(run.log(task_id) for task_id in HOW)


def complete(server: Emulator, run: ObservedRun) -> None:
    for task_id in HOW:
        for job in training_jobs_of(server, run, task_id):
            if job.active:
                server.training_jobs.set_phase(job.job_id, "Completed")


def both_wait(run: ObservedRun) -> bool:
    """Return whether one task waits on a worker, and the other one in the triggerer, which has polled its job."""
    states = run.states("on_worker") + run.states("deferred")
    return states == ["running", "deferred"] and "to Running" in run.log("deferred")


def assert_one_at_a_time(jobs: list[TrainingJob]) -> None:
    """Assert that each job was created when the one before had ended."""
    for before, after in pairwise(jobs):
        assert before.events[-1].time <= after.create_time


@pytest.mark.parametrize("task_id", HOW)
def test_the_log_of_a_failed_training_ends_with_its_cause(task_id: str, runs: Runs, setting: str) -> None:
    run, jobs = runs.once, runs.server.training_jobs
    poll_until(lambda: phases(runs.server, run)[task_id] == ["Running"], TIMEOUT, lambda: run.log(task_id))
    [job] = runs.jobs(run, task_id)
    jobs.write_log(job.job_id, f"epoch 7: nan\nlogged in with {setting}")
    jobs.set_phase(job.job_id, "Failed=1")
    poll_until(lambda: run.states(task_id) == ["failed"], TIMEOUT, lambda: run.log(task_id))

    log, _, error = run.log(task_id).partition("Task failed with exception")
    cause = ["epoch 7: nan", "logged in with ***", "RuntimeError: the emulated training failed with exit code 1"]
    lines = [line.strip() for line in log.splitlines()]
    assert [lines.count(line) for line in cause] == [1, 1, 1], log
    assert [line for line in cause if line not in error] == []
    assert error.partition("::group::Post Execute")[0].splitlines()[-1] == "worker-0 ended with exit code 1"


def test_workers_killed_right_after_the_request_leave_one_job_each(
    local_airflow: LocalAirflow, server: Emulator, setting: str
) -> None:
    assert setting
    server.inject(Fault("delay", operation="training.create", times=2, delay=20))
    run = ObservedRun(local_airflow, "train", {"connection": "training"})
    poll_until(lambda: all(phases(server, run).values()), TIMEOUT, lambda: logs(run))
    workers = connected_to(server)
    assert len(workers) == len(HOW)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    poll_until(
        lambda: all("Taking over training job" in run.log(task_id) for task_id in HOW), TIMEOUT, lambda: logs(run)
    )
    complete(server, run)

    assert run.wait(TIMEOUT) == "success"
    assert [instance["try_number"] for instance in run.instances()] == [2, 2]
    assert phases(server, run) == each("Completed")
    assert server.request_counts()["training.create"] == len(HOW)


def test_tasks_that_a_user_fails_stop_their_jobs_within_30_s(runs: Runs) -> None:
    run = runs.failed
    poll_until(lambda: both_wait(run), TIMEOUT, lambda: f"{run.states()}\n{logs(run)}")
    failed_at = time.monotonic()
    for task_id in HOW:
        run.set_state(task_id, "failed")
    poll_until(lambda: phases(runs.server, run) == each("Terminated"), 30, lambda: logs(run))
    print(f"terminated {time.monotonic() - failed_at:.1f} s after the tasks were failed")
    assert run.wait(TIMEOUT) == "failed"


def test_tasks_that_a_user_clears_while_they_wait_start_over(runs: Runs) -> None:
    run = runs.cleared
    poll_until(lambda: both_wait(run), TIMEOUT, lambda: f"{run.states()}\n{logs(run)}")
    assert phases(runs.server, run) == each("Running")
    for task_id in HOW:
        run.clear(task_id)
    poll_until(lambda: phases(runs.server, run) == each("Terminated", "Running"), TIMEOUT, lambda: logs(run))
    for task_id in HOW:
        assert_one_at_a_time(runs.jobs(run, task_id))
    complete(runs.server, run)

    assert run.wait(TIMEOUT) == "success"
    assert phases(runs.server, run) == each("Terminated", "Completed")


def test_the_retry_after_a_failure_creates_the_next_job(runs: Runs) -> None:
    run = runs.after_failure
    assert run.wait(TIMEOUT) == "success"
    assert [instance["try_number"] for instance in run.instances()] == [2, 2]
    assert phases(runs.server, run) == each("Failed", "Completed")
    for task_id in HOW:
        jobs = runs.jobs(run, task_id)
        assert_one_at_a_time(jobs)
        assert run.xcoms(task_id)["return_value"]["job_id"] == jobs[-1].job_id
        assert "it used more memory than the flavor has" in run.log(task_id)


def test_a_retry_policy_retries_a_lost_node_and_not_bad_code(runs: Runs) -> None:
    run = runs.by_policy
    assert run.wait(TIMEOUT) == "failed"
    assert [(instance["try_number"], instance["max_tries"]) for instance in run.instances()] == [(2, 3), (2, 3)]
    assert phases(runs.server, run) == each("Failed", "Failed")


@pytest.mark.parametrize("name", HOW)
@pytest.mark.parametrize("limit", LIMITS)
def test_a_task_that_takes_too_long_stops_its_job(limit: str, name: str, runs: Runs) -> None:
    run, task_id = runs.long, f"{limit}-{name}"
    poll_until(lambda: run.states(task_id) == ["failed"], TIMEOUT, lambda: run.log(task_id))
    poll_until(lambda: [job.phase for job in runs.jobs(run, task_id)] == ["Terminated"], 30, lambda: run.log(task_id))


def test_clearing_tasks_that_have_succeeded_creates_other_jobs(runs: Runs) -> None:
    run = runs.quick
    assert run.wait(TIMEOUT) == "success"
    first = {task_id: run.xcoms(task_id)["return_value"]["job_id"] for task_id in HOW}
    for task_id in HOW:
        run.clear(task_id)
    assert run.wait(TIMEOUT) == "success"
    assert phases(runs.server, run) == each("Completed", "Completed")
    for task_id in HOW:
        xcoms = run.xcoms(task_id)
        assert xcoms["job_id"] == xcoms["return_value"]["job_id"]
        assert [first[task_id], xcoms["job_id"]] == [job.job_id for job in runs.jobs(run, task_id)]


def test_two_airflows_on_one_workspace_leave_each_other_alone(
    local_airflow: LocalAirflow, server: Emulator, setting: str
) -> None:
    """Both have the same DAGs, the same address and the same run; only their ids differ."""
    with LocalAirflow(local_airflow.dags_folder, env={"AIRFLOW__API__BASE_URL": local_airflow.url}) as another:
        another.add_connection("training", server.connection())
        another.api("POST", "variables", json={"key": SETTING, "value": setting})
        another.wait_for_dag("train")
        run_id = "the_same_run"
        for airflow in (local_airflow, another):
            body = {"dag_run_id": run_id, "logical_date": None, "conf": {"connection": "training"}}
            airflow.api("POST", "dags/train/dagRuns", json=body)
        ours, theirs = (ObservedRun(airflow, "train", {}, run_id) for airflow in (local_airflow, another))
        poll_until(
            lambda: (
                sorted(map(str, ours.states() + theirs.states())) == ["deferred"] * 2 + ["running"] * 2
                and phases(server, ours) == each("Running", "Running")
            ),
            TIMEOUT,
            lambda: f"{ours.states()} {theirs.states()} {phases(server, ours)}",
        )
        for task_id in HOW:
            theirs.clear(task_id)
        poll_until(
            lambda: (
                {task_id: sorted(some) for task_id, some in phases(server, ours).items()}
                == each("Running", "Running", "Terminated")
            ),
            TIMEOUT,
            lambda: f"{phases(server, ours)}\n{logs(theirs)}",
        )
        our_jobs = [server.training_jobs.get(ours.xcoms(task_id)["job_id"]) for task_id in HOW]
        assert [job.phase for job in our_jobs] == ["Running", "Running"]
        complete(server, ours)
        assert [run.wait(TIMEOUT) for run in (ours, theirs)] == ["success", "success"]


def test_neither_tokens_nor_environments_are_anywhere(
    local_airflow: LocalAirflow, server: Emulator, setting: str, runs: Runs
) -> None:
    """Searches the logs, and the database with its XComs, rendered templates and serialized DAGs."""
    jobs = [*server.training_jobs.all(), *runs.server.training_jobs.all()]
    assert {job.body["algorithm"]["environments"]["SETTING"] for job in jobs} == {setting}
    texts = {
        str(file.relative_to(local_airflow.home)): file.read_bytes().decode("latin-1")
        for file in local_airflow.home.rglob("*")
        if file.is_file() and (file.suffix == ".log" or file.name.startswith("airflow.db"))
    }
    tokens = [Secret(f"token of {job.job_name}", job.token) for job in jobs]
    assert found([Secret("setting", setting), *tokens], texts) == []
    places = [text.partition(": ID")[0] for text in found([Secret("ID", jobs[0].job_id)], texts)]
    assert "airflow.db" in places
    assert any(place.endswith(".log") for place in places)
