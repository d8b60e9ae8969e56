"""Proxies of the environment and of a connection: what is refused, what is shown, and how to do without one."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.errors import ModelArtsConnectionError, ModelArtsError
from airflow_provider_modelarts.api.proxies import is_proxy_url, secrets_of_proxy
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from tests.conftest import Reply, ScriptedServer

PASSWORD = "VerySecretPassword"
WHO = ["ModelArts", "IAM"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No proxy but the test's own."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


def failure(who: str, **fields: Any) -> ModelArtsError:
    """Return what a look at a job fails with, through a proxy; nobody answers behind it."""
    config = ModelArtsConfig(
        endpoint="http://modelarts.invalid",
        iam_endpoint="http://iam.invalid",
        project_id="p",
        login="somebody",
        password="SKSKSKSKSK",
        domain_name="account" if who == "IAM" else None,
        **fields,
    )
    with ModelArtsClient(config, sleep=lambda seconds: None) as client, pytest.raises(ModelArtsError) as caught:
        client.visualization_jobs.get(10)
    return caught.value


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("password", [f"{PASSWORD}{mark}1" for mark in "#/?"] + ["1234#" + PASSWORD, "12/" + PASSWORD])
def test_a_password_with_unescaped_marks_is_refused_and_not_shown(
    environment: pytest.MonkeyPatch, who: str, variable: str, password: str
) -> None:
    environment.setenv(variable, f"http://corp-user:{password}@127.0.0.1:9")
    error = failure(who)
    assert type(error) is ModelArtsConnectionError
    assert (error.part, error.retryable, error.may_have_happened) == ("proxy", False, False)
    assert variable in str(error)
    assert "%23" in str(error)
    assert PASSWORD not in shown(error)
    assert "corp-user" not in shown(error)


def test_the_test_of_a_connection_does_not_show_it_either(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTP_PROXY", f"http://corp-user:{PASSWORD}#1@127.0.0.1:9")
    connection = {"conn_type": "modelarts", "login": "AK", "password": "SKSKSKSK", "host": "http://modelarts.invalid"}
    environment.setenv("AIRFLOW_CONN_M", json.dumps({**connection, "extra": {"project_id": "p"}}))
    works, message = ModelArtsHook("m").test_connection()
    assert (works, message.partition(":")[0]) == (False, "proxy")
    assert "HTTP_PROXY" in message
    assert PASSWORD not in message


@pytest.mark.parametrize("who", WHO)
def test_a_proxy_of_the_environment_that_echoes_the_login(
    environment: pytest.MonkeyPatch, server: ScriptedServer, who: str
) -> None:
    basic = "Y29ycC11c2VyOlZlcnlTZWNyZXRQYXNzd29yZCE="  # corp-user:VerySecretPassword!
    server.answer(Reply(403, {"error_msg": f"{PASSWORD}! {PASSWORD}%21 Proxy: {basic} as sent"}))
    environment.setenv("HTTP_PROXY", server.url.replace("http://", f"http://corp-user:{PASSWORD}%21@"))
    error = failure(who)
    assert server.received[0].headers["Proxy-Authorization"] == f"Basic {basic}"
    assert "as sent" in str(error)
    assert PASSWORD not in shown(error)
    assert basic not in shown(error)


@pytest.mark.parametrize("url", ["127.0.0.1:9", "http://127.0.0.1:9/", "http://user:pass@127.0.0.1:9"])
def test_a_proxy_of_the_environment_may_be_written_as_requests_takes_it(
    environment: pytest.MonkeyPatch, url: str
) -> None:
    environment.setenv("HTTP_PROXY", url)
    error = failure("ModelArts")
    assert (error.part, error.retryable) == ("proxy", True)


def test_a_user_without_a_scheme_is_refused_and_not_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTP_PROXY", f"corp-user:{PASSWORD}@127.0.0.1:9")
    error = failure("ModelArts")
    assert (error.part, error.retryable) == ("proxy", False)
    assert "HTTP_PROXY" in str(error)
    assert PASSWORD not in shown(error)


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("of", ["environment", "connection"])
def test_socks_without_pysocks(environment: pytest.MonkeyPatch, who: str, of: str) -> None:
    environment.setitem(sys.modules, "urllib3.contrib.socks", None)
    url = "socks5://127.0.0.1:9"
    if of == "environment":
        environment.setenv("HTTP_PROXY", url)
    # `requests` decides at its import whether it can.
    from requests import adapters, exceptions

    def missing(*args: object, **kwargs: object) -> None:
        raise exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    environment.setattr(adapters, "SOCKSProxyManager", missing)
    error = failure(who, proxies={"http": url} if of == "connection" else None)
    assert (error.part, error.retryable, error.may_have_happened) == ("proxy", False, False)
    assert "PySocks" in str(error)


@pytest.mark.parametrize("who", WHO)
def test_a_connection_can_do_without_the_environments_proxy(
    environment: pytest.MonkeyPatch, server: ScriptedServer, who: str
) -> None:
    environment.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.answer(Reply(403, {"error_msg": "it got here"}))
    config = ModelArtsConfig(
        endpoint=server.url,
        iam_endpoint=server.url,
        project_id="p",
        login="somebody",
        password="SKSKSKSKSK",
        domain_name="account" if who == "IAM" else None,
        proxies={},
    )
    with ModelArtsClient(config) as client, pytest.raises(ModelArtsError, match="it got here"):
        client.visualization_jobs.get(10)


def test_the_pytest_fixture_behind_a_proxy(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plugin = "airflow_provider_modelarts.emulator.pytest_plugin"
    (tmp_path / "conftest.py").write_text(f'pytest_plugins = ["{plugin}"]\n')
    (tmp_path / "test_it.py").write_text(
        "from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook\n"
        "def test_it(modelarts_emulator):\n"
        "    job_id = modelarts_emulator.create_job(status=8)\n"
        "    with ModelArtsHook() as hook:\n"
        "        assert hook.get_visualization_job(job_id).status == 8\n"
    )
    environment.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    environment.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert run.returncode == 0, run.stdout[-2000:]


@pytest.mark.parametrize(
    ("url", "can_be"),
    [
        ("http://proxy:3128", True),
        ("https://user:p%23ss@proxy:3128/", True),
        ("socks5h://proxy", True),
        ("http://user:1234#x@proxy:9", False),
        ("http://user:12/34@proxy:9", False),
        ("http://user:12?34@proxy:9", False),
        ("http://proxy:0", False),
        ("http://proxy:port", False),
        ("http://[::1", False),
        ("proxy:3128", False),
        ("", False),
    ],
)
def test_what_can_be_a_proxy(url: str, can_be: bool) -> None:
    assert is_proxy_url(url) is can_be


def test_the_secrets_of_a_proxy() -> None:
    assert secrets_of_proxy("http://u:p%21@proxy") == ("p%21", "p!", "dTpwIQ==")
    assert secrets_of_proxy("http://u@proxy") == ()
    assert secrets_of_proxy("http://[::1") == ()
