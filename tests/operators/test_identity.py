"""How a task's own job is told from others: by Airflow, DAG, run, task and map index."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts.api.clock import Clock
from airflow_provider_modelarts.api.visualization_jobs.parameters import checked_job_name
from airflow_provider_modelarts.operators import identity
from airflow_provider_modelarts.operators.identity import (
    AIRFLOW_ID,
    airflow_id,
    own_job_desc,
    own_job_name,
    settings_in,
    settings_of,
)
from airflow_provider_modelarts.operators.training_job_names import TrainingJobNames
from tests.simulated_tasks import TaskInstance


class QuickClock(Clock):
    """A clock on which pauses are short."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / 20)


class Variables:
    """Airflow variables, kept here; reads can fail, which Airflow takes for "not there"."""

    def __init__(self, failing_reads: int = 0, writable: bool = True) -> None:
        self.stored: dict[str, str] = {}
        self.failing_reads = failing_reads
        self.writable = writable

    def get(self, key: str, *default: Any) -> Any:
        if self.failing_reads:
            self.failing_reads -= 1
            return default[0]
        return self.stored.get(key, *default) if default else self.stored[key]

    def set(self, key: str, value: str, description: str | None = None) -> None:
        if not self.writable:
            raise PermissionError("read only")
        self.stored[key] = value


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def use(**arguments: Any) -> Variables:
        kept = Variables(**arguments)
        monkeypatch.setattr(identity, "Variable", kept)
        return kept

    return use


@pytest.mark.parametrize("changed", ["dag_id", "run_id", "task_id", "map_index", "base_url", "airflow"])
def test_another_task_or_run_or_airflow_has_another_name(changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ti, other = TaskInstance(), TaskInstance()
    name = own_job_name(ti, "a")
    assert own_job_name(TaskInstance(), "a") == name
    if changed == "base_url":
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://other.example.com")
        monkeypatch.setenv("AIRFLOW__WEBSERVER__BASE_URL", "https://other.example.com")
    elif changed != "airflow":
        setattr(other, changed, 7 if changed == "map_index" else "other")
    assert own_job_name(other, "b" if changed == "airflow" else "a") != name


@pytest.mark.parametrize(
    ("dag_id", "task_id", "readable"),
    [
        ("nightly", "board", "nightly"),
        ("lab", "board", "lab-boa"),
        ("a.b", "c", "a-b-c"),
        ("täglich", "x", "t-glich"),
        ("experiment_1", "group.task", "experim"),
    ],
)
def test_a_name_begins_with_the_dag_and_the_task(dag_id: str, task_id: str, readable: str) -> None:
    name = own_job_name(TaskInstance(dag_id=dag_id, task_id=task_id), "a")
    assert re.fullmatch(rf"{readable}-[a-z2-7]{{12}}", name)
    assert checked_job_name(name) == name


def test_a_newer_version_of_the_provider_finds_the_jobs_of_an_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for section in ("API", "WEBSERVER"):
        monkeypatch.setenv(f"AIRFLOW__{section}__BASE_URL", "https://airflow.example.com")
    ti = TaskInstance(dag_id="nightly", task_id="board", run_id="run", max_tries=2)
    assert own_job_name(ti, "an-airflow") == "nightly-5hufjfit5yeu"
    assert TrainingJobNames.of(ti, airflow="an-airflow").name(2) == "nightly-board-5hufjfit5yeu-r2-2"
    assert own_job_desc(ti, "an-airflow", "tensorboard") == "Airflow c4bqpje4: nightly / board / run; tensorboard"


@pytest.mark.parametrize(("map_index", "shown"), [(-1, "task / run"), (0, "task [0] / run"), (3, "task [3] / run")])
def test_a_description_names_the_task_and_its_map_index(map_index: int, shown: str) -> None:
    ti = TaskInstance(task_id="task", map_index=map_index)
    assert re.fullmatch(rf"Airflow [a-z2-7]{{8}}: dag / {re.escape(shown)}; s", own_job_desc(ti, "a", "s"))


@pytest.mark.parametrize(
    ("body", "settings"),
    [
        ({"job_type": "tensorboard"}, "tensorboard"),
        ({"job_type": "mindinsight", "schedule": [{"duration": 4}]}, "mindinsight, stops after 4 h"),
        ({"job_type": "t", "schedule": [{"duration": 4}], "flavor": {"code": "f;g"}}, "t, stops after 4 h, f,g"),
        ({"job_type": "t", "flavor": {"code": "f" * 100}}, "t, " + "f" * 71),
    ],
)
def test_settings_as_text(body: dict[str, Any], settings: str) -> None:
    assert settings_of(body) == settings


def test_an_airflow_keeps_its_id(variables: Callable[..., Any]) -> None:
    variables()
    first = airflow_id(QuickClock())
    assert len(first) >= 32
    assert airflow_id(QuickClock()) == first
    variables()
    assert airflow_id(QuickClock()) != first


def test_tasks_that_ask_for_the_first_time_at_the_same_moment_agree(variables: Callable[..., Any]) -> None:
    variables()
    found = []
    # With the real pause: the threads must overlap in it, on a busy machine as well.
    threads = [threading.Thread(target=lambda: found.append(airflow_id())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_read_that_fails_once_makes_no_other_airflow(variables: Callable[..., Any]) -> None:
    stored = variables(failing_reads=1).stored
    stored[AIRFLOW_ID] = "known"
    assert airflow_id(QuickClock()) == "known"
    assert stored[AIRFLOW_ID] == "known"


def test_an_airflow_that_cannot_store_its_id_is_told_what_to_do(variables: Callable[..., Any]) -> None:
    variables(writable=False)
    with pytest.raises(RuntimeError, match=f"The Airflow variable {AIRFLOW_ID} can be neither read nor stored"):
        airflow_id(QuickClock())


def test_a_description_keeps_the_settings_however_long_its_task_is_called() -> None:
    body = {"job_type": "tensorboard", "flavor": {"code": "f; " * 100}, "schedule": [{"duration": 24}]}
    ti = TaskInstance(dag_id="d" * 250, run_id="r; " * 80)
    desc = own_job_desc(ti, "a", settings_of(body))
    assert len(desc) == 256
    assert settings_in(desc, own_job_desc(ti, "a", "other")) == settings_of(body)
    assert settings_in(desc, own_job_desc(ti, "b", "other")) is None
    assert settings_in(None, desc) is None
