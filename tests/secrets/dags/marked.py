"""All that this provider does, on connections whose secrets are searched for, well and badly; and canaries."""

from __future__ import annotations

import base64
import json
import os
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from airflow.sdk import Asset, AssetWatcher, BaseOperator, dag, task

from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.operators.clean_up import (
    ModelArtsCleanUpTrainingJobsOperator,
    ModelArtsCleanUpVisualizationJobsOperator,
)
from airflow_provider_modelarts.operators.training_job import (
    ModelArtsCreateTrainingJobOperator,
    ModelArtsDeleteTrainingJobOperator,
    ModelArtsStopTrainingJobOperator,
)
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsCreateVisualizationJobOperator,
    ModelArtsDeleteVisualizationJobOperator,
    ModelArtsRestartVisualizationJobOperator,
    ModelArtsStopVisualizationJobOperator,
    ModelArtsUpdateVisualizationJobOperator,
)
from airflow_provider_modelarts.sensors.training_job import ModelArtsTrainingJobSensor
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.triggers.training_job_event import ModelArtsTrainingJobEventTrigger
from airflow_provider_modelarts.triggers.visualization_job_event import ModelArtsVisualizationJobEventTrigger
from tests.secrets.canary import CanaryTrigger

SENSORS: dict[str, Any] = {"visualization": ModelArtsVisualizationJobSensor, "training": ModelArtsTrainingJobSensor}
EVENT_TRIGGERS: dict[str, Any] = {
    "visualization": ModelArtsVisualizationJobEventTrigger,
    "training": ModelArtsTrainingJobEventTrigger,
}
TRAINING_JOB = "5d2c9ad4-2b0c-4c5a-9b7e-000000000001"
"""A training job of those servers that answer badly."""

SETTINGS = ("setting", "other_setting")
"""Airflow variables that are in the environment of all training jobs. Airflow does not take them for secrets."""

GOOD = ("aksk", "tokens", "temporary", "proxied")
BAD = ("wrong_key", "wrong_user", "echo_aksk", "echo_token", "echo_temporary", "echo_iam", "echo_proxy")
MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    # Airflow fails a try that starts again before the scheduler has noticed the end of its last process.
    "reschedule": {"mode": "reschedule", "poke_interval": 10, "retries": 2, "retry_delay": timedelta(seconds=1)},
    "deferrable": {"deferrable": True},
    "skip_worker": {"skip_worker": True},
}
HOW = {"on_worker": False, "deferred": True}
QUICK: dict[str, Any] = {"poke_interval": 2, "poll_failure_tolerance": 3}

print("The DAG file sings", os.environ.get("CANARY_OF_THE_DAG_FILE"))


def wait(kind: str, task_id: str, job_id: str, connection: str, **arguments: Any) -> BaseOperator:
    """Return a sensor."""
    sensor: BaseOperator = SENSORS[kind](
        task_id=task_id, job_id=job_id, modelarts_conn_id=connection, **{**QUICK, **arguments}
    )
    return sensor


def train(task_id: str, connection: str, **arguments: Any) -> Any:
    """Return a task that creates a training job, with secrets in its environment."""
    in_argument, in_body = (f"{{{{ var.value.{name} }}}}" for name in SETTINGS)
    return ModelArtsCreateTrainingJobOperator(
        task_id=task_id,
        modelarts_conn_id=connection,
        algorithm_id="an-algorithm",
        flavor_id="modelarts.vm.cpu.2u",
        environments={"SETTING": in_argument},
        body={"algorithm": {"environments": {"OTHER": in_body}}},
        **QUICK,
        **arguments,
    )


@dag(schedule=None)
def waits() -> None:
    for kind in SENSORS:
        for connection in GOOD:
            job_id = f"{{{{ params.job_ids['{kind}']['{connection}'] }}}}"
            for mode, how in MODES.items():
                wait(kind, f"{kind}_{connection}_{mode}", job_id, connection, **how)


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
            training = train(f"{prefix}_train", connection, deferrable=deferrable)
            endless = train(f"{prefix}_train_slowly", connection, name_prefix="endless-", wait_for_completion=False)
            stop_training = ModelArtsStopTrainingJobOperator(
                task_id=f"{prefix}_stop_training", job_id=endless.output["job_id"], **how
            )
            delete_training = ModelArtsDeleteTrainingJobOperator(
                task_id=f"{prefix}_delete_training", job_id=training.output["job_id"], **how
            )
            endless >> stop_training
            training >> delete_training
        for kind, clean_up in {
            "visualization": ModelArtsCleanUpVisualizationJobsOperator,
            "training": ModelArtsCleanUpTrainingJobsOperator,
        }.items():
            clean_up(
                task_id=f"{connection}_clean_up_{kind}", job_name="idle", action="stop", modelarts_conn_id=connection
            )


@dag(schedule=None)
def failures() -> None:
    @task
    def look_by_hook(connection: str) -> None:
        with ModelArtsHook(connection) as hook:
            hook.get_visualization_job(103)

    for connection in BAD:
        at: dict[str, Any] = {"modelarts_conn_id": connection}
        wait("visualization", f"{connection}_poke", "102", connection)
        for mode in ("deferrable", "skip_worker"):
            wait("visualization", f"{connection}_{mode}", "101", connection, **MODES[mode])
            wait("training", f"{connection}_training_{mode}", TRAINING_JOB, connection, **MODES[mode])
        train(f"{connection}_train", connection)
        ModelArtsCreateVisualizationJobOperator(task_id=f"{connection}_create", train_url="/bucket/logs/", **at)
        ModelArtsStopVisualizationJobOperator(task_id=f"{connection}_stop", job_id="103", **at)
        ModelArtsCleanUpVisualizationJobsOperator(task_id=f"{connection}_clean_up", job_name="*", **at)
        look_by_hook.override(task_id=f"{connection}_hook")(connection)


@dag(schedule=None)
def failing_trainings() -> None:
    for connection in ("aksk", "tokens"):
        for name, deferrable in HOW.items():
            train(f"{connection}_{name}", connection, name_prefix="fails-", deferrable=deferrable)


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
        train(f"train_{name}", "tokens", name_prefix="slow-", deferrable=deferrable)


def watch(kind: str, connection: str) -> None:
    """Make a DAG that runs on the events of jobs of a kind, on a connection."""
    trigger = EVENT_TRIGGERS[kind](modelarts_conn_id=connection, poke_interval=2)
    asset = Asset(
        f"{kind}_jobs_of_{connection}",
        watchers=[AssetWatcher(name=f"watcher_of_{kind}_jobs_of_{connection}", trigger=trigger)],
    )

    @dag(dag_id=f"on_event_of_{kind}_jobs_of_{connection}", schedule=[asset])
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
failing_trainings()
kills()
canaries()
for kind in EVENT_TRIGGERS:
    for connection in ("aksk", "tokens", "echo_token"):
        watch(kind, connection)
