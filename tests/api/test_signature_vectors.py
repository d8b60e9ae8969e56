"""The signature test vectors: the bytes that are sent are the bytes that are signed."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
import requests

from airflow_provider_modelarts.api.auth.aksk import AkSkAuth
from airflow_provider_modelarts.api.http import _with_query

PROJECT = "0123456789abcdef0123456789abcdef"
HOST = "https://modelarts.cn-north-4.myhuaweicloud.com"
JOBS = f"{HOST}/v1/{PROJECT}/visualization-jobs"
JSON = {"Content-Type": "application/json"}
USUAL = {**JSON, "X-Project-Id": PROJECT}
V3_QUERY = {
    "status": "7",
    "per_page": "10",
    "page": "1",
    "sortBy": "status",
    "order": "asc",
    "search_content": "my job/测试~",
}
V4_BODY = (
    b'{"job_name":"visualization-job","job_desc":"this is a visualization job","train_url":"/obs/name/",'
    b'"job_type":"mindinsight","schedule":[{"type":"stop","time_unit":"HOURS","duration":1}]}'
)
V5_BODY = '{"job_desc":"描述 é"}'.encode()


def sign(method: str, url: str, headers: dict[str, str], body: bytes | None = None, token: str | None = None) -> Any:
    auth = AkSkAuth("TESTAK00000000000001", "TestSecretKey000000000000000000000000001", token)
    dated = {**headers, "X-Sdk-Date": "20240102T030405Z"}
    return requests.Session().prepare_request(requests.Request(method, url, headers=dated, data=body, auth=auth))


def parts_of(request: requests.PreparedRequest) -> tuple[str, str]:
    found = re.fullmatch(
        r"SDK-HMAC-SHA256 Access=\w+, SignedHeaders=([a-z;-]+), Signature=([0-9a-f]{64})",
        request.headers["Authorization"],
    )
    assert found, request.headers["Authorization"]
    return found[1], found[2]


@pytest.mark.parametrize(
    ("method", "url", "headers", "body", "token", "signature"),
    [
        pytest.param(
            "GET", f"{JOBS}/10", {}, None, None,
            "c9d0e39aca1d17b80346a0bed0a11ef4d70008e0cf1d73e681e40f7391e453dd", id="V1 minimal",
        ),
        pytest.param(
            "GET", f"{JOBS}/10", USUAL, None, None,
            "1dc5e5fa3ec36f6d71769777cbc99162576e8dbff52a65319bae0971f12ecd85", id="V2 details",
        ),
        pytest.param(
            "GET", _with_query(JOBS, V3_QUERY), USUAL, None, None,
            "21d43ee3f2b63f8c39c74395810f4a071af7810a2634d96310d152c4ae85503d", id="V3 query",
        ),
        pytest.param(
            "POST", JOBS, USUAL, V4_BODY, None,
            "38ac47b64562941db1228c83e48dda215f82869e4a8ed413f395c82e3e38f98a", id="V4 body",
        ),
        pytest.param(
            "PUT", f"{JOBS}/10", USUAL, V5_BODY, None,
            "08b5be199185e64d9c716dd0c586c3fbf5e2a1d63469b211be50bb60404a8231", id="V5 UTF-8 body",
        ),
        pytest.param(
            "POST", f"{JOBS}/10/stop", USUAL, None, "TESTSECURITYTOKEN/abc+def==",
            "91301c3e927164a7bd9afe7bcee078f2e074d48edcc45b4a504798cf403fe82b", id="V6 empty POST, security token",
        ),
        pytest.param(
            "DELETE", f"{JOBS}/10", USUAL, None, None,
            "227f3294fce8873a78f42c84ee6d411b834aaf82e948b4cadf2b77e287ef76e8", id="V7 delete",
        ),
        pytest.param(
            "GET", f"http://127.0.0.1:8765/v1/{PROJECT}/visualization-jobs/10", USUAL, None, None,
            "88e80cebe8b320c4b5f8f571bf2d50b946557d9f6d5a5837263ce431fb71225d", id="V8 host with port",
        ),
        pytest.param(
            "GET", "https://iam.cn-north-4.myhuaweicloud.com/v3/projects?name=cn-north-4", JSON, None, None,
            "a317bb92f754151d51e5cea916bbf13d68dabef44774db2bbd2a3037ecb8471d", id="V9 project look-up",
        ),
    ],
)  # fmt: skip
def test_vectors(
    method: str, url: str, headers: dict[str, str], body: bytes | None, token: str | None, signature: str
) -> None:
    request = sign(method, url, headers, body, token)
    names, found = parts_of(request)
    assert found == signature
    expected = {name.lower() for name in headers} | {"host", "x-sdk-date"} | ({"x-security-token"} if token else set())
    assert set(names.split(";")) == expected
    assert request.headers["Host"] == url.split("/")[2]


def test_guide_example() -> None:
    auth = AkSkAuth("QTWAOYTTINDUT2QVKYUC", "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc")
    request = requests.Request(
        "GET",
        "https://service.region.example.com/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs"
        "?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
        headers={**JSON, "X-Sdk-Date": "20191115T033655Z"},
        auth=auth,
    ).prepare()
    assert parts_of(request) == (
        "content-type;host;x-sdk-date",
        "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe",
    )


def test_the_query_goes_out_as_it_was_signed() -> None:
    request = sign("GET", _with_query(JOBS, V3_QUERY), USUAL)
    assert request.url.partition("?")[2] == (
        "order=asc&page=1&per_page=10&search_content=my%20job%2F%E6%B5%8B%E8%AF%95~&sortBy=status&status=7"
    )


def test_the_body_of_v5_is_the_one_that_is_hashed() -> None:
    request = sign("PUT", f"{JOBS}/10", USUAL, V5_BODY)
    digest = "3e2371b1301962ea0c315a206a63c88b74a1821943d999c90b0e9cedb0921284"
    assert hashlib.sha256(request.body).hexdigest() == digest


def test_an_empty_post_announces_no_bytes() -> None:
    assert sign("POST", f"{JOBS}/10/stop", USUAL).headers["Content-Length"] == "0"


def test_the_secret_key_is_in_no_header() -> None:
    request = sign("GET", f"{JOBS}/10", USUAL)
    assert not any("TestSecretKey" in value for value in request.headers.values())
