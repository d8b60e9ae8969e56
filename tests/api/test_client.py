"""The client against a server that misbehaves: retries, lost answers, connections that fail, what is sent."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest

from airflow_provider_modelarts.api import errors
from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.transport import MAX_ANSWER_BYTES, MAX_ANSWER_TIME
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus
from airflow_provider_modelarts.emulator import Emulator
from tests.api.samples import CREATE_SUCCESS, DETAIL_SUCCESS
from tests.conftest import Reply, ScriptedServer
from tests.recorded_metrics import RecordedMetrics

PROJECT = "0123456789abcdef0123456789abcdef"
OK = Reply(200, {"is_success": True})
JOB = Reply(200, DETAIL_SUCCESS)


def client_for(url: str, sleep: Callable[..., Any] = lambda seconds: None, **config: Any) -> ModelArtsClient:
    fields = {"endpoint": url, "project_id": PROJECT, "login": "AK", "password": "SK", "read_timeout": 5, **config}
    return ModelArtsClient(ModelArtsConfig(**fields), sleep=sleep)


@pytest.fixture
def slept() -> list[Any]:
    return []


@pytest.fixture
def client(server: ScriptedServer, slept: list[Any]) -> Iterator[ModelArtsClient]:
    with client_for(server.url, slept.append) as made:
        yield made


def page(*jobs: Any, total: int | None = None) -> Reply:
    return Reply(
        200, {"is_success": True, "jobs": list(jobs), "job_total_count": len(jobs) if total is None else total}
    )


def now_ms(**ago: Any) -> int:
    return int((datetime.now(timezone.utc) - timedelta(**ago)).timestamp() * 1000)


def test_each_operation_sends_what_the_api_documents(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(JOB, page(), Reply(200, CREATE_SUCCESS), OK)
    client.visualization_jobs.get(10)
    client.visualization_jobs.list_page(status="WAITING", search_content="my job/测试~")
    client.visualization_jobs.create(job_name="board", train_url="/bucket/dir/", schedule={"duration": 1})
    client.visualization_jobs.update(10, job_desc="描述 é")
    client.visualization_jobs.stop(10)
    client.visualization_jobs.restart(10)
    client.visualization_jobs.delete(10)
    jobs = f"/v1/{PROJECT}/visualization-jobs"
    assert [(request.method, request.target) for request in server.received] == [
        ("GET", f"{jobs}/10"),
        (
            "GET",
            f"{jobs}?order=asc&page=1&per_page=100"
            "&search_content=my%20job%2F%E6%B5%8B%E8%AF%95~&sortBy=job_id&status=7",
        ),
        ("POST", jobs),
        ("PUT", f"{jobs}/10"),
        ("POST", f"{jobs}/10/stop"),
        ("POST", f"{jobs}/10/restart"),
        ("DELETE", f"{jobs}/10"),
    ]
    get, _, create, update, stop, *_ = server.received
    assert "Content-Length" not in get.headers
    assert get.headers["X-Project-Id"] == PROJECT
    assert get.headers["Content-Type"] == "application/json"
    assert json.loads(create.body)["schedule"] == [{"type": "stop", "time_unit": "HOURS", "duration": 1}]
    assert update.body == '{"job_desc":"描述 é"}'.encode()
    assert (stop.body, stop.headers["Content-Length"]) == (b"", "0")


def test_create_returns_the_job(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(Reply(200, CREATE_SUCCESS))
    job = client.visualization_jobs.create(job_name="visualization-job", train_url="/obs/name/", job_desc="mine")
    assert (job.job_id, job.status, job.train_url, job.job_desc) == ("10", JobStatus.INIT, "/obs/name/", "mine")


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.visualization_jobs.get("1/../2"),
        lambda client: client.visualization_jobs.stop("x"),
        lambda client: client.visualization_jobs.update(1, job_desc="x" * 257),
        lambda client: client.visualization_jobs.list_page(per_page=0),
        lambda client: client.visualization_jobs.create(job_name="", train_url="/a/b/"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    server: ScriptedServer, client: ModelArtsClient, call: Callable[..., Any]
) -> None:
    with pytest.raises(ValueError, match=r"job_id|job_desc|per_page|job_name"):
        call(client)
    assert server.received == []


def test_pages_are_fetched_when_needed_and_each_job_comes_once(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(page({"job_id": 1}, {"job_id": 2}, total=3), page({"job_id": 2}, {"job_id": 3}, total=3))
    jobs = client.visualization_jobs.list_all(per_page=2)
    assert server.received == []
    assert next(jobs).job_id == "1"
    assert len(server.received) == 1
    assert [job.job_id for job in jobs] == ["2", "3"]
    assert len(server.received) == 2


def test_new_jobs_that_move_the_list_on_by_a_page_hide_no_job() -> None:
    with (
        Emulator() as emulator,
        client_for(emulator.url, project_id=emulator.project_id, login=emulator.ak, password=emulator.sk) as client,
    ):
        old = [emulator.create_job() for _ in range(30)]
        jobs = client.visualization_jobs.list_all(order="desc", per_page=10)
        seen = [next(jobs).job_id for _ in range(10)]
        for _ in range(10):
            emulator.create_job()
        seen += [job.job_id for job in jobs]
    assert seen == old[::-1]


def test_a_list_that_is_the_same_page_over_and_over_ends_whatever_its_total(
    server: ScriptedServer, client: ModelArtsClient
) -> None:
    server.answer(page({"job_id": 1}, {"job_id": 2}, total=10**18))
    assert [job.job_id for job in client.visualization_jobs.list_all(per_page=2)] == ["1", "2"]
    assert len(server.received) == 5


@pytest.mark.parametrize("total", [250, None])
def test_pages_that_are_smaller_than_asked_for_are_all_read(
    server: ScriptedServer, client: ModelArtsClient, total: int | None
) -> None:
    pages = [[{"job_id": number} for number in range(start, min(start + 100, 250))] for start in (0, 100, 200)]
    server.answer(*(Reply(200, {"jobs": rows, "job_total_count": total}) for rows in [*pages, []]))
    assert len(list(client.visualization_jobs.list_all(per_page=1000))) == 250


def test_a_server_that_takes_no_notice_of_the_page_is_not_asked_for_ever(
    server: ScriptedServer, client: ModelArtsClient
) -> None:
    server.answer(Reply(200, {"jobs": [{"job_id": 1}, {"job_id": 2}]}))
    assert [job.job_id for job in client.visualization_jobs.list_all(per_page=2)] == ["1", "2"]
    assert len(server.received) == 2


@pytest.mark.parametrize("failure", [Reply(500), Reply(502), Reply(503), Reply(504), Reply(429), Reply(cut=True)])
def test_reads_are_repeated_and_signed_anew(
    server: ScriptedServer, client: ModelArtsClient, failure: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer(failure, failure, JOB)
    assert client.visualization_jobs.get(10).job_id == "197"
    assert len(server.received) == 3
    assert all("Signature=" in request.headers["Authorization"] for request in server.received)


def test_a_cut_body_is_repeated(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(Reply(200, DETAIL_SUCCESS, announced_length=len(DETAIL_SUCCESS) + 100), JOB)
    assert client.visualization_jobs.get(10).job_id == "197"


@pytest.mark.parametrize("value", ["9" * 5000, "Fri, 31 Dec 99999 25:61:61 GMT", "-1", "1e3", "NaN", ";;;"])
def test_a_retry_after_that_cannot_be_read_is_none(server: ScriptedServer, client: ModelArtsClient, value: str) -> None:
    server.answer(Reply(503, None, {"Retry-After": value}), JOB)
    assert client.visualization_jobs.get(10).job_id == "197"


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"job_id": 10, "schedule": ' + b"[" * 100_000])
@pytest.mark.parametrize("call", ["get", "list_statuses"])
def test_a_body_that_is_too_deep_to_be_decoded_is_malformed(
    server: ScriptedServer, client: ModelArtsClient, body: bytes, call: str
) -> None:
    server.answer(Reply(200, body))
    with pytest.raises(errors.ModelArtsMalformedResponseError):
        getattr(client.visualization_jobs, call)(
            **({"job_id": 10} if call.startswith("get") else {"per_page": 10, "page": 1})
        )


def test_a_body_that_is_too_long_is_not_read_to_its_end(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(Reply(200, b'{"job_id": 197, "job_desc": "' + b" " * MAX_ANSWER_BYTES + b'"}'))
    with pytest.raises(errors.ModelArtsConnectionError, match="longer than"):
        client.visualization_jobs.get(10)
    assert len(server.received) == 4


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX-Dots: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_an_answer_that_drips_has_an_end(start: bytes) -> None:
    """A server that sends a byte now and then is never silent, so that read_timeout does not see it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        dripping = threading.Thread(target=drip, args=(listener, start))
        dripping.start()
        client = client_for(f"http://127.0.0.1:{listener.getsockname()[1]}", read_timeout=0.1)
        started = time.monotonic()
        with client, pytest.raises(errors.ModelArtsConnectionError):
            client.visualization_jobs.get(10)
        assert time.monotonic() - started < 4 * MAX_ANSWER_TIME * 0.1 + 5
        dripping.join()


