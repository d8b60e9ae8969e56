"""DAGs that run on events of one connection, by two watchers; each run says which job it was for."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, AssetWatcher, dag, task

from airflow_provider_modelarts.operators.visualization_job import ModelArtsUpdateVisualizationJobOperator
from airflow_provider_modelarts.triggers.visualization_job_event import ModelArtsVisualizationJobEventTrigger


def make_dag(dag_id: str, **what: Any) -> None:
    """Make a DAG with an asset and a watcher of its own."""
    trigger = ModelArtsVisualizationJobEventTrigger(modelarts_conn_id="events", poke_interval=2, **what)
    asset = Asset(f"{dag_id}_asset", watchers=[AssetWatcher(name=f"{dag_id}_watcher", trigger=trigger)])

    @dag(dag_id=dag_id, schedule=[asset])
    def scheduled_by_events() -> None:
        @task
        def names(triggering_asset_events: Any = None) -> list[str]:
            return [event.extra["payload"]["job_name"] for event in triggering_asset_events[asset]]

        names()

    scheduled_by_events()


@dag(schedule=None, params={"job_id": "0"})
def tells_by_reference() -> None:
    ModelArtsUpdateVisualizationJobOperator(
        task_id="update",
        modelarts_conn_id="events",
        job_id="{{ params.job_id }}",
        job_desc="told",
        outlets=[Asset.ref(name="referred_board")],
    )


@dag(schedule=[Asset("referred_board", uri="modelarts://eu-de/p/visualization-jobs/referred")])
def on_reference() -> None:
    @task
    def names(triggering_asset_events: Any = None) -> list[str]:
        return [event.extra["job_name"] for events in triggering_asset_events.values() for event in events]

    names()


tells_by_reference()
on_reference()
make_dag("on_any_running", status="RUNNING")
make_dag("on_nightly_over", status=["KILLED", "COMPLETED"], job_name="nightly-*")
