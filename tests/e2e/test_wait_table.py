"""What a wait ends in, in every mode, on real scheduler, workers and triggerer: one table, all of it in one DAG run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_modelarts.api.training_jobs.kind import TRAINING_JOBS
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.links.training_job import ModelArtsTrainingJobLink
from airflow_provider_modelarts.links.visualization_job import ModelArtsVisualizationJobLink
from airflow_provider_modelarts.sensors.training_job import ModelArtsTrainingJobSensor
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.waiting.kind import Kind
from tests.e2e.dags.wait_table import GONE, MODES, TABLE, Row
from tests.e2e.observed_run import ObservedRun
from tests.phases import PHASES, text_in_phases
from tools.local_airflow import FINAL_STATES, LocalAirflow, poll_until

TIMEOUT = 240.0  # seconds


def in_phases(row: Row) -> Row:
    """Return a row of the table for training jobs."""
    return replace(
        row,
        paths=tuple(tuple(PHASES.get(str(status), status) for status in path) for path in row.paths),
        says=tuple(map(text_in_phases, row.says)),
        status_name=PHASES.get(str(row.status_name), row.status_name),
    )


@dataclass(frozen=True)
class TestedKind:
    """A kind of job that the table is tested with: what an emulator does with its jobs, and what the XCom holds."""

    kind: Kind[Any]
    create: Callable[[Emulator, Any], str]
    set_status: Callable[[Emulator, str, Any], None]
    remove: Callable[[Emulator, str], None]
    link: str
    status_field: str
    summary: set[str]
    translate: Callable[[Row], Row] = lambda row: row

    __test__ = False


KINDS: dict[type, TestedKind] = {
    ModelArtsVisualizationJobSensor: TestedKind(
        VISUALIZATION_JOBS,
        lambda server, status: server.create_job(status=status),
        Emulator.set_status,
        Emulator.remove_job,
        ModelArtsVisualizationJobLink.name,
        "status_name",
        {"job_id", "job_name", "status", "status_name", "service_url", "train_url", "create_time", "duration_ms"},
    ),
    ModelArtsTrainingJobSensor: TestedKind(
        TRAINING_JOBS,
        lambda server, phase: server.training_jobs.create(phase=phase).job_id,
        lambda server, job_id, phase: server.training_jobs.set_phase(job_id, phase),
        lambda server, job_id: server.training_jobs.remove(job_id),
        ModelArtsTrainingJobLink.name,
        "phase",
        {"job_id", "job_name", "phase", "create_time", "duration_ms", "outputs", "link"},
        in_phases,
    ),
}
"""By the sensor that waits for it."""


def kind_of(row: Row) -> TestedKind:
    return next(kind for sensor, kind in KINDS.items() if issubclass(row.sensor, sensor))


ROWS = [kind_of(row).translate(row) for row in TABLE]


@dataclass
class Job:
    """A job in an emulator, which takes the next status of its path once its wait has noticed the one before."""

    server: Emulator
    kind: TestedKind
    task_id: str
    job_id: str
    noticed: int | str
    to_come: list[int | str]

    def is_noticed(self, run: ObservedRun) -> bool:
        noun, label = self.kind.kind.noun, self.kind.kind.status_label(self.noticed)
        news = rf"{noun[1:]} {self.job_id}\b.* (is|to) {re.escape(label)}"
        return re.search(news, run.log(self.task_id)) is not None

    def has_gone_all_the_way(self, run: ObservedRun) -> bool:
        if self.to_come and self.is_noticed(run):
            self.noticed = self.to_come.pop(0)
            if self.noticed == GONE:
                self.kind.remove(self.server, self.job_id)
            else:
                self.kind.set_status(self.server, self.job_id, self.noticed)
        return not self.to_come


@pytest.fixture(scope="module")
def jobs(servers: dict[str, Emulator]) -> list[Job]:
    """Return the jobs of all rows and modes."""

    def create(row: Row, mode: str, first: int | str, *to_come: int | str) -> Job:
        server, kind = servers[row.server], kind_of(row)
        return Job(server, kind, row.task_id(mode), kind.create(server, first), first, [*to_come])

    return [create(row, mode, *path) for row in ROWS for mode in MODES for path in row.paths]


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
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_table(row: Row, mode: str, run: ObservedRun, jobs: list[Job]) -> None:
    task_id = row.task_id(mode)
    log = run.log(task_id)

    assert run.states(task_id) == [row.state], log
    assert [part for part in row.says if part not in log] == [], log
    xcoms = run.xcoms(task_id)
    if row.state != "success":
        assert "return_value" not in xcoms
        return
    mine = [job for job in jobs if job.task_id == task_id]
    summaries = xcoms["return_value"] if len(mine) > 1 else {mine[0].job_id: xcoms["return_value"]}
    assert list(summaries) == [job.job_id for job in mine]
    kind, summary = kind_of(row), summaries[mine[-1].job_id]
    assert set(summary) == kind.summary
    assert summary[kind.status_field] == row.status_name


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
@pytest.mark.parametrize(
    ("prefix", "kind"), zip(("", "training_"), KINDS.values(), strict=True), ids=["visualization", "training"]
)
def test_the_link_opens_the_job(prefix: str, kind: TestedKind, mode: str, run: ObservedRun) -> None:
    page = run.xcoms(f"{prefix}arrives-{mode}")["return_value"][kind.kind.page_field]
    assert page.startswith("http://127.0.0.1:")
    assert run.link(f"{prefix}arrives-{mode}", name=kind.link) == page
    assert run.link(f"{prefix}fails-{mode}", name=kind.link) not in (None, "", page)


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
        ("training_arrives-deferrable", 2),
        ("training_arrives-skip_worker", 0),
        ("training_fails-skip_worker", 1),
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
