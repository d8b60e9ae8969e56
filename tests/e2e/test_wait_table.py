"""What a wait ends in, in every mode, on real scheduler, workers and triggerer: one table, all of it in one DAG run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_modelarts.api.visualization_jobs.statuses import status_label
from airflow_provider_modelarts.emulator import Emulator
from tests.e2e.dags.wait_table import GONE, MODES, TABLE, Row
from tests.e2e.observed_run import ObservedRun
from tools.local_airflow import FINAL_STATES, LocalAirflow, poll_until

TIMEOUT = 240.0  # seconds
SUMMARY = {"job_id", "job_name", "status", "status_name", "service_url", "train_url", "create_time", "duration_ms"}


@dataclass
class Job:
    """A job in an emulator, which takes the next status of its path once its wait has noticed the one before."""

    server: Emulator
    task_id: str
    job_id: str
    noticed: int
    to_come: list[int]

    def is_noticed(self, run: ObservedRun) -> bool:
        news = rf"isualization job {self.job_id}\b.* (is|to) {re.escape(status_label(self.noticed))}"
        return re.search(news, run.log(self.task_id)) is not None

    def has_gone_all_the_way(self, run: ObservedRun) -> bool:
        if self.to_come and self.is_noticed(run):
            self.noticed = self.to_come.pop(0)
            if self.noticed == GONE:
                self.server.remove_job(self.job_id)
            else:
                self.server.set_status(self.job_id, self.noticed)
        return not self.to_come


@pytest.fixture(scope="module")
def jobs(servers: dict[str, Emulator]) -> list[Job]:
    """Return the jobs of all rows and modes."""
    return [
        Job(
            servers[row.server], row.task_id(mode), servers[row.server].create_job(status=path[0]), path[0], [*path[1:]]
        )
        for row in TABLE
        for mode in MODES
        for path in row.paths
    ]


@pytest.fixture(scope="module")
def run(local_airflow: LocalAirflow, servers: dict[str, Emulator], jobs: list[Job]) -> ObservedRun:
    """Return the run of all rows in all modes, when it is over."""
    conf: dict[str, list[str]] = {}
    for job in jobs:
        conf.setdefault(job.task_id, []).append(job.job_id)
    run = ObservedRun(local_airflow, "wait_table", conf)

    unstable = servers["breaks_down"]
    _walk([job for job in jobs if job.server is not unstable], run)
    broken = [job for job in jobs if job.server is unstable]
    poll_until(lambda: all(job.is_noticed(run) for job in broken), TIMEOUT, lambda: "a wait has not begun")
    unstable.stop()
    poll_until(
        lambda: all(" have failed for " in run.log(job.task_id) for job in broken),
        TIMEOUT,
        lambda: "an outage went unnoticed",
    )
    unstable.start()
    _walk(broken, run)

    run.wait(TIMEOUT)
    return run


def _walk(jobs: list[Job], run: ObservedRun) -> None:
    """Let jobs go all the way; when the run ends before, the tests of the rows will tell why."""

    def is_over() -> bool:
        on_the_way = [job for job in jobs if not job.has_gone_all_the_way(run)]
        return not on_the_way or run.state in FINAL_STATES

    poll_until(is_over, TIMEOUT, lambda: f"not noticed: {[job for job in jobs if job.to_come]}")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_table(row: Row, mode: str, run: ObservedRun, jobs: list[Job]) -> None:
    task_id = row.task_id(mode)
    log = run.log(task_id)

    assert run.states(task_id) == [row.state], log
    for part in row.says:
        assert part in log
    xcoms = run.xcoms(task_id)
    if row.state != "success":
        assert "return_value" not in xcoms
        return
    mine = [job for job in jobs if job.task_id == task_id]
    summaries = xcoms["return_value"] if len(mine) > 1 else {mine[0].job_id: xcoms["return_value"]}
    assert list(summaries) == [job.job_id for job in mine]
    assert set(summaries[mine[-1].job_id]) == SUMMARY
    assert summaries[mine[-1].job_id]["status_name"] == row.status_name


@pytest.mark.parametrize("mode", MODES)
def test_a_task_downstream_is_mapped_over_a_wait(mode: str, run: ObservedRun, jobs: list[Job]) -> None:
    task_id = f"mapped_over-{mode}"
    job_ids = [job.job_id for job in jobs if job.task_id == task_id]
    echoed = [run.xcoms(f"{task_id}.echo", index)["return_value"] for index in range(len(job_ids))]
    assert echoed == job_ids


@pytest.mark.parametrize("mode", ["deferrable", "skip_worker"])
def test_a_subclass_resumes_in_its_own_way(mode: str, run: ObservedRun) -> None:
    assert f"resumed for {run.run_id}" in run.log(f"own_steps-{mode}")


@pytest.mark.parametrize("mode", MODES)
def test_a_dag_returns_what_its_wait_does(mode: str, local_airflow: LocalAirflow, servers: dict[str, Emulator]) -> None:
    job_id = servers["waits"].create_job(status=8)
    dag_id = f"returns_wait_{mode}"
    run = ObservedRun(local_airflow, dag_id, {"job_id": job_id})
    assert run.wait(TIMEOUT) == "success"

    answer = local_airflow.api("GET", f"dags/{dag_id}/dagRuns/{run.run_id}/wait", params={"interval": 1})

    assert answer["results"]["wait"]["job_id"] == job_id


@pytest.mark.parametrize("mode", MODES)
def test_the_link_opens_the_job(mode: str, run: ObservedRun) -> None:
    job = run.xcoms(f"arrives-{mode}")["return_value"]
    assert job["service_url"].startswith("http://127.0.0.1:")
    assert run.link(f"arrives-{mode}") == job["service_url"]
    assert run.link(f"fails-{mode}") not in (None, "", job["service_url"])


@pytest.mark.parametrize(
    ("task_id", "starts"),
    [
        ("arrives-poke", 1),
        ("arrives-deferrable", 2),
        ("has_arrived-deferrable", 1),
        ("arrives-skip_worker", 0),
        ("has_arrived-skip_worker", 0),
        ("all_of_several-skip_worker", 0),
        ("fails-skip_worker", 1),
    ],
)
def test_the_workers_that_a_wait_takes(task_id: str, starts: int, run: ObservedRun) -> None:
    assert run.worker_starts(task_id) == starts


def test_no_log_holds_a_secret_key(
    run: ObservedRun, servers: dict[str, Emulator], files_with: Callable[[str], list[Path]]
) -> None:
    for secret in (servers["waits"].sk, "not-the-secret-key"):
        assert files_with(secret) == []
    assert files_with(run.run_id) != []
