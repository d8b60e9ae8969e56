"""
Train with an algorithm of ModelArts' algorithm management, then evaluate what the training job has written.

Trigger it with the ID of an algorithm: ``{"algorithm_id": "01c399ae-8593-4ef5-9e4d-085950aacde1"}``. The connection
``modelarts_default`` decides whether the job runs in the cloud or in the emulator. (Airflow 2.11: import ``dag``,
``task`` from ``airflow.decorators`` and ``Param`` from ``airflow.models.param``.)
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_provider_modelarts.operators.training_job import ModelArtsCreateTrainingJobOperator


@dag(
    dag_id="modelarts_train_and_evaluate",
    schedule=None,
    params={
        "algorithm_id": Param("01c399ae-8593-4ef5-9e4d-085950aacde1", type="string", title="Algorithm"),
        "epochs": Param(10, type="integer"),
    },
    doc_md=__doc__,
    tags=["modelarts"],
)
def train_and_evaluate() -> None:
    train = ModelArtsCreateTrainingJobOperator(
        task_id="train",
        algorithm_id="{{ params.algorithm_id }}",
        flavor_id="modelarts.vm.cpu.2u",
        parameters={"epochs": "{{ params.epochs }}"},
        inputs={"data_url": "obs://my-bucket/data/"},
        outputs={"train_url": "obs://my-bucket/models/{{ run_id | replace(':', '_') }}/"},
        timeout=timedelta(hours=12),  # the job is stopped then, also by ModelArts itself an hour later at most
        retries=2,  # a retry takes over the job, unless it has failed
        deferrable=True,  # no worker is held while the job runs
    )

    @task
    def evaluate(job: dict[str, Any]) -> None:
        print(f"{job['job_name']} is {job['phase']}: {job['outputs']['train_url']}")

    evaluate(train.output)


train_and_evaluate()
