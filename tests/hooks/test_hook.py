"""The hook: connections in every form, one session, what "Test connection" says, secrets."""

from __future__ import annotations

import base64
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from airflow_provider_modelarts.api.config import ModelArtsConfig
from tests.conftest import ScriptedServer

try:
    from airflow.sdk.definitions.connection import Connection
except ImportError:
    from airflow.models.connection import Connection  # type: ignore[assignment]

from airflow_provider_modelarts.api.clock import HasClock
from airflow_provider_modelarts.api.errors import (
    ModelArtsBadRequestError,
    ModelArtsMalformedResponseError,
    ModelArtsNotFoundError,
)
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus
from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.hooks import modelarts
from airflow_provider_modelarts.hooks.connection import config_from_connection
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.waiting.wait import JobCannotArriveError, WaitTimeoutError
from tests.conftest import Reply
from tests.simulated_clock import ImpatientClock, SimulatedClock


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(time_scale=0) as running:
        yield running


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client try again at once."""
    monkeypatch.setattr(HasClock, "clock", ImpatientClock())


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> Callable[..., Any]:
    """Set the connection: the emulator's, with what a test changes."""

    def set_connection(
        auth: Literal["aksk", "password"] = "aksk", extra: dict[str, Any] | None = None, **fields: Any
    ) -> None:
        connection = {**emulator.connection(auth), **fields}
        connection["extra"] = {**connection["extra"], **(extra or {})}
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(connection))

    set_connection()
    return set_connection


