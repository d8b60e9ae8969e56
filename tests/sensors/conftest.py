"""Runs a sensor in this process, in any mode, against the emulator, on a simulated clock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from tests.simulated_tasks import BASE, Outcome, TaskDeferred, TaskInstance, first_event, simulate


@pytest.fixture
def emulator():
    with Emulator(time_scale=0) as running:
        yield running


@pytest.fixture
def clock(emulator, monkeypatch):
    return simulate(monkeypatch, emulator)


@pytest.fixture
def connection(emulator, monkeypatch):
    """The Airflow connection to the emulator; what a test puts into it holds from the next look-up on."""
    monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(emulator.connection()))

    def change(**fields: Any) -> None:
        changed = {**emulator.connection(), **fields}
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(changed))

    return change


@pytest.fixture
def run(clock, connection, monkeypatch):
    """Run a sensor to its end, with a new object wherever Airflow would start a new process."""

    def run_sensor(mode: str, **arguments: Any) -> Outcome:
        ti = TaskInstance()
        if hasattr(BASE, "_orig_start_date"):  # Airflow 2.11 asks its database.
            monkeypatch.setattr(BASE, "_orig_start_date", lambda *args, **kwargs: ti.first_reschedule)
        how = {"deferrable": True} if mode == "deferrable" else {"mode": mode}
        starts = 0
        event = None
        while True:
            sensor = ModelArtsVisualizationJobSensor(task_id="wait", **how, **arguments)
            context = {"ti": ti, "task_reschedule_count": starts}
            starts += 1
            started = clock.utcnow()
            try:
                if event is None:
                    xcom = sensor.execute(context)
                else:
                    xcom = sensor.resume_execution("execute_complete", {"event": event}, context)
            except TaskDeferred as deferral:
                event = first_event(deferral, clock)
                continue
            except BASE.AirflowRescheduleException as request:
                ti.first_reschedule = ti.first_reschedule or started
                clock.sleep((request.reschedule_date - clock.utcnow()).total_seconds())
                continue
            except BASE.AirflowSkipException as error:
                return Outcome("skipped", clock.now, error=error, starts=starts)
            except (BASE.AirflowFailException, BASE.AirflowSensorTimeout) as error:
                return Outcome("failed", clock.now, error=error, starts=starts)
            except Exception as error:  # noqa: BLE001
                return Outcome("up_for_retry", clock.now, error=error, starts=starts)
            return Outcome("success", clock.now, xcom=xcom, starts=starts)

    return run_sensor
