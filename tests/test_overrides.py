"""What is given to a task or a trigger in place of a field of the connection reaches the request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_modelarts.operators.clean_up import (
    ModelArtsCleanUpTrainingJobsOperator,
    ModelArtsCleanUpVisualizationJobsOperator,
)
from airflow_provider_modelarts.operators.identity import AIRFLOW_ID
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
from airflow_provider_modelarts.triggers.training_job import ModelArtsTrainingJobTrigger
from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger
from tests.conftest import Received, Reply, ScriptedServer
from tests.simulated_clock import SimulatedClock
from tests.simulated_loop import run_simulated
from tests.simulated_tasks import TaskInstance

OF_CONNECTION, GIVEN, RENDERED = "a" * 32, "b" * 32, "c" * 32
"""IDs of workspaces in the form that both kinds of jobs take."""


def execute(operator: type[Any], **arguments: Any) -> None:
    """Run a task, whose first request is refused."""
    task = operator(task_id="task", **arguments)
    task.render_template_fields({"params": {"x": RENDERED}})
    with suppress(Exception):
        task.execute({"ti": TaskInstance(task_id="task")})


async def first_event(trigger: Any) -> None:
    stream = trigger.run()
    await stream.__anext__()
    await stream.aclose()


def wait_in_the_triggerer(trigger: type[Any], **arguments: Any) -> None:
    run_simulated(first_event(trigger(**arguments)), SimulatedClock())


@dataclass(frozen=True)
class Kind:
    """
    Classes for one kind of job.

    :param paths: what the paths of its requests in a project begin with
    :param create: arguments for a job
    :param job_ids: of two jobs
    :param more: operators that only this kind has, with their arguments
    """

    paths: str
    sensor: type[Any]
    trigger: type[Any]
    create: tuple[type[Any], dict[str, Any]]
    clean_up: type[Any]
    stop: type[Any]
    delete: type[Any]
    job_ids: list[str]
    more: dict[str, tuple[type[Any], dict[str, Any]]] = field(default_factory=dict)


KINDS = {
    "visualization": Kind(
        "/v1/{project_id}/visualization-jobs",
        ModelArtsVisualizationJobSensor,
        ModelArtsVisualizationJobTrigger,
        (ModelArtsCreateVisualizationJobOperator, {"train_url": "/bucket/logs/"}),
        ModelArtsCleanUpVisualizationJobsOperator,
        ModelArtsStopVisualizationJobOperator,
        ModelArtsDeleteVisualizationJobOperator,
        ["1", "2"],
        {
            "restart": (ModelArtsRestartVisualizationJobOperator, {"job_id": 1}),
            "update": (ModelArtsUpdateVisualizationJobOperator, {"job_id": 1, "job_desc": "x"}),
            "update, by name": (ModelArtsUpdateVisualizationJobOperator, {"job_name": "board", "job_desc": "x"}),
        },
    ),
    "training": Kind(
        "/v2/{project_id}/training-job",
        ModelArtsTrainingJobSensor,
        ModelArtsTrainingJobTrigger,
        (ModelArtsCreateTrainingJobOperator, {"algorithm_id": "an-algorithm", "flavor_id": "a-flavor"}),
        ModelArtsCleanUpTrainingJobsOperator,
        ModelArtsStopTrainingJobOperator,
        ModelArtsDeleteTrainingJobOperator,
        [f"5d2c9ad4-2b0c-4c5a-9b7e-00000000000{number}" for number in (1, 2)],
    ),
}


@dataclass(frozen=True)
class Subject:
    """Something that takes the parameters, and what runs it."""

    kind: Kind
    run: Callable[..., None]
    cls: type[Any]
    arguments: dict[str, Any]


def subjects(kind: Kind) -> dict[str, Subject]:
    several, one, by_name = {"job_ids": kind.job_ids}, {"job_id": kind.job_ids[0]}, {"job_name": "board"}
    tasks: dict[str, tuple[type[Any], dict[str, Any]]] = {
        "sensor": (kind.sensor, several),
        "sensor, deferrable": (kind.sensor, {**several, "deferrable": True}),
        "sensor, by name": (kind.sensor, by_name),
        "create": kind.create,
        "clean up": (kind.clean_up, {"longer_than": 1}),
        "stop": (kind.stop, one),
        "stop, by name": (kind.stop, by_name),
        "delete": (kind.delete, one),
        "delete, by name": (kind.delete, by_name),
        **kind.more,
    }
    return {
        "trigger": Subject(kind, wait_in_the_triggerer, kind.trigger, several),
        "trigger, by name": Subject(kind, wait_in_the_triggerer, kind.trigger, by_name),
        **{name: Subject(kind, execute, *task) for name, task in tasks.items()},
    }


ALL = {f"{name}: {what}": subject for name, kind in KINDS.items() for what, subject in subjects(kind).items()}
LISTING = [name for name, subject in ALL.items() if "job_id" not in subject.arguments]
"""Those that begin with a list, or a search, of the jobs of a workspace."""


def workspace_of(request: Received) -> str | None:
    """Return the workspace whose jobs are listed: in the query, or in the body of a search."""
    if "workspace_id=" in request.target:
        return request.target.partition("workspace_id=")[2].partition("&")[0]
    return json.loads(request.body)["workspace_id"] if request.body else None


@pytest.fixture
def connect(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Set the connection to a server that refuses everything."""
    server.answer(Reply(403, {"error_code": "ModelArts.0206", "error_msg": "no"}))
    monkeypatch.setenv(f"AIRFLOW_VAR_{AIRFLOW_ID.upper()}", "this-airflow")

    def set_connection(**extra: Any) -> None:
        extra = {"region": "cn-north-4", "workspace_id": OF_CONNECTION, "iam_endpoint": server.url, **extra}
        fields = {"conn_type": "modelarts", "login": "AK", "password": "SKSKSK", "host": server.url, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(fields))

    return set_connection