@pytest.fixture
def config_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return the configuration of a connection that is given as a URI or by its fields."""

    def through_airflow(given: dict[str, Any] | str) -> ModelArtsConfig | None:
        monkeypatch.setenv("AIRFLOW_CONN_FORM", given if isinstance(given, str) else json.dumps(given))
        connection = ModelArtsHook.get_connection("form")
        return config_from_connection(connection, extra=connection.extra_dejson)

    return through_airflow


EVERYTHING = {
    "region": "eu-de",
    "project_id": "0123456789abcdef0123456789abcdef",
    "domain_name": "account",
    "iam_endpoint": "https://iam.example.com",
    "workspace_id": "w1",
    "console_url": "https://console.example.com/modelarts/",
    "verify": "/etc/ssl/site.pem",
    "proxies": {"https": "http://proxy:3128"},
    "connect_timeout": 3,
    "read_timeout": 12.5,
}


class TestConnectionForms:
    def check(self, config: ModelArtsConfig) -> None:
        assert config.endpoint == "https://modelarts.example.com:8443"
        assert (config.login, config.password) == ("user", "pass/word@1")
        for name, value in EVERYTHING.items():
            assert getattr(config, name) == value

    def test_json(self, config_of: Callable[..., Any]) -> None:
        self.check(
            config_of(
                {
                    "conn_type": "modelarts",
                    "login": "user",
                    "password": "pass/word@1",
                    "host": "https://modelarts.example.com:8443",
                    "extra": json.dumps(EVERYTHING),
                }
            )
        )

    def test_uri(self, config_of: Callable[..., Any]) -> None:
        self.check(
            config_of(
                "modelarts://user:pass%2Fword%401@modelarts.example.com:8443/?region=eu-de"
                "&project_id=0123456789abcdef0123456789abcdef&domain_name=account"
                "&iam_endpoint=https%3A%2F%2Fiam.example.com&workspace_id=w1&console_url=https%3A%2F%2Fconsole.example.com%2Fmodelarts%2F&verify=%2Fetc%2Fssl%2Fsite.pem"
                "&proxies=%7B%22https%22%3A%22http%3A%2F%2Fproxy%3A3128%22%7D&connect_timeout=3&read_timeout=12.5"
            )
        )

    def test_ui_form(self, config_of: Callable[..., Any]) -> None:
        """The form sends text, numbers for numbers, and empty strings or null for what is left empty."""
        extra = {**EVERYTHING, "proxies": json.dumps(EVERYTHING["proxies"]), "security_token": ""}
        self.check(
            config_of(
                {
                    "conn_type": "modelarts",
                    "login": "user",
                    "password": "pass/word@1",
                    "host": "modelarts.example.com",
                    "port": 8443,
                    "schema": "",
                    "extra": json.dumps(extra),
                }
            )
        )

    def test_http_in_a_uri(self, config_of: Callable[..., Any]) -> None:
        config = config_of("modelarts://http://AK:SK@127.0.0.1:8765/?project_id=p")
        assert config.endpoint == "http://127.0.0.1:8765"

    def test_the_uri_that_airflow_makes_of_a_connection(self, config_of: Callable[..., Any]) -> None:
        connection = Connection(
            conn_id="c",
            conn_type="modelarts",
            login="AK",
            password="S/K",
            host="http://127.0.0.1:8765",
            extra=json.dumps({"region": "cn-north-4", "verify": False}),
        )
        config = config_of(connection.get_uri())
        assert (config.endpoint, config.region, config.verify) == ("http://127.0.0.1:8765", "cn-north-4", False)

    def test_the_huawei_providers_connection(
        self, config_of: Callable[..., Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        extra = {"region": "cn-north-4", "project_id": "p", "obs_bucket": "b", "enterprise_project_id": "0"}
        config = config_of({"conn_type": "huaweicloud", "login": "AK", "password": "SK", "extra": json.dumps(extra)})
        assert config.endpoint == "https://modelarts.cn-north-4.myhuaweicloud.com"
        assert (config.login, config.password, config.project_id) == ("AK", "SK", "p")
        assert config.ignored == ()
        assert "Ignored fields" not in caplog.text

    def test_an_unknown_field_is_named_in_a_warning(
        self, config_of: Callable[..., Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        extra = {"region": "eu-de", "projectid": "VALUE", "empty": ""}
        config = config_of({"conn_type": "modelarts", "schema": "http", "extra": json.dumps(extra)})
        assert config.ignored == ("schema (write http:// or https:// in front of host)", "projectid")
        assert "Connection form: Ignored fields of the connection: schema " in caplog.text
        assert "projectid" in caplog.text
        assert "VALUE" not in caplog.text

    def test_the_first_error_names_an_unknown_field(self, config_of: Callable[..., Any]) -> None:
        with pytest.raises(ValueError, match=r"region: needed .*\. Ignored fields of the connection: regoin"):
            config_of({"conn_type": "modelarts", "extra": json.dumps({"regoin": "eu-de"})})

    def test_the_names_of_unknown_fields_are_few_and_printable(self, config_of: Callable[..., Any]) -> None:
        extra = {"region": "eu-de"} | {f"{number}\n\x1b[31m{'x' * 1000}": "x" for number in range(10, 40)}
        ignored = config_of({"conn_type": "modelarts", "extra": json.dumps(extra)}).ignored
        assert len(ignored) == 10
        assert all(name.isprintable() and len(name) <= 64 for name in ignored)

    def test_white_space_around_ak_and_sk_and_host_does_not_count(self, config_of: Callable[..., Any]) -> None:
        config = config_of(
            {
                "conn_type": "modelarts",
                "login": " AK ",
                "password": "SK\n",
                "host": " modelarts.example.com\n",
                "extra": json.dumps({"region": "eu-de\n", "security_token": " token "}),
            }
        )
        assert (config.login, config.password, config.security_token) == ("AK", "SK", "token")
        assert (config.endpoint, config.region) == ("https://modelarts.example.com", "eu-de")

    def test_white_space_around_a_users_password_counts(self, config_of: Callable[..., Any]) -> None:
        extra = json.dumps({"region": "eu-de", "domain_name": "account"})
        config = config_of({"conn_type": "modelarts", "login": "user", "password": " pass ", "extra": extra})
        assert config.password == " pass "

    def test_a_number_in_the_extra_counts_as_its_text(self, config_of: Callable[..., Any]) -> None:
        config = config_of({"conn_type": "modelarts", "extra": json.dumps({"region": "eu-de", "project_id": 5})})
        assert config.project_id == "5"

    @pytest.mark.parametrize(
        ("written", "meant"),
        [(True, True), (False, False), ("true", True), ("False", False), ("0", False), ("/ca.pem", "/ca.pem")],
    )
    def test_verify(self, config_of: Callable[..., Any], written: bool | str, meant: bool | str) -> None:
        extra = {"region": "eu-de", "verify": written}
        assert config_of({"conn_type": "modelarts", "extra": json.dumps(extra)}).verify == meant

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("connect_timeout", "soon"),
            ("read_timeout", {}),
            ("proxies", "http://proxy"),
            ("proxies", {"https": 1}),
            ("project_id", 5.5),
            ("region", ["eu-de"]),
        ],
    )
    def test_refusals_name_the_field(self, config_of: Callable[..., Any], field: str, value: Any) -> None:
        extra = {"region": "eu-de", field: value}
        with pytest.raises(ValueError, match=field):
            config_of({"conn_type": "modelarts", "extra": json.dumps(extra)})


class TestTheHook:
    def test_it_does_nothing_until_it_is_used(self) -> None:
        ModelArtsHook("no_such_connection").close()

    def test_arguments_win_over_the_connection(self, connect: Callable[..., Any], emulator: Emulator) -> None:
        emulator.project_id = "f" * 32
        job_id = emulator.create_job(status=8)
        with ModelArtsHook(project_id="f" * 32) as hook:
            assert hook.get_visualization_job(job_id).status is JobStatus.RUNNING

    def test_arguments_may_be_numbers(
        self, connect: Callable[..., Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As a template of digits is where a DAG renders natively."""
        monkeypatch.setenv("AIRFLOW_CONN_2024", os.environ["AIRFLOW_CONN_MODELARTS_DEFAULT"])
        emulator.project_id = "1" * 32
        job_id = emulator.create_job(status=8)
        numbers: dict[str, Any] = {"modelarts_conn_id": 2024, "project_id": int("1" * 32)}
        with ModelArtsHook(**numbers) as hook:
            assert hook.get_visualization_job(job_id).status is JobStatus.RUNNING

    def test_the_first_error_of_a_request_names_an_unknown_field(
        self, connect: Callable[..., Any], emulator: Emulator
    ) -> None:
        connect(extra={"projectid": "x"})
        with ModelArtsHook() as hook:
            for named in (True, False):
                with pytest.raises(ModelArtsNotFoundError) as error:
                    hook.get_visualization_job(1)
                assert ("Ignored fields of the connection: projectid" in str(error.value)) is named

    def test_the_error_of_a_missing_project_names_an_unknown_field(self, connect: Callable[..., Any]) -> None:
        connect(extra={"projectid": "x", "project_id": "", "region": "eu-de"})
        with ModelArtsHook() as hook, pytest.raises(ValueError, match=r"project_id: needed.*projectid"):
            hook.get_visualization_job(1)

    def test_an_error_in_the_connection_names_the_connection(self, connect: Callable[..., Any]) -> None:
        connect(host="ftp://example.com")
        with pytest.raises(ValueError, match="Connection modelarts_default: host"):
            ModelArtsHook().get_conn()

    @pytest.mark.parametrize("auth", ["aksk", "password"])
    def test_the_whole_life_of_a_job(self, connect: Callable[..., Any], emulator: Emulator, auth: str) -> None:
        connect(auth)
        with ModelArtsHook() as hook:
            job = hook.create_visualization_job(
                job_name="board", train_url="obs://bucket/dir/", job_desc="mine", schedule={"duration": 2}
            )
            assert (job.job_name, job.status) == ("board", JobStatus.INIT)
            emulator.advance(60)
            assert hook.get_visualization_job(job.job_id).status is JobStatus.RUNNING
            hook.update_visualization_job(job.job_id, job_desc="描述 é")
            assert [found.job_desc for found in hook.list_visualization_jobs(search_content="board")] == ["描述 é"]
            hook.stop_visualization_job(job.job_id)
            emulator.advance(60)
            assert hook.get_visualization_job(job.job_id).status is JobStatus.KILLED
            hook.restart_visualization_job(job.job_id)
            emulator.advance(60)
            assert hook.get_visualization_job(job.job_id).status is JobStatus.RUNNING
            hook.delete_visualization_job(job.job_id)
            emulator.advance(60)
            with pytest.raises(ModelArtsNotFoundError):
                hook.get_visualization_job(job.job_id)
        assert emulator.request_counts().get("token", 0) == (1 if auth == "password" else 0)

    def test_all_pages_are_listed(self, connect: Callable[..., Any], emulator: Emulator) -> None:
        for number in range(25):
            emulator.create_job(job_name=f"board-{number}", status=8)
        with ModelArtsHook() as hook:
            jobs = list(hook.list_visualization_jobs(per_page=10, status="RUNNING", sort_by="job_id", order="desc"))
        assert [job.job_name for job in jobs] == [f"board-{number}" for number in range(24, -1, -1)]
        assert emulator.request_counts() == {"list": 3}

    def test_a_closed_hook_can_be_used_again(self, connect: Callable[..., Any], emulator: Emulator) -> None:
        job_id = emulator.create_job(status=8)
        hook = ModelArtsHook()
        for _ in range(2):
            with hook:
                hook.get_visualization_job(job_id)
            assert hook.client_owner._client is None


