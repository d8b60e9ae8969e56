"""
What type checkers must find wrong in a DAG file. Nothing runs this file: `make lint` has mypy read it.

Each line with an ignore is a mistake that mypy must find, because in strict mode an ignore that is not needed is an
error. All other lines must be right.
"""

from __future__ import annotations

from datetime import timedelta

from airflow_provider_modelarts.choices import CleanUpAction, JobType, WaitFor
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.operators.clean_up import (
    ModelArtsCleanUpTrainingJobsOperator,
    ModelArtsCleanUpVisualizationJobsOperator,
)
from airflow_provider_modelarts.operators.training_job import (
    ModelArtsCreateTrainingJobOperator,
    ModelArtsDeleteTrainingJobOperator,
    ModelArtsStopTrainingJobOperator,
)
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsCreateVisualizationJobOperator,
    ModelArtsDeleteVisualizationJobOperator,
    ModelArtsRestartVisualizationJobOperator,
    ModelArtsStopVisualizationJobOperator,
    ModelArtsUpdateVisualizationJobOperator,
)
from airflow_provider_modelarts.sensors.training_job import ModelArtsTrainingJobSensor
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.task_groups.visualization_job import visualization_job
from airflow_provider_modelarts.triggers.training_job import ModelArtsTrainingJobTrigger
from airflow_provider_modelarts.triggers.training_job_event import ModelArtsTrainingJobEventTrigger
from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger
from airflow_provider_modelarts.triggers.visualization_job_event import ModelArtsVisualizationJobEventTrigger


def right(how: WaitFor, action: CleanUpAction, job_type: JobType) -> None:
    ModelArtsVisualizationJobSensor(
        task_id="t", job_ids=[1, 2], wait_for=how, mode="reschedule", poke_interval=timedelta(minutes=1), retries=3
    )
    ModelArtsCleanUpTrainingJobsOperator(task_id="t", longer_than=60, action=action)
    # Templated arguments may be any text until they are rendered.
    ModelArtsCleanUpTrainingJobsOperator(task_id="t", longer_than=60, action="{{ params.action }}")
    ModelArtsCreateVisualizationJobOperator(task_id="t", train_url="/b/d/", job_type="{{ params.job_type }}")
    ModelArtsHook().create_visualization_job(job_name="a", train_url="/b/d/", job_type=job_type)


def sensors() -> None:
    ModelArtsVisualizationJobSensor(task_id="t", job_id=1, polk_interval=60)  # type: ignore[call-arg]
    ModelArtsVisualizationJobSensor(task_id="t", job_id=1, mode="push")  # type: ignore[arg-type]
    ModelArtsVisualizationJobSensor(task_id="t", job_ids=[1], wait_for="most")  # type: ignore[arg-type]
    ModelArtsVisualizationJobSensor(job_id=1)  # type: ignore[call-arg]
    ModelArtsTrainingJobSensor(task_id="t", job_id="a", polk_interval=60)  # type: ignore[call-arg]
    ModelArtsTrainingJobSensor(task_id="t", job_ids=["a"], wait_for="most")  # type: ignore[arg-type]


def operators() -> None:
    ModelArtsCreateTrainingJobOperator(task_id="t", max_waiting=60)  # type: ignore[call-arg]
    ModelArtsStopTrainingJobOperator(task_id="t", job_id="a", if_already="stop")  # type: ignore[arg-type]
    ModelArtsStopTrainingJobOperator(task_id="t", job_id="a", when_already="skip")  # type: ignore[call-arg]
    ModelArtsDeleteTrainingJobOperator(task_id="t", job_id="a", if_already="stop")  # type: ignore[arg-type]
    ModelArtsDeleteTrainingJobOperator(task_id="t", job_id="a", stop="first")  # type: ignore[call-arg]
    ModelArtsCreateVisualizationJobOperator(task_id="t", train_url="/b/d/", auto_stop=4)  # type: ignore[call-arg]
    ModelArtsUpdateVisualizationJobOperator(task_id="t", job_id=1, job_desc="x", text="y")  # type: ignore[call-arg]
    ModelArtsStopVisualizationJobOperator(task_id="t", job_id=1, if_already="stop")  # type: ignore[arg-type]
    ModelArtsStopVisualizationJobOperator(task_id="t", job_id=1, retry=3)  # type: ignore[call-arg]
    ModelArtsRestartVisualizationJobOperator(task_id="t", job_id=1, if_already="stop")  # type: ignore[arg-type]
    ModelArtsRestartVisualizationJobOperator(task_id="t", job_id=1, retry=3)  # type: ignore[call-arg]
    ModelArtsDeleteVisualizationJobOperator(task_id="t", job_id=1, if_already="stop")  # type: ignore[arg-type]
    ModelArtsDeleteVisualizationJobOperator(task_id="t", job_id=1, retry=3)  # type: ignore[call-arg]
    ModelArtsCleanUpTrainingJobsOperator(task_id="t", longer=60)  # type: ignore[call-arg]
    ModelArtsCleanUpVisualizationJobsOperator(task_id="t", longer=60)  # type: ignore[call-arg]


def task_group() -> None:
    with visualization_job(train_url="/b/d/", end="keep"):  # type: ignore[arg-type]
        pass
    with visualization_job(train_url="/b/d/", polk_interval=60):  # type: ignore[call-arg]
        pass


def triggers() -> None:
    ModelArtsVisualizationJobTrigger(job_ids=["1"], wait_for="most")  # type: ignore[arg-type]
    ModelArtsVisualizationJobTrigger(job_id="1", polk_interval=60)  # type: ignore[call-arg]
    ModelArtsTrainingJobTrigger(job_ids=["a"], wait_for="most")  # type: ignore[arg-type]
    ModelArtsTrainingJobTrigger(job_id="a", polk_interval=60)  # type: ignore[call-arg]
    ModelArtsVisualizationJobEventTrigger(polk_interval=60)  # type: ignore[call-arg]
    ModelArtsTrainingJobEventTrigger(polk_interval=60)  # type: ignore[call-arg]


def hook() -> None:
    hook = ModelArtsHook(conn_id="a")  # type: ignore[call-arg]
    hook.create_visualization_job(job_name="a", train_url="/b/d/", job_type="board")  # type: ignore[arg-type]
    hook.list_visualization_jobs(sort_by="name")  # type: ignore[arg-type]
    hook.list_visualization_jobs(order="newest")  # type: ignore[arg-type]
    hook.list_training_jobs(order="newest")  # type: ignore[arg-type]
    hook.list_training_job_events("a", level="Debug")  # type: ignore[arg-type]
    hook.list_training_job_flavors("TPU")  # type: ignore[arg-type]


def client() -> None:
    client = ModelArtsHook().get_conn()
    client.visualization_jobs.list_all(sort_by="name")  # type: ignore[arg-type]
    client.visualization_jobs.list_all(state="RUNNING")  # type: ignore[call-arg]
    client.training_jobs.search(order="newest")  # type: ignore[arg-type]
    client.training_jobs.search(phase="Running")  # type: ignore[call-arg]
