"""IAM and the credential chain that fail: what is tried again, what is not sent, and what is not used unmasked."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_modelarts.api import errors
from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.config import ModelArtsConfig
from tests.conftest import Reply, ScriptedServer

PROJECT = "0123456789abcdef0123456789abcdef"
TOKEN = Reply(
    201,
    {"token": {"issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2099-01-01T00:00:00.000000Z",
               "project": {"id": PROJECT, "name": "r", "domain": {"id": "d", "name": "a"}}}},
    {"X-Subject-Token": "the-token"},
)  # fmt: skip
JOB = Reply(200, {"job_id": 10, "status": 8})
CHANGES = {
    "create": lambda client: client.visualization_jobs.create(job_name="board", train_url="/bucket/dir/"),
    "update": lambda client: client.visualization_jobs.update(10, job_desc="x"),
    "stop": lambda client: client.visualization_jobs.stop(10),
    "restart": lambda client: client.visualization_jobs.restart(10),
    "delete": lambda client: client.visualization_jobs.delete(10),
}


def client_of(
    server: ScriptedServer, on_secret: Callable[..., Any] = lambda secret: None, **fields: Any
) -> ModelArtsClient:
    config = {"endpoint": server.url, "iam_endpoint": server.url, "region": "r", "project_id": PROJECT, **fields}
    return ModelArtsClient(ModelArtsConfig(**config), on_secret=on_secret, sleep=lambda seconds: None)


def user(server: ScriptedServer, on_secret: Callable[..., Any] = lambda secret: None, **fields: Any) -> ModelArtsClient:
    return client_of(server, on_secret, login="user", password="IamPassword", domain_name="account", **fields)


class TestIam:
    @pytest.mark.parametrize("change", CHANGES)
    @pytest.mark.parametrize(
        "reply",
        [
            Reply(500),
            Reply(503, b"<html>"),
            Reply(201, b"<html>"),
            Reply(201, {}),
            Reply(cut=True),
            Reply(302),
            Reply(201, TOKEN.body),
            Reply(201, TOKEN.body, {"X-Subject-Token": "a b"}),
        ],
        ids=["500", "503", "HTML", "no token", "cut", "redirect", "no header", "a token with a blank"],
    )
    def test_its_failure_changes_nothing(self, server: ScriptedServer, change: str, reply: Reply) -> None:
        server.answer(reply)
        with user(server) as client, pytest.raises(errors.ModelArtsError) as caught:
            CHANGES[change](client)
        assert not caught.value.may_have_happened
        assert (caught.value.method, str(caught.value.url).partition("?")[0]) == (
            "POST",
            f"{server.url}/v3/auth/tokens",
        )
        assert "carried out" not in str(caught.value)
        assert {request.target for request in server.received} == {"/v3/auth/tokens?nocatalog"}

    def test_its_failure_in_looking_for_the_project_changes_nothing(self, server: ScriptedServer) -> None:
        server.answer(Reply(503))
        client = client_of(server, login="AK", password="SKSKSKSK", project_id=None)
        with client, pytest.raises(errors.ModelArtsServerError) as caught:
            client.visualization_jobs.delete(10)
        assert not caught.value.may_have_happened

    def test_a_deletion_of_what_never_was_fails_after_an_outage_of_iam(self, server: ScriptedServer) -> None:
        missing = Reply(404, {"is_success": False, "error_code": "ModelArts.0102", "error_message": "no such job"})
        server.answer(Reply(503), TOKEN, missing)
        with user(server) as client, pytest.raises(errors.ModelArtsNotFoundError):
            client.visualization_jobs.delete(10)

    def test_a_token_that_is_refused_is_renewed_and_the_log_says_why(
        self, server: ScriptedServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        expired = Reply(401, {"error_code": "APIGW.0307", "error_msg": "expired"})
        server.answer(TOKEN, expired, TOKEN, Reply(401), TOKEN, JOB)
        with user(server) as client:
            with pytest.raises(errors.ModelArtsAuthenticationError):
                client.visualization_jobs.get(10)
            assert client.visualization_jobs.get(10).status == 8
        renewals = [record.message for record in caplog.records if "getting a new one" in record.message]
        assert renewals == ["The IAM token was refused (APIGW.0307); getting a new one"]

    def test_a_lost_answer_stays_in_doubt_when_iam_fails_after_it(self, server: ScriptedServer) -> None:
        refused = Reply(401, {"error_code": "APIGW.0307", "error_msg": "expired"})
        server.answer(TOKEN, Reply(503), refused, Reply(503))
        with user(server) as client, pytest.raises(errors.ModelArtsServerError) as caught:
            client.visualization_jobs.stop(10)
        assert caught.value.may_have_happened

    @pytest.mark.parametrize("status", [404, 410])
    def test_a_404_is_advised_on_as_iams(self, server: ScriptedServer, status: int) -> None:
        server.answer(Reply(status, {"error_msg": "not here"}))
        with user(server) as client, pytest.raises(errors.ModelArtsBadRequestError, match="Set iam_endpoint") as caught:
            client.visualization_jobs.get(10)
        assert "visualization-jobs API" not in str(caught.value)

    def test_a_token_that_could_not_be_masked_is_not_used(self, server: ScriptedServer) -> None:
        server.answer(TOKEN, TOKEN, JOB)
        masked: list[str] = []

        def mask(secret: str) -> None:
            masked.append(secret)
            if len(masked) == 1:
                raise RuntimeError("no masker")

        with user(server, mask) as client:
            with pytest.raises(RuntimeError, match="no masker"):
                client.visualization_jobs.get(10)
            assert client.visualization_jobs.get(10).status == 8
        assert masked == ["the-token", "the-token"]
        assert [request.method for request in server.received] == ["POST", "POST", "GET"]

    @pytest.mark.parametrize("project_id", ["../../v1/other", "a b", "x" * 65, "a?b=c", "a\r\nX-Evil: 1"])
    @pytest.mark.parametrize("by", ["token", "list"])
    def test_a_project_id_that_cannot_be_one_goes_into_no_url(
        self, server: ScriptedServer, project_id: str, by: str
    ) -> None:
        if by == "token":
            token = {**TOKEN.body["token"], "project": {**TOKEN.body["token"]["project"], "id": project_id}}
            server.answer(Reply(201, {"token": token}, TOKEN.headers))
            client = user(server, project_id=None)
        else:
            server.answer(Reply(200, {"projects": [{"id": project_id, "name": "r"}]}))
            client = client_of(server, login="AK", password="SKSKSKSK", project_id=None)
        with client, pytest.raises(errors.ModelArtsConfigurationError, match="project_id"):
            client.visualization_jobs.get(10)
        assert len(server.received) == 1


@pytest.mark.parametrize("field", ["login", "security_token"])
@pytest.mark.parametrize("mark", ["\u200b", "\ufeff", "\u00e9", " ", "\u202e"])
def test_a_key_with_a_character_that_no_header_can_hold_is_named(server: ScriptedServer, field: str, mark: str) -> None:
    keys: dict[str, Any] = {"login": "AK", "password": "SKSKSKSK", "security_token": "TOKEN"}
    with pytest.raises(ValueError, match=f"^{field}: ") as caught:
        client_of(server, **{**keys, field: f"{keys[field]}{mark}X"})
    assert mark not in str(caught.value).partition(":")[2] or mark == " "


def test_an_iam_user_may_have_any_name(server: ScriptedServer) -> None:
    server.answer(TOKEN, JOB)
    with client_of(server, login="us\u00e9r name", password="p\u00e4ss wort", domain_name="acc") as client:
        assert client.visualization_jobs.get(10).status == 8
    sent = json.loads(server.received[0].body)["auth"]["identity"]["password"]["user"]
    assert (sent["name"], sent["password"]) == ("us\u00e9r name", "p\u00e4ss wort")


class TestChain:
    CREDENTIAL = Reply(
        200,
        {"credential": {"access": "AK", "secret": "SKSKSKSKSK", "securitytoken": "TEMPORARY",
                        "expires_at": "2099-01-08T03:50:07.574000Z"}},
    )  # fmt: skip

    @pytest.fixture
    def metadata(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedServer]:
        """The metadata service of an ECS instance; no test may call the real one."""
        from huaweicloudsdkcore.auth import internal

        accessor = getattr(internal, "MetadataAccessor", None)
        if not hasattr(accessor, "_METADATA_ENDPOINT"):
            pytest.skip("this SDK's metadata address cannot be changed")
        monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        for name in ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"):
            monkeypatch.delenv(name, raising=False)
        service = ScriptedServer()
        monkeypatch.setattr(accessor, "_METADATA_ENDPOINT", service.url)
        yield service
        service.close()

    @pytest.mark.parametrize(
        "hiccup",
        [Reply(200, b"<html>sign in</html>"), Reply(503), Reply(500, b"x"), Reply(429), Reply(200, {}), Reply(200, []),
         Reply(200, {"credential": {"access": "AK"}}), Reply(200, {"credential": 5}),
         Reply(200, {"credential": {**CREDENTIAL.body["credential"], "expires_at": "soon"}})],
        ids=["HTML", "503", "500", "429", "{}", "[]", "half", "a number", "no date"],
    )  # fmt: skip
    def test_a_hiccup_at_first_contact_is_tried_again(
        self, server: ScriptedServer, metadata: ScriptedServer, hiccup: Reply
    ) -> None:
        server.answer(JOB)
        metadata.answer(Reply(404), hiccup, Reply(404), self.CREDENTIAL)
        with client_of(server) as client:
            assert client.visualization_jobs.get(10).status == 8
        assert server.received[0].headers["X-Security-Token"] == "TEMPORARY"

    @pytest.mark.parametrize("hiccup", [Reply(200, b"<html>"), Reply(503), Reply(200, {})], ids=["HTML", "503", "{}"])
    def test_a_hiccup_at_a_renewal_is_tried_again(
        self, server: ScriptedServer, metadata: ScriptedServer, hiccup: Reply
    ) -> None:
        server.answer(JOB)
        about_to_expire = {**self.CREDENTIAL.body["credential"], "expires_at": "2020-01-08T03:50:07.574000Z"}
        metadata.answer(Reply(404), Reply(200, {"credential": about_to_expire}), hiccup, self.CREDENTIAL)
        with client_of(server) as client:
            assert client.visualization_jobs.get(10).status == 8

    def test_what_stays_wrong_is_retryable_and_its_traceback_is_logged_once(
        self, server: ScriptedServer, metadata: ScriptedServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        metadata.answer(Reply(200, b"<html>sign in\x1b[31m</html>"))
        with client_of(server) as client, pytest.raises(errors.ModelArtsConnectionError) as caught:
            client.visualization_jobs.stop(10)
        assert (caught.value.retryable, caught.value.may_have_happened, caught.value.part) == (
            True,
            False,
            "credentials",
        )
        assert server.received == []
        assert len([record for record in caplog.records if record.exc_info]) == 1

    def test_none_at_all_is_told_at_once(self, server: ScriptedServer, metadata: ScriptedServer) -> None:
        metadata.answer(Reply(404, b"nothing\n" * 10_000))
        with (
            client_of(server) as client,
            pytest.raises(errors.ModelArtsAuthenticationError, match="has no login") as caught,
        ):
            client.visualization_jobs.get(10)
        assert len(metadata.received) <= 4
        assert len(str(caught.value)) < 3000
        assert str(caught.value).isprintable()

    def test_a_key_that_cannot_be_sent_is_named_also_when_it_is_renewed(
        self, server: ScriptedServer, metadata: ScriptedServer
    ) -> None:
        bad = {**self.CREDENTIAL.body["credential"], "securitytoken": "TOPSECRET\u200b"}
        metadata.answer(Reply(404), Reply(200, {"credential": bad}))
        with client_of(server) as client, pytest.raises(errors.ModelArtsAuthenticationError) as caught:
            client.visualization_jobs.get(10)
        assert "security_token" in str(caught.value)
        assert "TOPSECRET" not in str(caught.value)

    def test_keys_that_could_not_be_masked_are_not_used(self, server: ScriptedServer, metadata: ScriptedServer) -> None:
        server.answer(JOB)
        metadata.answer(Reply(404), self.CREDENTIAL)
        attempts = itertools.count()

        def mask(secret: str) -> None:
            if next(attempts) == 0:
                raise RuntimeError("no masker")

        with client_of(server, mask) as client:
            with pytest.raises(RuntimeError, match="no masker"):
                client.visualization_jobs.get(10)
            assert server.received == []
            assert client.visualization_jobs.get(10).status == 8
        assert next(attempts) == 3
