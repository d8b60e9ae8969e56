"""What is particular to waits for training jobs: their phases, their names, their XCom and their link."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.sensors.training_job import ModelArtsTrainingJobSensor as Sensor
from tests.sensors.test_wait_table import MODES

pytestmark = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def wait(run: Callable[..., Any]) -> Callable[..., Any]:
    """Run a sensor for a training job."""
    return lambda mode, **arguments: run(mode, sensor_class=Sensor, **{"poke_interval": 30, **arguments})


def create(emulator: Emulator, script: str, name: str = "train") -> str:
    return str(emulator.cloud.training_jobs.create(name, script=script).job_id)


def test_a_job_that_goes_back_to_the_queue_is_waited_on(
    mode: str, emulator: Emulator, wait: Callable[..., Any]
) -> None:
    outcome = wait(mode, job_id=create(emulator, "Running:0,Pending:60,Running:60,Completed:60"))
    assert (outcome.state, outcome.xcom["phase"]) == ("success", "Completed")


@pytest.mark.parametrize("end", ["Completed", "Failed", "Abnormal", "Terminated"])
def test_any_end_can_be_waited_for(mode: str, end: str, emulator: Emulator, wait: Callable[..., Any]) -> None:
    outcome = wait(mode, job_id=create(emulator, f"Running:0,{end}:60"), target_status="ENDED")
    assert (outcome.state, outcome.xcom["phase"]) == ("success", end)


@pytest.mark.parametrize("end", ["Failed", "Abnormal", "Terminated"])
def test_no_other_end_is_success(mode: str, end: str, emulator: Emulator, wait: Callable[..., Any]) -> None:
    outcome = wait(mode, job_id=create(emulator, f"Running:0,{end}:60"))
    assert outcome.state == "failed"
    assert f"is {end} and cannot become Completed any more" in str(outcome.error)


@pytest.mark.parametrize("name", ["running", "RUNNING", "Running"])
def test_a_phase_is_named_in_any_case(mode: str, name: str, emulator: Emulator, wait: Callable[..., Any]) -> None:
    outcome = wait(mode, job_id=create(emulator, "Pending:0,Running:60"), target_status=name)
    assert (outcome.state, outcome.xcom["phase"]) == ("success", "Running")


def test_a_job_is_waited_for_by_its_name(mode: str, emulator: Emulator, wait: Callable[..., Any]) -> None:
    job_id = create(emulator, "Running:0,Completed:60", name="by-name")
    outcome = wait(mode, job_name="by-name")
    assert (outcome.state, outcome.xcom["job_id"]) == ("success", job_id)


def test_several_jobs_are_waited_for(mode: str, emulator: Emulator, wait: Callable[..., Any]) -> None:
    job_ids = [create(emulator, f"Running:0,Completed:{60 * n}", name=f"train-{n}") for n in (1, 2)]
    outcome = wait(mode, job_ids=job_ids)
    assert outcome.state == "success"
    if mode != "reschedule":
        assert {job_id: job["phase"] for job_id, job in outcome.xcom.items()} == dict.fromkeys(job_ids, "Completed")


def test_the_xcom_and_the_link(
    mode: str, emulator: Emulator, connection: Callable[..., Any], wait: Callable[..., Any]
) -> None:
    connection(extra={**emulator.connection()["extra"], "console_url": "https://console.example/modelarts/"})
    job_id = create(emulator, "Completed:0")
    outcome = wait(mode, job_id=job_id)
    assert list(outcome.xcom) == ["job_id", "job_name", "phase", "create_time", "duration_ms", "outputs", "link"]
    assert outcome.xcom["link"] == f"https://console.example/modelarts/#/training/detail/{job_id}"
    assert json.loads(json.dumps(outcome.xcom)) == outcome.xcom


def test_no_token_and_no_variable_of_the_job_is_left_behind(
    mode: str,
    emulator: Emulator,
    wait: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = emulator.cloud.training_jobs.create("train", script="Running:0,Completed:60")
    job.body["algorithm"]["environments"] = {"OBS_SK": "SECRET-VARIABLE"}
    outcome = wait(mode, job_id=job.job_id)
    left = f"{outcome.xcom}{outcome.xcoms}{capsys.readouterr().out}{caplog.text}"
    assert outcome.state == "success"
    assert job.token not in left
    assert "SECRET-VARIABLE" not in left
