"""Credentials over HTTP: what is accepted on all operations, what is refused, and in which words."""

from __future__ import annotations

import json
import re
from email.utils import parsedate_to_datetime
from time import time

import pytest
import requests

from airflow_provider_modelarts.emulator.iam.state import AccessKeyLock
from tests.emulator.client import Api, ApiMaker

OPERATIONS = [
    ("create", "POST", "", {"job_name": "new", "train_url": "/bucket/dir/"}),
    ("list", "GET", "", None),
    ("get", "GET", "/{}", None),
    ("update", "PUT", "/{}", {"job_desc": "new"}),
    ("delete", "DELETE", "/{}", None),
    ("stop", "POST", "/{}/stop", None),
    ("restart", "POST", "/{}/restart", None),
]
INCORRECT = "Incorrect IAM authentication information: "


def token_of(api: Api, scope: object = None) -> str:
    emulator = api.emulator
    user = {"name": emulator.user, "password": emulator.password, "domain": {"name": emulator.domain}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}}
    scope = {"project": {"name": emulator.region}} if scope is None else scope
    answer = api.session.post(f"{emulator.url}/v3/auth/tokens", json={"auth": {**auth, "scope": scope}}, timeout=10)
    assert answer.status_code == 201, answer.text
    return answer.headers["X-Subject-Token"]


def get_with_token(api: Api, job_id: str, token: str) -> requests.Response:
    url = f"{api.emulator.url}{api.jobs}/{job_id}"
    return api.session.get(url, headers={"X-Auth-Token": token}, timeout=10)


def assert_gateway_refusal(answer: requests.Response, message: str) -> None:
    assert answer.status_code == 401
    assert answer.json() == {
        "error_msg": INCORRECT + message,
        "error_code": "APIGW.0301",
        "request_id": answer.headers["X-Request-Id"],
    }
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])


@pytest.mark.parametrize(("operation", "method", "path", "body"), OPERATIONS)
def test_both_ways_on_every_operation(
    api: Api, operation: str, method: str, path: str, body: dict[str, str] | None
) -> None:
    status = 12 if operation == "restart" else 8
    signed_id, token_id = (api.emulator.create_job(status=status) for _ in range(2))
    signed = api.send(method, api.jobs + path.format(signed_id), body=body)
    assert signed.status_code == 200, signed.text
    with_token = api.session.request(
        method,
        api.emulator.url + api.jobs + path.format(token_id),
        json=body and {**body, "job_name": "other"},
        headers={"X-Auth-Token": token_of(api)},
        timeout=10,
    )
    assert with_token.status_code == 200, with_token.text
    assert api.emulator.request_counts() == {operation: 2, "token": 1}


@pytest.mark.parametrize(("operation", "method", "path", "body"), OPERATIONS)
def test_unsigned_is_refused_on_every_operation(
    api: Api, operation: str, method: str, path: str, body: dict[str, str] | None
) -> None:
    job_id = api.emulator.create_job(status=8)
    answer = api.session.request(method, api.emulator.url + api.jobs + path.format(job_id), json=body, timeout=10)
    assert_gateway_refusal(answer, "x-auth-token not found")
    assert list(api.emulator.jobs) == [job_id]
    assert api.emulator.job(job_id).status == 8


def test_query_with_all_sorts_of_characters(api: Api) -> None:
    job_id = api.emulator.create_job(job_desc="my job/测试~ + 100%&=?")
    answer = api.list(search_content="my job/测试~ + 100%&=?", order="asc", page=1)
    assert [job["job_id"] for job in answer.json()["jobs"]] == [int(job_id)]


