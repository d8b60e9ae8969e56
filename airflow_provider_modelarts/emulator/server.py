"""The emulator: the cloud, served over HTTP by a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import dataclass
from typing import Any, Literal

import uvicorn

from airflow_provider_modelarts.emulator.app import build_app
from airflow_provider_modelarts.emulator.cloud import Cloud
from airflow_provider_modelarts.emulator.gateway import CuttableProtocol


@dataclass(kw_only=True, eq=False)
class Emulator(Cloud):
    """
    The ModelArts API and its IAM on one port of this machine.

    Takes the fields of :class:`.Options`. As a context manager it runs inside the block; :meth:`start` and :meth:`stop`
    do the same by hand. A stopped emulator can be started again: port and jobs stay, so that this makes an outage.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._server: _Server | None = None

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens, ``http://127.0.0.1:8765``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> Emulator:
        """Listen and serve; OSError when the address cannot be had."""
        if self._server is None:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            listener = socket.create_server((self.host, self.port), family=family)
            self.port = listener.getsockname()[1]
            self._server = _Server(self, listener)
        return self

    def stop(self) -> None:
        """Close all connections and the port."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def connection(self, auth: Literal["aksk", "password"] = "aksk") -> dict[str, Any]:
        """Return the Airflow connection to this emulator, to be put into ``AIRFLOW_CONN_...`` as JSON."""
        login, password = (self.ak, self.sk) if auth == "aksk" else (self.user, self.password)
        extra = {"region": self.region, "project_id": self.project_id, "iam_endpoint": self.url}
        if auth == "password":
            extra["domain_name"] = self.domain
        elif self.security_token is not None:
            extra["security_token"] = self.security_token
        return {"conn_type": "modelarts", "login": login, "password": password, "host": self.url, "extra": extra}


class _Server(uvicorn.Server):
    """Uvicorn in a thread of its own. It stops at once: nobody waits for a polite end of what is emulated."""

    def __init__(self, cloud: Cloud, listener: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                build_app(cloud),
                http=CuttableProtocol,
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                date_header=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=60,
            )
        )
        self._stopping: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self._ready = threading.Event()
        self._thread = threading.Thread(
            target=self.run, kwargs={"sockets": [listener]}, name="modelarts-emulator", daemon=True
        )
        self._thread.start()
        self._ready.wait()
        if not self.started:
            raise RuntimeError("the emulator's server did not start")

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            super().run(sockets)
        finally:
            self._ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._ready.set()

    async def main_loop(self) -> None:
        await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
