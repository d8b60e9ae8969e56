"""One real Airflow, and emulators for it, for all end-to-end tests that do not need their own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest

from airflow_provider_modelarts.emulator import Emulator
from tests.documents import python_blocks
from tools.local_airflow import LocalAirflow
from tools.stage import EXAMPLE_DAGS

CONNECTIONS: dict[str, dict[str, Any]] = {
    "waits": {},
    "tokens": {},
    "counts": {},
    "breaks_down": {},
    "wrong_key": {"password": "not-the-secret-key"},
    "refuses": {},
    "operators": {},
    "events": {},
    "task_groups": {},
    "training": {},
    "trainings": {},
}
"""
Connections, each to an emulator of its own, so that what goes wrong with one disturbs no other wait; and what of their
fields is not as the emulator would have it.
"""


@pytest.fixture(scope="package")
def emulator() -> Iterator[Emulator]:
    with Emulator(time_scale=20) as emulator:
        yield emulator


@pytest.fixture(scope="package")
def servers() -> Iterator[dict[str, Emulator]]:
    with ExitStack() as stack:
        servers = {name: stack.enter_context(Emulator()) for name in CONNECTIONS}
        # There before Airflow, so that no watcher may take it for one that has come to run.
        servers["events"].create_job("early", status=8)
        yield servers


class StatsDServer:
    """Keeps what Airflow's processes report to StatsD."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._receive, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def named(self, name: str) -> list[str]:
        """Return the values of one metric, ``1|c`` or ``350|ms``."""
        return [line.partition(":")[2] for line in self.received if line.startswith(f"airflow.{name}:")]

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.received += self._socket.recv(65536).decode().splitlines()


@pytest.fixture(scope="package")
def statsd() -> Iterator[StatsDServer]:
    server = StatsDServer()
    yield server
    server.close()


@pytest.fixture(scope="package")
def local_airflow(
    emulator: Emulator,
    servers: dict[str, Emulator],
    statsd: StatsDServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LocalAirflow]:
    dags = tmp_path_factory.mktemp("dags")
    (dags / "examples").symlink_to(EXAMPLE_DAGS)
    (dags / "tests").symlink_to(Path(__file__).parent / "dags")
    (dags / "docs").mkdir()
    for block in python_blocks("dag"):
        (dags / "docs" / f"{block.name}.py").write_text(block.code)
    settings = {
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
        "AIRFLOW__CORE__PARALLELISM": "16",  # the 8 of LocalAirflow are few where tasks wait on workers
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",  # seconds until the waits of a dead one go on
    }
    with LocalAirflow(dags, env=settings) as airflow:
        airflow.add_connection("modelarts_default", emulator.connection())
        airflow.add_connection("huaweicloud_default", emulator.connection())
        for name, fields in CONNECTIONS.items():
            auth: Literal["aksk", "password"] = "password" if name == "tokens" else "aksk"
            airflow.add_connection(name, {**servers[name].connection(auth), **fields})
        yield airflow


@pytest.fixture
def files_with(local_airflow: LocalAirflow) -> Callable[[str], list[Path]]:
    """Find the logs of components and tasks that hold a text."""

    def find(text: str) -> list[Path]:
        return [file for file in local_airflow.home.rglob("*.log") if text in file.read_text(errors="replace")]

    return find


@pytest.fixture
def processes_in() -> Callable[[Path], list[str]]:
    """
    Command lines of the living processes whose working directory is in this one, wherever they descend from.

    Airflow's processes start in AIRFLOW_HOME. Their environment is no mark: it vanishes when they set their title.
    """

    def find(directory: Path) -> list[str]:
        return [
            " ".join(process.info["cmdline"])
            for process in psutil.process_iter(["cmdline", "cwd", "status"])
            if (process.info["cwd"] or "").startswith(str(directory)) and process.info["status"] != psutil.STATUS_ZOMBIE
        ]

    return find
