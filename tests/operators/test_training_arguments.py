"""Each parameter of a training job reaches the request: from the hook, and from the operator."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

import pytest

from airflow_provider_modelarts.api.training_jobs.body import create_body
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.operators.training_job import ModelArtsCreateTrainingJobOperator
from tests.simulated_tasks import TaskInstance

CODE: dict[str, Any] = {"code_dir": "obs://bucket/code/", "boot_file": "train.py"}
SHAPES: dict[str, dict[str, Any]] = {
    "algorithm": {
        "algorithm_id": "01c399ae",
        "description": "of the test",
        "parameters": {"learning_rate": 0.1},
        "inputs": {"data": "obs://bucket/data/"},
        "outputs": {"model": "obs://bucket/model/"},
        "environments": {"MODE": "fast"},
        "flavor_id": "modelarts.vm.cpu.2u",
        "node_count": 2,
        "log_url": "obs://bucket/logs/",
        "auto_stop_hours": 5,
        "annotations": {"fault-tolerance/job-retry-num": "3"},
        "body": {"spec": {"volumes": [{"nfs": {"local_path": "/mnt"}}]}},
    },
    "engine by ID": {**CODE, "engine_id": "pytorch-1.8", "pool_id": "pool-1", "flavor_id": "pool.flavor"},
    "engine by name": {**CODE, "engine_name": "PyTorch", "engine_version": "1.8", "flavor_id": "modelarts.vm.cpu.2u"},
    "image": {"image_url": "org/image:1", "command": "python train.py", "flavor_id": "modelarts.vm.cpu.2u"},
}
shapes = pytest.mark.parametrize("arguments", SHAPES.values(), ids=list(SHAPES))


def create_by_hook(**arguments: Any) -> None:
    with ModelArtsHook() as hook:
        hook.create_training_job(job_name="train", **arguments)


def create_by_operator(**arguments: Any) -> None:
    task = ModelArtsCreateTrainingJobOperator(task_id="task", wait_for_completion=False, **arguments)
    task.execute({"ti": cast("Any", TaskInstance(task_id="task"))})


def submitted(emulator: Emulator) -> dict[str, Any]:
    """Return the body of the one job that was created, without the empty objects that the emulator adds."""
    [job] = emulator.training_jobs.all()
    return {
        part: {key: value for key, value in of.items() if value != {}}
        for part, of in job.body.items()
        if part != "kind"
    }


@shapes
@pytest.mark.parametrize("create", [create_by_hook, create_by_operator])
def test_every_argument_reaches_the_request(
    create: Callable[..., None], arguments: dict[str, Any], emulator: Emulator
) -> None:
    arguments = {"description": "described", "auto_stop_hours": 4, **arguments}
    create(**arguments)
    body = submitted(emulator)
    name = body["metadata"]["name"]
    expected = create_body(job_name=name, workspace_id="0", **arguments)
    assert expected.pop("kind") == "job"
    assert body == expected


@pytest.mark.parametrize(("create", "name"), [(create_by_hook, "kind"), (create_by_operator, "job_kind")])
def test_the_kind_and_the_workspace_reach_the_request(
    create: Callable[..., None], name: str, emulator: Emulator
) -> None:
    create(**SHAPES["image"], **{name: "visualization_job"}, workspace_id="w" * 32)
    [job] = emulator.training_jobs.all()
    assert (job.body["kind"], job.body["metadata"]["workspace_id"]) == ("visualization_job", "w" * 32)


def test_the_shapes_have_every_parameter() -> None:
    """A parameter that is added later must not be forgotten above."""
    parameters = set(inspect.signature(create_body).parameters) - {"job_name", "kind", "workspace_id"}
    assert parameters == set().union(*SHAPES.values())
