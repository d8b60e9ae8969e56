"""What is given to a task or a trigger in place of a field of the connection reaches the request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_modelarts.operators.clean_up import ModelArtsCleanUpVisualizationJobsOperator as CleanUp
from airflow_provider_modelarts.operators.identity import AIRFLOW_ID
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsCreateVisualizationJobOperator as Create,
)
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsDeleteVisualizationJobOperator as Delete,
)
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsRestartVisualizationJobOperator as Restart,
)
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsStopVisualizationJobOperator as Stop,
)
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsUpdateVisualizationJobOperator as Update,
)
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor as Sensor
from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger as Trigger
from tests.conftest import Reply, ScriptedServer
from tests.simulated_clock import SimulatedClock
from tests.simulated_loop import run_simulated
from tests.simulated_tasks import TaskInstance


def execute(operator: type[Any], **arguments: Any) -> None:
    """Run a task, whose first request is refused."""
    task = operator(task_id="task", **arguments)
    task.render_template_fields({"params": {"x": "rendered"}})
    with suppress(Exception):
        task.execute({"ti": TaskInstance(task_id="task")})


async def first_event(trigger: Trigger) -> None:
    stream = trigger.run()
    await stream.__anext__()
    await stream.aclose()


def wait_in_the_triggerer(trigger: type[Any], **arguments: Any) -> None:
    run_simulated(first_event(trigger(**arguments)), SimulatedClock())


ALL: dict[str, tuple[Callable[..., None], type[Any], dict[str, Any]]] = {
    "sensor": (execute, Sensor, {"job_ids": [1, 2]}),
    "sensor, deferrable": (execute, Sensor, {"job_ids": [1, 2], "deferrable": True}),
    "trigger": (wait_in_the_triggerer, Trigger, {"job_ids": ["1", "2"]}),
    "create": (execute, Create, {"train_url": "/bucket/logs/"}),
    "clean up": (execute, CleanUp, {"longer_than": 1}),
    "stop": (execute, Stop, {"job_id": 1}),
    "restart": (execute, Restart, {"job_id": 1}),
    "delete": (execute, Delete, {"job_id": 1}),
    "stop, by name": (execute, Stop, {"job_name": "board"}),
    "update, by name": (execute, Update, {"job_name": "board", "job_desc": "x"}),
    "sensor, by name": (execute, Sensor, {"job_name": "board"}),
    "trigger, by name": (wait_in_the_triggerer, Trigger, {"job_name": "board"}),
    "update": (execute, Update, {"job_id": 1, "job_desc": "x"}),
}
LISTING = [name for name in ALL if name not in ("stop", "restart", "delete", "update")]


@pytest.fixture
def connect(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Set the connection to a server that refuses everything."""
    server.answer(Reply(403, {"error_code": "ModelArts.0206", "error_msg": "no"}))
    monkeypatch.setenv(f"AIRFLOW_VAR_{AIRFLOW_ID.upper()}", "this-airflow")

    def set_connection(**extra: Any) -> None:
        extra = {"region": "cn-north-4", "workspace_id": "of-connection", "iam_endpoint": server.url, **extra}
        fields = {"conn_type": "modelarts", "login": "AK", "password": "SKSKSK", "host": server.url, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(fields))

    return set_connection


@pytest.fixture
def requested(connect: Callable[..., Any], server: ScriptedServer) -> Callable[..., Any]:
    """Run something, and return the targets of its requests."""

    def request(name: str, connection: dict[str, str], **overrides: Any) -> list[str]:
        connect(**connection)
        run, kind, arguments = ALL[name]
        run(kind, **arguments, **overrides)
        return [received.target for received in server.received]

    return request


@pytest.mark.parametrize("name", ALL)
def test_project_id(name: str, requested: Callable[..., Any]) -> None:
    targets = requested(name, {"project_id": "of-connection"}, project_id="given")
    assert targets
    assert all(target.startswith("/v1/given/visualization-jobs") for target in targets)


@pytest.mark.parametrize("name", ALL)
def test_region(name: str, requested: Callable[..., Any]) -> None:
    assert requested(name, {}, region="eu-de")[0].startswith("/v3/projects?name=eu-de")


@pytest.mark.parametrize("name", LISTING)
def test_workspace_id(name: str, requested: Callable[..., Any]) -> None:
    lists = [target for target in requested(name, {"project_id": "p"}, workspace_id="given") if "?" in target]
    assert lists
    assert all("workspace_id=given" in target for target in lists)


@pytest.mark.parametrize("name", ["sensor", "create"])
def test_templates(name: str, requested: Callable[..., Any]) -> None:
    targets = requested(name, {}, project_id="{{ params.x }}", workspace_id="{{ params.x }}")
    assert targets[0].startswith("/v1/rendered/")
    assert "workspace_id=rendered" in targets[0]


def test_waits_on_two_workspaces_share_no_requests(connect: Callable[..., Any], server: ScriptedServer) -> None:
    """Their lists show other jobs."""

    async def both() -> None:
        await asyncio.gather(*(first_event(Trigger(job_ids=["1", "2"], workspace_id=name)) for name in ("a", "b")))

    connect(project_id="p")
    run_simulated(both(), SimulatedClock())
    lists = [received.target for received in server.received if "?" in received.target]
    assert {target.partition("workspace_id=")[2][:1] for target in lists} == {"a", "b"}
