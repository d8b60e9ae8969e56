"""Stopping and deleting a training job: safe to run again, whatever the job is then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts._compat import AirflowFailException
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.operators.training_job import ModelArtsDeleteTrainingJobOperator as Delete
from airflow_provider_modelarts.operators.training_job import ModelArtsStopTrainingJobOperator as Stop

MISSING = "425b7087-83de-49b4-9b65-6e2b91e4a5fe"
OVER = ["Completed", "Failed", "Terminated", "Abnormal"]


def job_in(emulator: Emulator, phase: str) -> str:
    """Create a job that stays in a phase until an operation moves it on."""
    return str(emulator.cloud.training_jobs.create("train", phase=phase).job_id)


@pytest.mark.parametrize("phase", ["Creating", "Pending", "Running"])
def test_a_job_is_stopped_and_its_end_is_waited_for(task: Callable[..., Any], emulator: Emulator, phase: str) -> None:
    ran = task(Stop, job_id=job_in(emulator, phase)).run()
    assert (ran.state, ran.xcom["phase"]) == ("success", "Terminated")


def test_a_job_is_stopped_by_its_name(task: Callable[..., Any], emulator: Emulator) -> None:
    job_in(emulator, "Running")
    assert task(Stop, job_name="train").run().xcom["phase"] == "Terminated"


@pytest.mark.parametrize("phase", OVER)
def test_a_job_that_is_over_is_not_stopped(task: Callable[..., Any], emulator: Emulator, phase: str) -> None:
    ran = task(Stop, job_id=job_in(emulator, phase)).run()
    assert (ran.state, ran.xcom["phase"]) == ("success", phase)
    assert "training.terminate" not in emulator.request_counts()


def test_a_job_that_is_being_stopped_is_waited_for(task: Callable[..., Any], emulator: Emulator) -> None:
    job_id = job_in(emulator, "Running")
    emulator.cloud.training_jobs.get(job_id).terminate(emulator.cloud.clock.now())
    ran = task(Stop, job_id=job_id).run()
    assert (ran.state, ran.xcom["phase"]) == ("success", "Terminated")
    assert "training.terminate" not in emulator.request_counts()


@pytest.mark.parametrize("operator", [Stop, Delete])
def test_what_cannot_be_stopped_or_deleted_may_fail_the_task(
    task: Callable[..., Any], emulator: Emulator, operator: type[Any]
) -> None:
    job_id = job_in(emulator, "Failed") if operator is Stop else MISSING
    ran = task(operator, job_id=job_id, if_already="fail").run()
    assert isinstance(ran.error, AirflowFailException)


def test_a_job_that_is_not_there_cannot_be_stopped(task: Callable[..., Any], emulator: Emulator) -> None:
    ran = task(Stop, job_id=MISSING).run()
    assert isinstance(ran.error, AirflowFailException)
    assert f"There is no training job {MISSING}" in str(ran.error)


@pytest.mark.parametrize("phase", ["Pending", "Running", *OVER])
def test_a_job_is_deleted_after_it_was_stopped(task: Callable[..., Any], emulator: Emulator, phase: str) -> None:
    ran = task(Delete, job_id=job_in(emulator, phase)).run()
    assert (ran.state, ran.xcom["phase"]) == ("success", "GONE")
    assert emulator.cloud.training_jobs.all() == []
    assert emulator.request_counts().get("training.terminate", 0) == (phase not in OVER)


def test_deleting_again_does_nothing(task: Callable[..., Any], emulator: Emulator) -> None:
    ran = task(Delete, job_id=MISSING).run()
    assert (ran.state, ran.xcom["phase"], ran.xcom["job_id"]) == ("success", "GONE", MISSING)
    assert "training.delete" not in emulator.request_counts()


@pytest.mark.parametrize("job_id", ["", "a/b", "x" * 65])
def test_an_id_that_is_not_one_is_refused_when_the_dag_is_parsed(job_id: str) -> None:
    with pytest.raises(ValueError, match="job_id"):
        Stop(task_id="task", job_id=job_id)
