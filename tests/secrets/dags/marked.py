"""All that this provider does, on connections whose secrets are searched for, well and badly; and canaries."""

from __future__ import annotations

import base64
import json
import os
from typing import Any
from urllib.parse import quote

from airflow.sdk import Asset, AssetWatcher, BaseOperator, dag, task

from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.operators.clean_up import ModelArtsCleanUpVisualizationJobsOperator
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsCreateVisualizationJobOperator,
    ModelArtsDeleteVisualizationJobOperator,
    ModelArtsRestartVisualizationJobOperator,
    ModelArtsStopVisualizationJobOperator,
    ModelArtsUpdateVisualizationJobOperator,
)
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.triggers.visualization_job_event import ModelArtsVisualizationJobEventTrigger
from tests.secrets.canary import CanaryTrigger

GOOD = ("aksk", "tokens", "temporary", "proxied")
BAD = ("wrong_key", "wrong_user", "echo_aksk", "echo_token", "echo_temporary", "echo_iam", "echo_proxy")
MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
    "skip_worker": {"skip_worker": True},
}
HOW = {"on_worker": False, "deferred": True}
QUICK: dict[str, Any] = {"poke_interval": 2, "poll_failure_tolerance": 3}

print("The DAG file sings", os.environ.get("CANARY_OF_THE_DAG_FILE"))


def wait(task_id: str, job_id: str, connection: str, **arguments: Any) -> BaseOperator:
    """Return a sensor."""
    return ModelArtsVisualizationJobSensor(
        task_id=task_id, job_id=job_id, modelarts_conn_id=connection, **QUICK, **arguments
    )


@dag(schedule=None)
def waits() -> None:
    for connection in GOOD:
        for mode, how in MODES.items():
            wait(f"{connection}_{mode}", f"{{{{ params.job_ids['{connection}'] }}}}", connection, **how)


@dag(schedule=None)
def operators() -> None:
    for connection in ("aksk", "tokens"):
        for name, deferrable in HOW.items():
            how: dict[str, Any] = {"modelarts_conn_id": connection, "deferrable": deferrable, **QUICK}
            prefix = f"{connection}_{name}"
            create = ModelArtsCreateVisualizationJobOperator(
                task_id=f"{prefix}_create", train_url="/bucket/logs/", **how
            )
            job_id = f"{{{{ ti.xcom_pull(task_ids='{prefix}_create', key='job_id') }}}}"
            update = ModelArtsUpdateVisualizationJobOperator(
                task_id=f"{prefix}_update", job_id=job_id, job_desc="changed", modelarts_conn_id=connection
            )
            stop = ModelArtsStopVisualizationJobOperator(task_id=f"{prefix}_stop", job_id=job_id, **how)
            restart = ModelArtsRestartVisualizationJobOperator(task_id=f"{prefix}_restart", job_id=job_id, **how)
            delete = ModelArtsDeleteVisualizationJobOperator(task_id=f"{prefix}_delete", job_id=job_id, **how)
            create >> update >> stop >> restart >> delete
        ModelArtsCleanUpVisualizationJobsOperator(
            task_id=f"{connection}_clean_up", job_name="idle", action="stop", modelarts_conn_id=connection
        )


@dag(schedule=None)
def failures() -> None:
    @task
    def look_by_hook(connection: str) -> None:
        with ModelArtsHook(connection) as hook:
            hook.get_visualization_job(103)

    for connection in BAD:
        at: dict[str, Any] = {"modelarts_conn_id": connection}
        wait(f"{connection}_poke", "102", connection)
        for mode in ("deferrable", "skip_worker"):
            wait(f"{connection}_{mode}", "101", connection, **MODES[mode])
        ModelArtsCreateVisualizationJobOperator(task_id=f"{connection}_create", train_url="/bucket/logs/", **at)
        ModelArtsStopVisualizationJobOperator(task_id=f"{connection}_stop", job_id="103", **at)
        ModelArtsCleanUpVisualizationJobsOperator(task_id=f"{connection}_clean_up", job_name="*", **at)
        look_by_hook.override(task_id=f"{connection}_hook")(connection)


@dag(schedule=None)
def kills() -> None:
    for name, deferrable in HOW.items():
        ModelArtsCreateVisualizationJobOperator(
            task_id=name,
            train_url="/bucket/logs/",
            job_name=f"slow-{name}",
            modelarts_conn_id="tokens",
            deferrable=deferrable,
            **QUICK,
        )


def watch(connection: str) -> None:
    """Make a DAG that runs on the events of a connection."""
    trigger = ModelArtsVisualizationJobEventTrigger(status="RUNNING", modelarts_conn_id=connection, poke_interval=2)
    asset = Asset(f"jobs_of_{connection}", watchers=[AssetWatcher(name=f"watcher_of_{connection}", trigger=trigger)])

    @dag(dag_id=f"on_event_of_{connection}", schedule=[asset])
    def on_event() -> None:
        @task
        def show(triggering_asset_events: Any = None) -> list[str]:
            return [event.extra["payload"]["job_name"] for event in triggering_asset_events[asset]]

        show()

    on_event()


class Singer(BaseOperator):
    """Tells what it is given in a trigger."""

    template_fields = ("text",)

    def __init__(self, *, text: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = text

    def execute(self, context: Any) -> None:
        self.defer(trigger=CanaryTrigger(self.text), method_name="end")

    def end(self, context: Any, event: Any = None) -> None:
        """Be over."""


@dag(schedule=None)
def canaries() -> None:
    @task(templates_dict={"text": "{{ params.template }}"})
    def sing(params: Any = None, templates_dict: Any = None) -> str:
        text = params["log"]
        print("The task sings", text)
        print("in URLs", quote(f"/ {params['quoted']}"), "in JSON", json.dumps([f'"{params["json"]}']))
        print("in base64", base64.b64encode(f"user:{params['base64']}".encode()).decode())
        return str(params["xcom"])

    @task
    def fail(params: Any = None) -> None:
        raise ValueError(f"The exception sings {params['exception']}")

    sing()
    fail()
    Singer(task_id="trigger", text="{{ params.trigger }}")


waits()
operators()
failures()
kills()
canaries()
for connection in ("aksk", "tokens", "echo_token"):
    watch(connection)