class TestTokens:
    @pytest.fixture
    def hook(self, connect: Callable[..., Any]) -> Iterator[ModelArtsHook]:
        connect("password")
        with ModelArtsHook() as made:
            yield made

    def test_a_token_is_kept(self, hook: ModelArtsHook, emulator: Emulator) -> None:
        job_id = emulator.create_job(status=8)
        for _ in range(5):
            hook.get_visualization_job(job_id)
        assert emulator.request_counts() == {"token": 1, "get": 5}

    def test_a_token_that_is_refused_is_renewed_once(self, hook: ModelArtsHook, emulator: Emulator) -> None:
        job_id = emulator.create_job(status=8)
        hook.get_visualization_job(job_id)
        emulator.expire_tokens()
        assert hook.get_visualization_job(job_id).status is JobStatus.RUNNING
        assert emulator.request_counts() == {"token": 2, "get": 3}

    def test_many_at_once_renew_it_once(self, hook: ModelArtsHook, emulator: Emulator) -> None:
        job_ids = [emulator.create_job(status=8) for _ in range(16)]
        client = hook.get_conn()
        client.visualization_jobs.get(job_ids[0])
        for _ in range(5):
            emulator.expire_tokens()
            emulator.clear_requests()
            with ThreadPoolExecutor(8) as pool:
                seen = list(pool.map(client.visualization_jobs.get, job_ids))
            assert {job.status for job in seen} == {JobStatus.RUNNING}
            assert emulator.request_counts()["token"] == 1

    def test_renewal_does_not_loop(self, hook: ModelArtsHook, emulator: Emulator) -> None:
        emulator.inject(Fault(kind="status", status=401, operation="get"))
        with pytest.raises(Exception, match="401"):
            hook.get_visualization_job(1)
        assert emulator.request_counts() == {"token": 2, "get": 2}

    @pytest.mark.parametrize(("hours_left", "tokens"), [(24.0, 1), (1.1, 1), (0.9, 3)])
    def test_a_token_is_renewed_an_hour_before_it_expires(
        self, hook: ModelArtsHook, emulator: Emulator, hours_left: float, tokens: int
    ) -> None:
        emulator.clock_offset = (hours_left - 24) * 3600
        job_id = emulator.create_job(status=8)
        for _ in range(3):
            hook.get_visualization_job(job_id)
        assert emulator.request_counts() == {"token": tokens, "get": 3}

    def test_a_short_token_is_kept_for_most_of_its_life(self, hook: ModelArtsHook, emulator: Emulator) -> None:
        emulator.token_lifetime = 300.0
        job_id = emulator.create_job(status=8)
        for _ in range(3):
            hook.get_visualization_job(job_id)
        assert emulator.request_counts() == {"token": 1, "get": 3}

    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            ({}, '{"token": {}}'),
            ({"X-Subject-Token": "new"}, '{"token": {"expires_at": "soon", "issued_at": 5}}'),
            ({"X-Subject-Token": "new"}, '{"token": {"expires_at": [], "issued_at": {}}}'),
            ({"X-Subject-Token": "new"}, '{"token": 5}'),
            ({"X-Subject-Token": "new"}, "[]"),
        ],
    )
    def test_an_answer_that_is_no_token(
        self, hook: ModelArtsHook, emulator: Emulator, headers: dict[str, str], body: str
    ) -> None:
        emulator.inject(Fault(kind="status", status=201, operation="token", headers=headers, body=body))
        with pytest.raises(ModelArtsMalformedResponseError):
            hook.get_visualization_job(emulator.create_job(status=8))

    def test_a_redirect_of_the_token_is_not_followed(self, hook: ModelArtsHook, emulator: Emulator) -> None:
        location = {"Location": "https://elsewhere.example.com/"}
        emulator.inject(Fault(kind="status", status=302, operation="token", headers=location, body=""))
        with pytest.raises(ModelArtsBadRequestError, match="where credentials are not sent"):
            hook.get_visualization_job(emulator.create_job(status=8))

    def test_the_project_comes_from_the_token(self, connect: Callable[..., Any], emulator: Emulator) -> None:
        connect("password", extra={"project_id": ""})
        with ModelArtsHook() as hook:
            assert hook.get_conn().project_id == emulator.project_id
        assert emulator.request_counts() == {"token": 1}


