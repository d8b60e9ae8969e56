"""
Create a visualization job, describe it, use it, stop it, restart it and delete it.

Trigger the DAG with the OBS directory of the TensorBoard logs: ``{"train_url": "/bucket/logs/"}``. You can clear each
task and run it again: it does what the job's status calls for. On Airflow 2.11, import ``dag`` and ``task`` from
``airflow.decorators``.
"""

from typing import Any

from airflow.sdk import dag, task

from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsCreateVisualizationJobOperator,
    ModelArtsDeleteVisualizationJobOperator,
    ModelArtsRestartVisualizationJobOperator,
    ModelArtsStopVisualizationJobOperator,
    ModelArtsUpdateVisualizationJobOperator,
)


@task
def show_job(job: dict[str, Any]) -> None:
    print(f"{job['job_name']} shows {job['train_url']} at {job['service_url']}")


@dag(
    dag_id="modelarts_visualization_job_life_cycle",
    schedule=None,
    params={"train_url": "/my-bucket/tensorboard-logs/"},
    default_args={"deferrable": True},  # waits hold no worker
    doc_md=__doc__,
    tags=["modelarts"],
)
def visualization_job_life_cycle() -> None:
    create = ModelArtsCreateVisualizationJobOperator(
        task_id="create",
        train_url="{{ params.train_url }}",
        job_type="tensorboard",
        auto_stop_hours=4,  # a running job is billed: this ends it whatever happens to Airflow
    )
    job_id = create.output["job_id"]
    describe = ModelArtsUpdateVisualizationJobOperator(task_id="describe", job_id=job_id, job_desc="Run {{ run_id }}")
    stop = ModelArtsStopVisualizationJobOperator(task_id="stop", job_id=job_id)
    restart = ModelArtsRestartVisualizationJobOperator(task_id="restart", job_id=job_id)
    delete = ModelArtsDeleteVisualizationJobOperator(task_id="delete", job_id=job_id)

    show = show_job(create.output)
    # A teardown runs whether or not the tasks before it succeed, so that no job is left behind.
    describe >> show >> stop >> restart >> delete.as_teardown(setups=create)


visualization_job_life_cycle()
