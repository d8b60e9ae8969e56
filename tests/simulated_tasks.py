"""Tasks of this provider in this process, in any mode, against the emulator, on a simulated clock."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from airflow_provider_modelarts._compat import AirflowTaskTimeout, BaseSensorOperator
from airflow_provider_modelarts.api.clock import HasClock
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.triggers.base import JobTrigger
from tests.simulated_clock import Advances, SimulatedClock
from tests.simulated_loop import SimulatedLoop

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred  # type: ignore[no-redef]

__all__ = [
    "BASE",
    "Outcome",
    "TaskDeferred",
    "TaskInstance",
    "first_event",
    "run_to_its_end",
    "run_trigger",
    "simulate",
]

BASE = importlib.import_module(BaseSensorOperator.__module__)
TRIGGER_MODULE = importlib.import_module(JobTrigger.__module__)


@dataclass
class Outcome:
    """How a task ended: the state that Airflow gives it when it has retries left, and what it returned or raised."""

    state: str
    seconds: float
    xcom: Any = None
    error: BaseException | None = None
    starts: int = 1
    xcoms: dict[str, Any] = field(default_factory=dict)


@dataclass
class TaskInstance:
    """What the sensor asks of Airflow's task instance."""

    first_reschedule: datetime | None = None
    max_tries: int = 0
    dag_id: str = "dag"
    task_id: str = "wait"
    run_id: str = "run"
    map_index: int = -1
    try_number: int = 1
    start_date: datetime | None = None
    task: Any = None
    xcoms: dict[str, Any] = field(default_factory=dict)

    def get_first_reschedule_date(self, context: Any) -> datetime | None:
        return self.first_reschedule

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return self.xcoms.get(key)


def first_event(deferral: TaskDeferred, clock: SimulatedClock, ti: TaskInstance | None = None) -> Any:
    """Run the trigger of a deferral as the triggerer does, rebuilt from what travels; return its first payload."""
    path, arguments = deferral.trigger.serialize()
    return run_trigger(path, arguments, clock, ti)


def run_trigger(path: str, arguments: dict[str, Any], clock: SimulatedClock, ti: TaskInstance | None = None) -> Any:
    """Run a trigger as the triggerer does, rebuilt from what travels; return its first payload."""
    module, _, name = path.rpartition(".")
    trigger = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))
    trigger.task_instance = ti

    async def first() -> Any:
        stream = trigger.run()
        try:
            return (await stream.__anext__()).payload
        finally:
            await stream.aclose()

    loop = SimulatedLoop(clock.monotonic, clock.sleep)
    try:
        return json.loads(json.dumps(loop.run_until_complete(first())))
    finally:
        clock.worst_pass = max(clock.worst_pass, loop.worst_pass)
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


async def push_from_trigger(ti: TaskInstance, key: str, value: Any) -> None:
    """Push an XCom from a trigger."""
    ti.xcom_push(key, value)


def simulate(monkeypatch: pytest.MonkeyPatch, emulator: Advances) -> SimulatedClock:
    """Have this provider live on simulated time, for the time of a test."""
    simulated = SimulatedClock(emulator)
    monkeypatch.setattr(HasClock, "clock", simulated)
    # Airflow's own loop of a sensor takes no clock.
    monkeypatch.setattr(BASE, "time", simulated)
    monkeypatch.setattr(BASE, "timezone", simulated)
    return simulated


def run_to_its_end(
    mode: str,
    clock: SimulatedClock,
    monkeypatch: pytest.MonkeyPatch,
    sensor_class: Callable[..., Any] = ModelArtsVisualizationJobSensor,
    **arguments: Any,
) -> Outcome:
    """Run a sensor to its end, with a new object wherever Airflow would start a new process."""
    ti = TaskInstance()
    if hasattr(BASE, "_orig_start_date"):  # Airflow 2.11 asks its database.
        monkeypatch.setattr(BASE, "_orig_start_date", lambda *args, **kwargs: ti.first_reschedule)
    monkeypatch.setattr(TRIGGER_MODULE, "apush_xcom", push_from_trigger)
    how = {"mode": mode} if mode in ("poke", "reschedule") else {mode: True}
    starts = 0
    event = None
    while True:
        sensor = ti.task = sensor_class(task_id="wait", **how, **arguments)
        context = {"ti": ti, "task_reschedule_count": starts}
        if sensor.start_from_trigger and event is None:
            start = sensor.start_trigger_args
            event = run_trigger(start.trigger_cls, start.trigger_kwargs, clock, ti)
            if event == "success":
                return Outcome("success", clock.now, xcom=ti.xcoms.get("return_value"), starts=starts, xcoms=ti.xcoms)
        starts += 1
        started = clock.utcnow()
        try:
            if event is None:
                xcom = sensor.execute(context)
            else:
                xcom = sensor.resume_execution("execute_complete", {"event": event}, context)
        except TaskDeferred as deferral:
            event = first_event(deferral, clock, ti)
            continue
        except BASE.AirflowRescheduleException as request:
            ti.first_reschedule = ti.first_reschedule or started
            clock.sleep((request.reschedule_date - clock.utcnow()).total_seconds())
            continue
        except BASE.AirflowSkipException as error:
            return Outcome("skipped", clock.now, error=error, starts=starts, xcoms=ti.xcoms)
        except (BASE.AirflowFailException, BASE.AirflowSensorTimeout) as error:
            return Outcome("failed", clock.now, error=error, starts=starts, xcoms=ti.xcoms)
        except (Exception, AirflowTaskTimeout) as error:  # noqa: BLE001
            return Outcome("up_for_retry", clock.now, error=error, starts=starts, xcoms=ti.xcoms)
        return Outcome("success", clock.now, xcom=xcom, starts=starts, xcoms=ti.xcoms)
