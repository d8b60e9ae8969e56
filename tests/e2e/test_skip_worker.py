"""Waits that start in the triggerer: without a worker where that loses nothing, and nothing lost where it would."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.links.base import XCOM_KEY
from tests.e2e.observed_run import ObservedRun
from tools.local_airflow import FINAL_STATES, LocalAirflow, poll_until

TIMEOUT = 240.0  # seconds
WITHOUT_WORKER = ("by_output", "by_template", "several")
ON_WORKER = {"with_outlet": "it has outlets", "with_callback": "it has an execute or a success callback"}


@dataclass
class Finished:
    """The run when it is over, the jobs it was about, and what was there while it waited."""

    run: ObservedRun
    job_id: str
    job_ids: list[str]
    links_while_waiting: dict[str, str | None]
    starts_while_waiting: dict[str, int]


@pytest.fixture(scope="module")
def finished(local_airflow: LocalAirflow, servers: dict[str, Emulator]) -> Finished:
    waits, refuses = servers["waits"], servers["refuses"]
    job_ids = [waits.create_job(status=7) for _ in range(2)]
    failing, refused = waits.create_job(status=7), refuses.create_job(status=8)
    refuses.inject(Fault(kind="status", status=403, times=1))
    local_airflow.wait_for_dag("scheduled_by_outlet")
    conf = {"job_id": job_ids[0], "job_ids": job_ids, "failing_job_id": failing, "refused_job_id": refused}
    run = ObservedRun(local_airflow, "skip_worker", conf)

    def everybody_waits() -> bool:
        seen = all("is WAITING (7)" in run.log(task_id) for task_id in (*WITHOUT_WORKER, "fails"))
        return (seen and run.states("mapped") == ["deferred"] * 2) or run.state in FINAL_STATES

    def everybody_has_a_link() -> bool:
        return all(run.link(task_id) for task_id in WITHOUT_WORKER) or run.state in FINAL_STATES

    poll_until(everybody_waits, TIMEOUT, lambda: f"not waiting: {run.instances()}")
    # A trigger says what it sees first, and then hands the link to its supervisor, which tells the API server.
    poll_until(everybody_has_a_link, TIMEOUT, lambda: f"no links: {run.log('by_output')}")
    before = Finished(
        run,
        job_ids[0],
        job_ids,
        {task_id: run.link(task_id) for task_id in WITHOUT_WORKER},
        {task_id: run.worker_starts(task_id) for task_id in WITHOUT_WORKER},
    )
    waits.set_status(failing, 11)
    for job_id in job_ids:
        waits.set_status(job_id, 8)
    run.wait(TIMEOUT)
    return before


@pytest.mark.parametrize("task_id", ["by_output", "by_template", "several"])
def test_no_worker_is_started(task_id: str, finished: Finished) -> None:
    assert finished.run.states(task_id) == ["success"]
    assert finished.run.worker_starts(task_id) == 0
    assert "went from WAITING (7) to RUNNING (8) after " in finished.run.log(task_id)


def test_the_xcom_is_a_dict_downstream(finished: Finished) -> None:
    job = finished.run.xcoms("by_output")["return_value"]
    assert (job["job_id"], job["status_name"]) == (finished.job_id, "RUNNING")
    assert finished.run.xcoms("use")["return_value"] == f"dict of job {finished.job_id}"
    assert list(finished.run.xcoms("several")["return_value"]) == finished.job_ids


@pytest.mark.parametrize("task_id", WITHOUT_WORKER)
def test_the_link_is_there_while_the_task_waits_and_after(task_id: str, finished: Finished) -> None:
    assert finished.starts_while_waiting[task_id] == 0
    link = finished.links_while_waiting[task_id]
    assert link is not None
    assert f"/{finished.job_id}/" in link
    assert finished.run.link(task_id) == link


def test_an_outlet_schedules_its_consumer(finished: Finished, local_airflow: LocalAirflow) -> None:
    assert finished.run.states("with_outlet") == ["success"]
    poll_until(
        lambda: local_airflow.api("GET", "dags/scheduled_by_outlet/dagRuns")["dag_runs"],
        TIMEOUT,
        lambda: "the outlet has scheduled nothing",
    )


@pytest.mark.parametrize("task_id", ON_WORKER)
def test_a_task_that_would_lose_something_defers_from_a_worker_at_once(task_id: str, finished: Finished) -> None:
    assert f"skip_worker: deferring from a worker, because {ON_WORKER[task_id]}" in finished.run.log(task_id)
    assert finished.run.worker_starts(task_id) == 2


def test_a_task_downstream_is_mapped_over_a_wait(finished: Finished) -> None:
    assert finished.run.states("echo") == ["success", "success"]
    assert "because a task downstream is mapped over it" in finished.run.log("mapped_over")


def test_a_subclass_with_a_template_field_of_its_own_needs_no_worker(finished: Finished) -> None:
    assert finished.run.states("own_field") == ["success"]
    assert finished.run.worker_starts("own_field") == 0


def test_a_variable_that_is_not_defined_is_an_error_as_on_a_worker(finished: Finished) -> None:
    assert finished.run.states("undefined") == ["failed"]
    assert "has no attribute 'typo'" in finished.run.log("undefined")


def test_nobody_asks_for_a_link_that_is_not_there(finished: Finished, local_airflow: LocalAirflow) -> None:
    # Airflow itself asks for one entry too many of a mapped task's output.
    complaints = [line for line in local_airflow.component_log("scheduler").splitlines() if "XCom not found" in line]
    assert [line for line in complaints if XCOM_KEY in line] == []


def test_a_success_callback_is_called(finished: Finished) -> None:
    assert finished.run.states("with_callback") == ["success"]
    assert "called back by with_callback" in finished.run.log("with_callback")


def test_a_job_that_fails_is_told_on_a_worker_and_never_retried(finished: Finished) -> None:
    [instance] = finished.run.instances("fails")
    assert (instance["state"], instance["try_number"], instance["max_tries"]) == ("failed", 1, 1)
    log = finished.run.log("fails")
    assert "is FAILED (11) and cannot become RUNNING (8) any more" in log
    assert "called back by fails" in log
    assert finished.run.worker_starts("fails") == 1


def test_a_refusal_is_retried(finished: Finished) -> None:
    [instance] = finished.run.instances("refused_at_first")
    assert (instance["state"], instance["try_number"]) == ("success", 2)
    assert "is unknown; last seen: never" in finished.run.log("refused_at_first")
    assert finished.run.worker_starts("refused_at_first") == 1, "only to end the first try"


@pytest.mark.parametrize("task_id", ["mapped", "each.of_argument", "each.of_sibling"])
def test_mapped_waits_end_right(task_id: str, finished: Finished) -> None:
    assert finished.run.states(task_id) == ["success", "success"], finished.run.log(task_id, 0)
    jobs = [finished.run.xcoms(task_id, index)["return_value"]["job_id"] for index in range(2)]
    assert jobs == finished.job_ids


def test_jobs_of_mapped_tasks_can_be_waited_for(finished: Finished) -> None:
    assert finished.run.states("all_of_mapped") == ["success"], finished.run.log("all_of_mapped")
    assert list(finished.run.xcoms("all_of_mapped")["return_value"]) == finished.job_ids


def test_a_mapped_wait_defers_from_a_worker_and_says_so(finished: Finished) -> None:
    assert [finished.run.worker_starts("mapped", index) for index in range(2)] == [2, 2]
    assert "skip_worker: deferring from a worker" in finished.run.log("mapped", 0)
