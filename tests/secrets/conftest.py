"""A real Airflow that logs all it can, on connections whose secrets can be found, and what it leaves behind."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from cryptography.fernet import Fernet

from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.emulator.training_jobs.job import TrainingJob
from tests.e2e.observed_run import ObservedRun
from tests.faults.servers import PROJECT_ID, FaultyServer
from tests.secrets.dags.marked import BAD, EVENT_TRIGGERS, HOW, SETTINGS, TRAINING_JOB
from tests.secrets.echoes import EchoingServer
from tests.secrets.search import Secret
from tools.local_airflow import LocalAirflow, poll_until

TIMEOUT = 240.0  # seconds
ROOT = Path(__file__).parents[2]
SPECIAL = """/+&"<%'> \\"""
IN_KEYS = SPECIAL.replace(" ", "")  # a key with a space is refused before anything is sent
"""What JSON, HTML, URLs and shells write in another way than it is."""

RUN = [7, 7, "Running", "Running"]
STOPPED = [12, 12, "Terminated", "Terminated"]
"""The jobs of tasks that are killed, before and after."""

CANARIES = ("log", "quoted", "json", "base64", "xcom", "exception", "trigger", "template", "dag file", "path", "run id")


@dataclass
class Scene:
    """What is searched for, and what is searched."""

    secrets: list[Secret] = field(default_factory=list)
    canaries: dict[str, Secret] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    runs: dict[str, ObservedRun] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of the button "Test connection"."""

    def secret(self, name: str, middle: str = SPECIAL) -> str:
        """Make a secret that is searched for, and return its value."""
        self.secrets.append(Secret.marked(name, middle))
        return self.secrets[-1].value


@dataclass
class Servers:
    """Who is called, and by which connections."""

    emulators: dict[str, Emulator]
    proxy: FaultyServer
    echoing: list[EchoingServer]
    connections: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    scene = Scene(canaries={name: Secret.marked(name) for name in CANARIES})
    dags = tmp_path_factory.mktemp("dags")
    (dags / "marked.py").symlink_to(ROOT / "tests/secrets/dags/marked.py")
    settings = {
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW__CORE__PARALLELISM": "16",  # eight waits hold a worker each
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "CANARY_OF_THE_DAG_FILE": scene.canaries["dag file"].value,
        "PYTHONPATH": str(ROOT),
    }
    with ExitStack() as stack:
        servers = _servers(scene, stack)
        airflow = stack.enter_context(LocalAirflow(dags, env=settings))
        stored = stack.enter_context(_Watched(airflow.home, Fernet(settings["AIRFLOW__CORE__FERNET_KEY"])))
        for name, fields in servers.connections.items():
            airflow.add_connection(name, fields)
        for name in SETTINGS:
            airflow.api("POST", "variables", json={"key": name, "value": scene.secret(f"environment, {name}")})
        _act(airflow, servers, scene)
        scene.secrets += [
            Secret("IAM token", token)
            for emulator in servers.emulators.values()
            for token in emulator.cloud.iam.tokens._tokens
        ]
        scene.secrets += [
            Secret("token of a training job", job.token)
            for emulator in servers.emulators.values()
            for job in emulator.training_jobs.all()
        ]
        scene.secrets += [secret for server in servers.echoing for secret in server.secrets]
        scene.texts |= {f"stored trigger {index}": text for index, text in enumerate(sorted(stored.triggers))}
        scene.texts |= _answers_of_the_api(airflow)
        scene.texts |= {f"Test connection of {name}": json.dumps(answer) for name, answer in scene.answers.items()}
        scene.texts |= _database(airflow.home)
        scene.texts |= {
            str(file.relative_to(airflow.home)): file.read_text(errors="replace")
            for file in airflow.home.rglob("*")
            if file.is_file() and not file.name.startswith(("airflow.db", "airflow.cfg"))
        }
        yield scene


def _servers(scene: Scene, stack: ExitStack) -> Servers:
    plain = Emulator(time_scale=20, sk=scene.secret("SK", IN_KEYS))
    users = Emulator(time_scale=20, password=scene.secret("IAM password"))
    temporary = Emulator(
        sk=scene.secret("temporary SK", IN_KEYS), security_token=scene.secret("security token", "a+/=" * 200)
    )
    emulators = {"aksk": plain, "tokens": users, "temporary": temporary}
    for emulator in emulators.values():
        stack.enter_context(emulator)
        emulator.add_script_rule("slow-*", "1:0,7:2,8:100000")
        for name in ("slow-*", "fails-*", "endless-*"):
            # The triggerer, which polls later, is the first to see the jobs of deferred tasks run.
            emulator.training_jobs.scripts.add_rule(name, "Creating:0,Running:80")
    proxy = stack.enter_context(FaultyServer(proxy=True))
    echoing = [
        stack.enter_context(EchoingServer(iam=name != "echo_iam", proxy=name == "echo_proxy"))
        for name in BAD
        if name.startswith("echo_")
    ]
    connections = {
        "aksk": plain.connection(),
        "tokens": users.connection("password"),
        "temporary": temporary.connection(),
        "proxied": _through_proxy(
            proxy.url, scene.secret("SK of a proxy's user", IN_KEYS), scene.secret("proxy password")
        ),
        "wrong_key": {**plain.connection(), "password": scene.secret("wrong SK", IN_KEYS)},
        "wrong_user": {**users.connection("password"), "password": scene.secret("wrong password")},
        "echo_aksk": _of(echoing[0], scene.secret("echoed SK", IN_KEYS)),
        "echo_token": _of(echoing[1], scene.secret("password for an echoed token"), domain_name="account"),
        "echo_temporary": _of(
            echoing[2],
            scene.secret("echoed temporary SK", IN_KEYS),
            security_token=scene.secret("echoed security token", IN_KEYS),
        ),
        "echo_iam": _of(echoing[3], scene.secret("echoed password"), domain_name="account"),
        "echo_proxy": _through_proxy(
            echoing[4].url, scene.secret("SK behind an echoing proxy", IN_KEYS), scene.secret("echoed proxy password")
        ),
    }
    return Servers(emulators, proxy, echoing, connections)


def _of(server: FaultyServer, password: str, **extra: Any) -> dict[str, Any]:
    extra |= {"project_id": PROJECT_ID, "region": "cn-north-4", "iam_endpoint": server.url}
    return {"conn_type": "modelarts", "login": "somebody", "password": password, "host": server.url, "extra": extra}


def _through_proxy(url: str, password: str, proxy_password: str) -> dict[str, Any]:
    proxy = url.replace("http://", f"http://proxy-user:{quote(proxy_password, safe='')}@")
    extra = {"project_id": PROJECT_ID, "proxies": {"http": proxy}}
    host = "http://modelarts.example.invalid"
    return {"conn_type": "modelarts", "login": "somebody", "password": password, "host": host, "extra": extra}


def _act(airflow: LocalAirflow, servers: Servers, scene: Scene) -> None:
    """Have everything happen that may show a secret."""
    _press_the_test_button(airflow, servers, scene)
    for emulator in servers.emulators.values():
        emulator.create_job("idle", status=8)
        emulator.training_jobs.create("idle", phase="Running")
    job_ids = {
        "visualization": {name: each.create_job("awaited", status=7) for name, each in servers.emulators.items()},
        "training": {
            name: each.training_jobs.create("awaited", phase="Running").job_id
            for name, each in servers.emulators.items()
        },
    }
    canaries = {name: canary.value for name, canary in scene.canaries.items()}
    airflow.wait_for_dag("canaries")
    requests.get(f"{airflow.url}/api/v2/dags/{canaries['path']}", timeout=30)
    airflow.api(
        "POST",
        "dags/canaries/dagRuns",
        json={"dag_run_id": canaries["run id"], "logical_date": None, "conf": canaries},
    )
    proxied = {"visualization": "101", "training": TRAINING_JOB}
    conf = {"job_ids": {kind: {**ids, "proxied": proxied[kind]} for kind, ids in job_ids.items()}}
    scene.runs["waits"] = waits = ObservedRun(airflow, "waits", conf)
    poll_until(lambda: not _not_waiting(waits), TIMEOUT, lambda: f"not waiting: {_not_waiting(waits)}", interval=2)
    scene.texts["REST API while tasks wait"] = json.dumps(waits.instances())
    scene.runs["kills"] = kills = ObservedRun(airflow, "kills", {})
    poll_until(
        lambda: sorted(map(str, kills.states())) == ["deferred"] * 2 + ["running"] * 2 and _slow(servers) == RUN,
        TIMEOUT,
        lambda: f"{kills.states()} {_slow(servers)}",
    )
    # The triggers have it from a look of their own: they run, and will be told.
    poll_until(lambda: kills.link("deferred", name="TensorBoard"), TIMEOUT, lambda: kills.log("deferred"))
    poll_until(lambda: "to Running" in kills.log("train_deferred"), TIMEOUT, lambda: kills.log("train_deferred"))
    for instance in kills.instances():
        kills.set_state(instance["task_id"], "failed")
    servers.proxy.arrive()
    for name, emulator in servers.emulators.items():
        emulator.set_status(job_ids["visualization"][name], 8)
        emulator.training_jobs.set_phase(job_ids["training"][name], "Completed")
    scene.runs["failing_trainings"] = ObservedRun(airflow, "failing_trainings", {})
    _fail_trainings(servers)
    for dag_id in ("operators", "failures"):
        scene.runs[dag_id] = ObservedRun(airflow, dag_id, {})
    for run in scene.runs.values():
        run.wait(TIMEOUT)
    airflow.wait("canaries", canaries["run id"], TIMEOUT)
    poll_until(lambda: _slow(servers) == STOPPED, 60, lambda: f"jobs of killed tasks are {_slow(servers)}")
    poll_until(lambda: _event_runs(airflow), 60, lambda: "no DAG ran on an event")
    idle = [job.status for job in servers.emulators["aksk"].jobs.values() if job.job_name == "idle"]
    assert idle in ([9], [12])
    assert [job.phase for job in _trainings(servers, "aksk", "idle")] in (["Terminating"], ["Terminated"])


def _not_waiting(run: ObservedRun) -> list[str]:
    task_ids = [instance["task_id"] for instance in run.instances()]
    return [task_id for task_id in task_ids if "; waiting for " not in run.log(task_id)]


def _trainings(servers: Servers, connection: str, prefix: str) -> list[TrainingJob]:
    jobs = servers.emulators[connection].training_jobs.all()
    return [job for job in jobs if job.job_name.startswith(prefix)]


def _fail_trainings(servers: Servers) -> None:
    """Let trainings print their environment, and fail."""

    def failing() -> list[TrainingJob]:
        return [job for connection in ("aksk", "tokens") for job in _trainings(servers, connection, "fails-")]

    count = 2 * len(HOW)
    poll_until(lambda: [job.phase for job in failing()] == ["Running"] * count, TIMEOUT, lambda: f"{failing()}")
    for connection in ("aksk", "tokens"):
        jobs = servers.emulators[connection].training_jobs
        for job in _trainings(servers, connection, "fails-"):
            values = job.body["algorithm"]["environments"].values()
            jobs.write_log(job.job_id, "\n".join(f"logged in with {value}" for value in values))
            jobs.set_phase(job.job_id, "Failed=1")


def _slow(servers: Servers) -> list[int | str]:
    """Return the statuses of the jobs of the tasks that are killed."""
    jobs = servers.emulators["tokens"].jobs.values()
    statuses = [job.status for job in jobs if (job.job_name or "").startswith("slow-")]
    return [*statuses, *(job.phase for job in _trainings(servers, "tokens", "slow-"))]


def _event_runs(airflow: LocalAirflow) -> bool:
    return all(
        "success"
        in [run["state"] for run in airflow.api("GET", f"dags/on_event_of_{kind}_jobs_of_{name}/dagRuns")["dag_runs"]]
        for kind in EVENT_TRIGGERS
        for name in ("aksk", "tokens")
    )


def _press_the_test_button(airflow: LocalAirflow, servers: Servers, scene: Scene) -> None:
    for name, fields in servers.connections.items():
        body = {**fields, "connection_id": f"{name}_under_test", "extra": json.dumps(fields["extra"])}
        scene.answers[name] = airflow.api("POST", "connections/test", json=body)
    malformed = {"read_timeout": "soon", "proxies": f"http://u:{scene.secret('password of a bad proxy', '')}@proxy"}
    for name, value in malformed.items():
        fields = servers.connections["aksk"]
        body = {**fields, "connection_id": "malformed", "extra": json.dumps({**fields["extra"], name: value})}
        scene.answers[f"malformed {name}"] = airflow.api("POST", "connections/test", json=body)


def _answers_of_the_api(airflow: LocalAirflow) -> dict[str, str]:
    """Return what the REST API shows of connections, runs, tasks and their logs."""
    texts: dict[str, str] = {}

    def ask(path: str) -> dict[str, Any]:
        answer = airflow.api("GET", path)
        texts[f"GET {path}"] = json.dumps(answer)
        return answer

    for path in (
        "connections",
        "eventLogs?limit=1000",
        "jobs",
        "importErrors",
        "assets",
        "assets/events",
        "dagWarnings",
    ):
        ask(path)
    for dag in ask("dags")["dags"]:
        ask(f"dags/{dag['dag_id']}/details")
        for run in ask(f"dags/{dag['dag_id']}/dagRuns")["dag_runs"]:
            at = f"dags/{dag['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances"
            for instance in ask(f"{at}?limit=1000")["task_instances"]:
                task = f"{at}/{instance['task_id']}"
                ask(f"{task}/links")
                ask(f"{task}/logs/{max(1, instance['try_number'])}")
                for entry in ask(f"{task}/xcomEntries")["xcom_entries"]:
                    ask(f"{task}/xcomEntries/{entry['key']}")
    return texts


def _database(home: Path) -> dict[str, str]:
    """Return every table; connections, too, for what is encrypted in them shows nothing."""
    with closing(sqlite3.connect(f"file:{home}/airflow.db?mode=ro", uri=True)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {name: database.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}  # noqa: S608
    return {f"table {name}": "\n".join(map(_row, rows)) for name, rows in tables.items()}


def _row(row: tuple[Any, ...]) -> str:
    return " ".join(value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row)


class _Watched:
    """The arguments of all triggers that are stored at some time, decrypted: they are deleted with their tasks."""

    def __init__(self, home: Path, key: Fernet) -> None:
        self.triggers: set[str] = set()
        self._home = home
        self._key = key
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> _Watched:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            with (
                suppress(sqlite3.OperationalError),
                closing(sqlite3.connect(f"file:{self._home}/airflow.db?mode=ro", uri=True)) as database,
            ):
                for classpath, kwargs in database.execute("SELECT classpath, kwargs FROM trigger").fetchall():
                    text = kwargs if kwargs.startswith("{") else self._key.decrypt(kwargs.encode()).decode()
                    self.triggers.add(f"{classpath} {text}")
