"""Many waits in the triggerer, a triggerer that dies under them, listeners, and what is kept of secrets."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from configparser import RawConfigParser
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from airflow_provider_modelarts.emulator import Emulator
from tests.e2e.observed_run import ObservedRun
from tools.local_airflow import LocalAirflow, poll_until

TIMEOUT = 280.0  # seconds
MANY = int(os.environ.get("MODELARTS_E2E_WAITS", "40"))
"""How many waits at once, some dozens at least. Each takes two starts of a worker: 300 take minutes on two cores."""

LISTENER_PLUGIN = """
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

class Listener:
    @hookimpl
    def on_task_instance_success(self, previous_state, task_instance):
        print("listener told of the success of", task_instance.task_id)

class Listens(AirflowPlugin):
    name = "listens"
    listeners = [Listener()]
"""


@dataclass
class Outlived:
    """Waits that the triggerer was killed under: runs that are over, and what there was to see on the way."""

    many: ObservedRun
    few: ObservedRun
    job_ids: list[str]
    server: Emulator
    stored_triggers: list[str]
    requests: Counter[str]


@pytest.fixture(scope="module")
def outlived(local_airflow: LocalAirflow, servers: dict[str, Emulator]) -> Outlived:
    """Let half of the jobs arrive, kill the triggerer, let the others arrive, and start it again."""
    server = servers["tokens"]
    job_ids = [server.create_job(status=7) for _ in range(MANY)]
    many = ObservedRun(local_airflow, "many_waits", {"job_ids": job_ids})
    few = ObservedRun(local_airflow, "few_waits", {"job_id": job_ids[-1]})

    def everybody_waits() -> bool:
        states = Counter([*many.states("wait"), *few.states()])
        return states == {"deferred": MANY + 2} and "is WAITING (7)" in few.log("skip_worker")

    poll_until(everybody_waits, TIMEOUT, lambda: f"{Counter(many.states())}, {few.states()}")
    stored_triggers = _stored_triggers(local_airflow.home)
    for job_id in job_ids[: MANY // 2]:
        server.set_status(job_id, 8)
    poll_until(
        lambda: Counter(many.states("wait"))["success"] == MANY // 2, TIMEOUT, lambda: str(Counter(many.states("wait")))
    )
    local_airflow.kill("triggerer")
    for job_id in job_ids[MANY // 2 :]:
        server.set_status(job_id, 8)
    local_airflow.start_component("triggerer")
    few.wait(TIMEOUT)
    many.wait(TIMEOUT)
    return Outlived(many, few, job_ids, server, stored_triggers, Counter(server.request_counts()))


def _stored_triggers(home: Path) -> list[str]:
    """Return the arguments of all triggers in Airflow's database, JSON: it keeps some as they are, some encrypted."""
    config = RawConfigParser()
    config.read(home / "airflow.cfg")
    key = Fernet(config["core"]["fernet_key"])
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        rows = database.execute("SELECT kwargs FROM trigger").fetchall()
    return [kwargs if kwargs.startswith("{") else key.decrypt(kwargs.encode()).decode() for (kwargs,) in rows]


def test_every_wait_ends_right_and_once(outlived: Outlived) -> None:
    instances = outlived.many.instances("wait")
    assert [instance["state"] for instance in instances] == ["success"] * MANY
    assert {instance["try_number"] for instance in instances} == {1}
    for index, job_id in enumerate(outlived.job_ids):
        log = outlived.many.log("wait", index)
        # The killed triggerer may not have written its last line.
        assert log.count("Trigger fired event") <= 1, log
        assert log.count("Pushing xcom") == 1, log
        job = outlived.many.xcoms("wait", index)["return_value"]
        assert (job["job_id"], job["status_name"]) == (job_id, "RUNNING")


def test_a_deferrable_wait_starts_a_worker_twice(outlived: Outlived) -> None:
    assert {outlived.many.worker_starts("wait", index) for index in range(MANY)} == {2}


