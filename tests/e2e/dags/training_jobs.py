"""Training jobs whose tasks are killed, failed, cleared and timed out; how they wait comes with the task."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, ExceptionRetryPolicy, RetryAction, RetryRule

from airflow_provider_modelarts.api.training_jobs.failures import TrainingCodeError
from airflow_provider_modelarts.operators.training_job import ModelArtsCreateTrainingJobOperator

HOW: dict[str, dict[str, Any]] = {"on_worker": {"deferrable": False}, "deferred": {"deferrable": True}}
SETTING = "training_setting"
"""Airflow variable that is in the environment of all jobs. Airflow does not take it for a secret by its name."""

RETRY: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(seconds=1)}

LIMITS: dict[str, dict[str, Any]] = {
    "timeout": {"timeout": 12},
    "execution_timeout": {"execution_timeout": timedelta(seconds=12)},
    "max_pending": {"max_pending": 12},
}


def train(task_id: str, connection: str = "trainings", **arguments: Any) -> None:
    """Make a task that creates a training job."""
    ModelArtsCreateTrainingJobOperator(
        task_id=task_id,
        modelarts_conn_id=connection,
        algorithm_id="an-algorithm",
        flavor_id="modelarts.vm.cpu.2u",
        environments={"SETTING": f"{{{{ var.value.{SETTING} }}}}"},
        poke_interval=2,
        **arguments,
    )


for dag_id in ("train", "train_quickly", "train_after_failure"):
    with DAG(dag_id, schedule=None, params={"connection": "trainings"}):
        for name, how in HOW.items():
            train(name, "{{ params.connection }}", **RETRY, **how)

with DAG("train_by_policy", schedule=None):
    no_retry_of_bad_code = ExceptionRetryPolicy([RetryRule(exception=TrainingCodeError, action=RetryAction.FAIL)])
    for name, how in HOW.items():
        train(name, **{**RETRY, "retries": 3}, retry_policy=no_retry_of_bad_code, **how)

with DAG("train_once", schedule=None):
    for name, how in HOW.items():
        train(name, **how)

with DAG("train_long", schedule=None):
    for limit, arguments in LIMITS.items():
        for name, how in HOW.items():
            train(f"{limit}-{name}", **arguments, **how)
