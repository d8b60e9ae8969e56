"""The rig itself: a caller's settings stay out, failures speak, and nothing is left running."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tools.local_airflow import COMPONENTS, LocalAirflow, LocalAirflowError, poll_until

DAGS = """
from airflow.sdk import dag, task

@dag(schedule=None)
def adds():
    @task
    def add(params=None):
        print("adding")
        return params["number"] + 1

    add()

@dag(schedule=None)
def never_ends():
    @task
    def sleep_long():
        import time
        print("asleep")
        time.sleep(3600)

    sleep_long()

adds()
never_ends()
"""


def test_runs_dags_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes_in: Callable[[Path], list[str]]
) -> None:
    (tmp_path / "dags.py").write_text(DAGS)
    (tmp_path / "broken.py").write_text("from airflow.sdk import no_such_dag")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "NoSuchExecutor")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "of-the-user"))

    with LocalAirflow(tmp_path) as airflow:
        run_id = airflow.trigger("adds", conf={"number": 41})
        assert airflow.wait("adds", run_id, timeout=60) == "success"
        assert airflow.xcom("adds", run_id, "add") == 42
        assert "adding" in [line["event"] for line in airflow.task_log("adds", run_id, "add")]

        run_id = airflow.trigger("never_ends")
        poll_until(lambda: _is_asleep(airflow, run_id), 60, lambda: airflow.component_log("scheduler"))
        with pytest.raises(TimeoutError, match="'sleep_long': 'running'}\nall components are healthy"):
            airflow.wait("never_ends", run_id, timeout=0.1)

        with pytest.raises(LocalAirflowError, match="cannot import name 'no_such_dag'"):
            airflow.wait_for_dag("broken")

        home = airflow.home
        assert len(processes_in(home)) > len(COMPONENTS)

    assert processes_in(home) == []
    assert not home.exists()
    assert not (tmp_path / "of-the-user").exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(airflow.url).port or 0))


def test_a_run_that_no_scheduler_goes_on_with_fails_with_the_log(tmp_path: Path) -> None:
    (tmp_path / "dags.py").write_text(DAGS)
    settings = {
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "5",
    }
    with LocalAirflow(tmp_path, env=settings) as airflow:
        for process in airflow.processes("scheduler"):
            process.suspend()
        run_id = airflow.trigger("adds", conf={"number": 41})
        with pytest.raises(TimeoutError, match=r"(?s)not healthy: scheduler\n.*end of scheduler\.log"):
            airflow.wait("adds", run_id, timeout=10)


def _is_asleep(airflow: LocalAirflow, run_id: str) -> bool:
    [instance] = airflow.task_instances("never_ends", run_id)
    if instance["state"] != "running":
        return False
    return "asleep" in [line["event"] for line in airflow.task_log("never_ends", run_id, "sleep_long")]


def test_a_start_that_fails_shows_the_log_and_leaves_nothing_behind(
    tmp_path: Path, processes_in: Callable[[Path], list[str]]
) -> None:
    airflow = LocalAirflow(tmp_path, env={"AIRFLOW__CORE__EXECUTOR": "NoSuchExecutor"})

    with pytest.raises(LocalAirflowError, match="NoSuchExecutor"):
        airflow.start()

    assert processes_in(airflow.home) == []
    assert not airflow.home.exists()
