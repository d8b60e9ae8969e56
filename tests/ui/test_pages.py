"""The pages in Airflow's UI: what they are fed with, who serves them, and that they are off unless switched on."""

from __future__ import annotations

import asyncio
import importlib
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import uvicorn

from airflow_provider_modelarts._compat import airflow_version
from airflow_provider_modelarts.api.training_jobs.kind import TRAINING_JOBS
from airflow_provider_modelarts.api.training_jobs.models import TrainingJob
from airflow_provider_modelarts.api.training_jobs.statuses import TrainingJobPhase
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
from airflow_provider_modelarts.ui import plugin
from airflow_provider_modelarts.ui.shown_jobs import MAX_ENTRIES, MAX_JOBS, XCOM_KEY, shown_jobs_of
from airflow_provider_modelarts.waiting.jobs import JobsWait
from airflow_provider_modelarts.waiting.request import WaitRequest
from tests.sensors.conftest import *  # noqa: F403 - the fixtures of the sensors' tests
from tests.sensors.test_wait_table import MODES

pytestmark = pytest.mark.skipif(airflow_version() < (3, 1), reason="Airflow 3.1 and later")

SWITCH = "AIRFLOW__MODELARTS__JOBS_IN_UI"
PAGES = Path(plugin.__file__).parent / "pages"