@pytest.mark.parametrize(("task_id", "starts"), [("deferrable", 2), ("skip_worker", 0)])
def test_waits_of_both_kinds_outlive_their_triggerer(task_id: str, starts: int, outlived: Outlived) -> None:
    [instance] = outlived.few.instances(task_id)
    assert (instance["state"], instance["try_number"]) == ("success", 1)
    assert outlived.few.log(task_id).count("Trigger fired event") == 1
    assert outlived.few.worker_starts(task_id) == starts
    assert outlived.few.xcoms(task_id)["return_value"]["status_name"] == "RUNNING"
    assert outlived.few.link(task_id) == outlived.few.xcoms(task_id)["return_value"]["service_url"]


def test_many_waits_share_few_requests(outlived: Outlived) -> None:
    first_polls = MANY + 1  # one a wait, on its worker
    in_triggerer = outlived.requests["get"] + outlived.requests["list"] - first_polls
    print(f"{MANY + 2} waits: {dict(outlived.requests)}, {in_triggerer} of them from the triggerer")
    assert outlived.requests["list"] > 0
    assert in_triggerer < MANY


def test_many_waits_without_worker_take_fewer_requests_than_there_are_waits(
    local_airflow: LocalAirflow, servers: dict[str, Emulator]
) -> None:
    server = servers["counts"]
    job_ids = [server.create_job(status=7) for _ in range(MANY)]
    run = ObservedRun(local_airflow, "many_waits_without_worker", {"job_ids": job_ids})

    def everybody_waits() -> bool:
        return all("is WAITING (7)" in run.log("each.wait", index) for index in range(MANY))

    poll_until(everybody_waits, TIMEOUT, lambda: f"{Counter(run.states('each.wait'))}")
    for job_id in job_ids:
        server.set_status(job_id, 8)

    assert run.wait(TIMEOUT) == "success"
    assert sum(run.worker_starts("each.wait", index) for index in range(MANY)) == 0
    arrived = [run.xcoms("each.wait", index)["return_value"]["job_id"] for index in range(MANY)]
    assert arrived == job_ids
    print(f"{MANY} waits without worker: {server.request_counts()}")
    assert sum(server.request_counts().values()) < MANY


def test_no_secret_is_stored_or_logged(outlived: Outlived, files_with: Callable[[str], list[Path]]) -> None:
    server = outlived.server
    tokens = list(server.cloud.iam.tokens._tokens)
    assert len(tokens) > 0
    assert len(outlived.stored_triggers) >= MANY + 2
    for secret in (server.sk, server.password, *tokens):
        assert [stored for stored in outlived.stored_triggers if secret in stored] == []
        assert files_with(secret) == []
    assert any('"tokens"' in stored for stored in outlived.stored_triggers), "the id of the connection travels"
    assert files_with(outlived.many.run_id) != []


@pytest.fixture
def listener(local_airflow: LocalAirflow) -> Iterator[None]:
    """Install a plugin with a listener, for the time of a test, in which no DAG is parsed and stored again."""
    plugin = local_airflow.home / "plugins" / "listens.py"
    plugin.parent.mkdir(exist_ok=True)
    local_airflow.kill("dag-processor")
    plugin.write_text(LISTENER_PLUGIN)
    _restart(local_airflow)
    yield
    plugin.unlink()
    _restart(local_airflow)
    local_airflow.start_component("dag-processor")


def _restart(airflow: LocalAirflow) -> None:
    for component in ("scheduler", "triggerer"):
        airflow.kill(component)
        airflow.start_component(component)


@pytest.mark.usefixtures("listener")
def test_a_listener_is_told_by_a_worker(local_airflow: LocalAirflow, servers: dict[str, Emulator]) -> None:
    run = ObservedRun(local_airflow, "few_waits", {"job_id": servers["tokens"].create_job(status=8)})
    assert run.wait(TIMEOUT) == "success"
    assert run.worker_starts("skip_worker") == 1, "to end the task: the DAG was stored when there was no listener"
    assert "listener told of the success of skip_worker" in run.log("skip_worker")
