"""A real Airflow deployment on loopback: its processes, started, driven through the REST API, and ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import psutil
import requests

T = TypeVar("T")

AIRFLOW = (sys.executable, "-m", "airflow")
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
BOOT_TIMEOUT = 180.0  # seconds; about 15 on an idle two-core machine
READY = {"triggerer": "Starting the triggerer", "celery-worker": "ready."}
"""What components of which there may be several write once they work."""

API_TIMEOUT = 90.0  # seconds; a call that writes waits for SQLite, for up to 60
STOP_TIMEOUT = 5.0  # seconds a component has for its own orderly end before it is killed
POLL_INTERVAL = 0.3  # seconds
FINAL_STATES = ("success", "failed")
DATABASE_ERROR = '"reason":"Database error"'
"""What the REST API says of a write that SQLite refused at once: somebody else wrote since its transaction began."""


class LocalAirflowError(RuntimeError):
    """Airflow did not start, refused a request, or cannot load a DAG file; the message carries the evidence."""


class LocalAirflow:
    """
    Airflow 3 as separate processes of the running interpreter, on SQLite in a temporary ``AIRFLOW_HOME``.

    Everything listens on 127.0.0.1, everybody is admin, and nothing of the caller's own Airflow settings leaks in::

        with LocalAirflow(Path("example_dags")) as airflow:
            run_id = airflow.trigger("my_dag", conf={"job_id": "10"})
            assert airflow.wait("my_dag", run_id, timeout=60) == "success"

    :param dags_folder: directory with the DAG files, parsed once when Airflow starts
    :param env: environment variables added for all components (``AIRFLOW__SECTION__KEY`` and others)
    :param components: the ``airflow`` subcommands to run, of ``COMPONENTS`` and ``celery-worker``, with the api-server;
        a second one of a kind has a number: ``triggerer-2``
    :param arguments: more arguments of these subcommands, by component
    """

    def __init__(
        self,
        dags_folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        components: Sequence[str] = COMPONENTS,
        arguments: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.dags_folder = Path(dags_folder).resolve()
        self.components = tuple(components)
        self.url = f"http://127.0.0.1:{free_port()}"
        self._extra_env = dict(env or {})
        self._arguments = dict(arguments or {})
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._written_before: dict[str, int] = {}
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy of the machine must not see loopback requests

    def __enter__(self) -> LocalAirflow:
        return self.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> LocalAirflow:
        """
        Create the database, start the components and return once all of them report to be healthy.

        :raises LocalAirflowError: a component ended; with the end of its log
        :raises TimeoutError: a component is not healthy in time; with the end of its log
        """
        self._home = tempfile.TemporaryDirectory(prefix="local-airflow-")
        self.home = Path(self._home.name)
        try:
            self._run("db", "migrate")
            for component in self.components:
                self.start_component(component)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End every process that was started, with all its descendants, and remove the temporary directory."""
        self._http.close()  # the API server waits for its open connections
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            _end_session(process)
        self._processes.clear()
        self._home.cleanup()

    @property
    def running(self) -> tuple[str, ...]:
        """Components that were started and not ended."""
        return tuple(self._processes)

    def start_component(self, component: str) -> None:
        """Start a component, or one that was ended again. Does not wait until it is healthy."""
        commands = {
            "api-server": ["api-server", "--host", "127.0.0.1", "--port", self.url.rpartition(":")[2]],
            "scheduler": ["scheduler", "--skip-serve-logs"],
            "triggerer": ["triggerer", "--skip-serve-logs"],
            "celery-worker": ["celery", "worker", "--skip-serve-logs", "--celery-hostname", f"{component}@127.0.0.1"],
        }
        command = commands.get(_kind(component), [component])
        with self._log_path(component).open("ab") as log:
            self._written_before[component] = len(self.component_log(component))
            self._processes[component] = subprocess.Popen(  # noqa: S603 - this interpreter, constant arguments
                [*AIRFLOW, *command, *self._arguments.get(component, ())],
                env=self._environment(),
                cwd=self.home,  # not the caller's directory, whose modules `-m` would put before installed ones
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, component: str) -> None:
        """End a component with all its descendants by SIGKILL, so that it can do nothing about it."""
        kill_session(self._processes.pop(component))

    def end(self, component: str, timeout: float = 30) -> None:
        """
        End a component by SIGTERM, as a deployment does that restarts it, and wait for it.

        :param timeout: seconds after which it is killed
        """
        process = self._processes.pop(component)
        process.terminate()
        _end_session(process, timeout)

    def processes(self, component: str) -> list[psutil.Process]:
        """Return all living processes of a component."""
        return _existing(_session_members(self._processes[component].pid))

    def worker_processes(self, task_instance: Mapping[str, Any]) -> list[psutil.Process]:
        """
        Return the processes that a task instance runs in: the one that supervises it, and its own; none if it is over.

        :param task_instance: as the REST API shows it
        """
        ours = [process.pid for component in self._processes for process in self.processes(component)]
        if task_instance["pid"] not in ours:
            return []
        task = psutil.Process(task_instance["pid"])
        supervisor = task.parent()
        return [supervisor, task] if supervisor is not None and supervisor.pid in ours else []

    def wait_until_healthy(self) -> None:
        """
        Return once all components report to be healthy.

        :raises LocalAirflowError: a component ended; with the end of its log
        :raises TimeoutError: a component is not healthy in time; with the end of its log
        """
        poll_until(self._healthy, BOOT_TIMEOUT, self._describe_health)

    def add_connection(self, connection_id: str, fields: Mapping[str, Any]) -> None:
        """
        Store a connection in Airflow's database.

        :param fields: connection fields (``conn_type``, ``host``, ``login``, ...); ``extra`` may be a dict
        """
        self.api("POST", "connections", json=_connection(connection_id, fields))

    def change_connection(self, connection_id: str, fields: Mapping[str, Any]) -> None:
        """Replace the fields of a connection in Airflow's database; see `add_connection`."""
        self.api("PATCH", f"connections/{connection_id}", json=_connection(connection_id, fields))

    def wait_for_dag(self, dag_id: str, timeout: float = 120) -> None:
        """
        Return once the DAG processor has loaded the DAG.

        :param timeout: seconds
        :raises LocalAirflowError: it is not there and a DAG file cannot be imported; with the stack traces
        :raises TimeoutError: it is not there in time
        """

        def loaded() -> bool:
            if self._http.get(f"{self.url}/api/v2/dags/{dag_id}", timeout=30).ok:
                return True
            if errors := self.api("GET", "importErrors")["import_errors"]:
                raise LocalAirflowError("\n".join(f"{e['filename']}:\n{e['stack_trace']}" for e in errors))
            return False

        poll_until(loaded, timeout, lambda: f"DAG {dag_id!r} was not loaded from {self.dags_folder}")

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run of the DAG once it is loaded, and return the run id; raises as `wait_for_dag` does."""
        self.wait_for_dag(dag_id)
        run = self.api("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": dict(conf or {})})
        return str(run["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """State of the run: ``queued``, ``running``, ``success`` or ``failed``."""
        return str(self.api("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def wait(self, dag_id: str, run_id: str, timeout: float) -> str:
        """
        Wait until the run has ended and return its state, ``success`` or ``failed``.

        :param timeout: seconds
        :raises TimeoutError: it has not ended in time; with the states of its tasks, and the end of the log of each
            component that is not healthy
        """
        return poll_until(
            lambda: state if (state := self.run_state(dag_id, run_id)) in FINAL_STATES else None,
            timeout,
            lambda: f"run {run_id} of {dag_id} goes on: {self._states(dag_id, run_id)}\n{self._describe_health()}",
        )

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Task instances of the run as the REST API shows them (``task_id``, ``state``, ``start_date``, ...)."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        instances: list[dict[str, Any]] = []
        while True:
            page = self.api("GET", path, params={"limit": 100, "offset": len(instances)})
            instances += page["task_instances"]
            if len(instances) >= page["total_entries"]:
                return instances

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Value of an XCom."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.api("GET", path, params={"map_index": map_index, "stringify": False})["value"]

    def task_log(
        self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1
    ) -> list[dict[str, Any]]:
        """Log of one try so far, one dict a line (``event``, ``timestamp``, ``level``, ``logger``)."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        lines: list[dict[str, Any]] = self.api("GET", path, params={"map_index": map_index})["content"]
        return lines

    def api(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """
        Send a request to the REST API and return the decoded answer.

        :param path: without ``/api/v2/``
        :param request: further arguments of ``requests.request``
        :raises LocalAirflowError: the answer is an error
        """
        deadline = time.monotonic() + API_TIMEOUT
        while True:
            response = self._http.request(method, f"{self.url}/api/v2/{path}", timeout=API_TIMEOUT, **request)
            if not (response.status_code == 500 and DATABASE_ERROR in response.text) or time.monotonic() > deadline:
                break
            time.sleep(POLL_INTERVAL)
        if not response.ok:
            raise LocalAirflowError(f"{method} {path}: HTTP {response.status_code} {response.text[:2000]}")
        # A deletion is answered without a body.
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer

    def component_log(self, component: str) -> str:
        """What the component has written to its standard output and error."""
        return self._log_path(component).read_text(errors="replace")

    def _states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        return {instance["task_id"]: instance["state"] for instance in self.task_instances(dag_id, run_id)}

    def _environment(self) -> dict[str, str]:
        return {
            **isolated_environment(self.home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",  # whatever the base URL is
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "8",  # as many workers are forked at once
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            # Where many workers call at once, SQLite's 5 s of patience and the API server's 15 connections are too few:
            # calls that hold a connection wait for each other, until tasks fail that have done nothing wrong.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db?timeout=60",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "-1",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            # A worker's end must be noticed before the rescheduled task runs again, or the scheduler fails that task.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            **self._extra_env,
        }

    def _run(self, *arguments: str) -> str:
        """Run an ``airflow`` command to its end and return what it prints."""
        done = subprocess.run(  # noqa: S603 - this interpreter, and no shell
            [*AIRFLOW, *arguments],
            env=self._environment(),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            output = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
            raise LocalAirflowError(f"airflow {' '.join(arguments)} ended with {done.returncode}\n{output}")
        return done.stdout

    def _wait_until_ready(self) -> None:
        """Return once the REST API answers and all components report to be healthy."""
        self.wait_until_healthy()
        token = self._http.get(f"{self.url}/auth/token", timeout=30).json()["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def _healthy(self) -> bool:
        self._check_alive()
        return not self._unhealthy()

    def _check_alive(self) -> None:
        for component, process in self._processes.items():
            if process.poll() is not None:
                raise LocalAirflowError(f"{component} ended with {process.returncode}\n{self._log_tail(component)}")

    def _unhealthy(self) -> list[str]:
        """Components that do not yet report a heartbeat; all of them as long as the API server does not answer."""
        try:
            health = self._http.get(f"{self.url}/api/v2/monitor/health", timeout=10)
            health.raise_for_status()
        except requests.RequestException:
            return list(self._processes)
        reported = {name.replace("_", "-"): part["status"] for name, part in health.json().items()}
        return [name for name in self._processes if not self._is_healthy(name, reported)]

    def _is_healthy(self, component: str, reported: Mapping[str, str]) -> bool:
        """Whether a component is healthy; the API server, which says so itself, knows one of each kind at most."""
        kind = _kind(component)
        if kind == "api-server":
            return True
        if kind in READY:
            return READY[kind] in self.component_log(component)[self._written_before[component] :]
        return reported.get(kind) == "healthy"

    def _describe_health(self) -> str:
        unhealthy = self._unhealthy()
        verdict = f"not healthy: {', '.join(unhealthy)}" if unhealthy else "all components are healthy"
        return "\n".join([verdict, *map(self._log_tail, unhealthy)])

    def _log_path(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def _log_tail(self, name: str, lines: int = 30) -> str:
        return f"--- end of {name}.log\n" + "\n".join(self.component_log(name).splitlines()[-lines:])


def isolated_environment(home: Path) -> dict[str, str]:
    """
    Environment variables for ``airflow`` commands: the caller's, without their Airflow settings and proxies.

    :param home: the ``AIRFLOW_HOME``
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lstrip("_").startswith("AIRFLOW_") and not name.lower().endswith("_proxy")
    }
    return {**kept, "AIRFLOW_HOME": str(home)}


def poll_until(
    condition: Callable[[], T | None], timeout: float, describe: Callable[[], object], interval: float = POLL_INTERVAL
) -> T:
    """Return the first true value of ``condition``; raise TimeoutError with the description after ``timeout`` s."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{describe()} (waited {timeout:g} s)")
        time.sleep(interval)
    return value


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _existing(pids: Sequence[int]) -> list[psutil.Process]:
    processes = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(pid))
    return processes


def _kind(component: str) -> str:
    """Return what a component is, without its number."""
    return component.rstrip("-0123456789")


def _connection(connection_id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    body = {**fields, "connection_id": connection_id}
    if not isinstance(body.get("extra", ""), str):
        body["extra"] = json.dumps(body["extra"])
    return body


def _end_session(process: subprocess.Popen[bytes], timeout: float = STOP_TIMEOUT) -> None:
    """Wait for the end of a session leader, then kill what is left of its session."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout)
    kill_session(process)


def kill_session(leader: subprocess.Popen[bytes]) -> None:
    """
    Kill a session leader and everybody in its session.

    Sessions, not process groups: Airflow's supervisors give every task a process group of its own.
    """
    while members := _session_members(leader.pid):
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        leader.poll()  # reap it, or it stays a member
        time.sleep(0.05)
    leader.wait()


def _session_members(session_id: int) -> list[int]:
    """Process ids of the living members of a session."""
    members = []
    for candidate in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(candidate.pid) == session_id and candidate.info["status"] != psutil.STATUS_ZOMBIE:
                members.append(candidate.pid)
    return members
