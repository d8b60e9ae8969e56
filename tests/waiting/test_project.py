"""All jobs of a project, poll by poll: what a poll costs, and that no arrival gets lost by the status filter."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.errors import ModelArtsServerError
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.waiting.kind import Status
from airflow_provider_modelarts.waiting.project import ProjectPoller
from airflow_provider_modelarts.waiting.project_watch import Arrivals
from tests.faults.servers import Exchange, FaultyServer

RUNNING = frozenset({8})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(time_scale=0, job_quota=10_000, per_page_limit=100) as running:
        for _ in range(950):
            running.create_job(status=12)
        yield running


@pytest.fixture
def poller(emulator: Emulator, clock: Clock) -> Iterator[ProjectPoller]:
    config = ModelArtsConfig(
        endpoint=emulator.url, project_id=emulator.project_id, login=emulator.ak, password=emulator.sk
    )
    with ModelArtsClient(config, sleep=lambda seconds: None) as client:
        yield ProjectPoller(VISUALIZATION_JOBS, VISUALIZATION_JOBS.reader(client, clock), clock)


@pytest.fixture
def poll(emulator: Emulator, poller: ProjectPoller) -> Callable[..., Any]:
    """Poll, and return the statuses that the poll shows, and its requests."""

    def poll(watched: frozenset[int] = RUNNING) -> tuple[Mapping[str, Status], dict[str, int]]:
        emulator.clear_requests()
        snapshot = poller.poll(watched)
        return snapshot.statuses, emulator.request_counts()

    return poll


def test_only_the_watched_statuses_are_listed(emulator: Emulator, poll: Callable[..., Any]) -> None:
    running = emulator.create_job(status=8)
    statuses, requests = poll()
    assert len(statuses) == 951
    # One is refused, for its size; one shows that the filter works.
    assert requests == {"list": 1 + 10 + 1}
    assert poll() == ({running: 8}, {"list": 1})
    assert len(poll(frozenset({8, 11}))[0]) == 951, "another status is watched"
    assert poll(frozenset({8, 11})) == ({running: 8}, {"list": 2})


def test_a_job_that_has_left_is_shown_as_it_is_now(emulator: Emulator, poller: ProjectPoller) -> None:
    stays, leaves = emulator.create_job("stays", status=8), emulator.create_job("leaves", status=8)
    poller.poll(RUNNING)
    emulator.set_status(leaves, 9)
    snapshot: Any = poller.poll(RUNNING)
    shown = [snapshot.job(job_id) for job_id in (stays, leaves)]
    assert [(job.job_name, job.status) for job in shown] == [("stays", 8), ("leaves", 9)]


def test_a_job_that_has_left_is_asked_for_once(emulator: Emulator, poll: Callable[..., Any]) -> None:
    first, second = emulator.create_job(status=8), emulator.create_job(status=8)
    poll()
    emulator.set_status(first, 9)
    emulator.remove_job(second)
    assert poll() == ({first: 9}, {"list": 1, "get": 2})
    assert poll() == ({}, {"list": 1})


def test_a_job_that_leaves_and_comes_back_arrives_again(emulator: Emulator, poll: Callable[..., Any]) -> None:
    arrivals = Arrivals(RUNNING)
    job_id = emulator.create_job(status=8)
    arrivals.observe(poll()[0])
    told = []
    for status in (8, 12, 12, 8, 8):
        emulator.set_status(job_id, status)
        told += arrivals.observe(poll()[0])
    assert told == [job_id]


def test_many_that_leave_at_once_take_the_whole_list(emulator: Emulator, poll: Callable[..., Any]) -> None:
    job_ids = [emulator.create_job(status=8) for _ in range(30)]
    poll()
    for job_id in job_ids:
        emulator.set_status(job_id, 12)
    statuses, requests = poll()
    assert [statuses[job_id] for job_id in job_ids] == [12] * 30
    assert requests.get("get", 0) == 0


@pytest.mark.parametrize(("count", "watched"), [(0, {12}), (850, {8, 12}), (1, set(range(23)) - {12})])
def test_the_whole_list_is_read_where_that_takes_no_more(
    emulator: Emulator, poll: Callable[..., Any], count: int, watched: set[int]
) -> None:
    for _ in range(count):
        emulator.create_job(status=8)
    poll(frozenset(watched))
    statuses, requests = poll(frozenset(watched))
    assert len(statuses) == 950 + count
    assert requests == {"list": -(-(950 + count) // 100)}


def test_the_whole_list_is_read_each_hour(emulator: Emulator, poll: Callable[..., Any], clock: Clock) -> None:
    poll()
    clock.now = 3599
    assert len(poll()[0]) == 0
    clock.now = 3600
    assert len(poll()[0]) == 950
    assert len(poll()[0]) == 0


def test_a_poll_that_fails_forgets_nothing(emulator: Emulator, poll: Callable[..., Any]) -> None:
    job_id = emulator.create_job(status=8)
    poll()
    emulator.set_status(job_id, 12)
    emulator.inject(Fault(kind="status", status=503, operation="get", times=4))
    with pytest.raises(ModelArtsServerError):
        poll()
    assert poll()[0] == {job_id: 12}


@pytest.mark.parametrize("filtered", ["ignored", "refused", "empty"])
def test_a_filter_that_does_not_work_is_not_used(filtered: str, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    def answer(exchange: Exchange) -> None:
        if "status=" in exchange.request.target and filtered != "ignored":
            exchange.send(400) if filtered == "refused" else exchange.page([], 0)
        elif exchange.request.operation == "list" and exchange.request.number("per_page") > 100:
            exchange.send(400)
        else:
            exchange.jobs()

    with FaultyServer() as server:
        server.statuses = {str(job_id): 12 if job_id % 2 else 11 for job_id in range(1, 601)}
        server.behaviour = answer
        with ModelArtsClient(ModelArtsConfig(endpoint=server.url, project_id="p", login="a", password="b")) as client:
            poller = ProjectPoller(VISUALIZATION_JOBS, VISUALIZATION_JOBS.reader(client, clock), clock)
            poller.poll(RUNNING)
            server.statuses |= {"601": 8}
            assert poller.poll(RUNNING).statuses["601"] == 8
    refusals = caplog.text.count("The list of jobs cannot be filtered by status; reading the whole list. GET ")
    assert (refusals > 0) is (filtered == "refused")


def test_a_filter_that_stops_working_is_found_out(emulator: Emulator, poll: Callable[..., Any]) -> None:
    """Rows that were not asked for show it."""
    job_id = emulator.create_job(status=8)
    poll()
    assert poll()[1] == {"list": 1}
    page = {"jobs": [{"job_id": int(job_id), "status": 8}, {"job_id": 1, "status": 12}], "job_total_count": 2}
    emulator.inject(Fault(kind="status", status=200, operation="list", times=1, body=json.dumps(page)))
    assert len(poll()[0]) == 951


def test_a_job_that_a_shifting_page_hides_has_not_left(emulator: Emulator, poll: Callable[..., Any]) -> None:
    job_id = emulator.create_job(status=8)
    poll()
    empty = json.dumps({"jobs": [], "job_total_count": 0})
    emulator.inject(Fault(kind="status", status=200, operation="list", times=1, body=empty))
    assert poll() == ({job_id: 8}, {"list": 1, "get": 1})


def test_an_empty_project(clock: Clock) -> None:
    with Emulator() as server:
        config = ModelArtsConfig(endpoint=server.url, project_id=server.project_id, login=server.ak, password=server.sk)
        with ModelArtsClient(config) as client:
            poller = ProjectPoller(VISUALIZATION_JOBS, VISUALIZATION_JOBS.reader(client, clock), clock)
            assert [poller.poll(RUNNING).statuses for _ in range(2)] == [{}, {}]
