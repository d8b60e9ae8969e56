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
from tests.conftest import Reply, ScriptedServer
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
    fields_of, how = KINDS[kind]
    secrets: list[Secret] = []

    def secret(name: str, middle: str = SPECIAL) -> str:
        secrets.append(Secret.marked(name, middle))
        return secrets[-1].value

    with EchoingServer(echoes=[echo], **how) as server:
        fields = fields_of(server, secret)
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


@pytest.fixture
def environment() -> Secret:
    """Return the value of an environment variable of a training job."""
    return Secret.marked("environment", SPECIAL)


@pytest.mark.parametrize("echo", ECHOES)
def test_what_is_echoed_of_a_jobs_environment_is_not_repeated(
    echo: str, environment: Secret, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with EchoingServer(echoes=[echo]) as server:
        connect(server, monkeypatch)
        with ModelArtsHook() as hook, pytest.raises(ModelArtsError) as failure:
            hook.create_training_job(
                job_name="job",
                algorithm_id="an-algorithm",
                flavor_id="a-flavor",
                environments={"SETTING": environment.value, "FLAG": "1"},
                body={"algorithm": {"environments": {"OTHER": environment.value}}},
            )
    error = failure.value
    texts = {
        "the exception": repr((error, error.args, vars(error))),
        "its traceback": "".join(traceback.format_exception(error)),
        "the log": caplog.text,
    }
    assert server.counts.total() >= 1
    assert found([environment, *server.secrets], texts) == []


@pytest.mark.parametrize("cut", [False, True], ids=["wrong", "cut"])
def test_an_answer_with_a_job_that_cannot_be_read_is_not_quoted(
    cut: bool, environment: Secret, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the job's environment, and tokens of its endpoints."""
    token = Secret.marked("token")
    job = {
        "algorithm": {"environments": {"SETTING": environment.value}},
        "endpoints": {"tensorboard": {"token": token.value}},
    }
    body = json.dumps({**job, "metadata": []}).encode()
    server.answer(Reply(200, body[:-5] if cut else body))
    connect(server, monkeypatch)
    with ModelArtsHook() as hook, pytest.raises(ModelArtsError) as failure:
        hook.get_training_job("5d2c9ad4-2b0c-4c5a-9b7e-0c1d2e3f4a5b")
    assert f"{len(server.replies[0].payload)} bytes of JSON" in str(failure.value)
    texts = {"the traceback": "".join(traceback.format_exception(failure.value))}
    assert found([environment, token], texts) == []


def connect(server: EchoingServer | ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"project_id": PROJECT_ID, "region": "cn-north-4"}
    connection = {"conn_type": "modelarts", "login": "a", "password": "not-a-key", "host": server.url, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(connection))
