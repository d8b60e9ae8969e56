"""What a server repeats of the credentials that it was sent is in no exception, no chain of them, and no log line."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_modelarts.api.clock import HasClock
from airflow_provider_modelarts.api.errors import ModelArtsError
from airflow_provider_modelarts.hooks import modelarts
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from tests.faults.servers import PROJECT_ID
from tests.secrets.echoes import ECHOES, EchoingServer
from tests.secrets.search import Secret, found
from tests.simulated_clock import ImpatientClock

SPECIAL = """/+&"<%'> \\"""
IN_KEYS = SPECIAL.replace(" ", "")  # a key with a space is refused before anything is sent


def aksk(server: EchoingServer, secret: Callable[..., str]) -> dict[str, Any]:
    return {"host": server.url, "password": secret("SK", IN_KEYS)}


def temporary(server: EchoingServer, secret: Callable[..., str]) -> dict[str, Any]:
    token = secret("security token", "a+/=" * 200)
    return {"host": server.url, "password": secret("SK", IN_KEYS), "security_token": token}


def user(server: EchoingServer, secret: Callable[..., str]) -> dict[str, Any]:
    return {"host": server.url, "password": secret("password"), "domain_name": "account"}


def proxied(server: EchoingServer, secret: Callable[..., str]) -> dict[str, Any]:
    password = quote(secret("proxy password"), safe="")
    proxies = {"http": server.url.replace("http://", f"http://proxy-user:{password}@")}
    return {"host": "http://modelarts.example.invalid", "password": secret("SK", IN_KEYS), "proxies": proxies}


KINDS = {
    "AK and SK": (aksk, {}),
    "temporary keys": (temporary, {}),
    "token": (user, {}),
    "IAM password": (user, {"iam": False}),
    "proxy": (proxied, {"proxy": True}),
}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HasClock, "clock", ImpatientClock())


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_echoed_is_not_repeated(
    kind: str, echo: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    # What leaks here would leak where no masker is: in scripts, and in what it does not see.
    monkeypatch.setattr(modelarts, "mask_secret", lambda secret: None)
    connect, how = KINDS[kind]
    secrets: list[Secret] = []

    def secret(name: str, middle: str = SPECIAL) -> str:
        secrets.append(Secret.marked(name, middle))
        return secrets[-1].value

    with EchoingServer(echoes=[echo], **how) as server:
        fields = connect(server, secret)
        extra = {name: fields.pop(name) for name in tuple(fields) if name not in ("host", "password")}
        extra |= {"project_id": PROJECT_ID, "region": "cn-north-4", "iam_endpoint": server.url}
        connection = {"conn_type": "modelarts", "login": "somebody", **fields, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(connection))
        with ModelArtsHook() as hook:
            works, message = hook.test_connection()
        with ModelArtsHook() as hook, pytest.raises(ModelArtsError) as failure:
            hook.get_visualization_job(102)

    error = failure.value
    texts = {
        "the exception": repr((error, error.args, vars(error))),
        "its traceback": "".join(traceback.format_exception(error)),
        "the test of the connection": message,
        "the log": caplog.text,
        "the hook": repr((hook, vars(hook))),
    }
    assert works is False
    assert server.counts.total() >= 2
    assert found([*secrets, *server.secrets], texts) == []
