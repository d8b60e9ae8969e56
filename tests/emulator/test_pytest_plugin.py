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
OTHER_CONNECTIONS = """
import json, os

def test_other_connections(modelarts_emulator) -> None:
    for conn_id in ("TEAM_A", "TEAM_B"):
        assert json.loads(os.environ[f"AIRFLOW_CONN_{conn_id}"]) == modelarts_emulator.connection()
    assert "AIRFLOW_CONN_MODELARTS_DEFAULT" not in os.environ
"""
SPEED = """
import time
import pytest
from airflow_provider_modelarts.operators.visualization_job import ModelArtsStopVisualizationJobOperator
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
try:
    from airflow.sdk import DAG, BaseOperator
except ImportError:
    from airflow import DAG
    from airflow.models.baseoperator import BaseOperator
from tests.simulated_tasks import TaskDeferred

class Other(BaseOperator):
    def __init__(self, *, number: int, **arguments) -> None:
        super().__init__(**arguments)

def test_speed(modelarts_emulator, without_waiting) -> None:
    with DAG("dag", schedule=None) as dag:
        one = ModelArtsVisualizationJobSensor(task_id="one", job_id="1", poke_interval=600)
        many = ModelArtsStopVisualizationJobOperator.partial(task_id="many", poke_interval=600).expand(job_id=["1"])
        other = BaseOperator(task_id="other")
        mapped = Other.partial(task_id="mapped").expand(number=[1])
    assert without_waiting(dag) is dag
    assert (one.poke_interval, many.partial_kwargs["poke_interval"]) == (0.1, 0.1)
    assert not hasattr(other, "poke_interval")
    assert "poke_interval" not in mapped.partial_kwargs
    job_id = modelarts_emulator.create_job()
    time.sleep(0.4)  # the job runs after 15 s of its own time
    assert modelarts_emulator.job(job_id).status == 8

def test_deferral(modelarts_emulator, without_waiting) -> None:
    job_id = modelarts_emulator.create_job(status=7)
    wait = ModelArtsVisualizationJobSensor(task_id="wait", job_id=job_id, deferrable=True)
    with pytest.raises(TaskDeferred) as deferral:
        wait.execute({})
    assert deferral.value.trigger.first_poll_at <= time.time()
"""


def test_users_own_tests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_MODELARTS_DEFAULT", raising=False)
    pytester.makeconftest(USER_CONFTEST)
    pytester.makepyfile(USER_TEST)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=3)
    assert "AIRFLOW_CONN_MODELARTS_DEFAULT" not in os.environ


def test_other_connections(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_MODELARTS_DEFAULT", raising=False)
    pytester.makeconftest(USER_CONFTEST)
    pytester.makeini("[pytest]\nmodelarts_conn_ids = team_a team_b")
    pytester.makepyfile(OTHER_CONNECTIONS)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_waits_take_no_time(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(USER_CONFTEST)
    pytester.makepyfile(SPEED)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
