"""One wait in each mode, and a task behind each that receives what the wait returned."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
    "skip_worker": {"skip_worker": True},
}


@task
def use(job: Any) -> str:
    return str(job["status_name"])


@dag(schedule=None)
def each_mode() -> None:
    for mode, arguments in MODES.items():
        wait = ModelArtsVisualizationJobSensor(
            task_id=f"wait_{mode}", job_id="{{ dag_run.conf.job_id }}", poke_interval=5, timeout=300, **arguments
        )
        use.override(task_id=f"use_{mode}")(wait.output)


each_mode()
