"""docs/first-wait.md as a reader follows it: each of its code blocks, in their order, in one directory."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import requests

from airflow_provider_modelarts._compat import airflow_version
from tests.documents import ROOT, blocks
from tools.local_airflow import free_port, isolated_environment, kill_session, poll_until

PAGE: Final = ROOT / "docs" / "first-wait.md"
TIMEOUT: Final = 240.0  # seconds for a block
IMPORTS_OF_2: Final = "from airflow.decorators import dag, task\nfrom airflow.models.param import Param\n"
EMULATOR: Final = "http://127.0.0.1:8765"  # as on the page
DAG_ID: Final = "first_wait"
RUN_ID: Final = "by-hand"


def follow_the_page(directory: Path, install: Callable[[str], str]) -> None:
    """
    Do what the page says.

    The browser is left out: a command triggers the last run, as the button **Trigger** does.

    :param directory: where to begin; empty but for the wheel
    :param install: makes of the page's first block one that works on this machine
    :raises AssertionError: a command fails, or does not do what the page says of it
    """
    page_install, emulator, connect, folder, wait, standalone = (b.code for b in blocks("bash") if b.document == PAGE)
    [code] = (block.code for block in blocks("python") if block.document == PAGE)
    terminal = Terminal(directory)
    terminal.run(install(page_install))
    with terminal.started(emulator) as printed:
        poll_until(lambda: "airflow connections add" in printed.read_text(), TIMEOUT, printed.read_text)
        assert connect_command(connect) in printed.read_text(), "not the command that the emulator prints"
        assert "Connection success!" in terminal.run(connect)
        terminal.run(folder)
        dag_file = directory / "airflow" / "dags" / "first_wait.py"
        dag_file.write_text(code if airflow_version() >= (3, 0) else for_airflow_2(code))
        tested = terminal.run(wait)
        assert "board is RUNNING at http://" in tested, tested
        trigger_in_standalone(terminal, standalone)


def trigger_in_standalone(terminal: Terminal, standalone: str) -> None:
    """Start Airflow as the page does, and see the task defer and succeed."""
    port = free_port()  # the page's 8080 may be taken on this machine
    url = f"http://localhost:{port}"
    terminal.export(
        AIRFLOW__API__PORT=str(port),
        AIRFLOW__API__HOST="127.0.0.1",
        AIRFLOW__API__BASE_URL=url,
        AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"{url}/execution/",
        # As Airflow 2 calls them.
        AIRFLOW__WEBSERVER__WEB_SERVER_PORT=str(port),
        AIRFLOW__WEBSERVER__WEB_SERVER_HOST="127.0.0.1",
    )
    with terminal.started(standalone) as printed:
        poll_until(lambda: answers(url), TIMEOUT, printed.read_text)
        poll_until(lambda: re.search("(?i)password.*: .", printed.read_text()), TIMEOUT, printed.read_text)
        poll_until(lambda: DAG_ID in terminal.run("airflow dags list"), TIMEOUT, printed.read_text, interval=2)
        # Unlike the page's, it does not run by itself, so that the task is sure to be seen waiting.
        job_id = terminal.run(".venv/bin/modelarts-emulator create-job --follow 7:0").split()[-1]
        conf = shlex.quote(f'{{"job_id": "{job_id}"}}')
        terminal.run(f"airflow dags unpause {DAG_ID}")
        terminal.run(f"airflow dags trigger {DAG_ID} --run-id {RUN_ID} --conf {conf}")
        poll_until(lambda: state_of_wait(terminal) == "deferred", TIMEOUT, printed.read_text)
        requests.put(f"{EMULATOR}/_emulator/jobs/{job_id}", json={"status": 8}, timeout=30).raise_for_status()
        poll_until(lambda: state_of_wait(terminal) == "success", TIMEOUT, printed.read_text)


def state_of_wait(terminal: Terminal) -> str:
    """Return the state of the task in the run that was triggered; empty before it has one."""
    output = terminal.run(f"airflow tasks states-for-dag-run {DAG_ID} {RUN_ID} --output json")
    rows = json.loads(output[output.index("[{") :])  # below what the command logs
    return next(row["state"] for row in rows if row["task_id"] == "wait") or ""


def connect_command(block: str) -> str:
    """Return the command of the page that adds the connection."""
    [command] = (line for line in block.splitlines() if line.startswith("airflow connections add"))
    return command


def for_airflow_2(code: str) -> str:
    """Return the DAG as the page says to write it for Airflow 2."""
    changed = code.replace("from airflow.sdk import Param, dag, task\n", IMPORTS_OF_2)
    assert changed != code
    return changed


def answers(url: str) -> bool:
    """Whether a page is there."""
    try:
        return requests.get(url, timeout=5).ok
    except (requests.ConnectionError, requests.Timeout):
        return False


class Terminal:
    """
    A shell in a directory: what a block exports is there in the next ones.

    :param directory: its working directory; without Airflow's settings of the caller
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._environment = isolated_environment(directory / "unset")
        del self._environment["AIRFLOW_HOME"]
        self._exports = directory / ".exports"
        self._exports.touch()

    def export(self, **variables: str) -> None:
        """Set environment variables for the next blocks."""
        self.run("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()))

    def run(self, block: str) -> str:
        """
        Run commands to their end and return what they print.

        :raises AssertionError: one of them fails; with all that was printed
        """
        script = f"source {self._exports}\n{block}\nexport -p > {self._exports}\n"
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout[-6000:]}"
        return done.stdout

    @contextmanager
    def started(self, block: str) -> Iterator[Path]:
        """
        Run a command while the context lasts, and end it by Ctrl-C. The context is the file with what it prints.

        :raises AssertionError: it does not end by Ctrl-C
        """
        printed = self.directory / f"{block.rsplit(maxsplit=1)[-1].rpartition('/')[2]}.log"
        with (
            printed.open("w") as output,
            subprocess.Popen(
                ["bash", "-c", f"source {self._exports}\nexec {block}"],
                cwd=self.directory,
                env={**self._environment, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield printed
                _press_ctrl_c(process)
            finally:
                kill_session(process)


def _press_ctrl_c(process: subprocess.Popen[bytes]) -> None:
    """End what runs in a terminal, as its user does: the whole group gets the signal. Airflow 3.3 may need it twice."""
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
            return
    raise AssertionError(f"{process.args!r} does not end by Ctrl-C")
