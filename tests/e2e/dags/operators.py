"""Operators whose tasks are killed, failed and cleared while they run; how they wait comes with the DAG."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsCreateVisualizationJobOperator,
    ModelArtsDeleteVisualizationJobOperator,
    ModelArtsRestartVisualizationJobOperator,
    ModelArtsStopVisualizationJobOperator,
)

HOW: dict[str, dict[str, Any]] = {"on_worker": {"deferrable": False}, "deferred": {"deferrable": True}}
COMMON: dict[str, Any] = {"modelarts_conn_id": "operators", "poke_interval": 2}
RETRY: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(seconds=1)}


def make_create_dag(name: str, how: dict[str, Any]) -> None:
    """Make a DAG that creates a job."""

    @dag(dag_id=f"create_{name}", schedule=None)
    def create() -> None:
        ModelArtsCreateVisualizationJobOperator(
            task_id="create", train_url="/bucket/logs/", timeout=120, **COMMON, **RETRY, **how
        )

    create()


def make_change_dag(name: str, how: dict[str, Any]) -> None:
    """Make a DAG that changes a job in every way."""

    @dag(dag_id=f"change_{name}", schedule=None, params={"job_id": "0"})
    def change() -> None:
        job_id = "{{ params.job_id }}"
        stop = ModelArtsStopVisualizationJobOperator(task_id="stop", job_id=job_id, **COMMON, **how)
        restart = ModelArtsRestartVisualizationJobOperator(task_id="restart", job_id=job_id, **COMMON, **how)
        delete = ModelArtsDeleteVisualizationJobOperator(task_id="delete", job_id=job_id, **COMMON, **how)
        stop >> restart >> delete

    change()


@dag(dag_id="create_mapped", schedule=None)
def create_mapped() -> None:
    @task
    def directories() -> list[str]:
        return [f"/bucket/{index}/" for index in range(3)]

    ModelArtsCreateVisualizationJobOperator.partial(task_id="create", deferrable=True, **COMMON).expand(
        train_url=directories()
    )


for name, how in HOW.items():
    make_create_dag(name, how)
    make_change_dag(name, how)
make_create_dag("and_be_deleted", HOW["deferred"])
create_mapped()
