"""Endpoints from regions, explicit ones, and what a configuration refuses."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.config import ModelArtsConfig


@pytest.mark.parametrize(
    ("region", "modelarts", "iam"),
    [
        ("cn-north-4", "https://modelarts.cn-north-4.myhuaweicloud.com", "https://iam.cn-north-4.myhuaweicloud.com"),
        (
            "ap-southeast-1",
            "https://modelarts.ap-southeast-1.myhuaweicloud.com",
            "https://iam.ap-southeast-1.myhuaweicloud.com",
        ),
        ("eu-west-101", "https://modelarts.eu-west-101.myhuaweicloud.eu", "https://iam.eu-west-101.myhuaweicloud.eu"),
        ("eu-de", "https://modelarts.eu-de.otc.t-systems.com", "https://iam.eu-de.otc.t-systems.com"),
    ],
)
def test_regions(region: str, modelarts: str, iam: str) -> None:
    config = ModelArtsConfig(region=region)
    assert (config.endpoint, config.iam_url) == (modelarts, iam)


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("modelarts.example.com", "https://modelarts.example.com"),
        ("https://modelarts.example.com:443/", "https://modelarts.example.com"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("https://gateway.example.com/modelarts/", "https://gateway.example.com/modelarts"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("http://x.example.com:80", "http://x.example.com"),
        ("http://x.example.com:443", "http://x.example.com:443"),
        ("https://x.example.com:80", "https://x.example.com:80"),
    ],
)
def test_explicit_endpoints(endpoint: str, expected: str) -> None:
    assert ModelArtsConfig(endpoint=endpoint).endpoint == expected


def test_an_explicit_endpoint_wins_over_the_region() -> None:
    config = ModelArtsConfig(endpoint="https://modelarts.site-1.stack.example.com", region="cn-north-4")
    assert config.endpoint == "https://modelarts.site-1.stack.example.com"
    assert config.iam_url == "https://iam.site-1.stack.example.com"


def test_credentials_are_not_sent_to_a_guessed_iam() -> None:
    config = ModelArtsConfig(endpoint="https://ma.private.example.com", region="cn-north-4")
    with pytest.raises(ValueError, match="iam_endpoint"):
        _ = config.iam_url


@pytest.mark.parametrize("region", ["eu-ch2", "eu-west-0", "na-east-0", "ru-moscow-1", "my-region"])
def test_credentials_are_not_sent_to_a_guessed_endpoint_of_a_partner_cloud(region: str) -> None:
    with pytest.raises(ValueError, match=f"region: '{region}' .* Set host"):
        ModelArtsConfig(region=region)
    assert ModelArtsConfig(region=region, endpoint="https://modelarts.example.com").region == region


@pytest.mark.parametrize("suffix", ["/v3", "/v3/", "/"])
def test_the_version_in_an_iam_endpoint_does_not_count(suffix: str) -> None:
    config = ModelArtsConfig(region="eu-de", iam_endpoint=f"https://iam.example.com{suffix}")
    assert config.iam_url == "https://iam.example.com"


@pytest.mark.parametrize("suffix", ["/v1", "/v1/", "/v2"])
def test_the_version_in_an_endpoint_does_not_count(suffix: str) -> None:
    assert ModelArtsConfig(endpoint=f"https://x.example.com/path{suffix}").endpoint == "https://x.example.com/path"


def test_the_home_directory_in_a_bundles_path_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert ModelArtsConfig(region="eu-de", verify="~/ca.pem").verify == "/home/someone/ca.pem"


AK, SK = "ABCDEFGHIJKLMNOPQRST", "abcdefghijklmnopqrstABCDEFGHIJKLMNOPQRST"


def test_an_ak_and_sk_are_not_sent_to_iam_as_user_and_password() -> None:
    with pytest.raises(ValueError, match=r"domain_name: .* look like AK and SK") as refused:
        ModelArtsConfig(region="eu-de", login=AK, password=SK, domain_name="OTC00000000001000000001")
    assert SK not in str(refused.value)


@pytest.mark.parametrize(("login", "password"), [("someone", SK), (AK, "a-password"), (AK.lower(), SK)])
def test_a_user_and_password_may_resemble_an_ak_or_sk(login: str, password: str) -> None:
    assert ModelArtsConfig(region="eu-de", login=login, password=password, domain_name="account").login == login


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "region"),
        ({"region": "evil.example.com/"}, "region"),
        ({"region": "eu-nl"}, "region"),
        ({"endpoint": "ftp://x"}, "host"),
        ({"endpoint": "https://user:pw@x"}, "host"),
        ({"endpoint": "https://x/?a=1"}, "host"),
        ({"endpoint": "https://x:port"}, "host"),
        ({"endpoint": "https://model\u200barts.example.com"}, "host"),
        ({"region": "eu-de", "iam_endpoint": "https://iam.example.com\u2060"}, "iam_endpoint"),
        ({"region": "eu-de", "login": "A\u200bK", "password": "SK"}, "login"),
        ({"region": "eu-de", "login": "AK", "password": "SK\ufeff"}, "password"),
        ({"region": "eu-de", "login": "\u0410K", "password": "SK"}, "login"),
        ({"region": "eu-de", "login": "AK", "password": "SK", "security_token": "t\u00ad"}, "security_token"),
        ({"region": "eu-de", "login": "u\u200b", "password": "p", "domain_name": "d"}, "login"),
        ({"region": "eu-de", "login": "u", "password": "p", "domain_name": "d\u202e"}, "domain_name"),
        ({"region": "eu-de", "iam_endpoint": "iam example"}, "iam_endpoint"),
        ({"region": "eu-de", "project_id": "a/b"}, "project_id"),
        ({"region": "eu-de", "login": "AK"}, "password"),
        ({"region": "eu-de", "password": "SK"}, "login"),
        ({"region": "eu-de", "domain_name": "account"}, "domain_name"),
        ({"region": "eu-de", "security_token": "t"}, "security_token"),
        ({"region": "eu-de", "connect_timeout": 0}, "connect_timeout"),
        ({"region": "eu-de", "read_timeout": -1}, "read_timeout"),
        ({"region": "eu-de", "read_timeout": 24 * 3600 + 1}, "read_timeout"),
        ({"region": "eu-de", "login": "AK"}, "^password: missing, although login is set"),
        ({"region": "eu-de", "password": "SK"}, "^login: missing, although password is set"),
        ({"region": "eu-de", "proxies": {"https": "proxy"}}, "proxies: the address for https"),
        (
            {"region": "eu-de", "login": "u", "password": "p", "domain_name": "d", "security_token": "t"},
            "security_token: belongs to an AK and SK",
        ),
        ({"endpoint": "https://x/#a"}, "host"),
        ({"endpoint": "https://x:70000"}, "host: the port of 'x:70000' is not a port number"),
        ({"endpoint": "https://"}, "host: not an http"),
        ({"region": "eu-de", "project_id": "x" * 65}, "project_id"),
    ],
)
def test_refusals_name_the_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        ModelArtsConfig(**fields)


def test_fields_may_go_up_to_their_limits() -> None:
    config = ModelArtsConfig(region="eu-de", connect_timeout=0.001, read_timeout=24 * 3600, project_id="x" * 64)
    assert (config.connect_timeout, config.read_timeout, config.project_id) == (0.001, 86400, "x" * 64)
    token = ModelArtsConfig(region="eu-de", login="AK", password="SK", security_token="t")
    assert token.secrets == ("SK", "t")


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"region": "cn-north-4"}, "https://console.huaweicloud.com/modelarts/?region=cn-north-4"),
        ({"region": "eu-de"}, None),
        ({"region": "cn-north-4", "endpoint": "https://modelarts.example.com"}, None),
        ({"region": "cn-north-4", "console_url": "https://console.example.com/"}, "https://console.example.com/"),
    ],
)
def test_the_console_is_known_for_some_regions(fields: dict[str, Any], url: str | None) -> None:
    assert ModelArtsConfig(**fields).console_url == url


def test_secrets_are_in_no_repr_and_no_message() -> None:
    fields: dict[str, Any] = {"region": "eu-de", "password": "TOPSECRET1", "security_token": "TOPSECRET2"}
    proxies = {"https": "http://user:TOPSECRET3@proxy"}
    assert "TOPSECRET" not in repr(ModelArtsConfig(login="AK", proxies=proxies, **fields))
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        ModelArtsConfig(**fields)
    assert "TOPSECRET" not in str(refused.value)


def test_certificates_are_verified_unless_the_connection_says_otherwise() -> None:
    with ModelArtsClient(ModelArtsConfig(region="cn-north-4", login="AK", password="SK")) as client:
        assert client._http._session.verify is True
    with ModelArtsClient(ModelArtsConfig(region="cn-north-4", login="AK", password="SK", verify=False)) as client:
        assert client._http._session.verify is False
