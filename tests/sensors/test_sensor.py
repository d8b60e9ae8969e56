"""The sensor as a DAG author meets it: what it refuses when, what it renders, what it costs to import."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator
from tests.simulated_clock import SimulatedClock

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

from airflow_provider_modelarts._compat import airflow_version
from airflow_provider_modelarts.api.visualization_jobs.statuses import ENDED, JobStatus
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from tests.simulated_tasks import TaskInstance


def sensor(**arguments: Any) -> ModelArtsVisualizationJobSensor:
    return ModelArtsVisualizationJobSensor(**{"task_id": "wait", "job_id": 1, **arguments})


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"job_id": "ten"}, "job_id"),
        ({"job_id": "1/stop"}, "job_id"),
        ({"job_id": None}, "job_id"),
        ({"target_status": "RUNING"}, "target_status"),
        ({"target_status": []}, "target_status"),
        ({"target_status": ["RUNNING", "NOPE"]}, "target_status"),
        ({"failure_statuses": "NOPE"}, "failure_statuses"),
        ({"failure_statuses": ["RUNNING"]}, "failure_statuses"),
        ({"target_status": "RUNING", "failure_statuses": "{{ params.x }}"}, "target_status"),
        ({"job_ids": ["1"]}, "job_id"),
        ({"job_id": None, "job_ids": ["1", "x"]}, "job_id"),
        ({"job_id": None, "job_ids": ["x", "{{ params.x }}"]}, "job_id"),
        ({"job_id": None, "job_ids": []}, "job_ids"),
        ({"job_id": None, "job_ids": 5}, "job_ids"),
        ({"wait_for": "most"}, "wait_for"),
        ({"poll_failure_tolerance": -5}, "poll_failure_tolerance"),
        ({"poll_failure_tolerance": "10m"}, "poll_failure_tolerance"),
    ],
)
def test_literals_are_refused_when_the_dag_is_parsed(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        sensor(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"job_id": "197"},
        {"target_status": JobStatus.KILLED},
        {"target_status": ENDED},
        {"job_id": "{{ params.job_id }}"},
        {"target_status": "{{ params.target }}"},
        {"target_status": ["KILLED", "{% if params.x %}CANCELED{% endif %}"]},
        {"failure_statuses": "{{ params.failures }}"},
    ],
)
def test_literals_that_are_right_and_templates_pass(arguments: dict[str, Any]) -> None:
    sensor(**arguments)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"job_id": "{{ params.wrong }}"}, "job_id"),
        ({"target_status": "{{ params.wrong }}"}, "target_status"),
        ({"target_status": ["KILLED", "{{ params.wrong }}"]}, "target_status"),
    ],
)
@pytest.mark.parametrize("handling", [{}, {"soft_fail": True}, {"never_fail": True}, {"silent_fail": True}])
def test_what_is_rendered_is_refused_before_the_first_request(
    arguments: dict[str, Any], named: str, handling: dict[str, bool], emulator: Emulator, connection: Callable[..., Any]
) -> None:
    task = sensor(**arguments, **handling)
    task.render_template_fields({"params": {"wrong": "nonsense"}})
    with pytest.raises(ValueError, match=named):
        task.execute({})
    assert emulator.request_counts() == {}


def test_rendered_values_are_used(emulator: Emulator, connection: Callable[..., Any]) -> None:
    job_id = emulator.create_job(status=12)
    task = sensor(job_id="{{ params.id }}", target_status=["{{ params.target }}"], region="{{ params.region }}")
    task.render_template_fields({"params": {"id": job_id, "target": "JOBSTAT_KILLED", "region": "cn-north-4"}})
    assert task.execute({"ti": TaskInstance()})["status_name"] == "KILLED"  # type: ignore[typeddict-item]


def test_a_poke_by_itself_looks_once(emulator: Emulator, connection: Callable[..., Any]) -> None:
    job_id = emulator.create_job(status=8)
    task = sensor(job_id=job_id)
    context: Any = {"ti": TaskInstance()}
    assert task.poke(context).is_done
    emulator.set_status(job_id, 7)
    assert not task.poke(context).is_done
    assert emulator.request_counts() == {"get": 2}


def test_outputs_of_tasks_are_not_judged_when_the_dag_is_parsed() -> None:
    with DAG("outputs", schedule=None):
        upstream = sensor(task_id="upstream")
        output: Any = upstream.output
        task = sensor(job_id=output["job_id"], target_status=[output["status"]])
    assert task.upstream_task_ids == {"upstream"}


def test_the_session_is_closed_in_the_end(emulator: Emulator, connection: Callable[..., Any]) -> None:
    task = sensor(job_id=emulator.create_job(status=8))
    task.execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]
    assert task.hook.client_owner._client is None


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_a_wait_without_a_change_is_logged_every_ten_minutes(
    mode: str, emulator: Emulator, run: Callable[..., Any], written: Callable[[], str]
) -> None:
    run(mode, job_id=emulator.create_job(script="7:0,8:1500"), poke_interval=60)
    minutes = re.findall(r"is still WAITING \(7\), for (\d+) min", written())
    assert [int(each) // 10 for each in minutes] == [1, 2]


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_a_job_that_has_arrived_is_polled_no_more(mode: str, emulator: Emulator, run: Callable[..., Any]) -> None:
    emulator.deny = ["list"]
    early, late = emulator.create_job(script="7:0,8:30"), emulator.create_job(script="7:0,8:300")
    assert run(mode, job_ids=[early, late], poke_interval=30).state == "success"
    polls = Counter(request.path.rpartition("/")[2] for request in emulator.requests() if request.operation == "get")
    assert polls[early] <= 3
    assert polls[late] >= 10


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_the_threads_that_poll_several_jobs_end(mode: str, emulator: Emulator, run: Callable[..., Any]) -> None:
    emulator.deny = ["list"]
    job_ids = [emulator.create_job(script="7:0,8:60") for _ in range(3)]
    before = set(threading.enumerate())
    assert run(mode, job_ids=job_ids, poke_interval=30).state == "success"
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("modelarts-"):
            thread.join(5)
            assert not thread.is_alive()


def test_transitions_are_logged(
    emulator: Emulator,
    clock: SimulatedClock,
    run: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    run("poke", job_id=emulator.create_job(job_name="board", script="1:0,7:60,8:120"), poke_interval=30)
    # Airflow 3 logs to standard output here, Airflow 2 through the standard library.
    logged = capsys.readouterr().out + caplog.text
    for line in (
        "(board) is INIT (1); waiting for RUNNING (8)",
        "(board) went from INIT (1) to WAITING (7) after 1 min 0 s; waiting for RUNNING (8)",
        "(board) went from WAITING (7) to RUNNING (8) after 2 min 0 s",
    ):
        assert line in logged


PARSE = """
import sys
try:
    import airflow.sdk
    from airflow.sdk import BaseSensorOperator, BaseHook
