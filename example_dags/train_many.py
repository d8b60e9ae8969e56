"""
Train once for each learning rate, at most two jobs at a time, and take the one that was fastest.

The jobs run an image of your own. The connection ``modelarts_default`` decides whether they run in the cloud or in the
emulator. (Airflow 2.11: import ``dag``, ``task`` from ``airflow.decorators``.)
"""

from typing import Any

from airflow.sdk import dag, task

from airflow_provider_modelarts.operators.training_job import ModelArtsCreateTrainingJobOperator


@dag(dag_id="modelarts_train_many", schedule=None, doc_md=__doc__, tags=["modelarts"])
def train_many() -> None:
    trained = ModelArtsCreateTrainingJobOperator.partial(
        task_id="train",
        image_url="my-organization/my-image:1.0",
        command="python /home/ma-user/train.py",
        flavor_id="modelarts.vm.cpu.2u",
        max_pending=6 * 3600,  # a job that a quota refuses is submitted again
        deferrable=True,
        max_active_tis_per_dagrun=2,
    ).expand(parameters=[{"learning_rate": rate} for rate in (0.1, 0.01, 0.001)])

    @task
    def choose(jobs: Any) -> str:
        fastest = min(jobs, key=lambda job: job["duration_ms"])
        return str(fastest["job_id"])

    choose(trained.output)


train_many()
