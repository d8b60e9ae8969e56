"""In a DAG with ``render_template_as_native_obj``, texts that look like numbers reach the tasks as numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator
from tests.simulated_clock import SimulatedClock

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

from airflow_provider_modelarts.operators.clean_up import ModelArtsCleanUpVisualizationJobsOperator as CleanUp
from airflow_provider_modelarts.operators.create_visualization_job import (
    ModelArtsCreateVisualizationJobOperator as Create,
)
from airflow_provider_modelarts.operators.visualization_job import ModelArtsUpdateVisualizationJobOperator as Update
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor as Sensor
from tests.simulated_tasks import TaskInstance

PROJECT_ID = "1" * 32


@pytest.fixture
def run(clock: SimulatedClock, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return what renders a task as Airflow does, and runs it on a worker."""
    emulator.project_id = PROJECT_ID
    monkeypatch.setenv("AIRFLOW_CONN_2024", json.dumps(emulator.connection()))

    def render_and_execute(kind: type[Any], **arguments: Any) -> Any:
        with DAG("native", schedule=None, render_template_as_native_obj=True):
            operator = kind(
                task_id="task",
                modelarts_conn_id="{{ params.conn }}",
                project_id="{{ params.project }}",
                **arguments,
            )
        params = {"conn": "2024", "project": PROJECT_ID, "name": "20240101"}
        operator.render_template_fields({"params": params})
        assert operator.project_id == int(PROJECT_ID)
        return operator.execute({"ti": TaskInstance(task_id="task"), "outlet_events": {}})

    return render_and_execute


def test_create(run: Callable[..., Any], emulator: Emulator) -> None:
    created = run(
        Create,
        job_name="{{ params.name }}",
        job_desc="{{ params.name }}",
        train_url="/bucket/dir/",
        flavor="5",
        wait_for_completion=False,
    )
    assert created["job_name"] == "20240101"
    job = next(iter(emulator.jobs.values()))
    assert (job.job_name, job.job_desc) == ("20240101", "20240101")


def test_update(run: Callable[..., Any], emulator: Emulator) -> None:
    run(Update, job_id=str(emulator.create_job(status=8)), job_desc="42")
    assert next(iter(emulator.jobs.values())).job_desc == "42"


def test_wait(run: Callable[..., Any], emulator: Emulator) -> None:
    assert run(Sensor, job_id=str(emulator.create_job(status=8)))["status"] == 8


def test_clean_up(run: Callable[..., Any], emulator: Emulator) -> None:
    emulator.create_job(status=8, job_name="20240101")
    emulator.create_job(status=8, job_name="another")
    found = run(CleanUp, job_name="{{ params.name }}")["found"]
    assert [job["job_name"] for job in found] == ["20240101"]
