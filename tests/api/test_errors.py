"""Every way to fail that the API is known for becomes one exception of the tree, with all that a person needs."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest

from airflow_provider_modelarts.api import errors
from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.responses import retry_after_seconds
from tests.api.samples import DETAIL_FAILURE, DETAIL_FAILURE_2025
from tests.conftest import Reply, ScriptedServer

SECRET_KEY = "SK0123456789abcdefghij0123456789abcdefgh"
SECURITY_TOKEN = "SECURITYTOKEN/0123456789+abcdef=="


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[ModelArtsClient]:
    config = ModelArtsConfig(
        endpoint=server.url,
        region="cn-north-4",
        project_id="0123456789abcdef0123456789abcdef",
        login="AK",
        password=SECRET_KEY,
        security_token=SECURITY_TOKEN,
        read_timeout=5,
    )
    with ModelArtsClient(config, sleep=lambda seconds: None) as made:
        yield made


def failing_get(client: ModelArtsClient) -> errors.ModelArtsError:
    with pytest.raises(errors.ModelArtsError) as caught:
        client.visualization_jobs.get(10)
    return caught.value


def v1(code: str, message: str = "text") -> dict[str, object]:
    return {"is_success": False, "error_code": code, "error_message": message}


def gateway(code: str, message: str = "text") -> dict[str, str]:
    return {"error_msg": message, "error_code": code, "request_id": "a" * 32}


@pytest.mark.parametrize("body", [DETAIL_FAILURE, DETAIL_FAILURE_2025], ids=["2021", "2025"])
@pytest.mark.parametrize("status", [400, 200])
def test_the_failure_sample(server: ScriptedServer, client: ModelArtsClient, body: bytes, status: int) -> None:
    server.answer(Reply(status, body, {"X-Request-Id": "abc-123"}))
    error = failing_get(client)
    assert type(error) is errors.ModelArtsBadRequestError
    assert (error.status_code, error.error_code) == (status, "ModelArts.0104")
    assert error.error_message == "The length of search content should be in [0,100]"
    assert (error.method, error.request_id, error.retryable) == ("GET", "abc-123", False)
    assert error.url is not None
    assert error.url.endswith("/v1/0123456789abcdef0123456789abcdef/visualization-jobs/10")
    for part in (str(status), "ModelArts.0104", str(error.error_message), "abc-123", error.url):
        assert part in str(error)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("status", "body", "expected", "retryable"),
    [
        (404, v1("ModelArts.0102"), errors.ModelArtsNotFoundError, False),
        (400, v1("ModelArts.0102"), errors.ModelArtsNotFoundError, False),
        (400, v1("ModelArts.0102", "The workspace does not exist"), errors.ModelArtsBadRequestError, False),
        (404, v1("ModelArts.0015"), errors.ModelArtsNotFoundError, False),
        (404, v1("ModelArts.9999"), errors.ModelArtsNotFoundError, False),
        (410, v1("ModelArts.9999"), errors.ModelArtsNotFoundError, False),
        (404, {"error_code": "ModelArts.0102"}, errors.ModelArtsNotFoundError, False),
        (404, None, errors.ModelArtsNotFoundError, False),
        (404, b"<html><body>nothing here</body></html>", errors.ModelArtsRetiredError, False),
        (404, {"message": "no Route matched with those values"}, errors.ModelArtsRetiredError, False),
        (404, gateway("APIGW.0101"), errors.ModelArtsRetiredError, False),
        (404, gateway("APIG.0101"), errors.ModelArtsRetiredError, False),
        (400, v1("ModelArts.0103"), errors.ModelArtsNameTakenError, False),
        (400, v1("ModelArts.0105"), errors.ModelArtsConflictError, False),
        (409, {}, errors.ModelArtsConflictError, False),
        (400, v1("ModelArts.0106"), errors.ModelArtsQuotaError, False),
        (403, v1("ModelArts.0112"), errors.ModelArtsPermissionError, False),
        (403, gateway("APIGW.0302"), errors.ModelArtsPermissionError, False),
        (403, b"Forbidden", errors.ModelArtsPermissionError, False),
        (401, gateway("APIGW.0301"), errors.ModelArtsAuthenticationError, False),
        (401, v1("ModelArts.0202"), errors.ModelArtsAuthenticationError, False),
        (403, v1("ModelArts.0210"), errors.ModelArtsAuthenticationError, False),
        (401, b"", errors.ModelArtsAuthenticationError, False),
        (400, {"error_code": "IAM.1108", "error_msg": "expired"}, errors.ModelArtsAuthenticationError, False),
        (429, gateway("APIGW.0308"), errors.ModelArtsThrottledError, True),
        (429, b"", errors.ModelArtsThrottledError, True),
        (200, v1("ModelArts.0114"), errors.ModelArtsThrottledError, True),
        (400, {"error_code": "ModelArts.0101", "error_msg": "old key"}, errors.ModelArtsBadRequestError, False),
        (500, v1("ModelArts.0010"), errors.ModelArtsServerError, True),
        (502, b"<html><h1>Bad Gateway</h1></html>", errors.ModelArtsServerError, True),
        (503, None, errors.ModelArtsServerError, True),
        (504, gateway("APIGW.0201"), errors.ModelArtsServerError, True),
        (200, {"is_success": False}, errors.ModelArtsServerError, True),
        (200, {"is_success": "false"}, errors.ModelArtsServerError, True),
        (200, {"is_success": True, "error_code": "APIGW.0308"}, errors.ModelArtsThrottledError, True),
        (200, {"error_code": "ModelArts.0102"}, errors.ModelArtsNotFoundError, False),
        (403, {"is_success": True}, errors.ModelArtsPermissionError, False),
        (403, {"is_success": True, "job_id": 10, "status": 8}, errors.ModelArtsPermissionError, False),
        (200, b"", errors.ModelArtsMalformedResponseError, True),
        (200, b"<html>login</html>", errors.ModelArtsMalformedResponseError, True),
        (200, b'{"job_id": 10, "sta', errors.ModelArtsMalformedResponseError, True),
        (200, b"[]", errors.ModelArtsMalformedResponseError, True),
        (200, {"job_id": 10, "status": "abc"}, errors.ModelArtsMalformedResponseError, True),
        (200, {}, errors.ModelArtsMalformedResponseError, True),
    ],
)
def test_classes(
    server: ScriptedServer,
    client: ModelArtsClient,
    status: int,
    body: bytes | dict[str, Any] | None,
    expected: type[Any],
    retryable: bool,
) -> None:
    server.answer(Reply(status, body))
    error = failing_get(client)
    assert (type(error), error.retryable, error.status_code) == (expected, retryable, status)
    assert len(server.received) == (4 if retryable else 1)


def test_keystone_and_old_texts_are_read(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(Reply(403, {"error": {"code": 403, "message": "keystone says", "title": "Forbidden"}}))
    assert failing_get(client).error_message == "keystone says"
    server.answer(Reply(403, {"error_code": "ModelArts.0108", "error_msg": "old key"}))
    assert failing_get(client).error_message == "old key"


def test_a_missing_permission_names_the_action(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(Reply(403, v1("ModelArts.0112")))
    assert "modelarts:tensorboard:get" in str(failing_get(client))


def test_the_gateways_request_id_counts_too(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(Reply(403, gateway("APIGW.0302")))
    assert failing_get(client).request_id == "a" * 32


def test_a_retired_api_says_so(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(Reply(404, gateway("APIGW.0101", "The API does not exist")))
    assert "2023-06-30" in str(failing_get(client))


def test_redirects_are_not_followed(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(Reply(302, None, {"Location": "https://elsewhere.example.com/"}))
    error = failing_get(client)
    assert "elsewhere.example.com" in str(error)
    assert (error.retryable, len(server.received)) == (False, 1)


def test_html_is_shown_as_text_and_cut(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(Reply(403, b"<html><script>x</script><h1>Access denied</h1>" + b"y" * 10_000))
    text = str(failing_get(client))
    assert "Access denied" in text
    assert "<h1>" not in text
    assert len(text) < 1000


def test_a_secret_that_is_echoed_is_not_repeated(server: ScriptedServer, client: ModelArtsClient) -> None:
    echo = (
        "Incorrect IAM authentication information: verify aksk signature fail, canonicalRequest:GET|/v1/|"
        f"x-security-token:{SECURITY_TOKEN}|host;x-security-token"
    )
    server.answer(Reply(401, gateway("APIGW.0301", echo)))
    error = failing_get(client)
    signature = server.received[0].headers["Authorization"]
    for text in (str(error), repr(error), str(error.error_message)):
        assert SECURITY_TOKEN not in text
        assert SECRET_KEY not in text
        assert signature not in text
    assert "verify aksk signature fail (request id" in str(error)


def test_errors_survive_pickling(server: ScriptedServer, client: ModelArtsClient) -> None:
    server.answer(Reply(429, gateway("APIGW.0308"), {"Retry-After": "90"}))
    error = failing_get(client)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy), copy.retry_after, copy.retryable) == (type(error), str(error), 90.0, True)


@pytest.mark.parametrize(
    ("status", "code", "kind", "part", "hint"),
    [
        (400, "2775", errors.ModelArtsNotFoundError, "job", "Check the job ID"),
        (404, "", errors.ModelArtsNotFoundError, "job", "Check the job ID"),
        (400, "2751", errors.ModelArtsNameTakenError, "request", "Choose another job_name"),
        (400, "2755", errors.ModelArtsBadRequestError, "request", "Correct what the message names"),
        (400, "2815", errors.ModelArtsQuotaError, "quota", "Stop or delete jobs"),
        (400, "0118", errors.ModelArtsQuotaError, "quota", "Stop or delete jobs"),
        (400, "2833", errors.ModelArtsQuotaError, "quota", "Stop or delete jobs"),
        (400, "2837", errors.ModelArtsPermissionError, "account", "settle its bills"),
        (400, "2887", errors.ModelArtsBadRequestError, "resource pool", "start it, or wait"),
        (404, "2890", errors.ModelArtsBadRequestError, "request", "Correct what the message names"),
        (400, "0102", errors.ModelArtsBadRequestError, "request", "Correct what the message names"),
        (400, "2838", errors.ModelArtsPermissionError, "permission", "modelarts:trainJob:get"),
        (403, "2784", errors.ModelArtsAuthenticationError, "credentials", "Check login and password"),
        (403, "2785", errors.ModelArtsPermissionError, "permission", "No agency allows ModelArts"),
        (404, "2786", errors.ModelArtsAuthenticationError, "project", "Set project_id of the connection"),
        (404, "2836", errors.ModelArtsRetiredError, "endpoint", "No training-jobs API answers"),
        (409, "2796", errors.ModelArtsConflictError, "request", "status does not allow"),
        (409, "2878", errors.ModelArtsStatusChangedError, "request", "get the job, then decide again"),
        (409, "2813", errors.ModelArtsConflictError, "request", "status does not allow"),
        (429, "2799", errors.ModelArtsThrottledError, "throttling", ""),
        (404, "APIGW.0101", errors.ModelArtsRetiredError, "endpoint", "No training-jobs API answers"),
    ],
)
def test_errors_of_training_jobs(
    server: ScriptedServer, client: ModelArtsClient, status: int, code: str, kind: type[Any], part: str, hint: str
) -> None:
    code = f"ModelArts.{code}" if code.isdigit() else code
    body = {"error_msg": "text", "error_code": code, "error_solution": "Do this."} if code else None
    server.answer(Reply(status, body))
    with pytest.raises(errors.ModelArtsError) as caught:
        client.training_jobs.get("425b7087-83de-49b4-9b65-6e2b91e4a5fe")
    error = caught.value
    assert type(error) is kind
    assert (error.part, error.error_code) == (part, code or None)
    assert hint in str(error)
    assert ("ModelArts advises: Do this." in str(error)) is bool(code)


def test_advice_of_the_server_is_bounded_and_shows_no_secret(server: ScriptedServer, client: ModelArtsClient) -> None:
    solution = f"Send {SECRET_KEY}\x1b[31m again. " * 1000
    server.answer(Reply(400, {"error_msg": "text", "error_code": "ModelArts.2755", "error_solution": solution}))
    with pytest.raises(errors.ModelArtsError) as caught:
        client.training_jobs.get("425b7087-83de-49b4-9b65-6e2b91e4a5fe")
    assert len(str(caught.value)) < 3000
    assert str(caught.value).isprintable()
    assert SECRET_KEY not in str(caught.value)


RETRYABLE = {
    errors.ModelArtsConnectionError,
    errors.ModelArtsTimeoutError,
    errors.ModelArtsThrottledError,
    errors.ModelArtsStatusChangedError,
    errors.ModelArtsServerError,
    errors.ModelArtsMalformedResponseError,
    errors.ModelArtsUnexpectedError,
}


def test_which_errors_may_pass_and_which_leave_open_what_was_carried_out() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ModelArtsError)
    ]
    assert {kind for kind in kinds if kind("x").retryable} == RETRYABLE
    assert {kind for kind in kinds if kind("x").may_have_happened} == {
        errors.ModelArtsServerError,
        errors.ModelArtsMalformedResponseError,
    }


def test_a_doubt_is_added_once_and_does_not_change_the_class() -> None:
    error = errors.ModelArtsConflictError("Refused.")
    error.doubt()
    error.doubt()
    assert str(error) == "Refused. Whether an earlier attempt was carried out is not known."
    assert error.may_have_happened
    assert not errors.ModelArtsConflictError("Refused.").may_have_happened


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("", None), ("0", 0.0), ("7", 7.0), ("3600", 3600.0), ("soon", None), ("-1", None)],
)
def test_a_pause_that_a_server_asks_for_in_seconds(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header) == seconds


@pytest.mark.parametrize(("minutes", "direction"), [(16, "behind"), (-16, "ahead of"), (14, None), (-14, None)])
def test_a_clock_that_is_wrong_by_more_than_15_minutes_is_named(
    minutes: int, direction: str | None, server: ScriptedServer, client: ModelArtsClient
) -> None:
    date = format_datetime(datetime.now(timezone.utc) + timedelta(minutes=minutes), usegmt=True)
    server.answer(Reply(401, gateway("APIGW.0301"), {"Date": date}))
    error = failing_get(client)
    assert (error.part == "clock") is (direction is not None)
    assert (f"This machine's clock is 16 min {direction} the server's" in str(error)) is (direction is not None)