@pytest.fixture
def requested(connect: Callable[..., Any], server: ScriptedServer) -> Callable[..., Any]:
    """Run something, and return its requests."""

    def request(name: str, connection: dict[str, str], **overrides: Any) -> list[Received]:
        connect(**connection)
        subject = ALL[name]
        subject.run(subject.cls, **subject.arguments, **overrides)
        assert server.received
        return server.received

    return request


@pytest.mark.parametrize("name", ALL)
def test_project_id(name: str, requested: Callable[..., Any]) -> None:
    paths = ALL[name].kind.paths.format(project_id="given")
    for request in requested(name, {"project_id": "of-connection"}, project_id="given"):
        assert request.target.startswith(paths)


@pytest.mark.parametrize("name", ALL)
def test_region(name: str, requested: Callable[..., Any]) -> None:
    assert requested(name, {}, region="eu-de")[0].target.startswith("/v3/projects?name=eu-de")


@pytest.mark.parametrize("name", LISTING)
def test_workspace_id(name: str, requested: Callable[..., Any]) -> None:
    requests = requested(name, {"project_id": "p"}, workspace_id=GIVEN)
    workspaces = {workspace_of(request) for request in requests if "/training-jobs/" not in request.target}
    assert workspaces == {GIVEN}


@pytest.mark.parametrize("name", [f"{kind}: {what}" for kind in KINDS for what in ("sensor", "create")])
def test_templates(name: str, requested: Callable[..., Any]) -> None:
    first = requested(name, {}, project_id="{{ params.x }}", workspace_id="{{ params.x }}")[0]
    assert first.target.startswith(ALL[name].kind.paths.format(project_id=RENDERED))
    assert workspace_of(first) == RENDERED


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_waits_on_two_workspaces_share_no_requests(
    kind: Kind, connect: Callable[..., Any], server: ScriptedServer
) -> None:
    """Their lists show other jobs."""

    async def both() -> None:
        triggers = (kind.trigger(job_ids=kind.job_ids, workspace_id=workspace) for workspace in (GIVEN, RENDERED))
        await asyncio.gather(*map(first_event, triggers))

    connect(project_id="p")
    run_simulated(both(), SimulatedClock())
    assert {workspace_of(request) for request in server.received} >= {GIVEN, RENDERED}
