"""The signature verifier against the published vectors, and what must not pass."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from airflow_provider_modelarts.emulator.access import (
    Authorization,
    SignatureRefused,
    canonical_request,
    sign,
    verify,
)
from airflow_provider_modelarts.emulator.http import Request

SECRET = "TestSecretKey000000000000000000000000001"
PROJECT = "0123456789abcdef0123456789abcdef"
JOBS = f"/v1/{PROJECT}/visualization-jobs"
DATE = "20240102T030405Z"
NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone.utc).timestamp()
HOST = {"host": "modelarts.cn-north-4.myhuaweicloud.com", "x-sdk-date": DATE}
USUAL = {**HOST, "content-type": "application/json", "x-project-id": PROJECT}
CREATE_BODY = (
    b'{"job_name":"visualization-job","job_desc":"this is a visualization job","train_url":"/obs/name/",'
    b'"job_type":"mindinsight","schedule":[{"type":"stop","time_unit":"HOURS","duration":1}]}'
)
SEARCH = "status=7&per_page=10&page=1&sortBy=status&order=asc&search_content=my%20job%2f%E6%B5%8B%E8%AF%95~"


def request(method: str, path: str, headers: dict[str, str], query: str = "", body: bytes = b"") -> Request:
    return Request(
        method=method, path=path, query=query, headers=headers, path_params={}, body=body, request_id="0" * 32
    )


V2 = request("GET", f"{JOBS}/10", USUAL)
V2_SIGNATURE = "1dc5e5fa3ec36f6d71769777cbc99162576e8dbff52a65319bae0971f12ecd85"
V0_HEADERS = {
    "host": "service.region.example.com",
    "x-sdk-date": "20191115T033655Z",
    "content-type": "application/json",
}

VECTORS = [
    pytest.param(
        request(
            "GET",
            "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
            V0_HEADERS,
            "limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
        ),
        "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a",
        "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe",
        id="V0",
    ),
    pytest.param(
        request("GET", f"{JOBS}/10", HOST),
        "26e16edaa22b4ea1fad1d821656c09aae3615354b0add30ae8fed7f0a9569310",
        "c9d0e39aca1d17b80346a0bed0a11ef4d70008e0cf1d73e681e40f7391e453dd",
        id="V1",
    ),
    pytest.param(V2, "10aabeb5eee48befdaffa1d67dc3217cfb2ce13a1d47578cf1ae71a7f15ec346", V2_SIGNATURE, id="V2"),
    pytest.param(
        request("GET", JOBS, USUAL, SEARCH),
        "c3ab8a8732b6e84e74c735647472a99386f6160fce56a8e7c1caf8197a7699b7",
        "21d43ee3f2b63f8c39c74395810f4a071af7810a2634d96310d152c4ae85503d",
        id="V3",
    ),
    pytest.param(
        request("POST", JOBS, USUAL, body=CREATE_BODY),
        "609abb5f63ec9a6add346fe1ef9cf4f656ba34e8d3fcaacd8c973e7d3f333850",
        "38ac47b64562941db1228c83e48dda215f82869e4a8ed413f395c82e3e38f98a",
        id="V4",
    ),
    pytest.param(
        request("PUT", f"{JOBS}/10", USUAL, body='{"job_desc":"描述 é"}'.encode()),
        "172485d64aada9a4fd674863069ca21232c982c4c3f5f26bb14dfc25550decf6",
        "08b5be199185e64d9c716dd0c586c3fbf5e2a1d63469b211be50bb60404a8231",
        id="V5",
    ),
    pytest.param(
        request("POST", f"{JOBS}/10/stop", {**USUAL, "x-security-token": "TESTSECURITYTOKEN/abc+def=="}),
        "a54b9699b77d84d695a95fe9a65161190bc009ca3ce5a8db5bbaf8d32335fe5d",
        "91301c3e927164a7bd9afe7bcee078f2e074d48edcc45b4a504798cf403fe82b",
        id="V6",
    ),
    pytest.param(
        request("DELETE", f"{JOBS}/10", USUAL),
        "98241184dbde1f7208a4b00b3cd3d9451622ee117ec688c59b6a9531d39f1c46",
        "227f3294fce8873a78f42c84ee6d411b834aaf82e948b4cadf2b77e287ef76e8",
        id="V7",
    ),
    pytest.param(
        request("GET", f"{JOBS}/10", {**USUAL, "host": "127.0.0.1:8765"}),
        "3d392cbe24394c9ec2d4b2a9fa7dde1f04cc3c94132e13d9b7f3c27d284bdfd0",
        "88e80cebe8b320c4b5f8f571bf2d50b946557d9f6d5a5837263ce431fb71225d",
        id="V8",
    ),
    pytest.param(
        request(
            "GET",
            "/v3/projects",
            {**HOST, "host": "iam.cn-north-4.myhuaweicloud.com", "content-type": "application/json"},
            "name=cn-north-4",
        ),
        "fa33b8a31fc246f057dfc0231c8ce64d3629142424d0aa5d2c2940e2ea5d0ad3",
        "a317bb92f754151d51e5cea916bbf13d68dabef44774db2bbd2a3037ecb8471d",
        id="V9",
    ),
]


@pytest.mark.parametrize(("call", "canonical_hash", "signature"), VECTORS)
def test_vectors(call: Request, canonical_hash: str, signature: str) -> None:
    secret = "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc" if call.headers is V0_HEADERS else SECRET
    canonical = canonical_request(call, call.headers)
    assert hashlib.sha256(canonical.encode()).hexdigest() == canonical_hash
    assert sign(canonical, call.headers["x-sdk-date"], secret) == signature


def authorized(*names: str, signature: str = V2_SIGNATURE) -> Authorization:
    return Authorization("TESTAK00000000000001", names or tuple(sorted(USUAL)), signature)


@pytest.mark.parametrize("seconds", [-900, 0, 900])
def test_accepted_within_fifteen_minutes(seconds: int) -> None:
    verify(V2, authorized(), SECRET, NOW + seconds)


@pytest.mark.parametrize("seconds", [-901, 901])
def test_refused_beyond_fifteen_minutes(seconds: int) -> None:
    with pytest.raises(SignatureRefused, match="signature expired"):
        verify(V2, authorized(), SECRET, NOW + seconds)


@pytest.mark.parametrize("date", ["", "2024-01-02T03:04:05Z", "20240102T030405"])
def test_refused_without_a_readable_date(date: str) -> None:
    with pytest.raises(SignatureRefused, match="signature expired"):
        verify(replace(V2, headers={**USUAL, "x-sdk-date": date}), authorized(), SECRET, NOW)


def test_refused_when_the_date_is_not_signed() -> None:
    names = ("host",)
    signature = sign(canonical_request(V2, names), DATE, SECRET)
    with pytest.raises(SignatureRefused, match="signature expired"):
        verify(V2, authorized(*names, signature=signature), SECRET, NOW)


@pytest.mark.parametrize(
    "tampered",
    [
        pytest.param(replace(V2, method="DELETE"), id="method"),
        pytest.param(replace(V2, path=f"{JOBS}/11"), id="path"),
        pytest.param(replace(V2, query="page=1"), id="query"),
        pytest.param(replace(V2, body=b"{}"), id="body"),
        pytest.param(replace(V2, headers={**USUAL, "host": "elsewhere"}), id="host"),
        pytest.param(replace(V2, headers={k: v for k, v in USUAL.items() if k != "content-type"}), id="header missing"),
    ],
)
def test_refused_when_tampered_with(tampered: Request) -> None:
    with pytest.raises(SignatureRefused, match=r"^verify aksk signature fail, canonicalRequest:[A-Z]+\|/v1/"):
        verify(tampered, authorized(), SECRET, NOW)


def test_refused_with_another_key() -> None:
    with pytest.raises(SignatureRefused, match="verify aksk signature fail"):
        verify(V2, authorized(), SECRET[:-1] + "2", NOW)


def test_plus_is_no_space() -> None:
    call = request("GET", JOBS, USUAL, "search_content=my+job")
    assert "\nsearch_content=my%2Bjob\n" in canonical_request(call, USUAL)


def test_unsigned_payload() -> None:
    headers = {**USUAL, "x-sdk-content-sha256": "UNSIGNED-PAYLOAD"}
    assert canonical_request(request("POST", JOBS, headers, body=b"any"), headers).endswith("\nUNSIGNED-PAYLOAD")
    empty = hashlib.sha256(b"").hexdigest()
    assert canonical_request(request("POST", JOBS, headers), headers).endswith(f"\n{empty}")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "SDK-HMAC-SHA256",
        "SDK-HMAC-SHA256 Credential=AK/20150907//ec2/sdk_request, SignedHeaders=host, Signature=00",
        "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature=XYZ",
        "AWS4-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature=00",
    ],
)
def test_other_authorization_headers(header: str) -> None:
    assert Authorization.parse(header) is None


def test_authorization_header() -> None:
    header = f"SDK-HMAC-SHA256 Access=TESTAK00000000000001, SignedHeaders=host;x-sdk-date, Signature={V2_SIGNATURE}"
    assert Authorization.parse(header) == authorized("host", "x-sdk-date")
