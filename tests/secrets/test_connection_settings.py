"""TLS, proxies and timeouts are the connection's wherever this provider calls, whatever the environment says."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_modelarts.api.clock import HasClock
from airflow_provider_modelarts.api.errors import ModelArtsError
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger
from airflow_provider_modelarts.triggers.visualization_job_event import ModelArtsVisualizationJobEventTrigger
from airflow_provider_modelarts.waiting.wait import WaitError
from tests.faults.certificates import Authority
from tests.faults.servers import PROJECT_ID, Exchange, FaultyServer
from tests.simulated_clock import ImpatientClock, SimulatedClock
from tests.simulated_loop import run_simulated
from tests.simulated_tasks import TaskInstance

NOBODY = "http://127.0.0.1:9"
UNVERIFIED: dict[str, Any] = {"verify": False}


def by_hook() -> None:
    with ModelArtsHook() as hook:
        hook.get_visualization_job(101)


def by_sensor() -> None:
    sensor = ModelArtsVisualizationJobSensor(task_id="wait", job_id=101)
    sensor.execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]


def by_spare_client() -> None:
    """As an operator on a worker that is killed."""
    with ModelArtsHook() as hook:
        hook.get_conn()
        with closing(hook.new_client()) as client:
            client.visualization_jobs.stop(101)


def by_trigger() -> None:
    async def first() -> None:
        async with aclosing(ModelArtsVisualizationJobTrigger(job_id=101).run()) as events:
            await anext(events)

    run_simulated(first(), SimulatedClock())


def by_trigger_that_is_killed() -> None:
    async def runs_again() -> bool:
        return False

    trigger = ModelArtsVisualizationJobTrigger(job_id=101, stop_on_kill=True)
    trigger._runs_again = runs_again  # type: ignore[method-assign]
    asyncio.run(trigger.on_kill())


def by_event_trigger() -> None:
    arguments = ModelArtsVisualizationJobEventTrigger(status=8, poke_interval=1).serialize()[1]

    async def first() -> None:
        async with aclosing(ModelArtsVisualizationJobEventTrigger.open_shared_stream(arguments)) as looks:
            await anext(looks)

    with suppress(TimeoutError, asyncio.TimeoutError):
        # What cannot be polled is polled again for ever.
        run_simulated(asyncio.wait_for(first(), 1.5), SimulatedClock())


CALLERS = (by_hook, by_sensor, by_spare_client, by_trigger, by_trigger_that_is_killed, by_event_trigger)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HasClock, "clock", ImpatientClock())


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    """Return the one that signed the server's certificate, and another."""
    return Authority(tmp_path_factory.mktemp("authority")), Authority(tmp_path_factory.mktemp("other"))


def serve(exchange: Exchange) -> None:
    """Answer as ModelArts, and accept stops, which the server of faults does not know."""
    if exchange.request.operation == "post":
        exchange.send(200, {"is_success": True})
    else:
        exchange.as_asked()


@pytest.fixture
def secure(authorities: tuple[Authority, Authority]) -> Iterator[FaultyServer]:
    with FaultyServer(authorities[0].server()) as server:
        server.behaviour = serve
        server.arrive()
        yield server


@pytest.fixture
def proxy(authorities: tuple[Authority, Authority]) -> Iterator[FaultyServer]:
    with FaultyServer(authorities[0].server(), proxy=True) as server:
        server.behaviour = serve
        server.arrive()
        yield server


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_connection(host: str, *, with_token: bool = False, **extra: Any) -> None:
        extra |= {"project_id": PROJECT_ID, "iam_endpoint": host}
        extra |= {"domain_name": "account"} if with_token else {}
        connection = {"conn_type": "modelarts", "login": "somebody", "password": "s3cret", "host": host, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(connection))

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return set_connection


def call(caller: Callable[[], None]) -> None:
    with suppress(ModelArtsError, WaitError):
        caller()


def job_requests(server: FaultyServer) -> int:
    return server.counts["get"] + server.counts["list"] + server.counts["post"]


