"""A job that a restart has started, and that is billed from then on, is stopped when its task does not succeed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts.api.errors import ModelArtsConflictError, ModelArtsPermissionError
from airflow_provider_modelarts.api.visualization_jobs.operations import VisualizationJobs
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.emulator.faults import Fault
from airflow_provider_modelarts.operators.visualization_job import ModelArtsRestartVisualizationJobOperator as Restart
from airflow_provider_modelarts.waiting.wait import WaitError
from tests.simulated_tasks import TaskDeferred

STATE = "airflow_provider_modelarts.emulator.visualization_jobs.state"
NEVER_RUNS = ((2, 1), (4, 7))
TIMEOUTS = {"poke_interval": 5, "timeout": 60}


@pytest.fixture
def ended(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """A job that was stopped, and hangs once it is restarted."""
    monkeypatch.setattr(f"{STATE}.RESTART", NEVER_RUNS)
    return emulator.create_job(status=12)


def status(emulator: Emulator, job_id: str) -> int:
    emulator.advance(60)
    return emulator.job(job_id).status


@pytest.mark.parametrize(("stop_on_failure", "left"), [(True, 12), (False, 7)])
def test_a_restarted_job_that_does_not_come_to_run_is_stopped(
    stop_on_failure: bool, left: int, task: Callable[..., Any], emulator: Emulator, ended: str
) -> None:
    outcome = task(Restart, job_id=ended, stop_on_failure=stop_on_failure, **TIMEOUTS).run()
    assert isinstance(outcome.error, WaitError)
    assert status(emulator, ended) == left


def test_a_job_that_was_on_its_way_already_is_left_alone(task: Callable[..., Any], emulator: Emulator) -> None:
    job_id = emulator.create_job(status=7)
    outcome = task(Restart, job_id=job_id, **TIMEOUTS).run()
    assert isinstance(outcome.error, WaitError)
    assert status(emulator, job_id) == 7
    assert "stop" not in emulator.request_counts()


@pytest.mark.parametrize(
    ("job_status", "stop_on_failure", "stops"), [(12, True, True), (12, False, False), (7, True, False)]
)
def test_the_trigger_stops_only_what_the_task_has_restarted(
    job_status: int, stop_on_failure: bool, stops: bool, task: Callable[..., Any], emulator: Emulator, ended: str
) -> None:
    emulator.set_status(ended, job_status)
    deferral = task(Restart, job_id=ended, stop_on_failure=stop_on_failure, deferrable=True).begin()
    assert isinstance(deferral, TaskDeferred)
    assert deferral.trigger.serialize()[1]["stop_on_kill"] is stops


def test_a_wait_that_airflow_ends_stops_the_job(task: Callable[..., Any], emulator: Emulator, ended: str) -> None:
    restarted = task(Restart, job_id=ended, deferrable=True)
    assert isinstance(restarted.begin(), TaskDeferred)
    with pytest.raises(Exception, match="timed out"):
        restarted.make().resume_execution("__fail__", {"error": "timed out"}, restarted.context)
    assert status(emulator, ended) == 12


def test_a_worker_that_is_told_to_end_stops_the_job(task: Callable[..., Any], emulator: Emulator, ended: str) -> None:
    restarted = task(Restart, job_id=ended, deferrable=False)
    operator = restarted.make()
    restarted.clock.at(20, operator.on_kill)
    with pytest.raises(WaitError):
        operator.execute(restarted.context)
    assert status(emulator, ended) == 12


def test_a_task_that_is_killed_while_it_restarts_stops_the_job(
    task: Callable[..., Any], emulator: Emulator, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarted = task(Restart, job_id=ended)
    operator = restarted.make()
    restart = VisualizationJobs.restart

    def be_killed_and_restart(client: VisualizationJobs, job_id: str) -> None:
        operator.on_kill()
        restart(client, job_id)

    monkeypatch.setattr(VisualizationJobs, "restart", be_killed_and_restart)
    with pytest.raises(RuntimeError, match="killed while it started its job"):
        operator.execute(restarted.context)
    assert status(emulator, ended) == 12


def test_a_kill_before_the_restart_restarts_nothing(
    task: Callable[..., Any], emulator: Emulator, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarted = task(Restart, job_id=ended)
    operator = restarted.make()
    operator.on_kill()
    with pytest.raises(RuntimeError, match="killed while it started its job"):
        operator.execute(restarted.context)
    assert set(emulator.request_counts()) == {"get"}


@pytest.mark.parametrize(("error", "code"), [(ModelArtsConflictError, 409), (ModelArtsPermissionError, 403)])
def test_a_refused_restart_has_started_nothing_to_stop(
    error: type[Any], code: int, task: Callable[..., Any], emulator: Emulator, ended: str
) -> None:
    emulator.inject(Fault("status", operation="restart", times=9, status=code))
    assert isinstance(task(Restart, job_id=ended).run().error, error)
    assert "stop" not in emulator.request_counts()


def test_a_restart_whose_answer_is_lost_is_stopped_if_it_may_have_happened(
    task: Callable[..., Any], emulator: Emulator, ended: str
) -> None:
    emulator.inject(Fault("cut_after", operation="restart", times=1))
    emulator.inject(Fault("status", operation="restart", after=1, times=20, status=503))
    outcome = task(Restart, job_id=ended, **TIMEOUTS).run()
    assert outcome.state == "up_for_retry"
    assert status(emulator, ended) == 12


@pytest.mark.parametrize(("store", "left"), [(True, 12), (False, 7)])
def test_a_retry_stops_the_job_that_a_lost_worker_has_restarted(
    store: bool, left: int, task: Callable[..., Any], emulator: Emulator, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only Airflow 3.3 keeps what tells a job that this task has restarted from one that somebody else has."""

    def lose_the_worker(*arguments: Any) -> None:
        raise SystemExit

    restarted = task(Restart, job_id=ended, store=store, **TIMEOUTS)
    with monkeypatch.context() as patch:
        patch.setattr(Restart, "_wait", lose_the_worker)
        with pytest.raises(SystemExit):
            restarted.begin()
    assert status(emulator, ended) == 7
    outcome = restarted.run()
    assert isinstance(outcome.error, WaitError)
    assert emulator.request_counts()["restart"] == 1
    assert status(emulator, ended) == left


def test_a_job_that_somebody_else_starts_after_a_success_is_left_alone(
    task: Callable[..., Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = emulator.create_job(status=12)
    restarted = task(Restart, job_id=job_id, store=True, **TIMEOUTS)
    assert restarted.run().state == "success"
    assert restarted.store == {}
    emulator.set_script(job_id, "7:0")
    assert isinstance(restarted.run().error, WaitError)
    assert status(emulator, job_id) == 7


def test_a_refused_restart_leaves_nothing_for_a_retry_to_stop(
    task: Callable[..., Any], emulator: Emulator, ended: str
) -> None:
    emulator.inject(Fault("status", operation="restart", times=9, status=403))
    refused = task(Restart, job_id=ended, store=True)
    assert isinstance(refused.run().error, ModelArtsPermissionError)
    assert refused.store == {}