def test_tampered_request(api: Api) -> None:
    headers = {"X-Project-Id": api.emulator.project_id}
    signed = api.send("GET", api.jobs, headers=headers).request
    answer = api.session.get(f"{signed.url}?page=2", headers=signed.headers, timeout=10)
    canonical = (
        f"GET|{api.jobs}/|page=2|content-type:application/json|host:{api.emulator.url[7:]}"
        f"|x-project-id:{api.emulator.project_id}|x-sdk-date:{signed.headers['X-Sdk-Date']}|"
        "|content-type;host;x-project-id;x-sdk-date|e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert_gateway_refusal(answer, f"verify aksk signature fail, canonicalRequest:{canonical}")


def test_stale_request(api: Api) -> None:
    answer = api.send("GET", api.jobs, headers={"X-Sdk-Date": "20240102T030405Z"})
    assert_gateway_refusal(answer, "calc ak sk signature fail:signature expired")


def test_unknown_access_key(api: Api) -> None:
    answer = api.send("GET", api.jobs, signer_keys=("NOBODY", api.emulator.sk))
    assert_gateway_refusal(answer, "Get secretKey failed,ak:NOBODY,err:ak not exist")


def test_malformed_authorization(api: Api) -> None:
    headers = {"Authorization": "SDK-HMAC-SHA256 nonsense"}
    answer = api.session.get(api.emulator.url + api.jobs, headers=headers, timeout=10)
    assert_gateway_refusal(answer, "Authorization format incorrect")


def test_access_key_is_locked_after_more_than_five_failures(api: Api) -> None:
    wrong = (api.emulator.ak, "wrong")
    for _ in range(5):
        assert "verify aksk signature fail" in api.send("GET", api.jobs, signer_keys=wrong).text
    assert api.list().status_code == 200, "a success begins the count anew"
    for _ in range(6):
        assert "verify aksk signature fail" in api.send("GET", api.jobs, signer_keys=wrong).text
    assert_gateway_refusal(api.list(), "AK access failed to reach the limit,forbidden")
    assert get_with_token(api, api.emulator.create_job(), token_of(api)).status_code == 200


def test_access_key_lock_ends_after_five_minutes() -> None:
    lock = AccessKeyLock()
    for _ in range(6):
        assert not lock.is_locked(1000.0)
        lock.failed(1000.0)
    assert lock.is_locked(1299.9)
    assert not lock.is_locked(1300.0)


def test_security_token(make_api: ApiMaker) -> None:
    api = make_api(security_token="temporary")
    assert api.send("GET", api.jobs, headers={"X-Security-Token": "temporary"}).status_code == 200
    for headers in ({}, {"X-Security-Token": "other"}):
        answer = api.send("GET", api.jobs, headers=headers)
        assert_gateway_refusal(answer, "Get secretKey failed,err:security token invalid")
    assert api.emulator.connection()["extra"]["security_token"] == "temporary"


def test_made_up_token(api: Api) -> None:
    assert_gateway_refusal(get_with_token(api, "1", "made-up"), "decrypt token fail")


def test_expired_token(api: Api) -> None:
    job_id, old = api.emulator.create_job(), token_of(api)
    api.emulator.expire_tokens()
    answer = get_with_token(api, job_id, old)
    assert answer.status_code == 401
    pattern = re.escape(INCORRECT) + r"token expires, expires_at: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    assert re.fullmatch(pattern, answer.json()["error_msg"])
    assert get_with_token(api, job_id, token_of(api)).status_code == 200


def test_token_lifetime(make_api: ApiMaker) -> None:
    api = make_api(token_lifetime=0)
    assert "token expires" in get_with_token(api, "1", token_of(api)).text


@pytest.mark.parametrize("scope", [{}, {"domain": {"name": "emulator-domain"}}])
def test_token_without_project(api: Api, scope: object) -> None:
    answer = get_with_token(api, "1", token_of(api, scope))
    assert answer.status_code == 401
    assert answer.json()["error_code"] == "ModelArts.0212"


def test_other_project(api: Api) -> None:
    path = f"/v1/{'f' * 32}/visualization-jobs"
    in_path = api.send("GET", path)
    in_header = api.send("GET", api.jobs, headers={"X-Project-Id": "f" * 32})
    for answer in (in_path, in_header):
        assert answer.status_code == 403
        assert answer.json()["error_code"] == "ModelArts.0210"


@pytest.mark.parametrize(("operation", "method", "path", "body"), OPERATIONS)
def test_denied_operation(
    make_api: ApiMaker, operation: str, method: str, path: str, body: dict[str, str] | None
) -> None:
    api = make_api(deny=[operation])
    job_id = api.emulator.create_job(status=8)
    answer = api.send(method, api.jobs + path.format(job_id), body=body)
    assert answer.status_code == 403
    assert answer.json() == {
        "is_success": False,
        "error_message": f"Policy does not allow modelarts:tensorboard:{operation} to be performed.",
        "error_code": "ModelArts.0112",
    }
    assert (api.get if operation == "list" else lambda _: api.list())(job_id).status_code == 200


def test_deny_of_no_operation(make_api: ApiMaker) -> None:
    with pytest.raises(ValueError, match="lst"):
        make_api(deny=["lst"])


def test_skewed_clock(make_api: ApiMaker) -> None:
    api = make_api(clock_offset=3600)
    answer = api.list()
    assert_gateway_refusal(answer, "calc ak sk signature fail:signature expired")
    assert parsedate_to_datetime(answer.headers["Date"]).timestamp() - time() == pytest.approx(3600, abs=60)
    api.emulator.clock_offset = 0
    assert api.list().status_code == 200


def test_body_over_the_limit(api: Api) -> None:
    answer = api.create(job_desc="x" * 12 * 1024 * 1024)
    assert answer.status_code == 413
    assert answer.json()["error_code"] == "APIGW.0201"
    assert api.create(job_desc="x" * 11 * 1024 * 1024).json()["error_code"] == "ModelArts.0104"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/{}/training-jobs"), ("PATCH", "/v1/{}/visualization-jobs/1"), ("GET", "/v1/{}/visualization-jobs/")],
)
def test_unknown_path_or_method(api: Api, method: str, path: str) -> None:
    answer = api.send(method, path.format(api.emulator.project_id))
    assert answer.status_code == 404
    assert answer.json() == {
        "error_msg": "The API does not exist or has not been published in the environment.",
        "error_code": "APIGW.0101",
        "request_id": answer.headers["X-Request-Id"],
    }
    assert api.emulator.request_counts() == {"other": 1}


@pytest.mark.parametrize(("operation", "method", "path", "body"), OPERATIONS)
def test_retired_api(make_api: ApiMaker, operation: str, method: str, path: str, body: dict[str, str] | None) -> None:
    api = make_api(retired=True)
    answer = api.send(method, api.jobs + path.format(api.emulator.create_job()), body=body)
    assert answer.status_code == 404
    assert answer.json()["error_code"] == "APIGW.0101"


def test_connections(make_api: ApiMaker) -> None:
    emulator = make_api(ak="AK", sk="SK", user="U", password="P", domain="D", region="eu-de").emulator
    shared = {
        "region": "eu-de",
        "project_id": emulator.project_id,
        "iam_endpoint": emulator.url,
        "console_url": f"{emulator.url}/console/",
        "proxies": {},
    }
    rest = {"conn_type": "modelarts", "host": "http://127.0.0.1", "port": emulator.port}
    assert emulator.connection() == {**rest, "login": "AK", "password": "SK", "extra": shared}
    with_password = {**rest, "login": "U", "password": "P", "extra": {**shared, "domain_name": "D"}}
    assert emulator.connection("password") == with_password
    json.dumps(with_password)
    assert "SK" not in repr(emulator)
    assert "'P'" not in repr(emulator)
