"""What a server sends that must not hurt: giant numbers and texts, control characters, redirects, a gateway's 404."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import time
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_modelarts._compat import airflow_version
from airflow_provider_modelarts.api import errors
from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.clock import HasClock
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.redaction import excerpt, redact
from airflow_provider_modelarts.api.responses import retry_after_seconds
from tests.conftest import Reply, ScriptedServer
from tests.simulated_clock import ImpatientClock

AIRFLOWS_OWN_WIRE = pytest.mark.skipif(
    airflow_version() < (3, 3), reason="Airflow 3.3 and later: how messages are encoded between its processes"
)
TRAINING_JOB_ID = "425b7087-83de-49b4-9b65-6e2b91e4a5fe"
FORGED = "a\n2030-01-01 ERROR forged \x1b[31mred\x1b]0;title\x07 \u202egnp.exe\u200b"


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[ModelArtsClient]:
    config = ModelArtsConfig(endpoint=server.url, project_id="p", login="AK", password="SKSKSKSKSKSK")
    with ModelArtsClient(config, sleep=lambda seconds: None) as made:
        yield made


def failing_get(client: ModelArtsClient) -> errors.ModelArtsError:
    with pytest.raises(errors.ModelArtsError) as caught:
        client.visualization_jobs.get(10)
    return caught.value


class TestGone:
    """Only the service itself, or a 404 without a body, says that a job is gone."""

    @pytest.mark.parametrize("status", [404, 410])
    @pytest.mark.parametrize(
        "body",
        [
            {"error_code": "APIGW.0103", "error_msg": "The request URL does not exist"},
            {"error_code": "WAF.404", "error_msg": "blocked"},
            {"error_code": "IAM.0004", "error_msg": "could not find"},
            {"error_code": "", "error_message": "no upstream"},
            {"error_message": "no upstream"},
            {"error_msg": "no upstream"},
            {"is_success": False},
            {"error": {"message": "no upstream"}},
            b"nothing here",
        ],
    )
    def test_another_server_does_not_say_so(
        self, server: ScriptedServer, client: ModelArtsClient, status: int, body: bytes | dict[str, Any]
    ) -> None:
        server.answer(Reply(status, body))
        error = failing_get(client)
        assert not isinstance(error, errors.ModelArtsNotFoundError)
        assert error.retryable is False

    @pytest.mark.parametrize("status", [404, 410])
    @pytest.mark.parametrize(
        "body", [b"", b" \r\n", {"error_code": "ModelArts.0102"}, {"error_code": "ModelArts.9999"}]
    )
    def test_the_service_says_so(
        self, server: ScriptedServer, client: ModelArtsClient, status: int, body: bytes | dict[str, str]
    ) -> None:
        server.answer(Reply(status, body))
        assert isinstance(failing_get(client), errors.ModelArtsNotFoundError)

    @pytest.mark.parametrize("operation", ["get", "stop", "restart", "delete", "update"])
    def test_a_bare_404_says_so_in_each_operation_on_a_visualization_job(
        self, server: ScriptedServer, client: ModelArtsClient, operation: str
    ) -> None:
        server.answer(Reply(404))
        arguments = {"job_desc": "x"} if operation == "update" else {}
        with pytest.raises(errors.ModelArtsNotFoundError):
            getattr(client.visualization_jobs, operation)(10, **arguments)

    @pytest.mark.parametrize(
        "operation",
        ["get", "terminate", "delete", "log_preview", "log_url", "log_lines", "events", "metrics"],
    )
    def test_a_bare_404_says_so_in_each_operation_on_a_training_job(
        self, server: ScriptedServer, client: ModelArtsClient, operation: str
    ) -> None:
        server.answer(Reply(404))
        with pytest.raises(errors.ModelArtsNotFoundError):
            list(getattr(client.training_jobs, operation)(TRAINING_JOB_ID) or ())

    def test_a_bare_404_says_so_in_the_update_of_a_training_job(
        self, server: ScriptedServer, client: ModelArtsClient
    ) -> None:
        server.answer(Reply(404))
        with pytest.raises(errors.ModelArtsNotFoundError):
            client.training_jobs.update(TRAINING_JOB_ID, description="x")

    def test_a_bare_404_of_the_list_says_nothing_of_a_job(
        self, server: ScriptedServer, client: ModelArtsClient
    ) -> None:
        server.answer(Reply(404))
        with pytest.raises(errors.ModelArtsRetiredError):
            client.visualization_jobs.list_page()

    def test_a_deletion_after_a_lost_answer_is_not_done_because_of_a_gateway(
        self, server: ScriptedServer, client: ModelArtsClient
    ) -> None:
        server.answer(Reply(503), Reply(404, {"error_code": "APIGW.0103", "error_msg": "no"}))
        with pytest.raises(errors.ModelArtsRetiredError) as caught:
            client.visualization_jobs.delete(10)
        assert caught.value.may_have_happened


class TestNumbers:
    @pytest.mark.parametrize("status", [2**63, 2**64, 10**20, 10**300])
    def test_a_status_that_no_message_of_airflow_can_hold_is_malformed(
        self, server: ScriptedServer, client: ModelArtsClient, status: int
    ) -> None:
        server.answer(Reply(200, {"job_id": 10, "status": status}))
        assert type(failing_get(client)) is errors.ModelArtsMalformedResponseError

    def test_a_row_with_such_a_status_is_left_out_of_the_list(
        self, server: ScriptedServer, client: ModelArtsClient
    ) -> None:
        rows = [{"job_id": 1, "status": 2**64}, {"job_id": 2, "status": 8}, {"job_id": 2**64, "status": 8}]
        server.answer(Reply(200, {"jobs": rows, "job_total_count": 10**40}))
        assert client.visualization_jobs.list_statuses(per_page=100, page=1).statuses == {"2": 8}
        page = client.visualization_jobs.list_page()
        assert ([job.job_id for job in page.jobs], page.job_total_count) == (["2"], None)

    @pytest.mark.parametrize("value", ["31536000000", "9" * 300, "Fri, 31 Dec 9999 23:59:59 GMT"])
    def test_retry_after_has_a_bound(self, value: str) -> None:
        seconds = retry_after_seconds(value)
        assert seconds is not None
        assert 60 < seconds <= 24 * 3600

    @AIRFLOWS_OWN_WIRE
    def test_every_number_of_a_job_passes_airflows_own_wire(
        self, server: ScriptedServer, client: ModelArtsClient
    ) -> None:
        from airflow.sdk.execution_time import comms

        largest = 2**63 - 1
        for number in (largest, -largest, 2**64, -(2**64), 10**300):
            fields = {"create_time": number, "duration": number, "remaining_duration": number}
            server.answer(Reply(200, {"job_id": 10, "status": 8, **fields}))
            job = client.visualization_jobs.get(10)
            xcom = comms.SetXCom(key="k", value=job.summary(), dag_id="d", run_id="r", task_id="t", map_index=-1)
            frame = comms.CommsDecoder._make_frame(_counter(), xcom).as_bytes()
            assert str(job.job_id).encode() in frame


def _counter() -> Any:
    """Return what Airflow numbers its frames by."""
    return SimpleNamespace(id_counter=itertools.count())


class TestRedirects:
    @pytest.mark.parametrize("location", ["/\xff\xfe", "http://[::1", "http://a:b:c/", "//", "https://" + "a" * 30_000])
    def test_a_location_that_cannot_be_read_is_a_refusal_as_any_other(
        self, server: ScriptedServer, client: ModelArtsClient, location: str
    ) -> None:
        server.answer(Reply(302, b"", {"Location": location}))
        error = failing_get(client)
        assert type(error) is errors.ModelArtsBadRequestError
        assert (error.retryable, len(server.received)) == (False, 1)
        assert len(str(error)) < 1000

    def test_a_redirect_with_a_bomb_is_not_unpacked(self, server: ScriptedServer, client: ModelArtsClient) -> None:
        bomb = gzip.compress(b"\0" * (100 * 2**20), 1)
        server.answer(Reply(302, bomb, {"Location": "https://elsewhere.example/", "Content-Encoding": "gzip"}))
        tracemalloc.start()
        try:
            error = failing_get(client)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert "longer than" in str(error)
        assert peak < 60 * 2**20

    def test_cookies_are_not_kept(self, server: ScriptedServer, client: ModelArtsClient) -> None:
        server.answer(Reply(503, b"", {"Set-Cookie": "tracked=1; Path=/"}))
        failing_get(client)
        assert not any("Cookie" in request.headers for request in server.received)


class TestTexts:
    @pytest.mark.parametrize(
        "body",
        [
            {"error_code": "ModelArts.0104" + FORGED + "x" * 10**6, "error_message": FORGED + "y" * 6 * 2**20},
            {"error_code": "x", "error_msg": [FORGED] * 10**4},
            {"error": {"message": FORGED + "z" * 10**6}},
            ("<b>" + FORGED + "</b>" + "w" * 10**6).encode(),
        ],
        ids=["ModelArts", "a list", "Keystone", "a page"],
    )
    @pytest.mark.parametrize("status", [200, 400])
    def test_they_are_short_and_printable(
        self, server: ScriptedServer, client: ModelArtsClient, body: bytes | dict[str, Any], status: int
    ) -> None:
        server.answer(Reply(status, body, {"X-Request-Id": "r" * 5000}))
        error = failing_get(client)
        texts = [str(error), error.error_code or "", error.error_message or "", error.request_id or ""]
        assert all(text.isprintable() for text in texts), texts
        assert all(len(text) < 2500 for text in texts)
        assert "forged" in texts[0]

    def test_a_field_that_cannot_be_read_is_not_repeated_at_length(
        self, server: ScriptedServer, client: ModelArtsClient
    ) -> None:
        server.answer(Reply(200, {"job_id": 10, "status": "x" * 5 * 2**20}))
        error = failing_get(client)
        assert "status" in str(error)
        assert len(str(error)) < 1500


class TestTime:
    """Reading takes time that grows with the text, and no faster."""

    @pytest.mark.parametrize(
        "part",
        ["<", "<a", "authorization", "authorization: ", "x-auth-token" + " " * 50, "signature=", "signature=|", "%20",
         "authorization:basic" + "+" * 50 + "|", "authorization" + "%22" * 30, "&quot;", "\x1b]", "\x1b[", "\\"],
    )  # fmt: skip
    def test_of_an_excerpt(self, part: str) -> None:
        def seconds(length: int) -> float:
            text = (part * (length // len(part) + 1))[:length]
            best = float("inf")
            for _ in range(3):
                began = time.thread_time()
                excerpt(text, ("SKSKSKSKSK",), 300)
                best = min(best, time.thread_time() - began)
            return best

        assert seconds(64 * 1024) < 20 * seconds(8 * 1024) + 0.05

    @pytest.mark.parametrize("date", ["," * 60_000, "(" * 60_000, "Mon " * 15_000, "1:" * 30_000, "9" * 60_000])
    def test_of_a_date(self, server: ScriptedServer, client: ModelArtsClient, date: str) -> None:
        server.answer(Reply(401, {"error_code": "APIGW.0301"}, {"Date": date, "Retry-After": date}))
        began = time.process_time()
        failing_get(client)
        assert time.process_time() - began < 1


class TestExcerpt:
    def test_a_secret_that_the_limit_would_cut_is_left_out_whole(self) -> None:
        secret = "SECRET" * 10
        for before in range(64 * 1024 - 70, 64 * 1024 + 5):
            shown = excerpt(" " * before + secret + " end" * 10, (secret,), 300)
            assert "SECRET" not in shown

    def test_a_secret_that_control_characters_divide_is_not_put_together(self) -> None:
        assert "SECRETKEY" not in excerpt("SECRET\x1b[0mKEY", ("SECRETKEY",), 300)

    def test_a_secret_with_an_invisible_character_is_found(self) -> None:
        assert excerpt("it is SEC\u200bRET!", ("SEC\u200bRET",), 300) == "it is ***!"

    def test_redacting_keeps_the_rest(self) -> None:
        assert redact("a SECRET b", ("SECRET",)) == "a *** b"


@AIRFLOWS_OWN_WIRE
def test_events_and_deferrals_of_a_hostile_server_pass_airflows_own_wire(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.jobs import triggerer_job_runner as runner
    from airflow.sdk.execution_time import comms
    from airflow.sdk.serde import serialize

    from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger

    number = 2**64
    job = {"job_id": 1, "status": 8, "create_time": number, "duration": number, "remaining_duration": number,
           "job_name": FORGED, "job_desc": "x" * 2**20, "service_url": "https://a/" + "y" * 2**20,
           "schedule": [{"duration": number}]}  # fmt: skip
    replies = {
        "arrived": Reply(200, job),
        "state_unknown": Reply(200, {**job, "status": number}),
        "cannot_arrive": Reply(200, {**job, "status": 11}),
        "timeout": Reply(200, {**job, "status": 2**63 - 1}),
    }
    connection = {"conn_type": "modelarts", "login": "AK", "password": "SKSKSKSK", "host": server.url}
    monkeypatch.setenv(
        "AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps({**connection, "extra": {"project_id": "p", "proxies": {}}})
    )
    monkeypatch.setattr(HasClock, "clock", ImpatientClock())

    async def event_of(trigger: ModelArtsVisualizationJobTrigger) -> Any:
        async for event in trigger.run():
            return event
        raise AssertionError("no event")

    for outcome, reply in replies.items():
        server.answer(reply)
        trigger = ModelArtsVisualizationJobTrigger(
            job_id=1, poke_interval=1, timeout=1.5 if outcome == "timeout" else 60
        )
        event = asyncio.run(event_of(trigger))
        assert event.payload["outcome"] == outcome
        entry = runner.TriggerEventEntry(trigger_id=7, event=event, persist_seq=None)
        changes = runner.messages.TriggerStateChanges(events=[entry])
        frame = runner.TriggerCommsDecoder._make_frame(_counter(), changes).as_bytes()
        assert outcome.encode() in frame
        assert len(frame) < 16 * 1024

        classpath, kwargs = trigger.serialize()
        deferral = comms.DeferTask(
            classpath=classpath,
            trigger_kwargs=serialize({**kwargs, **{name: event.payload[name] for name in ("histories",)}}),
            next_method="execute_complete",
            next_kwargs={},
            state="deferred",
        )
        assert comms.CommsDecoder._make_frame(_counter(), deferral).as_bytes()


def test_the_clock_of_an_answer_is_read(server: ScriptedServer, client: ModelArtsClient) -> None:
    assert client._http.clock_skew.total_seconds() == 0
    server.answer(Reply(200, {"job_id": 10, "status": 8}))
    client.visualization_jobs.get(10)
    assert abs(client._http.clock_skew.total_seconds()) < 5, datetime.now(timezone.utc)
