"""What a job's page may be to become a link: a web address, and nothing that a browser takes for something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_modelarts.links.base import XCOM_KEY, link_to
from airflow_provider_modelarts.triggers import base as triggers
from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger
from tests import simulated_tasks
from tests.faults.servers import PROJECT_ID, FaultyServer
from tests.hypothesis_profile import load_profile
from tests.simulated_tasks import TaskDeferred, TaskInstance, first_event, run_to_its_end, simulate

load_profile()

GOOD = (
    "https://console.example.com/modelarts/?locale=en-us#/visualization/197",
    "http://10.0.0.1:8443/197/tensorboard/",
    "HTTPS://Console.Example.com/",
    "https://[2001:db8::1]:8443/x",
    "https://xn--bcher-kva.example/a%20b?c=d&e=(f)",
    f"https://console.example.com/{'x' * 2020}",
)
HOSTILE = (
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\nscript:alert(1)",
    "\x01javascript:alert(1)",
    " https://console.example.com/",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "//evil.example.com/",
    "/relative",
    "evil.example.com",
    "http:",
    "http:/evil.example.com",
    "http:evil.example.com",
    "http:///evil.example.com",
    "https://user:password@console.example.com/",
    "https://console.example.com@evil.example.com/",
    "https://@evil.example.com/",
    "https://console.example.com\\@evil.example.com/",
    "https://console.example.com/\r\nSet-Cookie: a=b",
    "https://console.example.com/\x00",
    "https://console.example.com/a b",
    'https://console.example.com/"onmouseover="alert(1)',
    "https://console.example.com/<script>",
    "https://console.example.com/\u202egnp.exe",
    "https://console.ex\u0430mple.com/",
    "https://console.example.com\u2100evil.example.com/",
    "https://console\u3002example.com/",
    "https://[console.example.com/",
    "https://[::1]evil.example.com/",
    "https://console.example.com:99999/",
    "https://console.example.com:port/",
    "https://console.example.com:0/",
    f"https://console.example.com/{'x' * 2021}",
    "https://console.example.com/" + "x" * 10_000,
    "https://" + "x" * 300 + ".example.com/",
    "",
)


@pytest.mark.parametrize("url", GOOD)
def test_a_web_address_is_a_link(url: str) -> None:
    assert link_to(url) == url


@pytest.mark.parametrize("url", HOSTILE)
def test_nothing_else_is(url: str) -> None:
    assert link_to(url) == ""


@given(
    st.text() | st.tuples(st.sampled_from(["http", "https", "http:", "https://", "https://a"]), st.text()).map("".join)
)
@example("https://a:\u0663/")
def test_of_any_text_a_link_is_one_plain_web_address_or_none(text: str) -> None:
    link = link_to(text)
    if link:
        parts = urlsplit(link)
        assert link == text
        assert link.isascii()
        assert link.isprintable()
        assert not set(link) & set(" \"<>\\^`{|}'")
        assert link.partition("://")[0].lower() in ("http", "https")
        assert parts.hostname
        assert "@" not in parts.netloc


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the XComs of all task instances that are made."""
    made: list[dict[str, Any]] = []

    def make(**arguments: Any) -> TaskInstance:
        made.append({})
        return TaskInstance(xcoms=made[-1], **arguments)

    async def push(ti: Any, key: str, value: Any) -> None:
        made.append({key: value})

    monkeypatch.setattr(simulated_tasks, "TaskInstance", make)
    monkeypatch.setattr(triggers, "apush_xcom", push)
    return made


def by_sensor(mode: str) -> Callable[..., None]:
    def wait(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        assert run_to_its_end(mode, clock, monkeypatch, job_id=101, poke_interval=30).state == "success"

    return wait


def by_trigger_alone(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with ``skip_worker``."""
    deferral = TaskDeferred(trigger=ModelArtsVisualizationJobTrigger(job_id=101), method_name="execute_complete")
    assert first_event(deferral, clock)["outcome"] == "arrived"


@pytest.mark.parametrize(
    "url", [GOOD[0], "javascript:alert(1)", "https://u:p@evil.example.com/", "https://[", "//evil/"]
)
@pytest.mark.parametrize(
    "wait", [by_sensor("poke"), by_sensor("reschedule"), by_sensor("deferrable"), by_trigger_alone],
    ids=["poke", "reschedule", "deferrable", "trigger alone"],
)  # fmt: skip
def test_a_hostile_page_becomes_no_link_and_ends_no_wait(
    wait: Callable[..., None], url: str, pushed: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyServer() as server:
        server.behaviour = lambda exchange: exchange.jobs(lambda job: {**job, "service_url": url})
        extra = {"project_id": PROJECT_ID}
        connection = {"conn_type": "modelarts", "login": "a", "password": "b", "host": server.url, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(connection))
        clock = simulate(monkeypatch, server)
        clock.at(100, server.arrive)
        wait(clock, monkeypatch)
    links = [xcoms[XCOM_KEY] for xcoms in pushed if XCOM_KEY in xcoms]
    assert links == ([url] if url == GOOD[0] else [])
