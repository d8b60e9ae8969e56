"""Waits for many jobs of one project: half of them deferred by workers, half without any worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task, task_group

from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor

WAIT: dict[str, Any] = {
    "modelarts_conn_id": "{{ params.connection }}",
    "poke_interval": 10,
    # A worker that is lost costs its task a try, also one that only hands a wait to the triggerer or takes it back.
    "retries": 2,
    "retry_delay": timedelta(seconds=5),
}


@dag(schedule=None, max_active_tasks=1000, params={"connection": "modelarts_default", "by_workers": [], "by_none": []})
def fleet_waits() -> None:
    @task
    def by_workers(params: Any = None) -> list[str]:
        return list(params["by_workers"])

    @task
    def by_none(params: Any = None) -> list[int]:
        return [*range(len(params["by_none"]))]

    ModelArtsVisualizationJobSensor.partial(task_id="deferrable", deferrable=True, **WAIT).expand(job_id=by_workers())

    @task_group
    def each(number: int) -> None:
        ModelArtsVisualizationJobSensor(
            task_id="skip_worker", job_id="{{ params.by_none[ti.map_index] }}", skip_worker=True, **WAIT
        )

    each.expand(number=by_none())


fleet_waits()
