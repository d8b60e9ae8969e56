"""
Train every night, and run a second DAG for each training that is Completed, whoever has started it.

The second DAG needs Airflow 3. The triggerer polls the training jobs of the connection ``modelarts_default`` for it.
"""

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Asset, AssetWatcher, dag, task

from airflow_provider_modelarts.operators.training_job import ModelArtsCreateTrainingJobOperator
from airflow_provider_modelarts.triggers.training_job_event import ModelArtsTrainingJobEventTrigger

models = Asset(
    "modelarts_nightly_models",
    watchers=[
        AssetWatcher(
            name="training_completed",
            trigger=ModelArtsTrainingJobEventTrigger(status="Completed", job_name="nightly-*", poke_interval=30),
        )
    ],
)


@dag(
    dag_id="modelarts_nightly_training",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    doc_md=__doc__,
    tags=["modelarts"],
)
def nightly_training() -> None:
    ModelArtsCreateTrainingJobOperator(
        task_id="train",
        name_prefix="nightly-",
        code_dir="obs://my-bucket/code/",
        boot_file="train.py",
        engine_id="pytorch_1.8.0-cuda_10.2-py_3.7-ubuntu_18.04-x86_64",
        flavor_id="modelarts.p3.large.public",
        outputs={"model": "obs://my-bucket/models/{{ run_id | replace(':', '_') }}/"},
        timeout=timedelta(hours=5),
        max_pending=timedelta(hours=2),  # without a free GPU by then, the task fails, and the job is stopped
        retries=1,
        deferrable=True,
    )


@dag(dag_id="modelarts_nightly_deployment", schedule=[models], doc_md=__doc__, tags=["modelarts"])
def nightly_deployment() -> None:
    @task
    def deploy(triggering_asset_events: Any = None) -> None:
        for event in triggering_asset_events[models]:
            job = event.extra["payload"]
            print(f"{job['job_name']} is {job['phase']}, deploying {job['outputs']['model']}")

    deploy()


nightly_training()
nightly_deployment()
