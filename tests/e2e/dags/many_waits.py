"""Many waits, deferred by workers or without any, and one of each kind; the jobs come with the run's configuration."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task, task_group

from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor

WAIT: dict[str, Any] = {"modelarts_conn_id": "tokens", "poke_interval": 5}


@dag(schedule=None, max_active_tasks=64)
def many_waits() -> None:
    @task
    def submit(params: Any = None) -> list[str]:
        return [str(job_id) for job_id in params["job_ids"]]

    ModelArtsVisualizationJobSensor.partial(task_id="wait", deferrable=True, **WAIT).expand(job_id=submit())


@dag(schedule=None)
def many_waits_without_worker() -> None:
    @task
    def indices(params: Any = None) -> list[int]:
        return [*range(len(params["job_ids"]))]

    @task_group
    def each(index: int) -> None:
        ModelArtsVisualizationJobSensor(
            task_id="wait",
            job_id="{{ params.job_ids[ti.map_index] }}",
            modelarts_conn_id="counts",
            poke_interval=5,
            skip_worker=True,
        )

    each.expand(index=indices())


@dag(schedule=None)
def few_waits() -> None:
    job_id = "{{ params.job_id }}"
    ModelArtsVisualizationJobSensor(task_id="deferrable", job_id=job_id, deferrable=True, **WAIT)
    ModelArtsVisualizationJobSensor(task_id="skip_worker", job_id=job_id, skip_worker=True, **WAIT)


many_waits()
many_waits_without_worker()
few_waits()
