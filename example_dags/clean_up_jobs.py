"""
Every morning, find the visualization jobs that have been running, and billed, for more than a day.

The scheduled runs only report the jobs. Trigger the DAG with ``{"action": "stop"}`` to stop them. On Airflow 2.11,
import ``dag`` and ``task`` from ``airflow.decorators`` and ``Param`` from ``airflow.models.param``.
"""

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_provider_modelarts.operators.clean_up import ModelArtsCleanUpVisualizationJobsOperator


@dag(
    dag_id="modelarts_clean_up_jobs",
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    params={"action": Param("report", enum=["report", "stop"])},
    doc_md=__doc__,
    tags=["modelarts"],
)
def clean_up_jobs() -> None:
    found = ModelArtsCleanUpVisualizationJobsOperator(
        task_id="find_old_jobs", longer_than=timedelta(hours=24), action="{{ params.action }}"
    )

    @task
    def tell(result: dict[str, Any]) -> None:
        for job in result["found"]:
            hours = (job["duration_ms"] or 0) / 3_600_000  # None if the API does not return it
            print(f"{job['job_name']} ({job['job_id']}) has been running for {hours:.0f} h in all")
        print(f"Stopped: {result['stopped']}")

    tell(found.output)


clean_up_jobs()
