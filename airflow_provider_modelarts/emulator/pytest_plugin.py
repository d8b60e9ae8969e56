"""
A pytest fixture for tests of DAGs: an emulator of its own for every test that asks for it.

Put ``pytest_plugins = ["airflow_provider_modelarts.emulator.pytest_plugin"]`` into the top-level ``conftest.py``::

    def test_gate(modelarts_emulator):
        job_id = modelarts_emulator.create_job(script="fails")
        modelarts_emulator.advance(60)  # seconds that need not be waited for
        ...
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_modelarts.emulator import Emulator


@pytest.fixture
def modelarts_emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A running emulator without jobs; the connection ``modelarts_default`` leads to it."""
    from airflow_provider_modelarts.emulator import Emulator

    with Emulator() as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(emulator.connection()))
        # What the create operator stores in Airflow's database, which a test need not have.
        monkeypatch.setenv("AIRFLOW_VAR_MODELARTS_AIRFLOW_ID", "pytest")
        yield emulator