@pytest.mark.parametrize("with_token", [False, True], ids=["ModelArts", "IAM"])
@pytest.mark.parametrize("caller", CALLERS)
class TestTls:
    def test_an_unknown_authority_is_refused(
        self, caller: Callable[[], None], with_token: bool, secure: FaultyServer, connect: Callable[..., None]
    ) -> None:
        connect(secure.url, with_token=with_token)
        call(caller)
        assert secure.counts.total() == 0

    def test_the_connections_bundle_is_used_and_not_the_environments(
        self,
        caller: Callable[[], None],
        with_token: bool,
        secure: FaultyServer,
        connect: Callable[..., None],
        authorities: tuple[Authority, Authority],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authorities[1].bundle))
        connect(secure.url, with_token=with_token, verify=str(authorities[0].bundle))
        call(caller)
        assert job_requests(secure) > 0
        assert (secure.counts["token"] > 0) is with_token

    def test_the_environments_bundle_is_not_used_in_place_of_the_connections(
        self,
        caller: Callable[[], None],
        with_token: bool,
        secure: FaultyServer,
        connect: Callable[..., None],
        authorities: tuple[Authority, Authority],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authorities[0].bundle))
        connect(secure.url, with_token=with_token, verify=str(authorities[1].bundle))
        call(caller)
        assert secure.counts.total() == 0

    def test_nothing_is_verified_when_the_connection_says_so(
        self,
        caller: Callable[[], None],
        with_token: bool,
        secure: FaultyServer,
        connect: Callable[..., None],
        authorities: tuple[Authority, Authority],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authorities[1].bundle))
        connect(secure.url, with_token=with_token, **UNVERIFIED)
        call(caller)
        assert job_requests(secure) > 0
        assert (secure.counts["token"] > 0) is with_token


@pytest.mark.parametrize("with_token", [False, True], ids=["ModelArts", "IAM"])
@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("key", ["https", "all"])
def test_the_connections_proxy_is_used_and_not_the_environments(
    key: str,
    caller: Callable[[], None],
    with_token: bool,
    proxy: FaultyServer,
    connect: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, NOBODY)
    connect("https://modelarts.example.invalid", with_token=with_token, proxies={key: proxy.url}, **UNVERIFIED)
    call(caller)
    assert proxy.counts["connect"] > 0
    assert job_requests(proxy) > 0
    assert (proxy.counts["token"] > 0) is with_token


@pytest.mark.parametrize("caller", CALLERS)
def test_no_proxy_of_the_environment_does_not_pass_by_the_connections_proxy(
    caller: Callable[[], None],
    secure: FaultyServer,
    proxy: FaultyServer,
    connect: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    connect(secure.url, with_token=True, proxies={"https": proxy.url}, **UNVERIFIED)
    call(caller)
    assert min(proxy.counts["token"], job_requests(proxy)) > 0
    assert secure.counts.total() == 0


@pytest.mark.parametrize("with_token", [False, True], ids=["ModelArts", "IAM"])
@pytest.mark.parametrize("caller", CALLERS)
def test_the_time_to_connect_is_the_connections(
    caller: Callable[[], None], with_token: bool, connect: Callable[..., None]
) -> None:
    """The system accepts for a server that says nothing, so that the handshake of TLS does not come to its end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"https://127.0.0.1:{silent.getsockname()[1]}"
        connect(host, with_token=with_token, connect_timeout=0.2, read_timeout=60)
        begin = time.monotonic()
        call(caller)
        assert time.monotonic() - begin < 50


def test_no_credentials_of_a_netrc_file_are_sent(
    connect: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody-else password of-somebody-else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    received = []

    def remember(exchange: Exchange) -> None:
        received.append((exchange.request.operation, exchange.request.headers.get("authorization", "")))
        exchange.as_asked()

    with FaultyServer() as server:
        server.behaviour = remember
        connect(server.url, with_token=True)
        by_hook()
    assert received == [("token", ""), ("get", "")]