class TestWait:
    def test_it_returns_the_job(self, connect: Callable[..., Any], emulator: Emulator) -> None:
        job_id = emulator.create_job(script="7:0,8:0", job_name="board")
        with ModelArtsHook() as hook:
            job = hook.wait_for_visualization_job(job_id, poke_interval=0.01)
            assert job is not None
            assert job.job_name == "board"

    def test_lengths_of_time_as_timedelta(self, connect: Callable[..., Any], emulator: Emulator) -> None:
        """An outage, so that the tolerance is needed, too."""
        job_id = emulator.create_job(status=7)
        emulator.inject(Fault(kind="status", status=503, retry_after=61, after=1))
        with ModelArtsHook() as hook, pytest.raises(WaitTimeoutError, match="Timed out after 0 s"):
            hook.wait_for_visualization_job(
                job_id,
                poke_interval=timedelta(milliseconds=10),
                timeout=timedelta(milliseconds=200),
                poll_failure_tolerance=timedelta(minutes=10),
            )

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("poke_interval", 0),
            ("poke_interval", timedelta(0)),
            ("poke_interval", "60"),
            ("timeout", "60"),
            ("timeout", -1),
            ("poll_failure_tolerance", "600"),
            ("poll_failure_tolerance", None),
        ],
    )
    def test_lengths_of_time_that_are_invalid(
        self, connect: Callable[..., Any], emulator: Emulator, field: str, value: Any
    ) -> None:
        with ModelArtsHook() as hook, pytest.raises(ValueError, match=f"^{field}: .* is not a number of seconds"):
            hook.wait_for_visualization_job(1, **{field: value})
        assert emulator.request_counts() == {}

    def test_a_job_that_cannot_arrive(self, connect: Callable[..., Any], emulator: Emulator) -> None:
        with ModelArtsHook() as hook, pytest.raises(JobCannotArriveError):
            hook.wait_for_visualization_job(emulator.create_job(status=11), "RUNNING", poke_interval=0.01)

    def test_time_is_up(self, connect: Callable[..., Any], emulator: Emulator) -> None:
        with (
            ModelArtsHook() as hook,
            pytest.raises(
                WaitTimeoutError, match=r"Timed out after 0 s .* to become RUNNING \(8\); last seen: WAITING \(7\)"
            ),
        ):
            hook.wait_for_visualization_job(emulator.create_job(status=7), poke_interval=0.01, timeout=0.05)

    def test_it_polls_at_its_interval_until_its_timeout(self, connect: Callable[..., Any], emulator: Emulator) -> None:
        clock = SimulatedClock(emulator)
        job_id = emulator.create_job(status=7)
        with ModelArtsHook() as hook:
            hook.clock = clock
            with pytest.raises(WaitTimeoutError):
                hook.wait_for_visualization_job(job_id, poke_interval=20, timeout=60)
            assert clock.now == 60
            assert emulator.request_counts() == {"get": 4}
            with pytest.raises(WaitTimeoutError):
                hook.wait_for_visualization_job(job_id, poke_interval=24 * 3600)
            assert clock.now == 60 + 7 * 24 * 3600

    def test_it_ends_at_what_the_call_says_is_a_failure(self, connect: Callable[..., Any], emulator: Emulator) -> None:
        job_id = emulator.create_job(status=7)
        with ModelArtsHook() as hook, pytest.raises(JobCannotArriveError, match="is WAITING"):
            hook.wait_for_visualization_job(job_id, failure_statuses="WAITING")

    def test_a_secret_that_changes_does_not_end_it(self, connect: Callable[..., Any], emulator: Emulator) -> None:
        job_id = emulator.create_job(status=7)

        def rotate() -> None:
            emulator.ak, emulator.sk = "ANOTHERAK00000000000", "AnotherSecretKey"
            connect()
            emulator.set_status(job_id, 8)

        clock = SimulatedClock()
        clock.at(60, rotate)
        with ModelArtsHook() as hook:
            hook.clock = clock
            before = hook.get_conn()
            job = hook.wait_for_visualization_job(job_id)
            assert hook.get_conn() is not before
        assert job is not None
        assert job.status == 8

    def test_a_deletion(self, connect: Callable[..., Any], emulator: Emulator) -> None:
        with ModelArtsHook() as hook:
            assert hook.wait_for_visualization_job(99, "GONE", poke_interval=0.01) is None


