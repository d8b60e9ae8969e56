"""PostgreSQL and Redis as plain processes on loopback, each with its data in a temporary directory of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.local_airflow import free_port, poll_until

START_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 20.0  # seconds


@contextmanager
def postgresql(max_connections: int = 300) -> Iterator[str]:
    """Run PostgreSQL with an empty database, and give its address, ``airflow@127.0.0.1:5432/airflow``."""
    port = free_port()
    with _data_directory("postgres") as (directory, as_owner):
        data = directory / "data"
        initdb = [_program("initdb"), "-D", str(data), "--auth=trust", "--username=airflow", "--no-sync"]
        subprocess.run([*as_owner, *initdb], check=True, stdout=subprocess.DEVNULL, cwd=directory)  # noqa: S603
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": directory,
            "max_connections": max_connections,
            "fsync": "off",  # the data is thrown away
        }
        options = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        with _running([*as_owner, _program("postgres"), "-D", str(data), *options], directory, port):
            create = [_program("createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "airflow", "airflow"]
            poll_until(
                lambda: subprocess.run(create, check=False, stderr=subprocess.DEVNULL).returncode == 0,  # noqa: S603
                START_TIMEOUT,
                lambda: "PostgreSQL takes no connections",
            )
            yield f"airflow@127.0.0.1:{port}/airflow"


@contextmanager
def redis() -> Iterator[str]:
    """Run Redis, and give its address, ``127.0.0.1:6379``."""
    port = free_port()
    with _data_directory("redis") as (directory, as_owner):
        options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
        with _running([*as_owner, _program("redis-server"), *options], directory, port):
            yield f"127.0.0.1:{port}"


@contextmanager
def _data_directory(user: str) -> Iterator[tuple[Path, list[str]]]:
    """Give a directory, and what makes a command run as its owner when put before it: root may not run PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix=f"local-{user}-") as name:
        if os.geteuid() != 0:
            yield Path(name), []
            return
        owner = pwd.getpwnam(user)
        os.chown(name, owner.pw_uid, owner.pw_gid)
        yield Path(name), ["setpriv", f"--reuid={user}", f"--regid={owner.pw_gid}", "--clear-groups"]


@contextmanager
def _running(command: Sequence[str], directory: Path, port: int) -> Iterator[None]:
    """Run a server until the end of the block, from when it listens."""
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - what this module makes
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=directory, start_new_session=True
        )

    def listens() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}\n{log.read_text(errors='replace')}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        poll_until(listens, START_TIMEOUT, lambda: f"{log.read_text(errors='replace')}")
        yield
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL waits for its clients on SIGTERM
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _program(name: str) -> str:
    """Return where a program is; Debian keeps those of PostgreSQL's server out of the path."""
    if found := shutil.which(name):
        return found
    candidates = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not candidates:
        raise RuntimeError(f"{name} is not installed (Debian: apt-get install postgresql redis-server)")
    return str(candidates[-1])
