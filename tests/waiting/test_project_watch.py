"""Looks at all jobs of a project, against a real server: pages, outages, connections that change, and its end."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.operations import VisualizationJobs
from airflow_provider_modelarts.api.visualization_jobs.pages import StatusPage
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.emulator.faults import Fault
from airflow_provider_modelarts.waiting.kind import Status
from airflow_provider_modelarts.waiting.project import Snapshot
from airflow_provider_modelarts.waiting.project_watch import snapshots, watching
from tests.simulated_clock import SimulatedClock
from tests.simulated_loop import run_simulated


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(time_scale=0) as running:
        yield running


def looks(
    emulator: Emulator,
    count: int,
    *,
    between: Callable[..., Any] = lambda number: None,
    within: float = 20.0,
    **fields: Any,
) -> list[dict[str, Status]]:
    """Return the statuses that the first looks show."""

    def config() -> ModelArtsConfig:
        return ModelArtsConfig(
            endpoint=emulator.url, login=emulator.ak, password=emulator.sk, project_id=emulator.project_id, **fields
        )

    def connect(sleep: Callable[..., Any]) -> ModelArtsClient:
        return ModelArtsClient(config(), sleep=lambda seconds: sleep(min(seconds, 0.01)))

    async def look() -> list[dict[str, Status]]:
        seen: list[dict[str, Status]] = []
        async with aclosing(snapshots(VISUALIZATION_JOBS, "key", connect, poke_interval=0.01)) as stream:
            async for snapshot in stream:
                seen.append(dict(snapshot.statuses))
                between(len(seen))
                if len(seen) == count:
                    return seen
        raise AssertionError("unreachable")

    return asyncio.run(asyncio.wait_for(look(), within))


def test_a_watcher_that_comes_later_is_shown_its_statuses(emulator: Emulator) -> None:
    """Not by a poll that was for the statuses of others."""
    emulator.per_page_limit = 100
    for _ in range(350):
        emulator.create_job(status=12)
    running = emulator.create_job(status=8)

    def connect(sleep: Callable[..., Any]) -> ModelArtsClient:
        config = ModelArtsConfig(
            endpoint=emulator.url, login=emulator.ak, password=emulator.sk, project_id=emulator.project_id
        )
        return ModelArtsClient(config)

    async def poll() -> tuple[list[Snapshot], Snapshot]:
        shown = []
        async with aclosing(snapshots(VISUALIZATION_JOBS, "key", connect, poke_interval=0.01)) as polls:
            with watching("key", [8]):
                for _ in range(3):
                    shown.append(await anext(polls))
                with watching("key", [12]):
                    shown.append(await anext(polls))
            return shown, await anext(polls)

    polls, last = asyncio.run(poll())
    assert [poll.covers({12}) for poll in polls] == [True, False, False, True]
    assert all(poll.covers({8}) and running in poll.statuses for poll in polls)
    assert last.covers({8, 12}), "nobody is left, so that nothing is left out"


def test_all_pages_are_seen(emulator: Emulator) -> None:
    for _ in range(2500):
        emulator.create_job(status=7)
    [seen] = looks(emulator, 1)
    assert len(seen) == 2500
    assert emulator.request_counts() == {"list": 3}


def test_a_deployment_with_small_pages(emulator: Emulator) -> None:
    emulator.per_page_limit = 100
    for _ in range(250):
        emulator.create_job(status=7)
    first, second = looks(emulator, 2)
    assert len(first) == len(second) == 250
    assert emulator.request_counts() == {"list": 1 + 3 + 3}


def test_an_outage_is_waited_for_and_told_of_once(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    job_id = emulator.create_job(status=7)

    def between(number: int) -> None:
        if number == 1:
            emulator.inject(Fault("status", status=503, times=20))

    first, second = looks(emulator, 2, between=between)
    assert first == second == {job_id: 7}
    told = [record.message for record in caplog.records if "jobs of a project c" in record.message]
    assert len(told) == 2
    assert "could not be polled for" in told[0]
    assert "HTTP 503" in told[0]
    assert "can be polled again" in told[1]


def test_a_long_outage_is_told_of_every_ten_minutes(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = SimulatedClock(emulator)
    emulator.inject(Fault("status", status=503, retry_after=120))
    clock.at(1501, emulator.clear_faults)

    def connect(sleep: Callable[..., Any]) -> ModelArtsClient:
        config = ModelArtsConfig(
            endpoint=emulator.url, login=emulator.ak, password=emulator.sk, project_id=emulator.project_id
        )
        return ModelArtsClient(config, sleep=sleep)

    async def look() -> None:
        polls = snapshots(VISUALIZATION_JOBS, "key", connect, poke_interval=60, clock=clock)
        async with aclosing(polls):
            await anext(polls)
            await anext(polls)

    run_simulated(look(), clock)
    told = [record.message.partition(". ")[0] for record in caplog.records if "of a project c" in record.message]
    assert told == [
        "The jobs of a project could not be polled for 0 s",
        "The jobs of a project could not be polled for 10 min 0 s",
        "The jobs of a project could not be polled for 20 min 0 s",
        "The jobs of a project can be polled again, after 26 min 0 s",
    ]


def test_refused_credentials_are_asked_for_anew(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    right = emulator.sk

    def between(number: int) -> None:
        if number == 1:
            # What the client has read is refused; what connect() reads later is right.
            emulator.sk = "rotated"

    first, second = looks(emulator, 2, between=between)
    assert first == second == {}
    assert emulator.sk != right


def test_credentials_that_stay_wrong_are_not_tried_again_and_again(emulator: Emulator) -> None:
    emulator.inject(Fault("status", status=401))
    with pytest.raises(asyncio.TimeoutError):
        looks(emulator, 1, within=1.5)
    assert emulator.request_counts() == {"list": 2}


def test_a_server_that_wants_to_be_left_alone_is(emulator: Emulator) -> None:
    emulator.inject(Fault("status", status=429, retry_after=120))
    with pytest.raises(asyncio.TimeoutError):
        looks(emulator, 1, within=1.0)
    assert emulator.request_counts() == {"list": 1}


def test_nothing_is_left_when_nobody_listens(emulator: Emulator) -> None:
    looks(emulator, 3)
    for thread in threading.enumerate():
        if thread.name.startswith("modelarts-watch"):
            thread.join(5)  # it closes the client
            assert not thread.is_alive()


def test_a_surprise_is_borne_and_its_traceback_is_logged_once(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = emulator.create_job(status=7)
    surprises = [ZeroDivisionError("a bug"), ZeroDivisionError("the same bug")]
    original = VisualizationJobs.list_statuses

    def surprising(self: VisualizationJobs, **options: Any) -> StatusPage | None:
        if surprises:
            raise surprises.pop()
        return original(self, **options)

    monkeypatch.setattr(VisualizationJobs, "list_statuses", surprising)
    assert looks(emulator, 1) == [{job_id: 7}]
    assert surprises == []
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]
