"""Waits for a job by its name: the same in every mode, and clear where no job or several have it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.client_owner import ClientOwner
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor as Sensor
from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger as Trigger
from airflow_provider_modelarts.waiting.fetch import JobFetcher
from airflow_provider_modelarts.waiting.names import name_key
from tests.sensors.test_wait_table import MODES
from tests.simulated_clock import SimulatedClock
from tests.simulated_loop import run_simulated


@pytest.fixture
def twins(emulator: Emulator) -> Callable[..., Any]:
    """Two jobs of one name. The API makes none, but a list may show some."""

    def make(name: str) -> list[str]:
        job_ids = [emulator.create_job(job_name, status=8) for job_name in (name, "other")]
        emulator.cloud.visualization_jobs.get(job_ids[1]).job_name = name
        return job_ids

    return make


@pytest.mark.parametrize("mode", MODES)
def test_a_job_is_waited_for_by_its_name(mode: str, emulator: Emulator, run: Callable[..., Any]) -> None:
    emulator.create_job("board-2", status=11)
    job_id = emulator.create_job("board", script="1:0,7:60,8:120")
    outcome = run(mode, job_name="board", poke_interval=30)
    assert (outcome.state, outcome.xcom["job_id"], outcome.xcom["job_name"]) == ("success", job_id, "board")
    assert outcome.xcoms["job_id"] == job_id


@pytest.mark.parametrize("mode", MODES)
def test_a_name_of_digits_is_no_id(mode: str, emulator: Emulator, run: Callable[..., Any]) -> None:
    job_id = emulator.create_job("1002", status=8)
    emulator.create_job("other", status=11)
    assert run(mode, job_name="1002").xcom["job_id"] == job_id


@pytest.mark.parametrize("mode", MODES)
def test_a_name_that_no_job_has_fails_the_task(mode: str, emulator: Emulator, run: Callable[..., Any]) -> None:
    outcome = run(mode, job_name="board")
    assert outcome.state == "failed"
    assert "There is no visualization job with the name 'board'" in str(outcome.error)


@pytest.mark.parametrize("mode", MODES)
def test_a_name_that_several_jobs_have_is_an_error_that_names_them(
    mode: str, twins: Callable[..., Any], run: Callable[..., Any]
) -> None:
    first, second = twins("board")
    outcome = run(mode, job_name="board")
    assert outcome.state == "up_for_retry"
    assert f"2 visualization jobs have the name 'board': {second}, {first}" in str(outcome.error)


@pytest.mark.parametrize("mode", MODES)
def test_a_deletion_is_waited_for_by_name(mode: str, emulator: Emulator, run: Callable[..., Any]) -> None:
    job_id = emulator.create_job("board", script="9:0,gone:60")
    outcome = run(mode, job_name="board", target_status="GONE", poke_interval=30)
    assert (outcome.state, outcome.xcom["status_name"], outcome.xcom["job_name"]) == ("success", "GONE", "board")
    # A rescheduled sensor remembers nothing from poke to poke.
    assert outcome.xcom["job_id"] == (None if mode == "reschedule" else job_id)


@pytest.mark.parametrize("mode", MODES)
def test_an_outage_is_tolerated_once_the_job_was_observed(
    mode: str, emulator: Emulator, clock: SimulatedClock, run: Callable[..., Any]
) -> None:
    emulator.create_job("board", script="7:0,8:120")
    clock.at(40, lambda: emulator.inject(Fault("status", status=503)))
    clock.at(100, emulator.clear_faults)
    assert run(mode, job_name="board", poke_interval=30).state == "success"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("status", "text"), [(503, "is unknown"), (403, "modelarts:tensorboard:list")])
def test_a_list_that_fails_is_not_a_job_that_is_missing(
    status: int, text: str, mode: str, emulator: Emulator, run: Callable[..., Any]
) -> None:
    emulator.create_job("board", status=8)
    emulator.inject(Fault("status", operation="list", status=status))
    outcome = run(mode, job_name="board")
    assert outcome.state == "up_for_retry"
    assert text in str(outcome.error)


def test_a_trigger_looks_the_name_up(emulator: Emulator, clock: SimulatedClock, connection: Callable[..., Any]) -> None:
    job_id = emulator.create_job("board", status=8)

    async def first() -> Any:
        arguments = Trigger(job_name="board", poke_interval=1).serialize()[1]
        stream = Trigger(**json.loads(json.dumps(arguments))).run()
        try:
            return (await stream.__anext__()).payload
        finally:
            await stream.aclose()

    event = run_simulated(first(), clock)
    assert (event["outcome"], [job["job_id"] for job in event["jobs"].values()]) == ("arrived", [job_id])


def test_a_name_is_looked_up_once_and_again_when_its_job_is_gone(emulator: Emulator) -> None:
    first = emulator.create_job("board", status=7)
    by_id = emulator.create_job(status=7)
    config = ModelArtsConfig(
        endpoint=emulator.url, project_id=emulator.project_id, login=emulator.ak, password=emulator.sk
    )
    fetcher = JobFetcher(
        ClientOwner(lambda sleep: ModelArtsClient(config, sleep=lambda seconds: None)), VISUALIZATION_JOBS
    )
    key = name_key("board")
    fetch: Callable[..., dict[str, Any]] = fetcher.fetch
    observed = fetch({key: None, by_id: None})
    assert observed.keys() == {key, by_id}
    known = VISUALIZATION_JOBS.fingerprint(observed[key])
    emulator.clear_requests()
    fetcher.keep_only({key})
    assert fetcher.fetch({key: known}) == {}
    observed = fetch({key: None, first: known})
    assert observed[key].job_id == first
    assert "list" not in emulator.request_counts()
    emulator.remove_job(first)
    second = emulator.create_job("board", status=8)
    observed = fetch({key: known})
    assert observed[key].job_id == second
    fetcher.close()


@pytest.mark.parametrize("arguments", [{}, {"job_id": 1, "job_name": "board"}, {"job_name": "b", "job_ids": [1]}])
def test_one_job_is_given_in_one_way(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give one of job_id, job_name and job_ids"):
        Sensor(task_id="wait", **arguments)


@pytest.mark.parametrize("job_name", ["", "no blanks", "x" * 21])
def test_what_no_job_can_be_called_is_refused_when_the_dag_is_parsed(job_name: str) -> None:
    with pytest.raises(ValueError, match="job_name"):
        Sensor(task_id="wait", job_name=job_name)
