"""The hook's methods for training jobs, against the emulator."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_modelarts.api import errors
from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.waiting.wait import JobCannotArriveError, JobStateUnknownError, WaitTimeoutError
from tests.simulated_tasks import simulate

MISSING = "425b7087-83de-49b4-9b65-6e2b91e4a5fe"
IMAGE: dict[str, Any] = {"image_url": "org/img:1", "command": "python train.py", "flavor_id": "modelarts.vm.cpu.2u"}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(time_scale=0) as running:
        yield running


@pytest.fixture
def hook(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelArtsHook]:
    monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(emulator.connection()))
    with ModelArtsHook() as made:
        yield made


def test_the_life_of_a_job(emulator: Emulator, hook: ModelArtsHook) -> None:
    created = hook.create_training_job(job_name="train-1", node_count=2, environments={"A": "1"}, **IMAGE)
    assert (created.phase, created.node_count) == ("Creating", 2)
    hook.update_training_job(created.job_id, description="new")
    emulator.advance(10)
    job = hook.get_training_job(created.job_id)
    assert (job.phase, job.description, job.tasks) == ("Running", "new", ("worker-0", "worker-1"))
    hook.stop_training_job(created.job_id)
    emulator.advance(5)
    assert hook.get_training_job(created.job_id).phase == "Terminated"
    hook.delete_training_job(created.job_id)
    emulator.advance(5)
    with pytest.raises(errors.ModelArtsNotFoundError):
        hook.get_training_job(created.job_id)


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({}, ["c-1", "b-1", "a-1"]),
        ({"order": "asc"}, ["a-1", "b-1", "c-1"]),
        ({"name": "b"}, ["b-1"]),
        ({"phase": "running"}, ["a-1"]),
        ({"phase": ["RUNNING", "Pending"]}, ["c-1", "a-1"]),
        ({"kind": "visualization_job"}, ["c-1"]),
        ({"filters": [{"key": "name", "operator": "not", "value": ["a-1"]}]}, ["c-1", "b-1"]),
        ({"workspace_id": "w" * 32}, ["elsewhere"]),
    ],
)
def test_list(emulator: Emulator, hook: ModelArtsHook, parameters: dict[str, Any], names: list[str]) -> None:
    for name, phase in (("a-1", "Running"), ("b-1", "Failed"), ("c-1", "Pending")):
        emulator.training_jobs.create(name, phase=phase).body["kind"] = "visualization_job" if name == "c-1" else "job"
    emulator.training_jobs.create("elsewhere", workspace_id="w" * 32)
    assert [job.job_name for job in hook.list_training_jobs(**parameters)] == names


def test_the_workspace_of_the_hook(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(emulator.connection()))
    emulator.training_jobs.create("elsewhere", workspace_id="w" * 32)
    with ModelArtsHook(workspace_id="w" * 32) as hook:
        assert [job.job_name for job in hook.list_training_jobs()] == ["elsewhere"]
        assert hook.create_training_job(job_name="train-1", **IMAGE).workspace_id == "w" * 32


@pytest.mark.parametrize(
    "call",
    [
        lambda hook: hook.list_training_jobs(phase="Done"),
        lambda hook: hook.create_training_job(job_name="a b", **IMAGE),
        lambda hook: hook.get_training_job("a b"),
        lambda hook: hook.list_training_job_flavors("TPU"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    emulator: Emulator, hook: ModelArtsHook, call: Callable[..., Any]
) -> None:
    with pytest.raises(ValueError, match=r"phase|job_name|job_id|flavor_type"):
        call(hook)
    assert emulator.request_counts() == {}


def test_logs_events_engines_and_flavors(emulator: Emulator, hook: ModelArtsHook) -> None:
    job_id = emulator.training_jobs.create(script="fails").job_id
    emulator.advance(8)
    (first,) = hook.iter_training_job_logs(job_id)
    assert first.lines[1:] == ("INFO step 1: loss 1.0000", "INFO step 2: loss 0.5000", "INFO step 3: loss 0.3333")
    emulator.advance(60)
    (rest,) = hook.iter_training_job_logs(job_id, after=first.position)
    assert first.lines + rest.lines == hook.get_training_job_log(job_id).lines
    assert rest.lines[-2].startswith("RuntimeError")
    messages = [event.message for event in hook.list_training_job_events(job_id, level="Error")]
    assert messages == ["Training finished. Exit code 1.", "Training job failed."]
    newest_first = [event.message for event in hook.list_training_job_events(job_id, level="Error", order="desc")]
    assert newest_first == messages[::-1]
    assert len(hook.list_training_job_engines()) == 2
    assert [flavor.flavor_type for flavor in hook.list_training_job_flavors("GPU")] == ["GPU"]


def test_a_job_is_waited_for(emulator: Emulator, hook: ModelArtsHook) -> None:
    job_id = emulator.cloud.training_jobs.create("train", phase="Completed").job_id
    job = hook.wait_for_training_job(job_id)
    assert job is not None
    assert job.job_name == "train"
    assert hook.wait_for_training_job(MISSING, "GONE", poke_interval=0.01) is None


def test_a_wait_polls_at_its_interval_until_its_timeout(
    emulator: Emulator, hook: ModelArtsHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = simulate(monkeypatch, emulator)
    job_id = emulator.cloud.training_jobs.create("train", phase="Running").job_id
    with pytest.raises(WaitTimeoutError):
        hook.wait_for_training_job(job_id, poke_interval=20, timeout=timedelta(seconds=60))
    assert clock.now == 60
    assert emulator.request_counts() == {"training.get": 4}
    with pytest.raises(WaitTimeoutError):
        hook.wait_for_training_job(job_id, poke_interval=24 * 3600)
    assert clock.now == 60 + 7 * 24 * 3600


def test_a_wait_ends_at_what_the_call_says_is_a_failure(emulator: Emulator, hook: ModelArtsHook) -> None:
    job_id = emulator.cloud.training_jobs.create("train", phase="Running").job_id
    with pytest.raises(JobCannotArriveError, match="is Running and cannot become Completed"):
        hook.wait_for_training_job(job_id, failure_statuses="running")


def test_an_outage_is_tolerated_for_as_long_as_the_call_says(emulator: Emulator, hook: ModelArtsHook) -> None:
    job_id = emulator.cloud.training_jobs.create("train", phase="Running").job_id
    emulator.inject(Fault("status", operation="training.get", status=503, retry_after=61, after=1))
    with pytest.raises(JobStateUnknownError):
        hook.wait_for_training_job(job_id, poke_interval=0.01, timeout=5, poll_failure_tolerance=0)


def test_a_job_that_has_failed_is_not_waited_for(emulator: Emulator, hook: ModelArtsHook) -> None:
    job_id = emulator.cloud.training_jobs.create("train", phase="Failed").job_id
    with pytest.raises(JobCannotArriveError, match="is Failed and cannot become Completed"):
        hook.wait_for_training_job(job_id)
