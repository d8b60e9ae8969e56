"""What becomes of the job of a deferred create when a user ends its task (Airflow 3.3)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_modelarts._compat import airflow_version
from airflow_provider_modelarts.api.clock import HasClock
from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger
from tests.simulated_clock import ImpatientClock

pytestmark = pytest.mark.skipif(airflow_version() < (3, 3), reason="Airflow 3.3 and later")

MAY_RUN_ON = re.compile(r"Visualization job (\d+) could not be stopped.* and may run on, billed")


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator(time_scale=0) as running:
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(running.connection()))
        yield running


@pytest.fixture
def airflow_answers(airflow_answers: Callable[..., Any]) -> Callable[..., Any]:
    airflow_answers({"run": {"create": "failed"}})
    return airflow_answers


def kill(*job_ids: Any, timeout: float = 30.0, **arguments: Any) -> None:
    """End the tasks of these jobs at once, as the triggerer does."""

    async def end(trigger: ModelArtsVisualizationJobTrigger) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(trigger.on_kill(), timeout)

    async def end_all() -> None:
        await asyncio.gather(*map(end, triggers))

    triggers = [ModelArtsVisualizationJobTrigger(job_id=job_id, stop_on_kill=True, **arguments) for job_id in job_ids]
    for trigger in triggers:
        trigger._task_instance = SimpleNamespace(dag_id="dag", run_id="run", task_id="create", map_index=-1, task=None)
    asyncio.run(end_all())


def may_run_on(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the jobs that the log says of that they may run on."""
    return [match[1] for match in MAY_RUN_ON.finditer(capsys.readouterr().out + caplog.text)]


# First, because the threads of a test below may log for a while after its end.
def test_a_job_that_cannot_be_reached_has_its_own_line(
    emulator: Emulator,
    airflow_answers: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(HasClock, "clock", ImpatientClock())
    job_id = emulator.create_job(status=8)
    kill(job_id, modelarts_conn_id="no_such_connection")
    assert may_run_on(capsys, caplog) == [job_id]


@pytest.mark.parametrize(
    ("states", "status", "said"),
    [
        ({"run": {"create": "failed"}}, 9, "is being stopped, as its task ended early"),
        ({"run": {"create": "success"}}, 9, ""),
        ({"run": {"create": "removed"}}, 9, ""),
        ({"run": {}}, 9, "Stopping the job: "),
        ({}, 9, "Stopping the job: "),
        (RuntimeError("the API server is not there"), 9, "it is unknown whether its task runs again"),
        ({"run": {"create": None}}, 8, ""),
        ({"run": {"create": "scheduled"}}, 8, ""),
        ({"run": {"create": "running"}}, 8, ""),
    ],
    ids=["failed", "success", "removed", "no_task", "no_run", "unknown", "cleared", "scheduled", "running"],
)
def test_a_job_is_stopped_unless_its_task_runs_again(
    states: RuntimeError | dict[str, Any],
    status: int,
    said: str,
    emulator: Emulator,
    airflow_answers: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    airflow_answers(states)
    job_id = emulator.create_job(status=8)
    kill(job_id)
    assert emulator.job(job_id).status == status
    assert said in capsys.readouterr().out


def test_every_job_that_cannot_be_stopped_in_time_has_its_own_line(
    emulator: Emulator,
    airflow_answers: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(HasClock, "clock", ImpatientClock())
    job_ids = [emulator.create_job(status=8) for _ in range(48)]
    emulator.inject(Fault("delay", operation="stop", delay=0.6))
    kill(*job_ids, timeout=1.5)
    running = {job_id for job_id in job_ids if emulator.job(job_id).status == 8}
    said = may_run_on(capsys, caplog)
    assert running
    assert running <= set(said)
    assert len(said) == len(set(said))
