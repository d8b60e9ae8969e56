"""
pytest fixtures for tests of DAGs: an emulator for each test, and waits without delays.

Put ``pytest_plugins = ["airflow_provider_modelarts.emulator.pytest_plugin"]`` into the top-level ``conftest.py``::

    def test_gate(modelarts_emulator, without_waiting):
        job_id = modelarts_emulator.create_job(script="fails")
        run = without_waiting(gate()).test(run_conf={"job_id": job_id})
        assert run.state == "failed"
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from airflow_provider_modelarts.emulator import Emulator

CONN_IDS: Final = "modelarts_conn_ids"
POKE_INTERVAL: Final = 0.1
"""Seconds between two polls of a task on a worker. A trigger polls once a second."""

TIME_SCALE: Final = 60.0
"""How much faster than real time jobs move."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the connections."""
    parser.addini(CONN_IDS, "Airflow connections that lead to the emulator", "args", ["modelarts_default"])


@pytest.fixture
def modelarts_emulator(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A running emulator without jobs. The connections of the option ``modelarts_conn_ids`` lead to it."""
    from airflow_provider_modelarts.emulator import Emulator

    with Emulator() as emulator:
        for conn_id in pytestconfig.getini(CONN_IDS):
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(emulator.connection()))
        # The create operators store this ID in Airflow's database, which a test may not have.
        monkeypatch.setenv("AIRFLOW_VAR_MODELARTS_AIRFLOW_ID", "pytest")
        yield emulator


@pytest.fixture
def without_waiting(modelarts_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """
    A function that makes the tasks of this provider in a DAG poll almost without a pause, and returns the DAG.

    The jobs of the emulator move 60 times as fast as real time.
    """
    modelarts_emulator.set_time_scale(TIME_SCALE)
    # This pause gives the scheduler time, and ``dag.test()`` has no scheduler.
    monkeypatch.setattr("airflow_provider_modelarts.deferral.FIRST_POLL_AFTER_DEFERRAL", 0.0)

    def speed_up(dag: Any) -> Any:
        for task in dag.tasks:
            is_mapped = hasattr(task, "partial_kwargs")
            if not hasattr(task.operator_class if is_mapped else task, "trigger_path"):
                continue  # Not of this provider.
            if is_mapped:
                task.partial_kwargs["poke_interval"] = POKE_INTERVAL
            else:
                task.poke_interval = POKE_INTERVAL
        return dag

    return speed_up
