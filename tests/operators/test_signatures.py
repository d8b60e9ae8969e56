"""Editors and type checkers know each argument of a task and of the task group by its name, and no others exist."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts._compat import BaseOperator, BaseSensorOperator, airflow_version
from airflow_provider_modelarts.api.training_jobs.body import create_body
from airflow_provider_modelarts.operators import base, existing, starting, training_job, visualization_job
from airflow_provider_modelarts.operators.clean_up import (
    ModelArtsCleanUpTrainingJobsOperator,
    ModelArtsCleanUpVisualizationJobsOperator,
)
from airflow_provider_modelarts.sensors.base import JobSensor
from airflow_provider_modelarts.sensors.training_job import ModelArtsTrainingJobSensor
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.task_arguments import OperatorArguments, SensorArguments, TaskArguments
from airflow_provider_modelarts.task_groups import visualization_job as task_group

OPERATORS = [
    *(getattr(visualization_job, name) for name in visualization_job.__all__),
    ModelArtsCleanUpTrainingJobsOperator,
    ModelArtsCleanUpVisualizationJobsOperator,
]
SENSORS = [ModelArtsTrainingJobSensor, ModelArtsVisualizationJobSensor]
TASKS = [*OPERATORS, *(getattr(training_job, name) for name in training_job.__all__), *SENSORS]
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
    of_sensors = set(parameters(BaseSensorOperator.__init__)) - {"kwargs"}
    assert set(SensorArguments.__annotations__) == of_sensors | set(OperatorArguments.__annotations__)


@pytest.mark.parametrize("sensor", SENSORS)
def test_a_sensor_names_its_arguments_as_its_base_does(sensor: type[Any]) -> None:
    own, inherited = parameters(sensor.__init__), parameters(JobSensor.__init__)
    assert own.pop("kwargs").annotation == "Unpack[SensorArguments]"
    assert set(own) == set(inherited) - {"kwargs"}


@pytest.mark.parametrize("task", TASKS)
def test_an_argument_that_does_not_exist_is_an_error(task: type[Any]) -> None:
    needed = {"train_url": "/bucket/logs/", "job_id": 1, "job_desc": "text", "longer_than": 60}
    needed = {name: value for name, value in needed.items() if name in parameters(task.__init__)}
    with pytest.raises(Exception, match="polk_interval"):
        task(task_id="task", **needed, polk_interval=60)


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


VISUALIZATION: dict[str, Any] = {
    "job_id": "7",
    "job_name": "board",
    "job_ids": ["7", "8"],
    "job_desc": "text",
    "job_type": "mindinsight",
    "train_url": "/bucket/logs/",
    "flavor": "small",
    "auto_stop_hours": 4,
    "target_status": ["KILLED"],
    "failure_statuses": ["KILLED"],
}
TRAINING: dict[str, Any] = {
    "job_id": "425b7087-83de-49b4-9b65-6e2b91e4a5fe",
    "job_name": "train",
    "job_ids": ["425b7087-83de-49b4-9b65-6e2b91e4a5fe"],
    "target_status": ["Terminated"],
    "failure_statuses": ["Running"],
    "name_prefix": "nightly-",
    "job_kind": "visualization_job",
    "max_pending": 60.0,
    "get_logs": False,
    "cancel_on_kill": False,
    "idle_for": 60.0,
    "idle_below": 3.0,
}
OF_BOTH: dict[str, Any] = {
    "modelarts_conn_id": "other",
    "region": "eu-de",
    "project_id": "p",
    "workspace_id": "1" * 32,
    "wait_for_completion": False,
    "deferrable": True,
    "skip_worker": True,
    "poke_interval": 5.0,
    "timeout": 70.0,
    "poll_failure_tolerance": 80.0,
    "stop_on_failure": False,
    "if_already": "fail",
    "stop_first": False,
    "wait_for": "any",
    "longer_than": 90.0,
    "action": "stop",
}
WITHOUT_DEFAULT: dict[str, dict[str, Any]] = {
    "Create": {"train_url": "/bucket/other/", "algorithm_id": "a", "flavor_id": "f"},
    "CleanUp": {"longer_than": 1},
    "Update": {"job_id": "7", "job_desc": "other"},
}


def values_for(task: type[Any]) -> dict[str, Any]:
    """Return a value for each argument of a task that becomes an attribute as it is."""
    values = {**OF_BOTH, **(TRAINING if "Training" in task.__name__ else VISUALIZATION)}
    of_the_body = (
        set(parameters(create_body)) - {"job_name", "workspace_id"} if "CreateTraining" in task.__name__ else ()
    )
    return {name: values[name] for name in parameters(task.__init__) if name != "kwargs" and name not in of_the_body}


@pytest.mark.parametrize(
    ("task", "name"),
    [(task, name) for task in TASKS for name in values_for(task)],
    ids=lambda part: getattr(part, "__name__", part),
)
def test_each_argument_is_an_attribute_of_the_task(task: type[Any], name: str) -> None:
    values, own = values_for(task), parameters(task.__init__)
    needed = next(
        (needed for verb, needed in WITHOUT_DEFAULT.items() if verb in task.__name__), {"job_id": values.get("job_id")}
    )
    arguments = {**{key: value for key, value in needed.items() if key in own}, name: values[name]}
    if name in ("job_name", "job_ids"):
        arguments.pop("job_id", None)
    assert getattr(task(task_id="task", **arguments), name) == values[name] != own[name].default


@pytest.mark.parametrize("task", TASKS)
def test_the_templated_arguments_are_those_that_the_documentation_names(task: type[Any]) -> None:
    documentation = "\n".join(inspect.getdoc(kind) or "" for kind in task.__mro__ if "modelarts" in kind.__module__)
    described = re.findall(r"^:param (\w+):(.*?)(?=^:|^\S|\Z)", documentation, re.DOTALL | re.MULTILINE)
    templated = {name for name, text in described if "(templated)" in text}
    for paragraph in documentation.split("\n\n"):
        templated.update(re.findall(r"``(\w+)``", paragraph) if ", all templated," in paragraph else ())
    assert set(task.template_fields) == templated & set(parameters(task.__init__))