except ImportError:
    import airflow.models
    from airflow.sensors.base import BaseSensorOperator
    from airflow.hooks.base import BaseHook
BaseSensorOperator(task_id="plain")
before = set(sys.modules)
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
ModelArtsVisualizationJobSensor(task_id="wait", job_id=1)
import json
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_parsing_a_dag_file_imports_nothing_heavy() -> None:
    output = subprocess.run([sys.executable, "-c", PARSE], capture_output=True, text=True, check=True).stdout
    imported = json.loads(output.splitlines()[-1])
    assert "airflow_provider_modelarts.sensors.visualization_job" in imported
    packages = {name.partition(".")[0] for name in imported}
    heavy = {
        "requests",
        "urllib3",
        "huaweicloudsdkcore",
        "keystoneauth1",
        "starlette",
        "uvicorn",
        "tenacity",
        "wtforms",
    }
    assert packages & heavy == set()
    ours = {name for name in imported if name.startswith("airflow_provider_modelarts")}
    assert not any(name.startswith("airflow_provider_modelarts.emulator") for name in ours)
    assert "airflow_provider_modelarts.api.client" not in ours


def test_an_execution_timeout_that_ends_without_text_is_explained(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Airflow 2.11 raises an error without text, and calls nothing but this; Airflow 3 has a text."""
    sensor(execution_timeout=timedelta(minutes=5)).on_kill()
    sensor().on_kill()
    said = caplog.text + capsys.readouterr().out
    assert ("has reached its execution_timeout (5 min 0 s)" in said) is (airflow_version() < (3, 0))