def drip(listener: Any, start: bytes) -> None:
    """Serve four connections, each with an answer that does not end."""
    for _ in range(4):
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(start)
            for _ in range(1000):
                connection.sendall(b".")
                time.sleep(0.02)


def test_each_attempt_is_dated_anew(server: ScriptedServer, slept: list[Any]) -> None:
    def sleep_into_the_next_second(seconds: Any) -> None:
        threading.Event().wait(1.1)

    server.answer(Reply(503), JOB)
    client_for(server.url, sleep_into_the_next_second).visualization_jobs.get(10)
    first, second = (request.headers["X-Sdk-Date"] for request in server.received)
    assert first < second


def test_attempts_end(server: ScriptedServer, client: ModelArtsClient, slept: list[Any]) -> None:
    server.answer(Reply(503))
    with pytest.raises(errors.ModelArtsServerError):
        client.visualization_jobs.get(10)
    assert len(server.received) == 4
    assert len(slept) == 3
    assert all(0.5 <= seconds <= 8.5 for seconds in slept)


def test_retry_after_in_seconds(server: ScriptedServer, client: ModelArtsClient, slept: list[Any]) -> None:
    server.answer(Reply(429, None, {"Retry-After": "7"}), JOB)
    client.visualization_jobs.get(10)
    assert slept == [7.0]


