"""
Start the task `use_tensorboard` once a visualization job is RUNNING.

Trigger the DAG with the ID of a job: ``{"job_id": "4711"}``. The connection ``modelarts_default`` leads to the cloud or
to the emulator. On Airflow 2.11, import ``dag`` and ``task`` from ``airflow.decorators`` and ``Param`` from
``airflow.models.param``.
"""

from typing import Any

from airflow.sdk import Param, dag, task

from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor


@dag(
    dag_id="modelarts_gate_on_running",
    schedule=None,
    params={"job_id": Param(type="string", pattern="^[0-9]+$", title="Visualization job", description="ID of the job")},
    doc_md=__doc__,
    tags=["modelarts"],
)
def gate_on_running() -> None:
    job_runs = ModelArtsVisualizationJobSensor(
        task_id="wait_until_running",
        job_id="{{ params.job_id }}",
        target_status="RUNNING",
        deferrable=True,  # no worker is held while the job is waited for
        poke_interval=10,
        timeout=30 * 60,
    )

    @task
    def use_tensorboard(job: dict[str, Any]) -> None:
        print(f"{job['job_name']} is {job['status_name']}: {job['service_url']}")

    use_tensorboard(job_runs.output)


gate_on_running()
