"""The XCom that the button reads: a plain address in the database, asked for only where there may be one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_modelarts._compat import airflow_version, push_plain_xcom
from airflow_provider_modelarts.links import base as links
from airflow_provider_modelarts.links.base import XCOM_KEY
from airflow_provider_modelarts.links.visualization_job import ModelArtsVisualizationJobLink

pytestmark = pytest.mark.skipif(airflow_version() < (3, 0), reason="Airflow 2.11 asks in its web server")

PAGE = "https://modelarts.example/page"
TI = SimpleNamespace(dag_id="dag", run_id="run", task_id="wait", map_index=2)


def test_it_goes_past_a_custom_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time import task_runner

    class Backend(BaseXCom):
        @staticmethod
        def serialize_value(value: Any, **which: Any) -> Any:
            return "file:///reference"

    sent: list[Any] = []
    monkeypatch.setattr("airflow.sdk.execution_time.xcom.XCom", Backend)
    monkeypatch.setattr(task_runner, "XCom", Backend)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(send=sent.append), raising=False)
    push_plain_xcom(TI, XCOM_KEY, PAGE)
    [message] = sent
    assert (message.key, message.value, message.task_id, message.map_index) == (XCOM_KEY, PAGE, "wait", 2)


@pytest.mark.parametrize(
    ("link", "stored", "shown"),
    [
        pytest.param("", "not asked for", "", id="nothing was pushed in this try"),
        pytest.param(PAGE, "not asked for", PAGE, id="known"),
        pytest.param(None, PAGE, PAGE, id="resumed without an event"),
        pytest.param(None, None, "", id="resumed without an event, and nothing was pushed"),
    ],
)
def test_it_is_asked_for_only_where_it_is_not_known(
    link: str | None, stored: str | None, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "get_plain_xcom", lambda ti_key, key: stored)
    assert ModelArtsVisualizationJobLink().get_link(SimpleNamespace(link=link), ti_key=TI) == shown
