"""What many tests share: a server on loopback that answers what a test tells it to, and records its requests."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from tests.recorded_metrics import RecordedMetrics

# Airflow's examples bring a listener, which sends every task through a worker.
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


@dataclass
class Reply:
    """One answer. A ``body`` that is no bytes is sent as JSON; ``cut`` closes the connection with no answer."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    announced_length: int | None = None
    """Content-Length to announce, when it is not that of the body."""

    @property
    def payload(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass
class Received:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class ScriptedServer:
    """Answers with the replies in turn; the last one stays. Requests are kept in ``received``, clients' ports too."""

    def __init__(self) -> None:
        self.replies: list[Reply] = [Reply()]
        self.received: list[Received] = []
        self.ports: set[int] = set()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, request: Received) -> Reply:
        with self._lock:
            self.received.append(request)
            return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Otherwise a body that follows its head waits 40 ms for an acknowledgement.
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                owner.ports.add(self.client_address[1])
                reply = owner._take(Received(self.command, self.path, dict(self.headers), body))
                if reply.cut:
                    self.close_connection = True
                    return
                self.send_response_only(reply.status)
                if "Date" not in reply.headers:
                    self.send_header("Date", self.date_time_string())
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                length = len(reply.payload) if reply.announced_length is None else reply.announced_length
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(reply.payload)
                self.close_connection = self.close_connection or length != len(reply.payload)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the test's output clean."""

        return Handler


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, so that no process is left alone with them in the end."""
    items.sort(key=lambda item: item.path.parent.name not in ("smoke", "soak"))


@pytest.fixture(autouse=True)
def empty_secrets_masker() -> None:
    """
    Forget the secrets of earlier tests.

    Airflow masks each connection's extra, and compiles one regular expression of all secrets again whenever it meets
    another. With thousands of connections, that took most of the time of the tests.
    """
    masker = sys.modules.get("airflow.sdk._shared.secrets_masker.secrets_masker")
    if masker is not None:
        masker.reset_secrets_masker()
    elif (module := sys.modules.get("airflow.utils.log.secrets_masker")) is not None:  # Airflow 2.11
        secrets = module._secrets_masker()
        secrets.patterns, secrets.replacer = set(), None


@pytest.fixture
def airflow_answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any] | Exception], None]:
    """Have Airflow 3 answer questions about task states, as its own classes read the answer off the wire."""
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import TaskStatesResult

    def answer(states: dict[str, Any] | Exception) -> None:
        def send(question: Any) -> Any:
            assert question.run_ids == ["run"]
            if isinstance(states, Exception):
                raise states
            return TaskStatesResult.model_validate_json(json.dumps({"task_states": states}))

        async def asend(question: Any) -> Any:
            return send(question)

        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(send=send, asend=asend), raising=False)

    return answer


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Return what was logged, once: Airflow 2.11 writes what caplog catches to the standard output as well."""
    caplog.set_level(logging.INFO)
    return lambda: capsys.readouterr().out or caplog.text


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> RecordedMetrics:
    """What is reported to Airflow's Stats."""
    from airflow_provider_modelarts._compat import metrics

    recorded = RecordedMetrics()
    for name in ("incr", "gauge", "timing"):
        monkeypatch.setattr(metrics(), name, getattr(recorded, name), raising=False)
    return recorded


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.close()
