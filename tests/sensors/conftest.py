"""Runs a sensor in this process, in any mode, against the emulator, on a simulated clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator
from tests.simulated_clock import SimulatedClock
from tests.simulated_tasks import Outcome, run_to_its_end, simulate


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(time_scale=0) as running:
        yield running


@pytest.fixture
def clock(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> SimulatedClock:
    return simulate(monkeypatch, emulator)


@pytest.fixture
def connection(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The Airflow connection to the emulator; what a test puts into it holds from the next look-up on."""
    monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(emulator.connection()))

    def change(**fields: Any) -> None:
        changed = {**emulator.connection(), **fields}
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(changed))

    return change


@pytest.fixture
def run(clock: SimulatedClock, connection: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a sensor to its end."""

    def run_sensor(mode: str, **arguments: Any) -> Outcome:
        return run_to_its_end(mode, clock, monkeypatch, **arguments)

    return run_sensor
