"""The fixture that ships with the package, used as a user's test would."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["pytester"]

USER_CONFTEST = 'pytest_plugins = ["airflow_provider_modelarts.emulator.pytest_plugin"]'
USER_TEST = """
import json, os
from airflow_provider_modelarts.emulator import Emulator

def test_one(modelarts_emulator: Emulator) -> None:
    connection = json.loads(os.environ["AIRFLOW_CONN_MODELARTS_DEFAULT"])
    assert connection == modelarts_emulator.connection()
    modelarts_emulator.create_job("only-here")

def test_another(modelarts_emulator: Emulator) -> None:
    assert modelarts_emulator.jobs == {}

def test_without() -> None:
    assert "AIRFLOW_CONN_MODELARTS_DEFAULT" not in os.environ
"""


def test_users_own_tests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_MODELARTS_DEFAULT", raising=False)
    pytester.makeconftest(USER_CONFTEST)
    pytester.makepyfile(USER_TEST)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=3)
    assert "AIRFLOW_CONN_MODELARTS_DEFAULT" not in os.environ
