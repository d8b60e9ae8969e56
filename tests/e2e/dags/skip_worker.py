"""Waits that start in the triggerer, and what must not be lost by that; the jobs come with the run's configuration."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, dag, task, task_group

from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor

JOB_RUNS = Asset("modelarts_job_runs")

WAIT: dict[str, Any] = {"modelarts_conn_id": "waits", "poke_interval": 2, "skip_worker": True}


class OwnField(ModelArtsVisualizationJobSensor):
    """A sensor with one more template field."""

    template_fields = (*ModelArtsVisualizationJobSensor.template_fields, "topic")

    def __init__(self, *, topic: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.topic = topic


def wait(task_id: str, **arguments: Any) -> Any:
    """Return the sensor."""
    return ModelArtsVisualizationJobSensor(task_id=task_id, **{**WAIT, **arguments})


def call_back(context: Any) -> None:
    """Show in the task's log that Airflow called."""
    print("called back by", context["ti"].task_id)


@dag(schedule=None)
def skip_worker() -> None:
    @task
    def submit(params: Any = None) -> str:
        return str(params["job_id"])

    @task
    def submit_several(params: Any = None) -> list[str]:
        return [str(job_id) for job_id in params["job_ids"]]

    @task
    def use(job: Any) -> str:
        return f"{type(job).__name__} of job {job['job_id']}"

    @task
    def submit_one(job_id: str) -> str:
        return job_id

    @task
    def echo(item: Any) -> str:
        return str(item[0])

    @task_group
    def each(job_id: str) -> None:
        wait(task_id="of_argument", job_id=job_id)
        wait(task_id="of_sibling", job_id=submit_one(job_id))

    submitted, several = submit(), submit_several()
    by_output = wait(task_id="by_output", job_id=submitted)
    use(by_output.output)
    submitted >> wait(task_id="by_template", job_id="{{ ti.xcom_pull(task_ids='submit') }}")
    wait(task_id="several", job_ids=several)
    echo.expand(item=wait(task_id="mapped_over", job_ids=several).output)
    OwnField(task_id="own_field", job_id=submitted, topic="{{ ds_nodash }}", **WAIT)
    wait(task_id="undefined", job_id=submitted, region="{{ params.typo }}")
    ModelArtsVisualizationJobSensor.partial(task_id="mapped", **WAIT).expand(job_id=several)
    wait(task_id="all_of_mapped", job_ids=submit_one.expand(job_id=several))
    each.expand(job_id=several)

    job_id = "{{ params.job_id }}"
    wait(task_id="with_outlet", job_id=job_id, outlets=[JOB_RUNS])
    wait(task_id="with_callback", job_id=job_id, on_success_callback=call_back)
    retry: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(seconds=1)}
    wait(task_id="fails", job_id="{{ params.failing_job_id }}", on_failure_callback=call_back, **retry)
    wait(task_id="refused_at_first", job_id="{{ params.refused_job_id }}", modelarts_conn_id="refuses", **retry)


@dag(schedule=[JOB_RUNS])
def scheduled_by_outlet() -> None:
    @task
    def run() -> None:
        """Do nothing: that there is a run is the point."""

    run()


skip_worker()
scheduled_by_outlet()
