"""A redirect takes no credentials to another server, whatever its status, of ModelArts or of IAM."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts.api.errors import ModelArtsError
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from tests.faults.servers import PROJECT_ID, Exchange, FaultyServer

CALLS: dict[str, Callable[[ModelArtsHook], Any]] = {
    "get": lambda hook: hook.get_visualization_job(101),
    "list": lambda hook: list(hook.list_visualization_jobs()),
    "create": lambda hook: hook.create_visualization_job(job_name="n", train_url="/b/d/"),
    "stop": lambda hook: hook.stop_visualization_job(101),
    "delete": lambda hook: hook.delete_visualization_job(101),
    "test_connection": lambda hook: hook.test_connection(),
}


@pytest.mark.parametrize("who", ["ModelArts", "ModelArts, with a token", "IAM"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", CALLS)
def test_nothing_arrives_elsewhere(call: str, status: int, who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer() as server, FaultyServer() as elsewhere:

        def redirect(exchange: Exchange) -> None:
            if exchange.request.operation == "token" and who != "IAM":
                exchange.as_asked()
            else:
                exchange.send(status, b"", [("Location", elsewhere.url + exchange.request.target)])

        server.behaviour = redirect
        extra = {"project_id": PROJECT_ID, "iam_endpoint": server.url, "domain_name": "" if who == "ModelArts" else "a"}
        connection = {"conn_type": "modelarts", "login": "a", "password": "b", "host": server.url, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(connection))
        with ModelArtsHook() as hook:
            if call == "test_connection":
                works, message = hook.test_connection()
                assert (works, "credentials are not sent" in message) == (False, True)
            else:
                with pytest.raises(ModelArtsError, match="credentials are not sent"):
                    CALLS[call](hook)
        assert server.counts.total() == (2 if who == "ModelArts, with a token" else 1)
        assert not elsewhere.counts
