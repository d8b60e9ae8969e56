"""Runs an operator in this process, deferrable or not, against the emulator, on a simulated clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.operators.identity import AIRFLOW_ID
from tests.simulated_clock import SimulatedClock
from tests.simulated_tasks import BASE, Outcome, TaskDeferred, TaskInstance, first_event, simulate


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator(time_scale=0) as running:
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(running.connection()))
        monkeypatch.setenv(f"AIRFLOW_VAR_{AIRFLOW_ID.upper()}", "this-airflow")
        yield running


@pytest.fixture
def clock(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> SimulatedClock:
    return simulate(monkeypatch, emulator)


class StateStore(dict[str, Any]):
    """Airflow 3.3's task state store."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        self.pop(key, None)


@dataclass
class Task:
    """One task instance in one DAG run, to be run again and again as Airflow would."""

    operator: Callable[..., Any]
    arguments: dict[str, Any]
    clock: SimulatedClock
    ti: TaskInstance = field(default_factory=lambda: TaskInstance(task_id="task"))
    store: StateStore | None = None
    outlet_events: dict[Any, Any] = field(default_factory=dict)

    def make(self) -> Any:
        """Return the operator as a new process makes it."""
        return self.operator(task_id=self.ti.task_id, **self.arguments)

    @property
    def context(self) -> dict[str, Any]:
        context: dict[str, Any] = {"ti": self.ti, "outlet_events": self.outlet_events}
        return context if self.store is None else {**context, "task_state_store": self.store}

    def begin(self) -> TaskDeferred | Any:
        """Run the first phase of a try, and return its deferral or its XCom; what it raises is raised."""
        self.ti.xcoms.clear()
        try:
            return self.make().execute(self.context)
        except TaskDeferred as deferral:
            return deferral

    def run(self) -> Outcome:
        """Run a try to its end."""
        starts = 1
        try:
            result = self.begin()
            while isinstance(result, TaskDeferred):
                event = first_event(result, self.clock)
                starts += 1
                try:
                    result = self.make().resume_execution("execute_complete", {"event": event}, self.context)
                except TaskDeferred as deferral:
                    result = deferral
        except BASE.AirflowFailException as error:
            return Outcome("failed", self.clock.now, error=error, starts=starts)
        except Exception as error:  # noqa: BLE001
            return Outcome("up_for_retry", self.clock.now, error=error, starts=starts)
        return Outcome("success", self.clock.now, xcom=result, starts=starts)


@pytest.fixture(params=[False, True], ids=["on_worker", "deferrable"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def task(clock: SimulatedClock, deferrable: bool) -> Callable[..., Any]:
    """Make a task of an operator, with the task state store of Airflow 3.3 if asked for."""

    def make(operator: Callable[..., Any], *, store: bool = False, task_id: str = "task", **arguments: Any) -> Task:
        arguments = {"deferrable": deferrable, **arguments}
        return Task(operator, arguments, clock, TaskInstance(task_id=task_id), StateStore() if store else None)

    return make
