"""Operators on real Airflow processes: run again after success, kill and clear, they leave the jobs they should."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.emulator.faults import Fault
from tests.e2e.dags.operators import HOW
from tests.e2e.observed_run import ObservedRun, connected_to
from tools.local_airflow import LocalAirflow, poll_until

TIMEOUT = 180.0  # seconds
SLOW = "1:0,7:2,8:1000"
QUICK = "1:0,7:1,8:2"


@pytest.fixture
def server(servers: dict[str, Emulator]) -> Iterator[Emulator]:
    """Return the emulator of these tests, empty."""
    server = servers["operators"]
    for job_id in server.jobs:
        server.remove_job(job_id)
    server.clear_requests()
    server.clear_faults()
    server.add_script_rule("*", QUICK)
    yield server
    server.clear_script_rules()


def statuses(server: Emulator) -> list[int]:
    return [job.status for job in server.jobs.values()]


@pytest.mark.parametrize("name", HOW)
def test_a_created_job_survives_a_clear_of_its_task(name: str, local_airflow: LocalAirflow, server: Emulator) -> None:
    run = ObservedRun(local_airflow, f"create_{name}", {})
    assert run.wait(TIMEOUT) == "success"
    first = run.xcoms("create")
    assert (statuses(server), first["return_value"]["status_name"]) == ([8], "RUNNING")
    assert first["job_id"] == first["return_value"]["job_id"]
    assert run.link("create", name="TensorBoard") == first["return_value"]["service_url"]

    run.clear("create")
    assert run.wait(TIMEOUT) == "success"
    assert run.xcoms("create")["job_id"] == first["job_id"]
    assert statuses(server) == [8]
    assert server.request_counts()["create"] == 1

    # Stopped by somebody, it is started again, not made again.
    server.set_status(first["job_id"], 12)
    run.clear("create")
    assert run.wait(TIMEOUT) == "success"
    assert statuses(server) == [8]
    assert (server.request_counts()["create"], server.request_counts()["restart"]) == (1, 1)


@pytest.mark.parametrize("name", HOW)
def test_a_worker_killed_right_after_the_request_leaves_one_job(
    name: str, local_airflow: LocalAirflow, server: Emulator
) -> None:
    server.inject(Fault("delay", operation="create", times=1, delay=20))
    run = ObservedRun(local_airflow, f"create_{name}", {})
    poll_until(lambda: server.jobs, TIMEOUT, lambda: "no job was made")
    [worker] = connected_to(server)
    os.kill(worker, signal.SIGKILL)

    assert run.wait(TIMEOUT) == "success"
    [instance] = run.instances("create")
    assert instance["try_number"] == 2
    assert "Taking over visualization job" in run.log("create")
    assert statuses(server) == [8]
    assert server.request_counts()["create"] == 1


@pytest.mark.parametrize("name", HOW)
def test_a_task_that_a_user_fails_stops_its_job_within_30_s(
    name: str, local_airflow: LocalAirflow, server: Emulator
) -> None:
    server.add_script_rule("*", SLOW)
    run = ObservedRun(local_airflow, f"create_{name}", {})
    poll_until(lambda: statuses(server) == [7] and run.waits("create"), TIMEOUT, lambda: f"{statuses(server)}")
    if name == "deferred":
        # The button is there although no worker has seen the page.
        poll_until(lambda: run.link("create", name="TensorBoard"), TIMEOUT, lambda: "no link while deferred")

    run.set_state("create", "failed")
    failed_at = time.monotonic()
    poll_until(lambda: statuses(server) in ([9], [12]), 30, lambda: run.log("create"))
    print(f"{name}: stopped {time.monotonic() - failed_at:.1f} s after the task was failed")
    server.advance(60)

    assert statuses(server) == [12]
    assert run.wait(TIMEOUT) == "failed"
    assert run.link("create", name="TensorBoard"), "the button outlives the failure"


def in_triggerer(run: ObservedRun) -> bool:
    """Return whether the triggerer runs the task's trigger: nobody else pushes the link of a job that was just made."""
    return run.states("create") == ["deferred"] and run.link("create", name="TensorBoard") is not None


def test_a_run_that_a_user_fails_stops_the_job_of_its_deferred_task(
    local_airflow: LocalAirflow, server: Emulator
) -> None:
    server.add_script_rule("*", SLOW)
    run = ObservedRun(local_airflow, "create_deferred", {})
    poll_until(lambda: in_triggerer(run), TIMEOUT, lambda: run.log("create"))

    local_airflow.api("PATCH", f"dags/create_deferred/dagRuns/{run.run_id}", json={"state": "failed"})

    poll_until(lambda: statuses(server) in ([9], [12]), 30, lambda: run.log("create"))