@pytest.fixture
def served() -> Iterator[str]:
    """Serve the pages as Airflow does, below a prefix, and return the address."""
    from starlette.applications import Starlette

    app = Starlette()
    app.mount("/below/modelarts", plugin.serve)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/below/modelarts/"
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("page", ["jobs.html", "waits.html"])
def test_a_page_and_what_it_needs_are_served_from_one_place(page: str, served: str) -> None:
    answer = requests.get(served + page, timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for name, value in {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}.items():
        assert answer.headers[name] == value
    assert requests.head(served + page, timeout=10).status_code == 200
    needed = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(needed) == 2
    for name in needed:
        assert urlsplit(name).netloc == ""
        assert requests.get(served + name, timeout=10).status_code == 200


@pytest.mark.parametrize("path", ["", "nothing.html", "..%2Fplugin.py", "plugin.py", "%00"])
def test_nothing_else_is_served(path: str, served: str) -> None:
    assert requests.get(served + path, timeout=10).status_code == 404


def test_only_reading_is_allowed(served: str) -> None:
    for method in ("POST", "PUT", "DELETE"):
        answer = requests.request(method, served + "jobs.html", timeout=10)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("name", sorted(path.name for path in PAGES.iterdir()))
def test_no_page_makes_html_of_text_or_loads_from_elsewhere(name: str) -> None:
    text = (PAGES / name).read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://|style=", text)


@pytest.mark.parametrize(("switch", "views"), [("True", 2), ("False", 0), (None, 0)])
def test_the_plugin_adds_the_pages_only_if_they_are_on(
    switch: str | None, views: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if switch is None:
        monkeypatch.delenv(SWITCH, raising=False)
    else:
        monkeypatch.setenv(SWITCH, switch)
    loaded = importlib.reload(plugin).ModelArtsJobsPlugin
    assert len(loaded.external_views) == views
    assert bool(loaded.fastapi_apps) is bool(views)
    assert [view["destination"] for view in loaded.external_views] == ["task_instance", "nav"][:views]
    assert {view["href"].partition("?")[0] for view in loaded.external_views} == (
        {"modelarts/jobs.html", "modelarts/waits.html"} if views else set()
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("switch", ["True", "False"])
def test_every_mode_feeds_the_pages_if_they_are_on(
    switch: str, mode: str, emulator: Any, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, switch)
    outcome = run(mode, job_id=emulator.create_job("board", script="7:0,8:40"), poke_interval=30)
    assert outcome.state == "success"
    if switch == "False":
        assert XCOM_KEY not in outcome.xcoms
        return
    (job,) = outcome.xcoms[XCOM_KEY]["jobs"]
    assert job["title"].endswith("(board)")
    assert job["page"].startswith("http")
    assert job["history"][-1][1:] == ["RUNNING (8)", "arrived"]


@pytest.mark.parametrize("mode", MODES)
def test_the_pages_show_what_failed_a_wait(
    mode: str, emulator: Any, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, "True")
    outcome = run(mode, job_id=emulator.create_job(script="7:0,11:40"), poke_interval=30)
    assert outcome.state == "failed"
    assert outcome.xcoms[XCOM_KEY]["jobs"][0]["history"][-1][1:] == ["FAILED (11)", "cannot arrive"]


class Silent:
    """A log that nobody reads."""

    def log(self, level: int, message: Any, /, *args: Any) -> None: ...


def test_what_the_pages_are_fed_with_has_limits() -> None:
    request = WaitRequest(job_ids=[str(number) for number in range(1, MAX_JOBS + 8)], target_status="RUNNING")
    wait = JobsWait.begin(VISUALIZATION_JOBS, request, log=Silent())
    for moment in range(MAX_ENTRIES + 5):
        wait.observe({"1": VISUALIZATION_JOBS.unobserved("1", (7, 1)[moment % 2])}, moment)
    shown_jobs = shown_jobs_of(wait)
    assert (len(shown_jobs["jobs"]), shown_jobs["more"]) == (MAX_JOBS, 7)
    assert len(shown_jobs["jobs"][0]["history"]) == MAX_ENTRIES


def test_what_the_pages_are_fed_with() -> None:
    request = WaitRequest(job_ids=["a", "b"], target_status="Completed")
    wait = JobsWait.begin(TRAINING_JOBS, request, log=Silent())
    wait.observe({"a": TrainingJob("a", TrainingJobPhase.RUNNING, "train", node_count=4, page_url="https://x/")}, 5)
    assert shown_jobs_of(wait) == {
        "version": 1,
        "noun": "training job",
        "target": "Completed",
        "jobs": [
            {"title": "a (train)", "page": "https://x/", "nodes": 4, "history": [[5, "Running", "waiting"]]},
            {"title": "b", "page": "", "nodes": None, "history": []},
        ],
        "more": 0,
    }


def test_the_latest_entries_and_the_first_jobs_are_shown() -> None:
    ids = [str(number) for number in range(1, MAX_JOBS + 2)]
    wait = JobsWait.begin(VISUALIZATION_JOBS, WaitRequest(job_ids=ids, target_status="RUNNING"), log=Silent())
    for moment in range(MAX_ENTRIES + 1):
        wait.observe({"1": VISUALIZATION_JOBS.unobserved("1", (7, 1)[moment % 2])}, moment)
    shown_jobs = shown_jobs_of(wait)
    assert [entry[0] for entry in shown_jobs["jobs"][0]["history"]] == list(range(1, MAX_ENTRIES + 1))
    assert [job["title"] for job in shown_jobs["jobs"]] == ids[:-1]


def test_a_page_with_a_dangerous_address_is_no_link() -> None:
    wait = JobsWait.begin(VISUALIZATION_JOBS, WaitRequest(job_id="1", target_status="RUNNING"), log=Silent())
    job = VISUALIZATION_JOBS.unobserved("1", 7)
    object.__setattr__(job, "service_url", "javascript:alert(1)")
    assert isinstance(job, VisualizationJob)
    wait.observe({"1": job}, 0)
    assert shown_jobs_of(wait)["jobs"][0]["page"] == ""


def test_loading_the_plugin_loads_no_server() -> None:
    code = (
        "import sys, airflow.plugins_manager; before = set(sys.modules);"
        "import airflow_provider_modelarts.ui.plugin; print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"starlette", "fastapi", "requests", "pendulum", "httpx"} & set(loaded)


def test_other_connections_than_http_are_left_alone() -> None:
    async def websocket() -> None:
        await plugin.serve({"type": "websocket", "path": "/jobs.html"}, None, None)

    asyncio.run(websocket())
