"""The emulator for tests: the emulated account, served over HTTP by a thread of this process."""

from __future__ import annotations

import asyncio
import copy
import socket
import threading
from dataclasses import dataclass, replace
from typing import Any, Literal

import uvicorn

from airflow_provider_modelarts.emulator.cloud import Cloud, Options, RequestRecord
from airflow_provider_modelarts.emulator.faults import Fault
from airflow_provider_modelarts.emulator.gateway import CuttableProtocol, build_app
from airflow_provider_modelarts.emulator.pages import CONSOLE_PATH
from airflow_provider_modelarts.emulator.training_jobs.state import TrainingJobs
from airflow_provider_modelarts.emulator.visualization_jobs.state import Job


@dataclass(kw_only=True, eq=False)
class Emulator(Options):
    """
    The ModelArts API and its IAM on one port of this machine.

    Takes the fields of :class:`.Options`. As a context manager, it runs inside the block; :meth:`start` and
    :meth:`stop` do the same. A stopped emulator keeps its port and its jobs, so that a test can simulate an outage.
    All methods are thread-safe.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cloud = Cloud(self)
        self._server: _Server | None = None

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def training_jobs(self) -> TrainingJobs:
        """The training jobs, and their scripts."""
        return self.cloud.training_jobs

    @property
    def url(self) -> str:
        """URL that it listens on, ``http://127.0.0.1:8765``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> Emulator:
        """
        Listen and serve.

        :raises OSError: the address is not available
        """
        if self._server is None:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            listener = socket.create_server((self.host, self.port), family=family)
            self.port = listener.getsockname()[1]
            self._server = _Server(self.cloud, listener)
        return self

    def stop(self) -> None:
        """Close all connections and the port."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def connection(self, auth: Literal["aksk", "password"] = "aksk") -> dict[str, Any]:
        """Return the Airflow connection to this emulator; as JSON, it is a value for ``AIRFLOW_CONN_...``."""
        login, password = (self.ak, self.sk) if auth == "aksk" else (self.user, self.password)
        extra: dict[str, Any] = {"region": self.region, "project_id": self.project_id, "iam_endpoint": self.url}
        extra["console_url"] = f"{self.url}{CONSOLE_PATH}"
        # A proxy from the environment would also be used for loopback.
        extra["proxies"] = {}
        if auth == "password":
            extra["domain_name"] = self.domain
        elif self.security_token is not None:
            extra["security_token"] = self.security_token
        # The port is a field of its own: Airflow 3.3.1 and 3.3.2 cannot test a saved connection without it.
        host = self.url.rpartition(":")[0]
        return {
            "conn_type": "modelarts",
            "host": host,
            "port": self.port,
            "login": login,
            "password": password,
            "extra": extra,
        }

    def create_job(
        self,
        job_name: str | None = None,
        *,
        train_url: str = "/bucket/logs/",
        job_desc: str = "",
        job_type: str = "tensorboard",
        workspace_id: str = "0",
        auto_stop_hours: int = 0,
        script: str | None = None,
        status: int | None = None,
    ) -> str:
        """
        Create a visualization job without the API: neither quotas nor the limits of its fields apply.

        :param job_name: a unique name; by default, made from the job's ID
        :param auto_stop_hours: hours of running after which the job is stopped; 0 for never
        :param script: name or text of the script that it follows (see :mod:`.scripts`); by default,
            the script for its name
        :param status: any status code, in which the job stays; replaces the script
        :return: its ID
        :raises ValueError: the name is taken, or the script is invalid
        """
        with self.cloud.lock:
            job = self.cloud.visualization_jobs.create(
                job_name,
                train_url=train_url,
                job_desc=job_desc,
                job_type=job_type,
                workspace_id=workspace_id,
                auto_stop_hours=auto_stop_hours,
                script=script,
                status=status,
            )
            return str(job.job_id)

    def set_time_scale(self, scale: float) -> None:
        """
        Set how much faster than real time jobs move, from now on.

        :raises ValueError: scale is negative
        """
        with self.cloud.lock:
            self.cloud.clock.set_scale(scale)

    def set_status(self, job_id: int | str, status: int) -> None:
        """
        Set the status of a job to any number. The job keeps it until an operation changes it.

        :raises KeyError: the job does not exist
        """
        with self.cloud.lock:
            self.cloud.visualization_jobs.set_status(job_id, status)

    def set_script(self, job_id: int | str, script: str) -> None:
        """
        Make a job follow another script from now on.

        :raises KeyError: the job does not exist
        :raises ValueError: the script is invalid
        """
        with self.cloud.lock:
            self.cloud.visualization_jobs.set_script(job_id, script)

    def remove_job(self, job_id: int | str) -> None:
        """
        Remove a job at once.

        :raises KeyError: the job does not exist
        """
        with self.cloud.lock:
            self.cloud.visualization_jobs.remove(job_id)

    def job(self, job_id: int | str) -> Job:
        """
        Return a copy of a job as it is now.

        :raises KeyError: the job does not exist
        """
        with self.cloud.lock:
            return copy.copy(self.cloud.visualization_jobs.get(job_id))

    @property
    def jobs(self) -> dict[str, Job]:
        """Copies of all jobs as they are now, by ID."""
        with self.cloud.lock:
            return {str(job.job_id): copy.copy(job) for job in self.cloud.visualization_jobs.all()}

    def add_script_rule(self, name: str, script: str) -> None:
        """
        Set the script of all jobs of this name (or pattern, ``will-fail-*``) that are created from now on.

        :raises ValueError: the script is invalid
        """
        with self.cloud.lock:
            self.cloud.visualization_jobs.scripts.add_rule(name, script)

    def script_rules(self) -> dict[str, str]:
        """Return the script of each name that has one."""
        with self.cloud.lock:
            return dict(self.cloud.visualization_jobs.scripts.rules)

    def clear_script_rules(self) -> None:
        """Make new jobs follow the script ``normal`` again."""
        with self.cloud.lock:
            self.cloud.visualization_jobs.scripts.rules.clear()

    def advance(self, seconds: float) -> None:
        """
        Move the clock of the jobs forward at once.

        :raises ValueError: seconds is negative
        """
        with self.cloud.lock:
            self.cloud.clock.advance(seconds)

    def inject(self, fault: Fault) -> None:
        """Make requests fail from now on. If several faults match a request, the oldest one applies."""
        with self.cloud.lock:
            self.cloud.fault_plan.add(fault)

    def faults(self) -> list[Fault]:
        """Return the faults that can still happen."""
        with self.cloud.lock:
            return self.cloud.fault_plan.pending()

    def clear_faults(self) -> None:
        """Remove all faults."""
        with self.cloud.lock:
            self.cloud.fault_plan.clear()

    def request_counts(self) -> dict[str, int]:
        """Return how many requests have arrived, by operation (see :class:`.RequestRecord`)."""
        with self.cloud.lock:
            return dict(self.cloud.request_log.counts)

    def requests(self) -> list[RequestRecord]:
        """Return the newest requests, oldest first."""
        with self.cloud.lock:
            return [replace(record) for record in self.cloud.request_log.records]

    def clear_requests(self) -> None:
        """Clear the log of requests."""
        with self.cloud.lock:
            self.cloud.request_log.clear()

    def expire_tokens(self) -> None:
        """Expire every token issued so far."""
        with self.cloud.lock:
            self.cloud.iam.tokens.expire_all(self.cloud.now())


class _Server(uvicorn.Server):
    """Uvicorn in its own thread. It stops at once, without finishing requests."""

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
        """Stop the thread, and wait until it has ended."""
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