def test_a_dag_that_is_deleted_while_its_task_is_deferred_stops_its_job(
    local_airflow: LocalAirflow, server: Emulator
) -> None:
    server.add_script_rule("*", SLOW)
    run = ObservedRun(local_airflow, "create_and_be_deleted", {})
    poll_until(lambda: in_triggerer(run), TIMEOUT, lambda: run.log("create"))

    # If a scheduler looks at the run just then, it fails with an ObjectDeletedError and hangs (Airflow 3.3.2).
    local_airflow.kill("scheduler")
    try:
        local_airflow.api("DELETE", "dags/create_and_be_deleted")
        poll_until(lambda: statuses(server) in ([9], [12]), 30, lambda: run.log("create"))
    finally:
        local_airflow.start_component("scheduler")


def test_a_task_that_a_user_clears_while_it_is_deferred_takes_its_job_over(
    local_airflow: LocalAirflow, server: Emulator
) -> None:
    server.add_script_rule("*", SLOW)
    run = ObservedRun(local_airflow, "create_deferred", {})
    poll_until(lambda: statuses(server) == [7] and run.waits("create"), TIMEOUT, lambda: f"{statuses(server)}")

    run.clear("create")
    poll_until(lambda: "Taking over visualization job" in run.log("create"), TIMEOUT, lambda: run.log("create"))
    for job_id in server.jobs:
        server.set_status(job_id, 8)

    assert run.wait(TIMEOUT) == "success"
    assert statuses(server) == [8]
    assert (server.request_counts()["create"], server.request_counts().get("stop", 0)) == (1, 0)


def test_a_task_that_a_user_clears_while_a_worker_waits_starts_its_job_again(
    local_airflow: LocalAirflow, server: Emulator
) -> None:
    server.add_script_rule("*", SLOW)
    run = ObservedRun(local_airflow, "create_on_worker", {})
    poll_until(lambda: statuses(server) == [7] and run.waits("create"), TIMEOUT, lambda: f"{statuses(server)}")

    run.clear("create")
    assert run.wait(TIMEOUT) == "success"
    assert statuses(server) == [8]
    assert server.request_counts()["create"] == 1


@pytest.mark.parametrize("name", HOW)
def test_the_retry_after_its_job_failed_starts_the_job_again(
    name: str, local_airflow: LocalAirflow, server: Emulator
) -> None:
    server.add_script_rule("*", "1:0,7:1,42:2,11:12")
    run = ObservedRun(local_airflow, f"create_{name}", {})
    failure = "is FAILED (11) and cannot become RUNNING (8) any more"
    poll_until(lambda: failure in run.log("create"), TIMEOUT, lambda: run.log("create"))
    assert run.wait(TIMEOUT) == "success"
    [instance] = run.instances("create")
    assert instance["try_number"] == 2
    assert statuses(server) == [8]
    assert (server.request_counts()["create"], server.request_counts()["restart"]) == (1, 1)


@pytest.mark.parametrize("name", HOW)
def test_changes_run_again_do_nothing_twice(name: str, local_airflow: LocalAirflow, server: Emulator) -> None:
    job_id = server.create_job("board", status=8)
    run = ObservedRun(local_airflow, f"change_{name}", {"job_id": job_id})
    assert run.wait(TIMEOUT) == "success"
    ends = [run.xcoms(task_id)["return_value"]["status_name"] for task_id in ("stop", "restart", "delete")]
    assert ends == ["KILLED", "RUNNING", "GONE"]
    assert server.jobs == {}
    counts = server.request_counts()
    assert [counts[operation] for operation in ("stop", "restart", "delete")] == [2, 1, 1]

    run.clear("delete")
    assert run.wait(TIMEOUT) == "success"
    assert server.request_counts()["delete"] == 1


def test_mapped_tasks_have_a_job_and_a_button_each(local_airflow: LocalAirflow, server: Emulator) -> None:
    run = ObservedRun(local_airflow, "create_mapped", {})
    assert run.wait(TIMEOUT) == "success"
    assert statuses(server) == [8, 8, 8]
    for index in range(3):
        xcoms = run.xcoms("create", index)
        assert xcoms["return_value"]["train_url"] == f"/bucket/{index}/"
        assert run.link("create", index) == xcoms["return_value"]["service_url"]
