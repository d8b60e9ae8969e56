"""What the operators say in the log of their task about the jobs that they create, take over, replace and stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.emulator.faults import Fault
from airflow_provider_modelarts.operators.training_job import ModelArtsCreateTrainingJobOperator as Train
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsCreateVisualizationJobOperator as Create,
)
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsDeleteVisualizationJobOperator as Delete,
)
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsStopVisualizationJobOperator as Stop,
)
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsUpdateVisualizationJobOperator as Update,
)
from tests.operators.conftest import Task
from tests.simulated_clock import SimulatedClock

URL = "/bucket/logs/"
TRAIN: dict[str, Any] = {"algorithm_id": "an-algorithm", "flavor_id": "modelarts.vm.cpu.2u"}


@pytest.fixture
def create(task: Callable[..., Task], emulator: Emulator, written: Callable[[], str]) -> Callable[..., Task]:
    """Make a task that has created job 1001, and forget what it has said."""

    def make(**arguments: Any) -> Task:
        created = task(Create, **{"train_url": URL, **arguments})
        assert created.run().state == "success"
        assert "Created visualization job 1001 (" in written()
        return created

    return make


def test_a_job_that_is_taken_over(create: Callable[..., Task], written: Callable[[], str]) -> None:
    created = create(job_name="board")
    created.run()
    said = written()
    whose = "which an earlier try of this task created: it is RUNNING"
    assert f"Taking over visualization job 1001 (board), {whose}" in said
    assert "Created" not in said


def test_a_job_that_is_restarted(create: Callable[..., Task], emulator: Emulator, written: Callable[[], str]) -> None:
    created = create()
    emulator.set_status("1001", 12)
    created.run()
    assert "Restarting visualization job 1001, which is KILLED (12)" in written()


def test_a_job_that_cannot_be_restarted(
    create: Callable[..., Task], emulator: Emulator, written: Callable[[], str]
) -> None:
    created = create()
    emulator.set_status("1001", 16)
    created.run()
    said = written()
    assert "Replacing visualization job 1001. POST " in said
    assert "Created visualization job 1002 (" in said


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"train_url": "/bucket/others/"}, ", which shows /bucket/logs/"),
        ({"auto_stop_hours": 4}, ": it was created as tensorboard, not tensorboard, stops after 4 h"),
    ],
)
def test_a_job_that_is_replaced(
    changed: dict[str, Any], why: str, create: Callable[..., Task], written: Callable[[], str]
) -> None:
    created = create()
    created.arguments.update(changed)
    created.run()
    assert f"Replacing visualization job 1001{why}" in written()


def test_a_job_of_the_same_name_that_is_not_the_tasks(create: Callable[..., Task], written: Callable[[], str]) -> None:
    created = create(job_name="board")
    created.arguments["train_url"] = "/bucket/others/"
    assert created.run().state == "up_for_retry"
    assert "Visualization job 1001 has the name board, but is not this task's: it has other files" in written()


def test_a_job_that_cannot_be_looked_up(
    task: Callable[..., Task], emulator: Emulator, written: Callable[[], str]
) -> None:
    emulator.inject(Fault("status", operation="list", status=403))
    assert task(Create, train_url=URL).run().state == "success"
    assert "Cannot look up whether an earlier try has created a job. GET " in written()


def test_a_stop_that_is_unnecessary(task: Callable[..., Task], emulator: Emulator, written: Callable[[], str]) -> None:
    stopped = task(Stop, job_id=emulator.create_job(status=8))
    emulator.inject(Fault("cut_after", operation="stop", times=1))
    assert stopped.run().state == "success"
    assert "Visualization job 1001 is KILLING already" in written()
    assert task(Stop, job_id=emulator.create_job(status=8)).run().state == "success"
    assert "Visualization job 1002 None" not in written()


@pytest.mark.parametrize("operator", [Stop, Delete])
def test_a_job_with_which_nothing_is_to_be_done(
    operator: Any, task: Callable[..., Task], emulator: Emulator, written: Callable[[], str]
) -> None:
    job_id = emulator.create_job(status=12)
    if operator is Delete:
        emulator.remove_job(job_id)
    task(operator, job_id=job_id).run()
    nothing = {
        Stop: "Visualization job 1001 is KILLED: there is nothing to stop",
        Delete: "There is no visualization job 1001: there is nothing to delete",
    }
    assert nothing[operator] in written()


def test_a_change_that_an_earlier_request_has_made(
    clock: SimulatedClock, emulator: Emulator, written: Callable[[], str]
) -> None:
    emulator.inject(Fault("cut_after", operation="update"))
    Task(Update, {"job_id": emulator.create_job(status=12), "job_desc": "new"}, clock).run()
    said = written()
    assert "Changing the description of visualization job 1001" in said
    assert "Continuing with visualization job 1001 as it is. PUT " in said


def test_a_deletion_that_an_earlier_request_has_begun(
    task: Callable[..., Task], emulator: Emulator, written: Callable[[], str]
) -> None:
    emulator.inject(Fault("cut_after", operation="delete", times=1))
    assert task(Delete, job_id=emulator.create_job(status=12)).run().state == "success"
    assert "Assuming that visualization job 1001 is being deleted. DELETE " in written()


def test_an_event_of_an_earlier_try(task: Callable[..., Task], emulator: Emulator, written: Callable[[], str]) -> None:
    stopped = task(Stop, job_id=emulator.create_job(status=12))
    event = {"event": {"try_number": 7}}
    stopped.make().resume_execution("execute_complete", event, stopped.context)
    assert "This event belongs to an earlier try; starting over" in written()


@pytest.fixture
def train(task: Callable[..., Task], emulator: Emulator) -> Callable[..., Task]:
    def make(script: str = "normal", **arguments: Any) -> Task:
        emulator.cloud.training_jobs.scripts.add_rule("*", script)
        return task(Train, **TRAIN, **arguments)

    return make


def test_a_training_job_that_is_created_and_taken_over(
    train: Callable[..., Task], emulator: Emulator, written: Callable[[], str]
) -> None:
    trained = train(wait_for_completion=False)
    trained.run()
    [job] = emulator.training_jobs.all()
    assert f"Created training job {job.job_id} ({job.job_name})" in written()
    trained.ti.try_number = 2
    trained.run()
    assert f"Taking over training job {job.job_id} ({job.job_name}), which is Creating" in written()


def test_a_training_job_of_an_earlier_round(
    train: Callable[..., Task], emulator: Emulator, written: Callable[[], str]
) -> None:
    trained = train("runs", wait_for_completion=False)
    trained.run()
    [job] = emulator.training_jobs.all()
    trained.ti.max_tries, trained.ti.try_number = 1, 2
    trained.run()
    assert f"Training job {job.job_id} ({job.job_name}) of an earlier round must end first" in written()


def test_a_training_job_that_a_search_does_not_show_yet(
    train: Callable[..., Task], emulator: Emulator, written: Callable[[], str]
) -> None:
    trained = train(wait_for_completion=False)
    trained.run()
    [job] = emulator.training_jobs.all()
    emulator.cloud.options.training_search_lag = 5
    trained.ti.try_number = 2
    assert trained.run().xcom["job_id"] == job.job_id
    assert f"Training job {job.job_id} ({job.job_name}), of an earlier try, is " in written()


def test_a_quota_that_is_waited_for(
    train: Callable[..., Task], emulator: Emulator, clock: SimulatedClock, written: Callable[[], str]
) -> None:
    emulator.cloud.options.running_quota = 0
    clock.at(90, lambda: setattr(emulator.cloud.options, "running_quota", 9))
    assert train(max_pending=3600).run().state == "success"
    assert written().count("Submitting the training job again in 60 s. POST ") == 2


@pytest.mark.parametrize(("tries_left", "lines"), [(1, 1), (0, 0)])
def test_a_training_job_that_is_left_to_the_next_try(
    tries_left: int, lines: int, train: Callable[..., Task], emulator: Emulator, written: Callable[[], str]
) -> None:
    trained = train("runs", poll_failure_tolerance=60)
    trained.ti.max_tries = tries_left
    emulator.inject(Fault("status", "training.get", status=500))
    emulator.inject(Fault("status", "training.search", status=500, after=1))
    trained.run()
    assert written().count("The training job of this task, if there is one, goes on for the next try") == lines
