"""A wait's way to the triggerer and back: which try it is of, and how long that may take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_modelarts._compat import AirflowSensorTimeout, AirflowTaskTimeout
from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.operators.visualization_job import ModelArtsStopVisualizationJobOperator
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.waiting.result import WaitResult
from airflow_provider_modelarts.waiting.wait import point_in_time
from tests.simulated_clock import SimulatedClock
from tests.simulated_tasks import TaskDeferred, TaskInstance, first_event


def deferral_of(task: Any, ti: TaskInstance, event: Any = None) -> TaskDeferred:
    method, arguments = ("execute", {}) if event is None else ("execute_complete", {"event": event})
    with pytest.raises(TaskDeferred) as deferral:
        task.resume_execution(method, arguments, {"ti": ti})
    return deferral.value


@pytest.mark.parametrize("kind", [ModelArtsVisualizationJobSensor, ModelArtsStopVisualizationJobOperator])
def test_a_retry_does_not_resume_with_the_event_of_the_try_before(
    kind: type[Any],
    emulator: Emulator,
    clock: SimulatedClock,
    connection: Callable[..., Any],
    written: Callable[[], str],
) -> None:
    job_id = emulator.create_job(script="9:0,12:60" if "Stop" in kind.__name__ else "7:0,11:60")
    ti = TaskInstance()
    event = first_event(deferral_of(kind(task_id="wait", job_id=job_id, deferrable=True), ti), clock, ti)
    assert event["try_number"] == 1

    emulator.set_status(job_id, 9 if "Stop" in kind.__name__ else 7)
    ti.try_number = 2
    task = kind(task_id="wait", job_id=job_id, deferrable=True)
    assert deferral_of(task, ti, event).trigger.job_id == job_id
    assert "earlier try; " in written()


@pytest.mark.parametrize("limit", [{"execution_timeout": timedelta(seconds=100)}, {"timeout": 100}])
def test_a_timeout_counts_from_the_start_of_the_try_over_deferrals(
    limit: dict[str, Any], emulator: Emulator, clock: SimulatedClock, connection: Callable[..., Any]
) -> None:
    """Also below Airflow 3.3, where a resumed task knows only when it was resumed."""
    job_id = emulator.create_job(status=7)
    ti = TaskInstance(start_date=clock.utcnow())

    def make() -> Any:
        return ModelArtsVisualizationJobSensor(task_id="wait", job_id=job_id, skip_worker=True, **limit)

    first = deferral_of(make(), ti)
    clock.sleep(60)
    ti.start_date = clock.utcnow()
    event = {
        **WaitResult("invalid").to_dict(),
        **first.trigger.returned,
    }
    second = deferral_of(make(), ti, event)
    assert second.trigger.deadline == first.trigger.deadline == clock.time() + 40


@pytest.mark.parametrize(
    ("limits", "error", "limit"),
    [
        ({"timeout": 100}, AirflowSensorTimeout, r"\(timeout 1 min 40 s\)"),
        ({"execution_timeout": timedelta(seconds=50)}, AirflowTaskTimeout, r"\(execution_timeout 50 s\)"),
    ],
)
def test_airflows_own_timeout_of_a_deferral_ends_the_task_as_the_waits_does(
    limits: dict[str, Any], error: type[BaseException], limit: str
) -> None:
    sensor = ModelArtsVisualizationJobSensor(task_id="wait", job_id=1, deferrable=True, **limits)
    arguments = {"error": "Trigger timeout"}
    with pytest.raises(error, match=f"no event from the triggerer: Trigger timeout {limit}"):
        sensor.resume_execution("__fail__", arguments, {"ti": TaskInstance()})  # type: ignore[typeddict-item]


def test_the_log_of_a_worker_says_until_when_it_waits_and_what_the_triggerer_has_left_to_it(
    emulator: Emulator, clock: SimulatedClock, connection: Callable[..., Any], written: Callable[[], str]
) -> None:
    sensor = ModelArtsVisualizationJobSensor(
        task_id="wait", job_id=emulator.create_job(status=7), deferrable=True, timeout=100, silent_fail=True
    )
    until = point_in_time(clock.time() + 100)
    emulator.inject(Fault("status", status=403))
    deferral_of(sensor, TaskInstance(start_date=clock.utcnow()), WaitResult("invalid", "'x' is undefined").to_dict())
    said = written()
    assert "The triggerer leaves the task to a worker: 'x' is undefined" in said
    assert f"Polling every 1 min 0 s, until {until} at the latest" in said
    assert "Poll failed, silently: The state of visualization job 1001 is unknown" in said
