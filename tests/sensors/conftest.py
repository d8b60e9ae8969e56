"""Runs a sensor in this process, in any mode, against the emulator, on a simulated clock."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_modelarts._compat import BaseSensorOperator
from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor

BASE = importlib.import_module(BaseSensorOperator.__module__)
SENSOR = importlib.import_module(ModelArtsVisualizationJobSensor.__module__)


class SimulatedTime:
    """Stands in for the modules `time` and `timezone`. Sleeping moves it, and the emulator's jobs, forward at once."""

    def __init__(self, emulator: Emulator) -> None:
        self.now = 0.0
        self._emulator = emulator
        self._start = datetime.now(timezone.utc)
        self._plans: list[tuple[float, Callable[[], Any]]] = []

    def at(self, seconds: float, action: Callable[[], Any]) -> None:
        """Have something happen at a time, counted from the start."""
        self._plans.append((seconds, action))
        self._plans.sort(key=lambda plan: plan[0])

    def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        while self._plans and self._plans[0][0] <= end:
            moment, action = self._plans.pop(0)
            self._move_to(moment)
            action()
        self._move_to(end)

    def _move_to(self, moment: float) -> None:
        self._emulator.advance(moment - self.now)
        self.now = moment

    def monotonic(self) -> float:
        return self.now

    def utcnow(self) -> datetime:
        return self._start + timedelta(seconds=self.now)


@dataclass
class Outcome:
    """How a task ended: the state that Airflow gives it when it has retries left, and what it returned or raised."""

    state: str
    seconds: float
    xcom: Any = None
    error: BaseException | None = None
    reschedules: int = 0


@dataclass
class TaskInstance:
    """What the sensor asks of Airflow's task instance."""

    first_reschedule: datetime | None = None
    max_tries: int = 0
    dag_id: str = "dag"
    task_id: str = "wait"
    run_id: str = "run"
    map_index: int = -1

    def get_first_reschedule_date(self, context: Any) -> datetime | None:
        return self.first_reschedule


@pytest.fixture
def emulator():
    with Emulator(time_scale=0) as running:
        yield running


@pytest.fixture
def clock(emulator, monkeypatch):
    simulated = SimulatedTime(emulator)

    class SimulatedDatetime(datetime):
        @classmethod
        def now(cls, tz=None):
            return simulated.utcnow()

    monkeypatch.setattr(BASE, "time", simulated)
    monkeypatch.setattr(BASE, "timezone", simulated)
    monkeypatch.setattr(SENSOR, "time", simulated)
    monkeypatch.setattr(SENSOR, "datetime", SimulatedDatetime)
    monkeypatch.setitem(ModelArtsClient.__init__.__kwdefaults__, "sleep", simulated.sleep)
    return simulated


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
    """Run a sensor to its end, each reschedule in a new process's place: a new object."""

    def run_sensor(mode: str, **arguments: Any) -> Outcome:
        ti = TaskInstance()
        if hasattr(BASE, "_orig_start_date"):  # Airflow 2.11 asks its database.
            monkeypatch.setattr(BASE, "_orig_start_date", lambda *args, **kwargs: ti.first_reschedule)
        reschedules = 0
        while True:
            sensor = ModelArtsVisualizationJobSensor(task_id="wait", mode=mode, **arguments)
            started = clock.utcnow()
            try:
                xcom = sensor.execute({"ti": ti, "task_reschedule_count": reschedules})
            except BASE.AirflowRescheduleException as request:
                reschedules += 1
                ti.first_reschedule = ti.first_reschedule or started
                clock.sleep((request.reschedule_date - clock.utcnow()).total_seconds())
                continue
            except BASE.AirflowSkipException as error:
                return Outcome("skipped", clock.now, error=error, reschedules=reschedules)
            except (BASE.AirflowFailException, BASE.AirflowSensorTimeout) as error:
                return Outcome("failed", clock.now, error=error, reschedules=reschedules)
            except Exception as error:  # noqa: BLE001
                return Outcome("up_for_retry", clock.now, error=error, reschedules=reschedules)
            return Outcome("success", clock.now, xcom=xcom, reschedules=reschedules)

    return run_sensor
