"""Waits in every mode on jobs of the run's own, and a task behind each that must run as often as its job arrives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    # It starts on a worker all the time, and while there is no API server each start fails: a retry must come later.
    "reschedule": {"mode": "reschedule", "retry_delay": timedelta(seconds=20)},
    "deferrable": {"deferrable": True},
    "skip_worker": {"skip_worker": True},
}
"""How the waits of each mode are made. What is added here is killed, judged and reported with the others."""

FATES: dict[str, tuple[str, str]] = {
    "runs_meanwhile": ("meanwhile", "RUNNING"),
    "fails_meanwhile": ("meanwhile", "FAILED"),
    "runs_afterwards": ("afterwards", "RUNNING"),
    "fails_afterwards": ("afterwards", "FAILED"),
}
"""The waits of each mode: when its job moves, while things are broken or when they are mended, and to which status."""

# What Airflow loses with a worker is a try, of any task. How many were used is part of what is reported.
RETRY: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(seconds=1)}


POKE_INTERVAL = 4  # seconds


def task_id_of(mode: str, fate: str) -> str:
    """Return the id of the task that waits."""
    return f"{mode}.{fate}"


with DAG(
    "waits_to_be_killed",
    schedule=None,
    max_active_tasks=64,
    params={"connection": "modelarts_default"},
    default_args=RETRY,
):

    @task
    def create(params: Any = None) -> dict[str, str]:
        """Create a job for each wait."""
        with ModelArtsHook(params["connection"]) as hook:
            return {
                task_id_of(mode, fate): hook.create_visualization_job(
                    job_name=f"{mode}-{number}", train_url="/bucket/logs/"
                ).job_id
                for mode in MODES
                for number, fate in enumerate(FATES)
            }

    created = create()
    for mode, options in MODES.items():
        for fate in FATES:
            wait = ModelArtsVisualizationJobSensor(
                task_id=task_id_of(mode, fate),
                job_id=f"{{{{ ti.xcom_pull(task_ids='create')['{task_id_of(mode, fate)}'] }}}}",
                modelarts_conn_id="{{ params.connection }}",
                poke_interval=POKE_INTERVAL,
                poll_failure_tolerance=120,
                **options,
            )

            @task(task_id=f"{task_id_of(mode, fate)}.use")
            def use(job: Any) -> str:
                """Say which job it was given."""
                print("using job", job["job_id"])
                return f"{job['job_id']} {job['status_name']}"

            created >> wait
            use(wait.output)
