"""The base classes serve any kind of job: here training jobs, on a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_modelarts.api.training_jobs.body import create_body
from airflow_provider_modelarts.api.training_jobs.kind import TRAINING_JOBS
from airflow_provider_modelarts.api.training_jobs.models import TrainingJob
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.operators.existing import DeleteJobOperator, StopJobOperator


class Stop(StopJobOperator):
    kind = TRAINING_JOBS


class Delete(DeleteJobOperator):
    kind = TRAINING_JOBS


@pytest.fixture
def deferrable() -> bool:
    return False


@pytest.fixture
def job(emulator: Emulator) -> Iterator[TrainingJob]:
    body = create_body(job_name="train-1", image_url="org/img:1", command="python", flavor_id="modelarts.vm.cpu.2u")
    with ModelArtsHook() as hook:
        yield hook.get_conn().training_jobs.create(body)


def test_stop(job: TrainingJob, task: Callable[..., Any]) -> None:
    stopped = task(Stop, job_id=job.job_id)
    assert stopped.run().xcom["phase"] == "Terminated"
    stopped.arguments["if_already"] = "fail"
    outcome = stopped.run()
    assert outcome.state == "failed"
    assert str(outcome.error) == f"Training job {job.job_id} is Terminated: there is nothing to stop"


def test_stop_by_name(job: TrainingJob, task: Callable[..., Any]) -> None:
    assert task(Stop, job_name="train-1").run().xcom["job_id"] == job.job_id


def test_delete(job: TrainingJob, task: Callable[..., Any]) -> None:
    deleted = task(Delete, job_id=job.job_id)
    for _ in range(2):
        outcome = deleted.run()
        assert (outcome.state, outcome.xcom["job_id"], outcome.xcom["phase"]) == ("success", job.job_id, "GONE")


@pytest.mark.usefixtures("clock")
def test_an_invalid_id_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ValueError, match="job"):
        Stop(task_id="stop", job_id="../x")
