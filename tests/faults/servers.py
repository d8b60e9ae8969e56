"""A server on loopback that answers well until a fault begins, on bare sockets, so that it can do anything wrong."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from typing_extensions import Self

PROJECT_ID = "0123456789abcdef0123456789abcdef"

Pairs: TypeAlias = Iterable[tuple[str, str]]


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def operation(self) -> str:
        """What is asked for: ``get``, ``list`` or ``token``; anything else by its method."""
        path = urlsplit(self.target).path
        if self.method == "POST" and path == "/v3/auth/tokens":
            return "token"
        if self.method == "GET" and "/visualization-jobs" in path:
            return "list" if path.endswith("/visualization-jobs") else "get"
        if self.is_v2 and (self.method == "GET" or path.endswith("/training-job-searches")):
            return "list" if self.method == "POST" else "get"
        return self.method.lower()

    @property
    def is_v2(self) -> bool:
        """Whether it is about training jobs."""
        return "/training-job" in self.target

    @property
    def job_id(self) -> str:
        return urlsplit(self.target).path.rpartition("/")[2]

    def number(self, name: str) -> int:
        """Return a number of the query."""
        return int(parse_qs(urlsplit(self.target).query)[name][0])


class Exchange:
    """One request on its connection, to be answered in any way."""

    def __init__(self, server: FaultyServer, sock: socket.socket, request: Request) -> None:
        self.server = server
        self.request = request
        self.sock = sock

    def send(self, status: int, body: Any = b"", headers: Pairs = (), content_type: str = "application/json") -> None:
        """Answer as one should; a body that is no bytes goes as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        fixed = [("Content-Type", content_type), ("Content-Length", str(len(content)))]
        self.raw(head(status, [*fixed, *headers]) + content)

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def close(self) -> None:
        """End the connection."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        with suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # A socket's own close would wait for its reader.
        socket.close(self.sock.detach())

    def stall(self, drip: bytes = b"", pause: float = 0.01) -> None:
        """Say nothing more, or a little again and again, until the client or the server has had enough."""
        while not self.server.closed.wait(pause):
            if drip:
                self.raw(drip)
            elif self._is_abandoned():
                return

    def as_asked(self) -> None:
        """Answer as one should."""
        token = self.request.headers.get("x-auth-token")
        if self.request.operation == "connect":
            self.raw(head(200, []))
            self.server.tunnelled(self)
        elif self.request.operation == "token":
            self.server.issue_token(self)
        elif token is not None and token not in self.server.valid_tokens:
            self.send(401, {"error_code": "APIGW.0307", "error_msg": "The token must be updated."})
        else:
            self.jobs()

    def jobs(self, change: Callable[[dict[str, Any]], Any] = lambda job: job) -> None:
        """Answer as asked, each job changed."""
        if self.request.is_v2:
            self._training_jobs(change)
        elif self.request.operation == "get":
            job_id = self.request.job_id
            if job_id in self.server.statuses:
                self.send(200, change(self.server.job(job_id)))
            else:
                self.send(404, {"is_success": False, "error_code": "ModelArts.0102", "error_message": "no such job"})
        elif self.request.operation == "list":
            rows = sorted(self.server.statuses, key=int, reverse=True)
            size, page = self.request.number("per_page"), self.request.number("page")
            self.page([change(self.server.job(job_id)) for job_id in rows[(page - 1) * size : page * size]], len(rows))
        elif self.request.operation in ("token", "connect"):
            self.as_asked()
        else:
            self.send(405)

    def _training_jobs(self, change: Callable[[dict[str, Any]], Any]) -> None:
        server, request = self.server, self.request
        if request.operation == "list":
            filters = json.loads(request.body).get("filters", ())
            wanted = next((each["value"] for each in filters if each["key"] == "id"), [*server.phases])
            items = [change(server.training_job(job_id)) for job_id in wanted if job_id in server.phases]
            self.send(200, {"total": len(items), "count": len(items), "items": items})
        elif request.job_id in server.phases:
            self.send(200, change(server.training_job(request.job_id)))
        else:
            self.send(400, {"error_code": "ModelArts.2775", "error_msg": "no such job"})

    def page(self, jobs: Any, total: Any) -> None:
        """Answer with a page of the list; without a total where that is None."""
        content = {"is_success": True, "quotas": 100, "job_count_limit": 900, "jobs": jobs}
        self.send(200, content if total is None else {**content, "job_total_count": total})

    def _is_abandoned(self) -> bool:
        self.sock.setblocking(False)
        try:
            return self.sock.recv(1, 0 if isinstance(self.sock, ssl.SSLSocket) else socket.MSG_PEEK) == b""
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self.sock.setblocking(True)


Behaviour: TypeAlias = Callable[[Exchange], None]


def head(status: int, headers: Pairs) -> bytes:
    """Return the head of an answer."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


