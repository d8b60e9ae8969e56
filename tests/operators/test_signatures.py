"""Editors and type checkers know each argument of an operator and of the task group by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts._compat import BaseOperator, airflow_version
from airflow_provider_modelarts.operators import base, existing, starting, visualization_job
from airflow_provider_modelarts.operators.clean_up import (
    ModelArtsCleanUpTrainingJobsOperator,
    ModelArtsCleanUpVisualizationJobsOperator,
)
from airflow_provider_modelarts.task_arguments import OperatorArguments, TaskArguments
from airflow_provider_modelarts.task_groups import visualization_job as task_group

OPERATORS = [
    *(getattr(visualization_job, name) for name in visualization_job.__all__),
    ModelArtsCleanUpTrainingJobsOperator,
    ModelArtsCleanUpVisualizationJobsOperator,
]
BASES = [
    base.JobOperator,
    base.WaitingJobOperator,
    starting.StartingJobOperator,
    existing.ExistingJobOperator,
    existing.RepeatableJobOperator,
]


def parameters(function: Callable[..., Any]) -> dict[str, Any]:
    return {name: part for name, part in inspect.signature(function).parameters.items() if name != "self"}


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_names_its_arguments_as_its_bases_do(operator: type[Any]) -> None:
    own = parameters(operator.__init__)
    assert own.pop("kwargs").annotation == "Unpack[OperatorArguments]"
    for kind in filter(lambda kind: issubclass(operator, kind), BASES):
        inherited = parameters(kind.__init__)
        del inherited["kwargs"]
        assert {name: own.get(name) for name in inherited} == inherited


def test_the_task_group_names_the_arguments_of_its_operators() -> None:
    create = parameters(visualization_job.ModelArtsCreateVisualizationJobOperator.__init__)
    group = parameters(task_group.visualization_job)
    assert set(create) - set(group) == {"wait_for_completion"}
    assert group["kwargs"].annotation == "Unpack[TaskArguments]"


@pytest.mark.skipif(airflow_version() < (3, 3), reason="the newest Airflow: older ones take less")
def test_the_arguments_of_a_task_are_those_of_airflow() -> None:
    assert set(OperatorArguments.__annotations__) == set(parameters(BaseOperator.__init__)) - {"kwargs"}
    assert set(TaskArguments.__annotations__) < set(OperatorArguments.__annotations__)


@pytest.mark.parametrize("operator", OPERATORS)
def test_default_args_of_a_dag_hold_for_every_argument(operator: type[Any]) -> None:
    needed = {"train_url": "/bucket/logs/", "job_id": 1, "job_desc": "text", "longer_than": 60}
    own = parameters(operator.__init__)
    given = {
        "region": "eu-de",
        "poke_interval": 5.0,
        "deferrable": True,
        "stop_on_failure": False,
        "if_already": "fail",
    }
    given = {name: value for name, value in given.items() if name in own}
    needed = {name: value for name, value in needed.items() if name in own}
    task = operator(task_id="task", default_args=given, **needed)
    assert {name: getattr(task, name) for name in given} == given
