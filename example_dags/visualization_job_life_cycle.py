"""
The whole path of a visualization job: create it, wait until it runs, use it, stop it, wait until it is over, delete it.

Trigger it with the OBS directory of the TensorBoard logs: ``{"train_url": "/bucket/logs/"}``. (Airflow 2.11: import
``dag`` and ``task`` from ``airflow.decorators``.)
"""

from typing import Any

from airflow.sdk import dag, task

from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor


@task
def create_job(job_name: str, train_url: str) -> str:
    with ModelArtsHook() as hook:
        job = hook.create_visualization_job(job_name=job_name, train_url=train_url, job_type="tensorboard")
    return job.job_id


@task
def show_job(job: dict[str, Any]) -> None:
    print(f"{job['job_name']} shows {job['train_url']} at {job['service_url']}")


@task
def stop_job(job_id: str) -> None:
    with ModelArtsHook() as hook:
        hook.stop_visualization_job(job_id)


@task
def delete_job(job_id: str) -> None:
    with ModelArtsHook() as hook:
        hook.delete_visualization_job(job_id)


@dag(
    dag_id="modelarts_visualization_job_life_cycle",
    schedule=None,
    params={"train_url": "/my-bucket/tensorboard-logs/"},
    tags=["modelarts"],
)
def visualization_job_life_cycle() -> None:
    job_id = create_job(
        job_name="airflow-{{ dag_run.start_date.strftime('%y%m%d%H%M%S') }}",  # unique, at most 20 characters
        train_url="{{ params.train_url }}",
    )
    running = ModelArtsVisualizationJobSensor(
        task_id="wait_until_running",
        job_id=job_id,
        target_status="RUNNING",
        deferrable=True,
        poke_interval=10,
        timeout=30 * 60,
    )
    over = ModelArtsVisualizationJobSensor(
        task_id="wait_until_over",
        job_id=job_id,
        target_status=["KILLED", "CANCELED", "COMPLETED"],
        deferrable=True,
        poke_interval=10,
        timeout=10 * 60,
    )
    # A teardown runs whatever became of the tasks before it, so that no job is left behind.
    delete = delete_job(job_id).as_teardown(setups=job_id)

    show_job(running.output) >> stop_job(job_id) >> over >> delete


visualization_job_life_cycle()