class FaultyServer:
    """
    ModelArts with three jobs, and IAM. Whoever asks is served; a token is looked at where one is sent.

    :param tls: to serve HTTPS
    :param proxy: to be an HTTP proxy with that server behind its tunnels
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, proxy: bool = False) -> None:
        self.tls = tls
        self.proxy = proxy
        self.statuses = {"101": 7, "102": 7, "103": 7}
        self.phases = {f"5d2c9ad4-2b0c-4c5a-9b7e-00000000000{number}": "Running" for number in (1, 2, 3)}
        self.behaviour: Behaviour | None = None
        self.counts: Counter[str] = Counter()
        self.closed = threading.Event()
        self.resolves = True
        self.token_lifetime = 86400.0
        self.valid_tokens: set[str] = set()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.listen()

    @property
    def url(self) -> str:
        return f"{'http' if self.tls is None or self.proxy else 'https'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.closed.set()
        self.refuse()
        for thread in self._threads:
            thread.join()

    def listen(self) -> None:
        """Take connections."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)

    def refuse(self) -> None:
        """Take no connections any more, and end those there are."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.drop_connections()

    def drop_connections(self) -> None:
        """End all connections, so that the client has to make new ones."""
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def advance(self, seconds: float) -> None:
        """Take no notice: what stands in for an emulator on a simulated clock is told how time goes by."""

    def arrive(self) -> None:
        """Let all visualization jobs be RUNNING, and all training jobs Completed."""
        self.statuses = dict.fromkeys(self.statuses, 8)
        self.phases = dict.fromkeys(self.phases, "Completed")

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job as the API describes it."""
        return {
            "job_id": int(job_id),
            "job_name": f"job-{job_id}",
            "job_desc": "",
            "status": self.statuses[job_id],
            "create_time": 1565149736000,
            "duration": 33000,
            "service_url": f"https://console.example.com/{job_id}",
            "train_url": "/bucket/dir/",
            "resource_id": "e17dd874",
            "remaining_duration": None,
            "is_success": True,
        }

    def training_job(self, job_id: str) -> dict[str, Any]:
        """Return a training job as the API describes it."""
        return {
            "kind": "job",
            "metadata": {"id": job_id, "name": f"job-{job_id[-1]}", "workspace_id": "0", "create_time": 1565149736000},
            "status": {"phase": self.phases[job_id], "duration": 33000, "start_time": 1565149739000},
            "algorithm": {"id": "an-algorithm"},
            "spec": {"resource": {"flavor_id": "modelarts.vm.cpu.2u", "node_count": 1}},
        }

    def issue_token(self, exchange: Exchange) -> None:
        """Answer as IAM does."""
        token = f"token-{len(self.valid_tokens)}"
        self.valid_tokens.add(token)
        now = datetime.now(timezone.utc)
        form = "%Y-%m-%dT%H:%M:%S.%fZ"
        content = {
            "token": {
                "issued_at": now.strftime(form),
                "expires_at": (now + timedelta(seconds=self.token_lifetime)).strftime(form),
                "project": {"id": PROJECT_ID, "name": "cn-north-4", "domain": {"id": "d", "name": "account"}},
                "user": {"id": "u", "name": "user", "domain": {"id": "d", "name": "account"}},
                "methods": ["password"],
            }
        }
        exchange.send(201, content, [("X-Subject-Token", token)])

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads = [*(thread for thread in self._threads if thread.is_alive()), thread]
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._start(self._serve, connection, None if self.proxy else self.tls)

    def tunnelled(self, exchange: Exchange) -> None:
        """Serve what comes through a tunnel."""
        self._serve(exchange.sock, self.tls)

    def _serve(self, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
        with suppress(OSError, ValueError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            with self._lock:
                self._connections.add(connection)
            with connection, connection.makefile("rb") as stream:
                while request := self._read(stream):
                    self.counts[request.operation] += 1
                    self._answer(Exchange(self, connection, request))
                    if connection.fileno() < 0:
                        break
        with self._lock:
            self._connections.discard(connection)
        connection.close()

    def _answer(self, exchange: Exchange) -> None:
        (self.behaviour or Exchange.as_asked)(exchange)

    def _read(self, stream: Any) -> Request | None:
        line = stream.readline(65537).decode("latin-1").split()
        if len(line) != 3:
            return None
        headers = {}
        while (field := stream.readline(65537).decode("latin-1").strip()) != "":
            name, _, value = field.partition(":")
            headers[name.lower()] = value.strip()
        return Request(line[0], line[1], headers, stream.read(int(headers.get("content-length", 0))))


def drip_forever(exchange: Exchange, start: bytes, drip: bytes) -> None:
    """Send something, and then a little more for ever, never silent for long."""
    exchange.raw(start)
    exchange.stall(drip)


def flood(exchange: Exchange, start: bytes, block: bytes) -> None:
    """Send something, and then more for ever, as fast as it goes."""
    exchange.raw(start)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        exchange.raw(block)
