"""Housekeeping: which jobs are found, over all pages, and what is done about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_modelarts.api.errors import ModelArtsPermissionError, ModelArtsServerError
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
from airflow_provider_modelarts.api.visualization_jobs.operations import VisualizationJobs
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.emulator.faults import Fault
from airflow_provider_modelarts.operators.clean_up import ModelArtsCleanUpTrainingJobsOperator
from airflow_provider_modelarts.operators.clean_up import ModelArtsCleanUpVisualizationJobsOperator as CleanUp

pytestmark = pytest.mark.usefixtures("clock")


def clean_up(**arguments: Any) -> Any:
    return CleanUp(task_id="clean_up", **arguments).execute({})


@pytest.fixture
def jobs(emulator: Emulator) -> dict[str, str]:
    """Jobs by name; "old-*" have run for two hours."""
    made = {name: emulator.create_job(name, status=8) for name in ("old-a", "old-b", "keep")}
    made["old-ended"] = emulator.create_job("old-ended", status=12)
    made["old-queued"] = emulator.create_job("old-queued", status=7)
    emulator.advance(7200)
    made["new-a"] = emulator.create_job("new-a", status=8)
    return made


def test_the_time_of_all_runs_counts_as_the_api_tells_no_other(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = emulator.create_job("board", script="8:0")
    emulator.advance(20 * 3600)
    emulator.set_status(job_id, 12)
    emulator.advance(10 * 3600)
    emulator.set_status(job_id, 8)
    emulator.advance(5 * 3600)
    [found] = clean_up(longer_than=timedelta(hours=24))["found"]
    assert found["duration_ms"] == 25 * 3_600_000
    assert "(board): RUNNING (8), 25.0 h in all" in capsys.readouterr().out + caplog.text
    assert clean_up(longer_than=timedelta(hours=26))["found"] == []


@pytest.mark.parametrize("action", ["report", "stop"])
def test_a_job_whose_duration_the_api_does_not_tell_is_left_out(
    action: str,
    jobs: dict[str, str],
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        "airflow_provider_modelarts.emulator.visualization_jobs.routes._milliseconds", lambda value: None
    )
    assert clean_up(longer_than=1, action=action) == {"found": [], "stopped": []}
    # Airflow 2.11 writes what caplog catches to the standard output as well.
    said = capsys.readouterr().out or caplog.text
    assert said.count("the API does not tell how long it has run") == 4
    assert [job["duration_ms"] for job in clean_up(job_name="keep")["found"]] == [None]


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"longer_than": timedelta(hours=1)}, ["old-a", "old-b", "keep"]),
        ({"longer_than": 7199}, ["old-a", "old-b", "keep"]),
        ({"longer_than": 7200}, []),
        ({"job_name": "old-*"}, ["old-a", "old-b", "old-queued"]),
        ({"job_name": "new-a"}, ["new-a"]),
        ({"job_name": "old-?", "longer_than": 60}, ["old-a", "old-b"]),
    ],
)
def test_what_is_found_is_only_reported(arguments: dict[str, Any], found: list[str], emulator: Emulator) -> None:
    result = clean_up(**arguments)
    assert [job["job_name"] for job in result["found"]] == found
    assert result["stopped"] == []
    assert "stop" not in emulator.request_counts()


def test_what_is_found_is_stopped_if_asked_for(jobs: dict[str, str], emulator: Emulator) -> None:
    result = clean_up(job_name="old-*", action="stop")
    assert result["stopped"] == [jobs["old-a"], jobs["old-b"], jobs["old-queued"]]
    emulator.advance(10)
    assert {job.job_name: job.status for job in emulator.jobs.values()} == {
        "old-a": 12, "old-b": 12, "old-queued": 12, "old-ended": 12, "keep": 8, "new-a": 8,
    }  # fmt: skip
    assert clean_up(job_name="old-*", action="stop") == {"found": [], "stopped": []}


def test_all_pages_are_looked_at(emulator: Emulator) -> None:
    for number in range(250):
        emulator.create_job(f"job-{number}", status=8 if number % 2 else 12)
    assert len(clean_up(job_name="*")["found"]) == 125
    assert emulator.request_counts() == {"list": 3}


def test_a_job_that_cannot_be_read_does_not_keep_the_others_from_being_found(
    jobs: dict[str, str], emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.set_status(jobs["new-a"], -1)
    assert len(clean_up(job_name="old-*")["found"]) == 3
    assert "1 of 6 jobs on page 1 of the list cannot be read" in caplog.text


def test_one_stop_that_fails_does_not_keep_the_others_from_being_stopped(
    jobs: dict[str, str], emulator: Emulator, written: Callable[[], str]
) -> None:
    emulator.inject(Fault("status", operation="stop", times=4, status=500))
    with pytest.raises(ModelArtsServerError):
        clean_up(job_name="old-*", action="stop")
    assert [emulator.job(jobs[name]).status for name in ("old-a", "old-b", "old-queued")] == [8, 9, 9]
    said = written()
    assert f"Visualization job {jobs['old-a']} could not be stopped. POST " in said
    assert f"Visualization job {jobs['old-b']} is being stopped" in said


def test_a_bug_ends_the_task_at_once(jobs: dict[str, str], emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VisualizationJobs, "stop", lambda operations, job_id: 1 / 0)
    asked: list[str] = []
    ensure_stopped = VisualizationJobs.ensure_stopped

    def count(operations: VisualizationJobs, job_id: str) -> str | None:
        asked.append(job_id)
        return ensure_stopped(operations, job_id)

    monkeypatch.setattr(VisualizationJobs, "ensure_stopped", count)
    with pytest.raises(ZeroDivisionError):
        clean_up(job_name="old-*", action="stop")
    assert asked == [jobs["old-a"]]


def test_a_job_that_ends_meanwhile_is_no_failure(
    jobs: dict[str, str], emulator: Emulator, monkeypatch: pytest.MonkeyPatch, written: Callable[[], str]
) -> None:
    is_meant = CleanUp._is_meant

    def end_after_it_was_listed(operator: CleanUp, job: VisualizationJob) -> bool:
        meant = is_meant(operator, job)
        if job.job_name == "old-a":
            emulator.set_status(job.job_id, 12)
        return meant

    monkeypatch.setattr(CleanUp, "_is_meant", end_after_it_was_listed)
    assert clean_up(job_name="old-*", action="stop")["stopped"] == [jobs["old-b"], jobs["old-queued"]]
    assert f"Visualization job {jobs['old-a']} is KILLED already" in written()


def test_what_cannot_be_is_refused(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="at least one is needed"):
        CleanUp(task_id="clean_up")
    with pytest.raises(ValueError, match="longer_than"):
        clean_up(longer_than="1h")
    with pytest.raises(ValueError, match="action: 'delete' is not one of report, stop"):
        CleanUp(task_id="clean_up", job_name="x", action="delete")
    with pytest.raises(ValueError, match="job_name: '' is not a name or a pattern"):
        CleanUp(task_id="clean_up", job_name="", longer_than=1)
    assert emulator.request_counts() == {}


@pytest.mark.parametrize("rendered", ["", None])
def test_a_name_that_is_rendered_to_nothing_does_not_mean_every_job(
    rendered: str | None, jobs: dict[str, str], emulator: Emulator
) -> None:
    operator = CleanUp(task_id="clean_up", job_name="{{ params.x }}", longer_than=1, action="{{ params.action }}")
    operator.job_name, operator.action = rendered, "stop"
    with pytest.raises(ValueError, match="is not a name or a pattern"):
        operator.execute({})
    assert emulator.request_counts() == {}


def clean_up_training(**arguments: Any) -> Any:
    return ModelArtsCleanUpTrainingJobsOperator(task_id="clean_up", **arguments).execute({})


@pytest.fixture
def trainings(emulator: Emulator) -> dict[str, str]:
    """Training jobs by name; "old-a" has run for two hours, "old-queued" has waited for as long."""
    jobs = emulator.training_jobs
    made = {name: jobs.create(name, phase="Running") for name in ("old-a", "keep")}
    made["old-queued"] = jobs.create("old-queued", phase="Pending")
    made["old-ended"] = jobs.create("old-ended", phase="Completed")
    made["old-elsewhere"] = jobs.create("old-elsewhere", phase="Running", workspace_id="1" * 32)
    emulator.advance(7200)
    made["new-a"] = jobs.create("new-a", phase="Running")
    return {name: job.job_id for name, job in made.items()}


@pytest.mark.usefixtures("trainings")
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"longer_than": timedelta(hours=1)}, ["keep", "old-a"]),
        ({"longer_than": 3 * 3600}, []),
        ({"job_name": "old-*"}, ["old-queued", "old-a"]),
        ({"job_name": "old-*", "longer_than": 60}, ["old-a"]),
        ({"job_name": "old-*", "workspace_id": "1" * 32}, ["old-elsewhere"]),
    ],
)
def test_which_training_jobs_are_found(arguments: dict[str, Any], found: list[str], emulator: Emulator) -> None:
    result = clean_up_training(**arguments)
    assert [job["job_name"] for job in result["found"]] == found
    assert result["stopped"] == []
    assert emulator.request_counts() == {"training.search": 1}


def test_training_jobs_are_stopped_if_asked_for(trainings: dict[str, str], emulator: Emulator) -> None:
    result = clean_up_training(job_name="old-*", action="stop")
    assert result["stopped"] == [trainings["old-queued"], trainings["old-a"]]
    emulator.advance(10)
    assert {job.job_name: job.phase for job in emulator.training_jobs.all()} == {
        "old-a": "Terminated", "old-queued": "Terminated", "old-ended": "Completed", "keep": "Running",
        "old-elsewhere": "Running", "new-a": "Running",
    }  # fmt: skip
    assert clean_up_training(job_name="old-*", action="stop") == {"found": [], "stopped": []}


def test_only_active_training_jobs_are_listed(emulator: Emulator) -> None:
    for number in range(120):
        emulator.training_jobs.create(f"job-{number}", phase="Completed" if number % 2 else "Running")
    assert len(clean_up_training(job_name="*")["found"]) == 60
    assert emulator.request_counts() == {"training.search": 2}


HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def idle(emulator: Emulator) -> dict[str, str]:
    """Training jobs by name: of "busy" and "idle", what the name says; "new" has idled for ten minutes only."""
    jobs = emulator.training_jobs
    made = {name: jobs.create(name, phase="Running", node_count=2) for name in ("busy", "idle")}
    emulator.advance(7200)
    made["new"] = jobs.create("new", phase="Running")
    emulator.advance(600)
    for name in ("idle", "new"):
        made[name].utilization = 1.0
    return {name: job.job_id for name, job in made.items()}


@pytest.mark.parametrize("nodes_without_metrics", [1, 2])
def test_a_job_whose_use_of_accelerators_is_not_known_is_left_out_and_said_to_be(
    nodes_without_metrics: int, idle: dict[str, str], emulator: Emulator, written: Callable[[], str]
) -> None:
    empty = json.dumps({"metrics": []})
    emulator.inject(Fault("status", "training.metrics", status=200, body=empty, times=nodes_without_metrics))
    assert clean_up_training(idle_for=HALF_AN_HOUR, job_name="idle")["found"] == []
    assert f"Left out training job {idle['idle']}: its metrics do not tell the use of accelerators" in written()


def test_jobs_with_idle_accelerators_are_stopped(idle: dict[str, str], emulator: Emulator) -> None:
    result = clean_up_training(idle_for=HALF_AN_HOUR, action="stop")
    assert result["stopped"] == [idle["idle"]]
    # Two nodes of two jobs; "new" cannot have idled for so long.
    assert emulator.request_counts()["training.metrics"] == 4


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"idle_for": HALF_AN_HOUR, "idle_below": 1.0}, []),
        ({"idle_for": HALF_AN_HOUR, "idle_below": 80}, ["idle", "busy"]),
        ({"idle_for": 3600, "longer_than": 3 * 3600}, []),
        ({"idle_for": 540, "job_name": "n*"}, ["new"]),
    ],
)
@pytest.mark.usefixtures("idle")
def test_which_idle_jobs_are_found(arguments: dict[str, Any], found: list[str]) -> None:
    assert [job["job_name"] for job in clean_up_training(**arguments)["found"]] == found


@pytest.mark.usefixtures("idle")
def test_a_missing_permission_for_metrics_does_not_look_like_no_idle_job(emulator: Emulator) -> None:
    emulator.inject(Fault("status", operation="training.metrics", times=8, status=403))
    with pytest.raises(ModelArtsPermissionError):
        clean_up_training(idle_for=HALF_AN_HOUR)


def test_a_job_whose_metrics_cannot_be_read_is_not_stopped(
    idle: dict[str, str], emulator: Emulator, written: Callable[[], str]
) -> None:
    emulator.inject(Fault("status", operation="training.metrics", times=8, status=500))
    assert clean_up_training(idle_for=HALF_AN_HOUR, action="stop")["stopped"] == []
    assert f"Left out training job {idle['idle']}: its metrics cannot be read. " in written()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"idle_for": 0}, "idle_for"),
        ({"idle_for": "1h"}, "idle_for"),
        ({"idle_for": timedelta(minutes=1001)}, "idle_for: is more than 1000 minutes"),
        ({"idle_for": 60, "idle_below": 0}, "idle_below: 0 is not a percentage above 0"),
        ({"idle_for": 60, "idle_below": 101}, "idle_below"),
    ],
)
def test_what_idle_cannot_mean_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clean_up_training(**arguments)