def test_retry_after_as_a_date(server: ScriptedServer, client: ModelArtsClient, slept: list[Any]) -> None:
    later = datetime.now(timezone.utc) + timedelta(seconds=30)
    server.answer(Reply(503, None, {"Retry-After": format_datetime(later, usegmt=True)}), JOB)
    client.visualization_jobs.get(10)
    assert 20 < slept[0] <= 31


def test_a_long_retry_after_is_reported_not_slept(
    server: ScriptedServer, client: ModelArtsClient, slept: list[Any]
) -> None:
    server.answer(Reply(429, None, {"Retry-After": "3600"}))
    with pytest.raises(errors.ModelArtsThrottledError) as caught:
        client.visualization_jobs.get(10)
    assert (caught.value.retry_after, slept, len(server.received)) == (3600.0, [], 1)


def test_an_unusable_retry_after_is_ignored(server: ScriptedServer, client: ModelArtsClient, slept: list[Any]) -> None:
    server.answer(Reply(429, None, {"Retry-After": "soon"}), JOB)
    client.visualization_jobs.get(10)
    assert 0.5 <= slept[0] <= 1.5


LOST = [Reply(500), Reply(502), Reply(503), Reply(504), Reply(cut=True), Reply(200, b"")]
CHANGES = ["stop", "restart", "delete"]


@pytest.mark.parametrize("failure", LOST)
@pytest.mark.parametrize("operation", CHANGES)
def test_a_change_is_repeated_when_its_answer_is_lost(
    server: ScriptedServer, client: ModelArtsClient, failure: Reply, operation: str
) -> None:
    server.answer(failure, OK)
    getattr(client.visualization_jobs, operation)(10)
    assert len(server.received) == 2


@pytest.mark.parametrize("operation", CHANGES)
def test_a_change_whose_answers_are_all_lost_says_so(
    server: ScriptedServer, client: ModelArtsClient, operation: str
) -> None:
    server.answer(Reply(503))
    with pytest.raises(errors.ModelArtsError, match="Whether it was carried out is not known"):
        getattr(client.visualization_jobs, operation)(10)
    assert len(server.received) == 4


REFUSED = Reply(400, {"error_code": "ModelArts.0105", "error_msg": "status"})
NOT_THERE = Reply(404, {"error_code": "ModelArts.0102", "error_msg": "no job"})


