"""Endpoints from regions, explicit ones, and what a configuration refuses."""

from __future__ import annotations

import pytest

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
def test_regions(region, modelarts, iam):
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
    ],
)
def test_explicit_endpoints(endpoint, expected):
    assert ModelArtsConfig(endpoint=endpoint).endpoint == expected


def test_an_explicit_endpoint_wins_over_the_region():
    config = ModelArtsConfig(endpoint="https://modelarts.site-1.stack.example.com", region="cn-north-4")
    assert config.endpoint == "https://modelarts.site-1.stack.example.com"
    assert config.iam_url == "https://iam.site-1.stack.example.com"


def test_credentials_are_not_sent_to_a_guessed_iam():
    config = ModelArtsConfig(endpoint="https://ma.private.example.com", region="cn-north-4")
    with pytest.raises(ValueError, match="iam_endpoint"):
        _ = config.iam_url


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
        ({"region": "eu-de", "iam_endpoint": "iam example"}, "iam_endpoint"),
        ({"region": "eu-de", "project_id": "a/b"}, "project_id"),
        ({"region": "eu-de", "login": "AK"}, "password"),
        ({"region": "eu-de", "password": "SK"}, "login"),
        ({"region": "eu-de", "domain_name": "account"}, "domain_name"),
        ({"region": "eu-de", "security_token": "t"}, "security_token"),
        ({"region": "eu-de", "connect_timeout": 0}, "connect_timeout"),
        ({"region": "eu-de", "read_timeout": -1}, "read_timeout"),
    ],
)
def test_refusals_name_the_field(fields, named):
    with pytest.raises(ValueError, match=named):
        ModelArtsConfig(**fields)


def test_secrets_are_in_no_repr_and_no_message():
    fields = {"region": "eu-de", "password": "TOPSECRET1", "security_token": "TOPSECRET2"}
    proxies = {"https": "http://user:TOPSECRET3@proxy"}
    assert "TOPSECRET" not in repr(ModelArtsConfig(login="AK", proxies=proxies, **fields))
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        ModelArtsConfig(**fields)
    assert "TOPSECRET" not in str(refused.value)
