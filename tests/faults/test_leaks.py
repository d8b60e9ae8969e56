"""Thousands of polls, and hundreds of pollers, leave nothing behind: no connections, no threads, no asyncio tasks."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil
import pytest

from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.client_owner import Connect, Sleep
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.waiting.fetch import JobFetcher
from airflow_provider_modelarts.waiting.poller import subscribe as subscribe_to
from tests.faults.servers import PROJECT_ID, Behaviour, Exchange, FaultyServer
from tests.simulated_clock import SimulatedClock
from tests.simulated_loop import SimulatedLoop

WAITING = ("modelarts-poller", "modelarts-details")
"""How threads of waits are called. Those that stop jobs of killed tasks stay."""

CYCLE = 500
"""Polls. A cycle is healthy at first, and has each of the faults in its last tenth."""

FAULTS: list[Behaviour] = [
    Exchange.reset,
    Exchange.close,
    lambda exchange: exchange.send(503),
    lambda exchange: exchange.send(429, b"", [("Retry-After", "90")]),
    lambda exchange: exchange.send(200, b"<html>"),
    lambda exchange: exchange.jobs() if exchange.request.operation == "get" else exchange.send(403),
    lambda exchange: exchange.jobs() if exchange.request.operation == "get" else exchange.page([], 0),
]


subscribe = partial(subscribe_to, VISUALIZATION_JOBS)


@dataclass(frozen=True)
class Held:
    """What the process holds."""

    descriptors: int
    threads: int
    tasks: int

    @classmethod
    def now(cls) -> Held:
        gc.collect()
        ours = [thread for thread in threading.enumerate() if thread.name.startswith(WAITING)]
        return cls(psutil.Process().num_fds(), len(ours), len(asyncio.all_tasks()))


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def run(clock: SimulatedClock) -> Iterator[Callable[[Any], Any]]:
    loop = SimulatedLoop(clock.monotonic, clock.sleep)
    yield loop.run_until_complete
    loop.close()


def connect_to(server: FaultyServer, clock: SimulatedClock) -> Connect:
    def connect(sleep: Sleep) -> ModelArtsClient:
        config = ModelArtsConfig(endpoint=server.url, project_id=PROJECT_ID, login="AK", password="SK", read_timeout=5)
        return ModelArtsClient(config, sleep=clock.sleep)

    return connect


@pytest.mark.parametrize("wanted", [2_000, pytest.param(10_000, marks=pytest.mark.soak)])
def test_thousands_of_polls(
    wanted: int, run: Callable[[Any], Any], clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    polls = 0
    fetch = JobFetcher.fetch

    def counted(fetcher: JobFetcher, known: Any) -> Any:
        nonlocal polls
        polls += 1
        place = polls % CYCLE - (CYCLE - CYCLE // 10)
        server.behaviour = None if place < 0 else FAULTS[place * len(FAULTS) // (CYCLE // 10)]
        return fetch(fetcher, known)

    async def held_in_the_middle_of_a_cycle(number: int) -> Held:
        while polls < number * CYCLE + CYCLE // 2:
            await asyncio.sleep(30)
        return Held.now()

    async def main() -> tuple[Held, Held, set[str]]:
        kinds: set[str] = set()
        async with subscribe("key", connect_to(server, clock), list(server.statuses), poke_interval=30) as subscription:

            async def read() -> None:
                while True:
                    kinds.update(type(seen).__name__ for seen in (await subscription.observations(3600)).values())

            reader = asyncio.create_task(read())
            start = await held_in_the_middle_of_a_cycle(1)
            end = await held_in_the_middle_of_a_cycle(wanted // CYCLE)
            reader.cancel()
        return start, end, kinds

    monkeypatch.setattr(JobFetcher, "fetch", counted)
    with FaultyServer() as server:
        start, end, kinds = run(main())
        assert polls >= wanted
        assert server.counts.total() >= wanted
    # The faults were seen, so there was something that could have leaked.
    assert {"VisualizationJob", "ModelArtsConnectionError", "ModelArtsServerError", "ModelArtsThrottledError"} <= kinds
    assert end == start


def test_pollers_that_come_and_go(run: Callable[[Any], Any], clock: SimulatedClock) -> None:
    async def wait(number: int) -> None:
        async with subscribe(
            number, connect_to(server, clock), list(server.statuses), poke_interval=30
        ) as subscription:
            assert await subscription.observations(3600)

    async def settled() -> Held:
        """What is closed ends on its thread, a moment later."""
        for _ in range(500):
            held = Held.now()
            if held.threads == 0 and held.tasks == 1:
                break
            await asyncio.get_running_loop().run_in_executor(None, threading.Event().wait, 0.01)
        return Held.now()

    async def main() -> tuple[Held, Held]:
        await asyncio.gather(*map(wait, range(10)))
        start = await settled()
        for first in range(10, 310, 10):
            # Every other time the list cannot be read, so that threads for details are made, too.
            server.behaviour = FAULTS[-2] if first % 20 else None
            await asyncio.gather(*map(wait, range(first, first + 10)))
        return start, await settled()

    with FaultyServer() as server:
        start, end = run(main())
    assert end == start
    assert (end.threads, end.tasks) == (0, 1)