class TestTestConnection:
    @pytest.fixture
    def says(self, connect: Callable[..., Any]) -> Callable[..., Any]:
        def test(**fields: Any) -> tuple[bool, str]:
            connect(**fields)
            with ModelArtsHook() as hook:
                return hook.test_connection()

        return test

    def part(self, result: tuple[bool, str]) -> str:
        works, message = result
        assert works is False
        return message.partition(":")[0]

    def test_it_works(self, says: Callable[..., Any], emulator: Emulator) -> None:
        emulator.create_job()
        answer = f"ModelArts answers; project {emulator.project_id} has 1 visualization job and 0 training jobs"
        assert says() == (True, answer)

    @pytest.mark.parametrize(
        ("options", "says_of_the_jobs"),
        [
            ({"retired": True}, "0 training jobs; there is no API of visualization jobs"),
            ({"training_retired": True}, "0 visualization jobs; there is no API of training jobs"),
            ({"deny": ["list"]}, "0 training jobs; visualization jobs: permission: GET http"),
            ({"deny": ["training.search"]}, "0 visualization jobs; training jobs: permission: POST http"),
        ],
    )
    def test_it_works_if_one_of_the_two_apis_answers(
        self, says: Callable[..., Any], emulator: Emulator, options: dict[str, Any], says_of_the_jobs: str
    ) -> None:
        for name, value in options.items():
            setattr(emulator, name, value)
        works, message = says()
        assert works is True
        assert message.startswith(f"ModelArts answers; project {emulator.project_id} has {says_of_the_jobs}")

    def test_neither_api_answers(self, says: Callable[..., Any], emulator: Emulator) -> None:
        emulator.retired = emulator.training_retired = True
        assert self.part(says()) == "endpoint"
        emulator.training_retired = False
        emulator.deny = ["training.search"]
        assert self.part(says()) == "permission"

    def test_it_works_but_a_field_is_ignored(self, says: Callable[..., Any]) -> None:
        works, message = says(schema="http", extra={"regoin": "eu-de"})
        assert works is True
        assert message.endswith(
            "Ignored fields of the connection: schema (write http:// or https:// in front of host), regoin"
        )

    def test_a_connection_that_is_not_there(self) -> None:
        with ModelArtsHook("no_such_connection") as hook:
            works, message = hook.test_connection()
        assert (works, message.partition(":")[0]) == (False, "configuration")
        assert "no_such_connection" in message

    def test_a_password_that_the_form_does_not_give_back(self, says: Callable[..., Any]) -> None:
        works, message = says(password="")
        assert works is False
        assert "type it again" in message

    @pytest.mark.parametrize("auth", ["aksk", "password"])
    @pytest.mark.parametrize("suffix", ["/v3", "/v3/"])
    def test_an_iam_endpoint_with_its_version(
        self, says: Callable[..., Any], emulator: Emulator, auth: str, suffix: str
    ) -> None:
        works, message = says(auth=auth, extra={"iam_endpoint": emulator.url + suffix, "project_id": ""})
        assert works is True, message

    @pytest.mark.parametrize("auth", ["aksk", "password"])
    def test_an_iam_endpoint_that_is_not_iam(self, says: Callable[..., Any], emulator: Emulator, auth: str) -> None:
        result = says(auth=auth, extra={"iam_endpoint": f"{emulator.url}/nowhere", "project_id": ""})
        assert self.part(result) == "endpoint"
        assert "Set iam_endpoint" in result[1]
        assert "visualization-jobs API" not in result[1]

    def test_an_iam_endpoint_that_answers_html(self, says: Callable[..., Any], server: ScriptedServer) -> None:
        server.answer(Reply(200, b"<html>welcome</html>"))
        result = says(auth="password", extra={"iam_endpoint": server.url})
        assert self.part(result) == "endpoint"
        assert "Set iam_endpoint" in result[1]

    def test_configuration(self, says: Callable[..., Any]) -> None:
        assert self.part(says(extra={"read_timeout": "soon"})) == "configuration"

    def test_dns(self, says: Callable[..., Any]) -> None:
        assert self.part(says(host="http://modelarts.nowhere.invalid")) == "DNS"

    def test_tls(self, says: Callable[..., Any], emulator: Emulator) -> None:
        assert self.part(says(host=emulator.url.replace("http", "https"))) == "TLS"

    def test_proxy(self, says: Callable[..., Any]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            proxies = {"http": f"http://127.0.0.1:{free.getsockname()[1]}"}
            assert self.part(says(extra={"proxies": proxies})) == "proxy"

    def test_connection(self, says: Callable[..., Any]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            assert self.part(says(host=f"http://127.0.0.1:{free.getsockname()[1]}")) == "connection"

    @pytest.mark.parametrize("ahead", [-3600, 3600])
    def test_clock(self, says: Callable[..., Any], emulator: Emulator, ahead: int) -> None:
        emulator.clock_offset = ahead
        _, message = says()
        assert message.startswith("clock: ")
        assert f"60 min {'behind' if ahead > 0 else 'ahead of'} the server's" in message

    @pytest.mark.parametrize("auth", ["aksk", "password"])
    def test_credentials(self, says: Callable[..., Any], auth: str) -> None:
        assert self.part(says(auth=auth, password="wrong")) == "credentials"

    def test_project(self, says: Callable[..., Any]) -> None:
        assert self.part(says(extra={"project_id": "f" * 32})) == "project"

    def test_project_by_region(self, says: Callable[..., Any], emulator: Emulator) -> None:
        works, message = says(extra={"project_id": "", "region": "eu-de"})
        assert (works, message.partition(": ")[0]) == (False, "configuration")
        assert "no project of the name 'eu-de'" in message

    def test_permission(self, says: Callable[..., Any], emulator: Emulator) -> None:
        emulator.deny = ["list", "training.search"]
        result = says()
        assert self.part(result) == "permission"
        assert "modelarts:tensorboard:list" in result[1]


class TestSecrets:
    def test_they_are_masked_and_in_no_log_line(
        self,
        connect: Callable[..., Any],
        emulator: Emulator,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        masked: list[str] = []
        monkeypatch.setattr(modelarts, "mask_secret", masked.append)
        caplog.set_level(logging.DEBUG)
        connect("password")
        job_id = emulator.create_job(status=8)
        with ModelArtsHook() as hook:
            hook.get_visualization_job(job_id)
            emulator.expire_tokens()
            hook.get_visualization_job(job_id)
        tokens = masked[1:]
        assert masked[0] == emulator.password
        assert len(set(tokens)) == 2
        output = capsys.readouterr()
        logged = caplog.text + output.out + output.err
        assert "keystoneauth" in logged or "IAM token" in logged
        for secret in masked:
            assert secret not in logged

    def test_they_are_in_no_repr(self, connect: Callable[..., Any], emulator: Emulator) -> None:
        connect(extra={"security_token": "SECURITYTOKEN"})
        with ModelArtsHook() as hook:
            client = hook.get_conn()
            for thing in (hook, client, client._config, client._http.auth, vars(hook)):
                assert emulator.sk not in repr(thing)
                assert "SECURITYTOKEN" not in repr(thing)


class TestNoSecretInMessages:
    @pytest.mark.parametrize(
        ("fields", "extra", "named"),
        [
            ({}, {"security_token": "TOPSECRET\nWRAPPED"}, "security_token"),
            ({}, {"security_token": ["TOPSECRET"]}, "security_token"),
            ({"password": "TOP\nSECRET"}, {}, "password"),
            ({"password": "TOP\u200bSECRET"}, {}, "password"),
            ({"login": "TOP\u200bSECRET"}, {}, "login"),
            ({}, {"proxies": {"http": "http://user:TOPSECRET@proxy:99999"}}, "proxies"),
            ({}, {"proxies": {"http": "user:TOPSECRET@proxy"}}, "proxies"),
            ({}, {"proxies": {"http": "http://user:TOPSECRET\\x@proxy:3128"}}, "proxies"),
            ({}, {"proxies": {"http": "http://user:TOPSECRET@pro xy:3128"}}, "proxies"),
            ({"host": "http://user:TOPSECRET@ho\u2100st/"}, {}, "host"),
            ({"host": "http://user:TOPSECRET@[host/"}, {}, "host"),
            ({}, {"read_timeout": "inf"}, "read_timeout"),
        ],
    )
    def test_bad_fields_are_named_not_shown(
        self, connect: Callable[..., Any], fields: dict[str, str], extra: dict[str, Any], named: str
    ) -> None:
        connect(extra=extra, **fields)
        with ModelArtsHook() as hook:
            works, message = hook.test_connection()
        assert works is False
        assert message.startswith(f"configuration: Connection modelarts_default: {named}: ")
        assert "SECRET" not in message

    def test_a_proxys_password_is_masked_and_not_repeated(
        self, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        masked: list[str] = []
        monkeypatch.setattr(modelarts, "mask_secret", masked.append)
        connect(host="http://modelarts.nowhere.invalid", extra={"proxies": {"http": "http://u:TOPSECRET@127.0.0.1:9"}})
        with ModelArtsHook() as hook:
            works, message = hook.test_connection()
        assert (works, message.partition(":")[0]) == (False, "proxy")
        assert "TOPSECRET" in masked
        assert "TOPSECRET" not in message

    def test_a_proxys_password_is_masked_as_it_is_and_as_it_is_sent(
        self, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        masked: list[str] = []
        monkeypatch.setattr(modelarts, "mask_secret", masked.append)
        connect(extra={"proxies": {"http": "http://us%2Fer:TOP%2FSECRET@127.0.0.1:9"}})
        with ModelArtsHook() as hook:
            hook.get_conn()
        basic = base64.b64encode(b"us/er:TOP/SECRET").decode()
        assert {"TOP%2FSECRET", "TOP/SECRET", basic} <= set(masked)

    def test_a_token_that_cannot_be_sent_back_is_not_shown(
        self, connect: Callable[..., Any], server: ScriptedServer
    ) -> None:
        content = {"issued_at": "2026-01-01T00:00:00Z", "expires_at": "2099-01-01T00:00:00Z"}
        server.answer(Reply(201, {"token": content}, {"X-Subject-Token": "TOPSECRET\r\n folded"}))
        connect("password", extra={"iam_endpoint": server.url})
        with ModelArtsHook() as hook:
            works, message = hook.test_connection()
        assert (works, "cannot be sent" in message) == (False, True)
        assert "TOPSECRET" not in message


class TestCredentialChain:
    @pytest.fixture(autouse=True)
    def no_profile(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(tmp_path / "credentials"))

    @pytest.fixture
    def metadata_at(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
        """Put the metadata service of an ECS instance at another address; no test may call the real one."""
        from huaweicloudsdkcore.auth import internal

        accessor = getattr(internal, "MetadataAccessor", None)
        if not hasattr(accessor, "_METADATA_ENDPOINT"):
            pytest.skip("this SDK's metadata address cannot be changed")
        return lambda url: monkeypatch.setattr(accessor, "_METADATA_ENDPOINT", url)

    def get(self, connect: Callable[..., Any], emulator: Emulator, **extra: Any) -> JobStatus | int:
        connect(login="", password="", extra=extra)
        with ModelArtsHook() as hook:
            return hook.get_visualization_job(emulator.create_job(status=8)).status

    def test_environment(
        self, connect: Callable[..., Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HUAWEICLOUD_SDK_AK", emulator.ak)
        monkeypatch.setenv("HUAWEICLOUD_SDK_SK", emulator.sk)
        monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", emulator.project_id)
        assert self.get(connect, emulator, project_id="") is JobStatus.RUNNING

    def test_the_connections_project_wins(
        self, connect: Callable[..., Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HUAWEICLOUD_SDK_AK", emulator.ak)
        monkeypatch.setenv("HUAWEICLOUD_SDK_SK", emulator.sk)
        monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", "f" * 32)
        assert self.get(connect, emulator) is JobStatus.RUNNING

    def test_profile_file(self, connect: Callable[..., Any], emulator: Emulator, tmp_path: Path) -> None:
        (tmp_path / "credentials").write_text(f"[basic]\nak = {emulator.ak}\nsk = {emulator.sk}\n")
        assert self.get(connect, emulator) is JobStatus.RUNNING

    @pytest.mark.parametrize("content", ["[basic]\nak = a\nsk TOPSECRET\n", "[basic]\nak = a\nsk = %TOPSECRET\n"])
    def test_a_profile_file_that_cannot_be_read_is_not_shown(
        self, connect: Callable[..., Any], tmp_path: Path, content: str
    ) -> None:
        (tmp_path / "credentials").write_text(content)
        connect(login="", password="")
        with ModelArtsHook() as hook:
            works, message = hook.test_connection()
        assert (works, message.partition(":")[0]) == (False, "credentials")
        assert "profile file" in message
        assert "TOPSECRET" not in message

    def test_a_secret_with_a_line_break_is_not_shown(
        self, connect: Callable[..., Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HUAWEICLOUD_SDK_AK", emulator.ak)
        monkeypatch.setenv("HUAWEICLOUD_SDK_SK", emulator.sk)
        monkeypatch.setenv("HUAWEICLOUD_SDK_SECURITY_TOKEN", "TOPSECRET\n")
        connect(login="", password="")
        with ModelArtsHook() as hook:
            works, message = hook.test_connection()
        assert (works, "security_token of the credential chain contains white space" in message) == (False, True)
        assert "TOPSECRET" not in message

    def test_agency_of_the_instance(
        self,
        connect: Callable[..., Any],
        emulator: Emulator,
        server: ScriptedServer,
        metadata_at: Callable[..., Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        emulator.security_token = "TEMPORARYTOKEN"
        credential = {
            "access": emulator.ak,
            "secret": emulator.sk,
            "securitytoken": "TEMPORARYTOKEN",
            "expires_at": "2099-01-08T03:50:07.574000Z",
        }
        server.answer(Reply(404), Reply(200, {"credential": credential}))
        metadata_at(server.url)
        masked: list[str] = []
        monkeypatch.setattr(modelarts, "mask_secret", masked.append)
        assert self.get(connect, emulator, security_token="") is JobStatus.RUNNING
        assert masked == [emulator.sk, "TEMPORARYTOKEN"]

    def test_none_at_all(
        self, connect: Callable[..., Any], emulator: Emulator, metadata_at: Callable[..., Any]
    ) -> None:
        metadata_at("http://127.0.0.1:9")
        connect(login="", password="")
        with ModelArtsHook() as hook:
            works, message = hook.test_connection()
        assert works is False
        assert message.startswith("credentials: The connection has no login")
        assert "HUAWEICLOUD_SDK_AK" in message

    def test_none_at_all_where_another_cloud_has_a_metadata_service(
        self, connect: Callable[..., Any], server: ScriptedServer, metadata_at: Callable[..., Any]
    ) -> None:
        from tests.conftest import Reply

        server.answer(Reply(404))
        metadata_at(server.url)
        connect(login="", password="")
        with ModelArtsHook() as hook:
            works, message = hook.test_connection()
        assert works is False
        assert message.startswith("credentials: The connection has no login")


def test_the_test_of_a_connection_that_is_not_there_says_so(connect: Callable[..., Any]) -> None:
    works, message = ModelArtsHook("nobody_has_made_this").test_connection()
    assert (works, message.partition(":")[0]) == (False, "configuration")
    assert "nobody_has_made_this" in message


def test_a_secret_that_could_not_be_masked_is_not_used(
    connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(secret: str) -> None:
        raise RuntimeError("no masker")

    with ModelArtsHook() as hook:
        with monkeypatch.context() as patches:
            patches.setattr(modelarts, "mask_secret", broken)
            for get in (hook.get_conn, hook.new_client):
                with pytest.raises(RuntimeError, match="no masker"):
                    get()
        assert hook.get_conn() is hook.get_conn()


class TestRenewal:
    def test_an_unchanged_connection_gives_no_other_client(self, connect: Callable[..., Any]) -> None:
        with ModelArtsHook() as hook:
            client = hook.get_conn()
            assert not hook.client_owner.renew()
            assert hook.get_conn() is client

    def test_a_changed_connection_does(self, connect: Callable[..., Any]) -> None:
        with ModelArtsHook() as hook:
            before = hook.get_conn()
            connect(password="AnotherSecretKey")
            assert hook.client_owner.renew()
            assert hook.get_conn() is not before

    def test_a_broken_connection_leaves_the_client(self, connect: Callable[..., Any]) -> None:
        with ModelArtsHook() as hook:
            client = hook.get_conn()
            connect(password="")
            with pytest.raises(ValueError, match="password: missing, although login is set"):
                hook.client_owner.renew()
            assert hook.get_conn() is client

    def test_what_the_credential_chain_finds_may_have_changed(self, connect: Callable[..., Any]) -> None:
        connect(login="", password="")
        with ModelArtsHook() as hook:
            hook.get_conn()
            assert hook.client_owner.renew()
