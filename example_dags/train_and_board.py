"""
Train, then evaluate with a TensorBoard that is there for as long as the evaluation needs it.

This needs a deployment that has both APIs, as Huawei Cloud Stack may: training jobs (v2) and visualization jobs (v1).
On Airflow 2.11, import ``dag`` and ``task`` from ``airflow.decorators``.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from airflow_provider_modelarts.operators.training_job import ModelArtsCreateTrainingJobOperator
from airflow_provider_modelarts.task_groups.visualization_job import visualization_job

LOGS = "/my-bucket/tensorboard-logs/{{ run_id | replace(':', '_') }}/"


@task
def evaluate(board: dict[str, Any]) -> None:
    print(f"Compare the runs at {board['service_url']}")


@dag(dag_id="modelarts_train_and_board", schedule=None, doc_md=__doc__, tags=["modelarts"])
def train_and_board() -> None:
    train = ModelArtsCreateTrainingJobOperator(
        task_id="train",
        image_url="my-organization/my-image:1.0",
        command="python /home/ma-user/train.py",
        flavor_id="modelarts.vm.cpu.2u",
        outputs={"logs": LOGS},
        timeout=timedelta(hours=12),
        retries=2,
        deferrable=True,
    )

    with visualization_job("board", train_url=LOGS, auto_stop_hours=4, deferrable=True) as board:
        evaluate(board.output)

    train >> board  # no board is billed while the training runs


train_and_board()
