"""
Run a TensorBoard around the tasks that need it. It is stopped after them, also if they fail, and is billed no longer.

Trigger the DAG with ``{"fail": true}`` to see the job stopped although the evaluation fails. On Airflow 2.11, import
``dag`` and ``task`` from ``airflow.decorators``.
"""

from typing import Any

from airflow.sdk import dag, task

from airflow_provider_modelarts.task_groups.visualization_job import visualization_job


@task
def evaluate(job: dict[str, Any], fail: str) -> None:
    print(f"Look at {job['service_url']}")
    if fail == "True":
        raise RuntimeError("The evaluation failed, as asked for")


@task
def publish() -> None:
    print("Published")


@dag(
    dag_id="modelarts_board_around_tasks",
    schedule=None,
    params={"train_url": "/my-bucket/tensorboard-logs/", "fail": False},
    doc_md=__doc__,
    tags=["modelarts"],
)
def board_around_tasks() -> None:
    with visualization_job("board", train_url="{{ params.train_url }}", auto_stop_hours=4, deferrable=True) as board:
        evaluate(board.output, "{{ params.fail }}")

    board >> publish()  # when the evaluation is done; does not wait for the board to be stopped


board_around_tasks()
