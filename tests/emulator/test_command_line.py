"""The command line as a process."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests

from airflow_provider_modelarts import __version__

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "airflow_provider_modelarts.emulator"]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the emulator on a free port; whatever still runs after the test is killed."""
    processes = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def announced(process: subprocess.Popen[str]) -> tuple[str, dict[str, object]]:
    """Return the URL and the connection that the process prints."""
    assert process.stdout
    url = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
    assert url
    assert process.stdout.readline() == "\n"
    (_, setting) = shlex.split(process.stdout.readline())
    name, _, connection = setting.partition("=")
    assert name == "AIRFLOW_CONN_MODELARTS_DEFAULT"
    return url[0], json.loads(connection)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_start_and_stop(start: Start, number: signal.Signals) -> None:
    process = start("--ak", "AK", "--sk", "it's a secret", "--project-id", "a" * 32, "--region", "eu-de")
    url, connection = announced(process)
    assert f"{connection['host']}:{connection['port']}" == url
    assert (connection["login"], connection["password"]) == ("AK", "it's a secret")
    assert connection["extra"] == {
        "region": "eu-de",
        "project_id": "a" * 32,
        "iam_endpoint": url,
        "console_url": f"{url}/console/",
        "proxies": {},
    }
    assert requests.get(f"{url}/_emulator/", timeout=10).json()["jobs"] == 0
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("arguments", [[], ["--quiet"]])
def test_one_line_per_request(start: Start, arguments: list[str]) -> None:
    process = start(*arguments)
    url, _ = announced(process)
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(7)]
    assert (lines[4], lines[5:]) == ("\n", [f"All jobs: {url}/console/\n", "\n"])
    requests.get(f"{url}/v1/p/visualization-jobs?per_page=1", timeout=10)
    requests.get(f"{url}/console/", timeout=10)
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=30)
    line = r"\d\d:\d\d:\d\d list: GET /v1/p/visualization-jobs\?per_page=1 -> HTTP 401\n"
    assert re.fullmatch("" if arguments else line, printed)


def test_the_command_that_stores_the_connection(start: Start) -> None:
    process = start()
    _, connection = announced(process)
    assert process.stdout
    command = shlex.split([process.stdout.readline() for _ in range(4)][-1])
    assert command[:-1] == ["airflow", "connections", "add", "modelarts_default", "--conn-json"]
    assert json.loads(command[-1]) == connection


def create_job(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command and wait for its end."""
    return subprocess.run(
        [*COMMAND, "create-job", *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
    )


def test_create_job(start: Start) -> None:
    url, _ = announced(start())
    board = create_job("board", "--follow", "hangs", "--url", url)
    training = create_job("--training", "--url", f"{url}/")
    [job] = requests.get(f"{url}/_emulator/jobs", timeout=10).json()["jobs"]
    assert (board.returncode, board.stdout, job["job_name"], job["status"]) == (0, f"{job['job_id']}\n", "board", 1)
    [job] = requests.get(f"{url}/_emulator/training-jobs", timeout=10).json()["jobs"]
    assert (training.returncode, training.stdout) == (0, f"{job['job_id']}\n")


def test_create_job_that_is_refused(start: Start) -> None:
    url, _ = announced(start())
    done = create_job("--follow", "nonsense", "--url", url)
    assert (done.returncode, done.stdout) == (2, "")
    *usage, reason = done.stderr.splitlines()
    assert len(usage) == 2
    assert reason.startswith("modelarts-emulator: error: no script is named 'nonsense'; scripts are normal, ")


def test_create_job_where_something_else_answers() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.handle_request).start()
        done = create_job("--url", f"http://127.0.0.1:{other.server_port}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Unsupported method ('POST')" in done.stderr


def test_create_job_without_an_emulator() -> None:
    done = create_job("--url", "http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("modelarts-emulator: no emulator answers on http://127.0.0.1:1: ")


def test_version() -> None:
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, f"modelarts-emulator {__version__}\n")


def test_options(start: Start) -> None:
    arguments = "--script fail-*=11:0 --script slow=hangs --deny list --deny stop --time-scale 0 --retired"
    url, _ = announced(start(*arguments.split()))
    assert requests.get(f"{url}/_emulator/scripts", timeout=10).json() == {
        "scripts": {"fail-*": "11:0", "slow": "hangs"}
    }
    job = {"job_name": "fail-1"}
    assert requests.post(f"{url}/_emulator/jobs", json=job, timeout=10).json()["status"] == 11
    assert requests.get(f"{url}/v1/x/visualization-jobs", timeout=10).json()["error_code"] == "APIGW.0101"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--script", "fails"], "NAME=SCRIPT"),
        (["--script", "x=nonsense"], "nonsense"),
        (["--deny", "everything"], "everything"),
        (["--shape", "2019"], "2019"),
        (["--time-scale", "fast"], "fast"),
        (["--time-scale", "-1"], "time_scale"),
    ],
)
def test_bad_option(arguments: list[str], reason: str) -> None:
    done = subprocess.run([*COMMAND, "--port", "0", *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 2
    assert done.stdout == ""
    last_line = done.stderr.splitlines()[-1]
    assert last_line.startswith("modelarts-emulator: error: ")
    assert reason in last_line


def test_port_is_taken(start: Start) -> None:
    url, _ = announced(start())
    done = subprocess.run(
        [*COMMAND, "--port", url.rpartition(":")[2]], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.returncode == 2
    assert "Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_port_that_is_none() -> None:
    done = subprocess.run([*COMMAND, "--port", "70000"], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 2
    assert re.fullmatch(r"modelarts-emulator: .*port.*\n", done.stderr)


def test_help_shows_defaults() -> None:
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    for expected in (
        "(default: 8765)",
        "(default: cn-north-4)",
        "(default: 0.0)",
        "(default: 86400.0)",
        "(default: 1000)",
    ):
        assert expected in text


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_missing_extra(tmp_path: Path, missing: str) -> None:
    (tmp_path / f"{missing}.py").write_text(f"raise ModuleNotFoundError('No module named {missing}', name='{missing}')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=60, cwd=ROOT, env=environment)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"modelarts-emulator: the emulator needs {missing}: pip install '.[emulator]'\n"
