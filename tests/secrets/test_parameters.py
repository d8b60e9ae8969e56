"""Whatever a template renders to: it is refused before anything is sent, or arrives as what it is and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.operators.clean_up import ModelArtsCleanUpVisualizationJobsOperator
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.waiting.wait import JobStateUnknownError
from tests.api.samples import DETAIL_SUCCESS
from tests.conftest import Received, Reply, ScriptedServer
from tests.faults.servers import PROJECT_ID
from tests.hypothesis_profile import load_profile
from tests.simulated_tasks import TaskInstance

load_profile()

JOBS = f"/v1/{PROJECT_ID}/visualization-jobs"
HEADERS = {
    *("Host", "User-Agent", "Accept", "Accept-Encoding", "Connection", "Content-Type", "Content-Length"),
    *("Authorization", "X-Project-Id", "X-Sdk-Date"),
}
LIST = {"order": "asc", "page": "1", "per_page": "100", "sortBy": "job_id"}

PIECES = [
    *("..", "/", "//", "\\", "?", "&", "=", "#", "%2F", "%2e", "%00", "@", ":", ";", "\r\n", "\0", "\t", " ", "+", "*"),
    *("http://", "evil.example.com", "197", "page=2", "Host: evil", "'", '"', "é", "\ud800", "\u202e", "\uff11", "٣"),
]
TEXT = st.text(max_size=70) | st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.from_regex(r"\w{1,20}")


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    scripted.answer(Reply(200, {**json.loads(DETAIL_SUCCESS), "jobs": [], "job_total_count": 0}))
    yield scripted
    scripted.close()


@pytest.fixture(scope="module")
def sent(server: ScriptedServer) -> Iterator[Callable[[Callable[[], Any]], list[Received]]]:
    """Return what arrives when something is done; nothing may when it is refused."""

    def arrived(action: Callable[[], Any]) -> list[Received]:
        server.received.clear()
        try:
            action()
        except ValueError:
            assert server.received == []
        return list(server.received)

    extra = {"project_id": PROJECT_ID}
    connection = {"conn_type": "modelarts", "login": "AK", "password": "SK", "host": server.url, "extra": extra}
    with pytest.MonkeyPatch.context() as patches:
        patches.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(connection))
        yield arrived


def check(
    request: Received, server: ScriptedServer, method: str, path: str, query: dict[str, str] | None = None
) -> None:
    """Check the whole of a request but its body."""
    got_path, mark, got_query = request.target.partition("?")
    assert (request.method, got_path, bool(mark)) == (method, path, query is not None)
    assert parse_qsl(got_query, keep_blank_values=True, strict_parsing=bool(query)) == sorted((query or {}).items())
    assert request.headers["Host"] == server.url.removeprefix("http://")
    assert set(request.headers) <= HEADERS


@pytest.mark.parametrize(
    ("operation", "method", "behind"),
    [
        ("get", "GET", ""),
        ("stop", "POST", "/stop"),
        ("restart", "POST", "/restart"),
        ("delete", "DELETE", ""),
    ],
)
@given(text=TEXT)
@example(text="197")
@example(text=" 197\n")
@example(text="197/stop")
@example(text="../../v3/auth/tokens")
def test_job_id(operation: str, method: str, behind: str, text: str, server: ScriptedServer, sent: Any) -> None:
    with ModelArtsHook() as hook:
        requests = sent(lambda: getattr(hook, f"{operation}_visualization_job")(text))
    text = text.strip()
    assert len(requests) == (text.isascii() and text.isdigit() and len(text) < 20)
    for request in requests:
        check(request, server, method, f"{JOBS}/{text}{behind}")


@given(text=TEXT)
@example(text="197")
def test_job_id_of_a_sensor(text: str, server: ScriptedServer, sent: Any) -> None:
    sensor = ModelArtsVisualizationJobSensor(task_id="wait", job_id="{{ params.x }}", target_status=[0, 7, 8])
    sensor.job_id = text
    with suppress(JobStateUnknownError):  # the answer describes job 197
        sent(lambda: sensor.execute({"ti": TaskInstance()}))  # type: ignore[typeddict-item]
    requests = list(server.received)
    text = text.strip()
    assert len(requests) <= 1
    for request in requests:
        check(request, server, "GET", f"{JOBS}/{text}")


@given(text=TEXT)
@example(text="0123456789abcdef")
@example(text="../v3")
def test_project_id(text: str, server: ScriptedServer, sent: Any) -> None:
    with ModelArtsHook(project_id=text) as hook:
        requests = sent(lambda: hook.get_visualization_job(197))
    text = text.strip()
    assert len(requests) <= 1
    for request in requests:
        # Not given is the connection's.
        check(request, server, "GET", f"/v1/{text or PROJECT_ID}/visualization-jobs/197")
        assert request.headers["X-Project-Id"] == (text or PROJECT_ID)


@given(text=TEXT)
@example(text="w&page=2#")
def test_workspace_id(text: str, server: ScriptedServer, sent: Any) -> None:
    with ModelArtsHook(workspace_id=text) as hook:
        requests = sent(lambda: list(hook.list_visualization_jobs()))
        created = sent(lambda: hook.create_visualization_job(job_name="n", train_url="/b/d/"))
    text = text.strip()
    for request in requests:
        check(request, server, "GET", JOBS, LIST | ({"workspace_id": text} if text else {}))
    for request in created:
        check(request, server, "POST", JOBS)
        body = {"job_name": "n", "train_url": "/b/d/", "job_type": "tensorboard"}
        assert json.loads(request.body) == body | ({"workspace_id": text} if text else {})


@given(text=TEXT)
@example(text="a&workspace_id=1")
def test_search_content(text: str, server: ScriptedServer, sent: Any) -> None:
    with ModelArtsHook() as hook:
        requests = sent(lambda: list(hook.list_visualization_jobs(search_content=text)))
        found = sent(lambda: hook.get_conn().visualization_jobs.find(text))
    text = text.strip()
    for request in requests:
        check(request, server, "GET", JOBS, LIST | ({"search_content": text} if text else {}))
    for request in found:
        check(request, server, "GET", JOBS, LIST | {"order": "desc"} | ({"search_content": text} if text else {}))


@given(text=TEXT)
@example(text="board-1")
def test_job_name(text: str, server: ScriptedServer, sent: Any) -> None:
    with ModelArtsHook() as hook:
        requests = sent(lambda: hook.create_visualization_job(job_name=text, train_url="/b/d/"))
    text = text.strip()
    for request in requests:
        check(request, server, "POST", JOBS)
        assert json.loads(request.body) == {"job_name": text, "train_url": "/b/d/", "job_type": "tensorboard"}
        assert text.isascii()


@given(job_name=TEXT.filter(str.strip), workspace_id=TEXT, project_id=TEXT)
def test_all_of_the_clean_up(
    job_name: str, workspace_id: str, project_id: str, server: ScriptedServer, sent: Any
) -> None:
    operator = ModelArtsCleanUpVisualizationJobsOperator(
        task_id="clean", job_name=job_name, workspace_id=workspace_id, project_id=project_id
    )
    requests = sent(lambda: operator.execute({}))
    workspace_id, project_id = workspace_id.strip(), project_id.strip()
    assert len(requests) <= 1
    for request in requests:
        query = LIST | ({"workspace_id": workspace_id} if workspace_id else {})
        check(request, server, "GET", f"/v1/{project_id or PROJECT_ID}/visualization-jobs", query)


@given(text=TEXT)
@example(text="eu-de")
def test_region(text: str, server: ScriptedServer, sent: Any) -> None:
    """With an explicit endpoint, it changes nothing; without one, it is a part of the endpoint's name, or refused."""
    with ModelArtsHook(region=text) as hook:
        requests = sent(lambda: hook.get_visualization_job(197))
    for request in requests:
        check(request, server, "GET", f"{JOBS}/197")
