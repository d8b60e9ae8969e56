"""The job of a task whose worker is told to end (Airflow 3): the next try takes it over, if there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_modelarts._compat import AirflowTaskTimeout, airflow_version
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.operators.training_job import ModelArtsCreateTrainingJobOperator
from airflow_provider_modelarts.operators.visualization_job import ModelArtsCreateVisualizationJobOperator
from tests.operators.conftest import Task
from tests.simulated_tasks import TaskInstance

pytestmark = pytest.mark.skipif(airflow_version() < (3, 0), reason="Airflow 3 and later")

CREATE: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "visualization": (ModelArtsCreateVisualizationJobOperator, {"train_url": "/bucket/logs/"}),
    "training": (
        ModelArtsCreateTrainingJobOperator,
        {"algorithm_id": "an-algorithm", "flavor_id": "a-flavor"},
    ),
}


@pytest.fixture
def deferrable() -> bool:
    return False


@dataclass
class Killed:
    """An operator whose job is on its way, in a task instance with a retry left."""

    operator: Any
    ti: TaskInstance


@pytest.fixture(params=CREATE)
def killed(request: pytest.FixtureRequest, task: Callable[..., Task], emulator: Emulator) -> Iterator[Killed]:
    emulator.add_script_rule("*", "7:0")
    emulator.training_jobs.scripts.add_rule("*", "runs")
    operator, arguments = CREATE[request.param]
    created = task(operator, wait_for_completion=False, **arguments)
    created.ti.max_tries = 1
    killed = Killed(created.make(), created.ti)
    killed.operator.execute(created.context)
    with in_context(created.context):
        yield killed


@contextmanager
def in_context(context: Any) -> Iterator[None]:
    from airflow.sdk.execution_time.context import set_current_context

    with set_current_context(context):
        yield


@pytest.fixture
def airflow_answers(airflow_answers: Callable[..., Any]) -> Callable[..., Any]:
    airflow_answers({"run": {"task": "running"}})
    return airflow_answers


def stops(emulator: Emulator) -> int:
    counts = emulator.request_counts()
    return counts.get("stop", 0) + counts.get("training.terminate", 0)


@pytest.mark.parametrize("state", ["running", "up_for_retry", "scheduled", "queued", "deferred"])
def test_the_next_try_goes_on_with_the_job(
    state: str, killed: Killed, emulator: Emulator, airflow_answers: Callable[..., Any], written: Callable[..., Any]
) -> None:
    airflow_answers({"run": {"task": state}})
    killed.operator.on_kill()
    assert stops(emulator) == 0
    assert "it goes on for the next try" in written()


def test_the_next_try_goes_on_with_the_job_if_airflow_does_not_answer(
    killed: Killed, emulator: Emulator, airflow_answers: Callable[..., Any], written: Callable[..., Any]
) -> None:
    airflow_answers(RuntimeError("API_SERVER_ERROR"))
    killed.operator.on_kill()
    assert stops(emulator) == 0
    assert "API_SERVER_ERROR" in written()


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "removed", "restarting", None])
def test_a_user_has_ended_the_task(
    state: str | None, killed: Killed, emulator: Emulator, airflow_answers: Callable[..., Any]
) -> None:
    airflow_answers({"run": {"task": state}})
    killed.operator.on_kill()
    assert stops(emulator) == 1


def test_the_task_was_deleted(killed: Killed, emulator: Emulator, airflow_answers: Callable[..., Any]) -> None:
    airflow_answers({})
    killed.operator.on_kill()
    assert stops(emulator) == 1


def test_no_retry_is_left(killed: Killed, emulator: Emulator, airflow_answers: Callable[..., Any]) -> None:
    killed.ti.try_number = 2
    killed.operator.on_kill()
    assert stops(emulator) == 1


def test_execution_timeout(killed: Killed, emulator: Emulator, airflow_answers: Callable[..., Any]) -> None:
    try:
        raise AirflowTaskTimeout
    except AirflowTaskTimeout:
        killed.operator.on_kill()
    assert stops(emulator) == 1


def test_the_question_takes_limited_time(
    killed: Killed, emulator: Emulator, airflow_answers: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the signal has interrupted may hold the lock of the connection to the supervisor."""
    from airflow.sdk.execution_time import task_runner

    forever = Event()
    monkeypatch.setattr(
        task_runner, "SUPERVISOR_COMMS", SimpleNamespace(send=lambda question: forever.wait()), raising=False
    )
    monkeypatch.setattr("airflow_provider_modelarts.operators.starting.STATE_TIMEOUT", 0.1)
    killed.operator.on_kill()
    forever.set()
    assert stops(emulator) == 0