def test_a_deletion_that_finds_nothing_after_a_lost_answer_was_carried_out(
    server: ScriptedServer, client: ModelArtsClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.answer(Reply(cut=True), NOT_THERE)
    client.visualization_jobs.delete(10)
    assert "The answer to an earlier attempt was lost, but it was carried out. DELETE " in caplog.text
    caplog.clear()
    server.answer(NOT_THERE)
    with pytest.raises(errors.ModelArtsNotFoundError) as caught:
        client.visualization_jobs.delete(10)
    assert not caught.value.may_have_happened
    assert "carried out" not in caplog.text


@pytest.mark.parametrize("last", [REFUSED, Reply(429, None, {"Retry-After": "3600"})])
@pytest.mark.parametrize("operation", CHANGES)
def test_a_refusal_after_a_lost_answer_says_that_it_may_have_been_carried_out(
    server: ScriptedServer, client: ModelArtsClient, operation: str, last: Reply
) -> None:
    server.answer(Reply(cut=True), last)
    with pytest.raises(
        errors.ModelArtsError, match="Whether an earlier attempt was carried out is not known"
    ) as caught:
        getattr(client.visualization_jobs, operation)(10)
    assert caught.value.may_have_happened


def test_throttled_writes_are_repeated(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(Reply(429), OK)
    client.visualization_jobs.stop(10)
    assert len(server.received) == 2


def test_refused_connections_are_repeated_for_writes_too(slept: list[Any]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(errors.ModelArtsConnectionError, match="Connection refused") as caught:
            client_for(url, slept.append).visualization_jobs.stop(10)
    assert (caught.value.may_have_happened, caught.value.part, len(slept)) == (False, "connection", 3)
    where = f"{url}/v1/{PROJECT}/visualization-jobs/10/stop"
    assert (caught.value.method, caught.value.url, caught.value.retryable) == ("POST", where, True)


BOARD: dict[str, Any] = {"job_name": "board", "train_url": "/bucket/dir/"}


class TestCreateWhoseAnswerWasLost:
    def test_the_job_is_found_by_its_exact_name(
        self, server: ScriptedServer, client: ModelArtsClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        mine: dict[str, Any] = {"job_id": 5, "status": 4, "create_time": now_ms(), **BOARD}
        other = {**mine, "job_id": 4, "job_name": "board-2"}
        server.answer(Reply(cut=True), page(other, mine))
        assert client.visualization_jobs.create(**BOARD).job_id == "5"
        assert [request.method for request in server.received] == ["POST", "GET"]
        assert "search_content=board&" in server.received[1].target
        assert "The answer to creating job board was lost, but the job exists: 5" in caplog.text

    def test_a_list_that_fails_after_it_is_the_errors_cause(
        self, server: ScriptedServer, client: ModelArtsClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.answer(Reply(cut=True), Reply(403))
        with pytest.raises(errors.ModelArtsConnectionError) as caught:
            client.visualization_jobs.create(**BOARD)
        assert caught.value.may_have_happened
        assert isinstance(caught.value.__cause__, errors.ModelArtsPermissionError)
        assert f"The API does not say whether the job was created. {caught.value.__cause__}" in caplog.text

    def test_it_is_sent_again_when_there_is_none(self, server: ScriptedServer, client: ModelArtsClient) -> None:
        server.answer(Reply(504), page(), Reply(200, CREATE_SUCCESS))
        assert client.visualization_jobs.create(**BOARD).job_id == "10"
        assert [request.method for request in server.received] == ["POST", "GET", "POST"]

    def test_an_older_job_of_that_name_is_not_taken_for_it(
        self, server: ScriptedServer, client: ModelArtsClient
    ) -> None:
        older = {"job_id": 5, "status": 8, "create_time": now_ms(days=1), **BOARD}
        taken = Reply(400, {"is_success": False, "error_code": "ModelArts.0103", "error_message": "duplicate"})
        server.answer(Reply(cut=True), page(older), taken, page(older))
        with pytest.raises(errors.ModelArtsNameTakenError):
            client.visualization_jobs.create(**BOARD)

    @pytest.mark.parametrize("last", [Reply(429), Reply(400, {"error_code": "ModelArts.0101"}), Reply(403)])
    def test_what_comes_after_a_lost_answer_does_not_make_it_certain(
        self, server: ScriptedServer, client: ModelArtsClient, last: Reply
    ) -> None:
        server.answer(Reply(cut=True), page(), last, page(), last, page(), last)
        with pytest.raises(errors.ModelArtsError, match="earlier attempt was carried out is not known") as caught:
            client.visualization_jobs.create(**BOARD)
        assert caught.value.may_have_happened
        assert caught.value.status_code == last.status

    def test_nothing_lost_is_certain(self, server: ScriptedServer, client: ModelArtsClient) -> None:
        server.answer(Reply(429))
        with pytest.raises(errors.ModelArtsThrottledError) as caught:
            client.visualization_jobs.create(**BOARD)
        assert not caught.value.may_have_happened

    @pytest.mark.parametrize("minutes", [-60, -20, 20, 60])
    def test_the_servers_clock_decides_what_is_older(
        self, server: ScriptedServer, client: ModelArtsClient, minutes: int
    ) -> None:
        now = datetime.now(timezone.utc) - timedelta(minutes=minutes)
        dated = {"Date": format_datetime(now, usegmt=True)}
        created = int(now.timestamp() * 1000)
        mine: dict[str, Any] = {"job_id": 5, "status": 4, "create_time": created, **BOARD}
        server.answer(Reply(cut=True), Reply(200, page(mine).body, dated))
        assert client.visualization_jobs.create(**BOARD).job_id == "5"
        older = {**mine, "create_time": created - 3600 * 1000}
        taken = Reply(400, {"is_success": False, "error_code": "ModelArts.0103", "error_message": "duplicate"})
        server.answer(Reply(cut=True), Reply(200, page(older).body, dated), taken, Reply(200, page(older).body, dated))
        with pytest.raises(errors.ModelArtsNameTakenError):
            client.visualization_jobs.create(**BOARD)

    def test_a_job_that_shows_late_is_found_when_the_name_is_taken(
        self, server: ScriptedServer, client: ModelArtsClient
    ) -> None:
        mine: dict[str, Any] = {"job_id": 5, "status": 4, "create_time": now_ms(), **BOARD}
        taken = Reply(400, {"is_success": False, "error_code": "ModelArts.0103", "error_message": "duplicate"})
        server.answer(Reply(502), page(), taken, page(mine))
        assert client.visualization_jobs.create(**BOARD).job_id == "5"

    def test_a_taken_name_is_an_error_at_once(self, server: ScriptedServer, client: ModelArtsClient) -> None:
        server.answer(Reply(400, {"is_success": False, "error_code": "ModelArts.0103", "error_message": "duplicate"}))
        with pytest.raises(errors.ModelArtsNameTakenError, match="another job_name"):
            client.visualization_jobs.create(**BOARD)
        assert len(server.received) == 1

    def test_when_the_jobs_cannot_be_listed_it_is_the_create_that_failed(
        self, server: ScriptedServer, client: ModelArtsClient
    ) -> None:
        server.answer(Reply(502), Reply(403, {"error_code": "ModelArts.0112", "error_message": "no"}))
        with pytest.raises(errors.ModelArtsServerError, match="Whether it was carried out is not known") as caught:
            client.visualization_jobs.create(**BOARD)
        assert (caught.value.method, caught.value.may_have_happened) == ("POST", True)
        assert {request.method for request in server.received[1:]} == {"GET", "POST"} - {"POST"}

    def test_a_throttled_create_is_just_sent_again(self, server: ScriptedServer, client: ModelArtsClient) -> None:
        server.answer(Reply(429), Reply(200, CREATE_SUCCESS))
        client.visualization_jobs.create(**BOARD)
        assert [request.method for request in server.received] == ["POST", "POST"]


class TestConnectionsThatFail:
    def failure(self, url: str, **config: Any) -> errors.ModelArtsConnectionError:
        with pytest.raises(errors.ModelArtsConnectionError) as caught:
            client_for(url, **config).visualization_jobs.get(10)
        return caught.value

    def test_dns(self) -> None:
        error = self.failure("http://modelarts.nowhere.invalid")
        assert (error.part, error.may_have_happened) == ("DNS", False)
        assert "does not resolve" in str(error)

    def test_tls(self, server: ScriptedServer) -> None:
        error = self.failure(server.url.replace("http://", "https://"))
        assert error.part == "TLS"

    def test_a_bundle_of_certificates_that_is_not_there(self) -> None:
        error = self.failure("https://127.0.0.1:9", verify="/no/such/bundle.pem")
        assert error.part == "TLS"
        assert "/no/such/bundle.pem" in str(error)

    def test_proxy(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            proxy = f"http://user:TOPSECRET@127.0.0.1:{free.getsockname()[1]}"
            error = self.failure("http://modelarts.nowhere.invalid", proxies={"http": proxy})
        assert error.part == "proxy"
        assert "TOPSECRET" not in str(error)

    def test_silence(self) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            error = self.failure(f"http://127.0.0.1:{silent.getsockname()[1]}", read_timeout=0.1)
        assert type(error) is errors.ModelArtsTimeoutError
        assert error.may_have_happened

    def test_connection_settings_win_over_the_environments(
        self, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.delenv("NO_PROXY", raising=False)
        server.answer(JOB)
        with client_for("http://modelarts.nowhere.invalid", proxies={"http": server.url}) as proxied:
            assert proxied.visualization_jobs.get(10).job_id == "197"
        assert server.received[0].target.startswith("http://modelarts.nowhere.invalid/v1/")


def test_one_connection_is_kept(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(JOB)
    for _ in range(5):
        client.visualization_jobs.get(10)
    assert len(server.ports) == 1


def test_a_connection_is_kept_until_the_client_is_closed(server: ScriptedServer) -> None:
    server.answer(JOB)
    with client_for(server.url) as client:
        client.visualization_jobs.get(10)
        client.visualization_jobs.get(10)
        assert len(server.ports) == 1
    client.visualization_jobs.get(10)
    assert len(server.ports) == 2
    client.close()


def test_unverified_tls_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        client_for("https://127.0.0.1:1").close()
        assert caplog.text == ""
        client_for("https://127.0.0.1:1", verify=False).close()
    assert "TLS certificates of https://127.0.0.1:1 are not verified" in caplog.text


def test_each_request_is_counted_by_its_operation_and_its_answer(server: ScriptedServer) -> None:
    metrics = RecordedMetrics()
    config = ModelArtsConfig(
        endpoint=server.url, iam_endpoint=server.url, region="r", login="AK", password="SK", read_timeout=5
    )
    projects = Reply(200, {"projects": [{"id": PROJECT, "name": "r"}], "links": {}})
    server.answer(projects, Reply(503), Reply(cut=True), JOB, Reply(404))
    with ModelArtsClient(config, sleep=lambda seconds: None, metrics=metrics) as client:
        client.visualization_jobs.get(10)
        with pytest.raises(errors.ModelArtsNotFoundError):
            client.training_jobs.get("425b7087-83de-49b4-9b65-6e2b91e4a5fe")
    assert metrics.counts == {
        "modelarts.requests operation=projects status=200": 1,
        "modelarts.requests operation=get status=503": 1,
        "modelarts.requests operation=get status=0": 1,
        "modelarts.requests operation=get status=200": 1,
        "modelarts.requests operation=training.get status=404": 1,
    }


def test_secrets_are_in_no_log_line(
    server: ScriptedServer, client: ModelArtsClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer(Reply(503), JOB)
    client.visualization_jobs.get(10)
    signature = server.received[0].headers["Authorization"].rpartition("=")[2]
    assert re.search(r"HTTP 503.* Trying again in (0\.[5-9]|1\.0) s \(attempt 2 of 4\)", caplog.text)
    assert signature not in caplog.text


class TestProjectByRegion:
    @pytest.fixture
    def nameless(self, server: ScriptedServer) -> Iterator[ModelArtsClient]:
        with client_for(server.url, region="cn-north-4", project_id=None, iam_endpoint=server.url) as made:
            yield made

    def projects(self, *ids: Any) -> Reply:
        return Reply(200, {"projects": [{"id": found, "name": "cn-north-4"} for found in ids], "links": {}})

    def test_it_is_looked_up_once(self, server: ScriptedServer, nameless: ModelArtsClient) -> None:
        server.answer(self.projects(PROJECT), JOB)
        nameless.visualization_jobs.get(10)
        nameless.visualization_jobs.get(10)
        assert [request.target for request in server.received] == [
            "/v3/projects?name=cn-north-4",
            f"/v1/{PROJECT}/visualization-jobs/10",
            f"/v1/{PROJECT}/visualization-jobs/10",
        ]
        assert "X-Project-Id" not in server.received[0].headers

    @pytest.mark.parametrize("ids", [(), ("a", "b")])
    def test_it_must_be_exactly_one(
        self, server: ScriptedServer, nameless: ModelArtsClient, ids: tuple[Any, ...]
    ) -> None:
        server.answer(self.projects(*ids))
        with pytest.raises(ValueError, match=r"project_id: needed, because IAM has (no project|2 projects \(a, b\))"):
            nameless.visualization_jobs.get(10)

    def test_a_missing_right_is_named(self, server: ScriptedServer, nameless: ModelArtsClient) -> None:
        server.answer(Reply(403, {"error_code": "IAM.0002", "error_msg": "no"}))
        with pytest.raises(errors.ModelArtsPermissionError, match="iam:projects:listProjects"):
            nameless.visualization_jobs.get(10)
