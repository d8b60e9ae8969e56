"""
Run a DAG each time a visualization job whose name starts with ``board-`` becomes RUNNING.

This needs Airflow 3. The triggerer polls the jobs of the connection ``modelarts_default`` every 30 seconds.
"""

from typing import Any

from airflow.sdk import Asset, AssetWatcher, dag, task

from airflow_provider_modelarts.triggers.visualization_job_event import ModelArtsVisualizationJobEventTrigger

boards = Asset(
    "modelarts_boards",
    watchers=[
        AssetWatcher(
            name="board_runs",
            trigger=ModelArtsVisualizationJobEventTrigger(status="RUNNING", job_name="board-*", poke_interval=30),
        )
    ],
)


@dag(dag_id="modelarts_schedule_on_running", schedule=[boards], doc_md=__doc__, tags=["modelarts"])
def schedule_on_running() -> None:
    @task
    def greet(triggering_asset_events: Any = None) -> None:
        for event in triggering_asset_events[boards]:
            job = event.extra["payload"]
            print(f"{job['job_name']} ({job['job_id']}) is {job['status_name']}: {job['service_url']}")

    greet()


schedule_on_running()
