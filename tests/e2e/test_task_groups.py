"""Task groups around a job, on real Airflow: the job runs for as long as its users do, and no failure is hidden."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.emulator.faults import Fault
from tests.e2e.observed_run import ObservedRun
from tools.local_airflow import LocalAirflow

TIMEOUT = 240.0  # seconds


@pytest.fixture
def server(servers: dict[str, Emulator]) -> Iterator[Emulator]:
    """Return the emulator of these tests, empty, whose jobs run and end at once."""
    server = servers["task_groups"]
    for job_id in server.jobs:
        server.remove_job(job_id)
    server.add_script_rule("*", "1:0,8:1")
    yield server
    server.clear_faults()
    server.clear_script_rules()


def states(run: ObservedRun) -> dict[str, str | None]:
    """Return the state of each task; of a mapped one, that of all its instances."""
    found: dict[str, set[str | None]] = {}
    for instance in run.instances():
        found.setdefault(instance["task_id"], set()).add(instance["state"])
    return {task_id: "/".join(sorted(map(str, several))) for task_id, several in found.items()}


def left(server: Emulator) -> list[int]:
    """Return the statuses of the jobs once stops and deletions have had their time."""
    server.advance(60)
    return [job.status for job in server.jobs.values()]


def test_a_task_that_fails_fails_the_run_although_nothing_follows(
    local_airflow: LocalAirflow, server: Emulator
) -> None:
    run = ObservedRun(local_airflow, "group_fails", {})
    assert run.wait(TIMEOUT) == "failed"
    assert states(run) == {
        "board.create": "success",
        "board.fail": "failed",
        "board.stop": "success",
        "board_is_over": "success",
    }
    assert left(server) == [12]


def test_a_job_that_cannot_be_ended_fails_the_run(local_airflow: LocalAirflow, server: Emulator) -> None:
    server.inject(Fault("status", operation="stop", times=1000, status=403))
    run = ObservedRun(local_airflow, "group_end_fails", {})
    assert run.wait(TIMEOUT) == "failed"
    assert states(run) == {
        "board.create": "success",
        "board.use": "success",
        "board.stop": "failed",
        "board_is_over": "upstream_failed",
    }
    [stop] = run.instances("board.stop")
    assert stop["try_number"] == 4


def test_a_block_may_be_empty(local_airflow: LocalAirflow, server: Emulator) -> None:
    run = ObservedRun(local_airflow, "group_empty", {})
    assert run.wait(TIMEOUT) == "success"
    assert set(states(run).values()) == {"success"}
    assert left(server) == [12]


def test_the_job_runs_while_any_task_of_the_block_does(local_airflow: LocalAirflow, server: Emulator) -> None:
    """Each task fails unless the job runs at its beginning and its end."""
    run = ObservedRun(local_airflow, "group_mapped", {})
    assert run.wait(TIMEOUT) == "failed"
    succeed = ["create", "with_output", "without", "pair.first", "pair.second", "slow", "stop"]
    assert states(run) == {
        **{f"board.{name}": "success" for name in succeed},
        "board.fail": "failed",
        "board.never": "upstream_failed",
        "board_is_over": "success",
    }
    assert left(server) == [12]


def test_each_index_of_a_mapped_group_has_a_job(local_airflow: LocalAirflow, server: Emulator) -> None:
    run = ObservedRun(local_airflow, "group_of_mapped", {})
    assert run.wait(TIMEOUT) == "success"
    assert set(states(run).values()) == {"success"}
    assert left(server) == [12, 12]


def test_blocks_can_be_nested_and_have_edges_to_and_from_outside(local_airflow: LocalAirflow, server: Emulator) -> None:
    run = ObservedRun(local_airflow, "group_nested", {})
    assert run.wait(TIMEOUT) == "success"
    assert set(states(run).values()) == {"success"}
    assert left(server) == [12]
    [both], [stop], [following] = (run.instances(name) for name in ("board.inner.both", "board.stop", "next"))
    assert both["end_date"] <= following["start_date"] < stop["end_date"]
