"""One poller for many waits: what is shared, what is told, and what is left behind."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.client_owner import Connect, Sleep
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.errors import (
    ModelArtsAuthenticationError,
    ModelArtsConfigurationError,
    ModelArtsConnectionError,
    ModelArtsServerError,
    ModelArtsUnexpectedError,
)
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
from airflow_provider_modelarts.api.visualization_jobs.operations import VisualizationJobs
from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.waiting import poller
from airflow_provider_modelarts.waiting.fetch import Observation
from airflow_provider_modelarts.waiting.poller import Poller
from airflow_provider_modelarts.waiting.poller import subscribe as subscribe_to
from airflow_provider_modelarts.waiting.subscription import PollerError, Subscription
from tests.simulated_clock import SimulatedClock
from tests.simulated_loop import SimulatedLoop

subscribe = partial(subscribe_to, VISUALIZATION_JOBS)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(time_scale=0, job_quota=10_000) as running:
        yield running


@pytest.fixture
def run(clock: SimulatedClock) -> Iterator[Callable[..., Any]]:
    """Run a coroutine on a loop that never waits."""
    loop = SimulatedLoop(clock.monotonic, clock.sleep)
    yield loop.run_until_complete
    loop.run_until_complete(asyncio.sleep(0.1))
    loop.close()


@pytest.fixture
def made() -> list[ModelArtsClient]:
    """The clients that were made."""
    return []


@pytest.fixture
def connect(emulator: Emulator, made: list[ModelArtsClient]) -> Connect:
    def connect_to(sleep: Sleep) -> ModelArtsClient:
        config = ModelArtsConfig(
            endpoint=emulator.url, project_id=emulator.project_id, login=emulator.ak, password=emulator.sk
        )
        made.append(ModelArtsClient(config, sleep=lambda seconds: None))
        return made[-1]

    return connect_to


def jobs(emulator: Emulator, count: int, status: int = 7) -> list[str]:
    return [emulator.create_job(status=status) for _ in range(count)]


async def statuses(subscription: Subscription, timeout: int = 1000) -> dict[str, int]:
    observed: dict[str, Any] = await subscription.observations(timeout)
    return {job_id: int(job.status) for job_id, job in observed.items()}


def test_a_burst_of_waits_is_one_request(
    run: Callable[..., Any], connect: Connect, made: list[ModelArtsClient], emulator: Emulator
) -> None:
    job_ids = jobs(emulator, 1000)

    async def wait(job_id: str) -> dict[str, int]:
        async with subscribe("key", connect, [job_id], poke_interval=60) as subscription:
            return await statuses(subscription)

    async def main() -> list[dict[str, int]]:
        return await asyncio.gather(*map(wait, job_ids))

    assert run(main()) == [{job_id: 7} for job_id in job_ids]
    assert emulator.request_counts() == {"list": 1}
    assert len(made) == 1


@pytest.mark.parametrize(
    ("waits", "requests"), [(1, {"get": 10}), (1000, {"list": 10}), (2001, {"list": 20, "get": 10})]
)
def test_requests_an_interval(
    run: Callable[..., Any], connect: Connect, emulator: Emulator, waits: int, requests: dict[str, int]
) -> None:
    job_ids = jobs(emulator, waits)

    async def wait(job_id: str) -> None:
        async with subscribe("key", connect, [job_id], poke_interval=60) as subscription:
            assert await statuses(subscription) == {job_id: 7}
            assert await statuses(subscription, timeout=9 * 60 + 30) == {}

    async def main() -> None:
        await asyncio.gather(*map(wait, job_ids))

    run(main())
    assert emulator.request_counts() == requests


def test_a_change_is_told_within_an_interval_and_only_once(
    run: Callable[..., Any], connect: Connect, emulator: Emulator, clock: SimulatedClock
) -> None:
    job_ids = jobs(emulator, 3)

    async def main() -> None:
        async with subscribe("key", connect, job_ids, poke_interval=60) as subscription:
            assert await statuses(subscription) == dict.fromkeys(job_ids, 7)
            emulator.set_status(job_ids[1], 8)
            changed = clock.now
            assert await statuses(subscription) == {job_ids[1]: 8}
            assert clock.now - changed <= 60.5
            assert await statuses(subscription, timeout=600) == {}

    run(main())


def test_waits_that_come_later_join_the_next_look(
    run: Callable[..., Any], connect: Connect, emulator: Emulator, clock: SimulatedClock
) -> None:
    first, second = jobs(emulator, 2)
    asked = []

    async def wait(job_id: str, delay: int) -> None:
        await asyncio.sleep(delay)
        async with subscribe("key", connect, [job_id], poke_interval=60) as subscription:
            await statuses(subscription)
            asked.append(clock.now)
            await statuses(subscription, timeout=300)

    async def main() -> None:
        await asyncio.gather(wait(first, 0), wait(second, 17))

    run(main())
    assert asked[1] - asked[0] == pytest.approx(60, abs=0.1)
    # At 60, 120, 180 and 240 s; before and after that there is only one of them.
    assert emulator.request_counts()["list"] == 4


def test_the_first_look_can_be_put_off(
    run: Callable[..., Any], connect: Connect, emulator: Emulator, clock: SimulatedClock
) -> None:
    (job_id,) = jobs(emulator, 1)

    async def main() -> float:
        async with subscribe("key", connect, [job_id], poke_interval=5, first_poll_after=8) as subscription:
            await statuses(subscription)
            return clock.now

    assert 8 <= run(main()) <= 13.5


def test_different_intervals_live_together(run: Callable[..., Any], connect: Connect, emulator: Emulator) -> None:
    fast, slow = jobs(emulator, 2)

    async def wait(job_id: str, interval: int) -> None:
        async with subscribe("key", connect, [job_id], poke_interval=interval) as subscription:
            await statuses(subscription)
            await statuses(subscription, timeout=119)

    async def main() -> None:
        await asyncio.gather(wait(fast, 20), wait(slow, 60))

    run(main())
    # At 0, 20, …, 100 s; with the slow one at 0 and 60 s, in the same request.
    assert emulator.request_counts() == {"list": 2, "get": 4}


def test_two_waits_for_one_job_both_learn_of_it(run: Callable[..., Any], connect: Connect, emulator: Emulator) -> None:
    (job_id,) = jobs(emulator, 1)

    async def wait(delay: int) -> dict[str, int]:
        await asyncio.sleep(delay)
        async with subscribe("key", connect, [job_id], poke_interval=60) as subscription:
            return await statuses(subscription)

    async def main() -> list[dict[str, int]]:
        return await asyncio.gather(*map(wait, (0, 0, 30)))

    assert run(main()) == [{job_id: 7}] * 3


def test_different_keys_share_nothing(
    run: Callable[..., Any], connect: Connect, made: list[ModelArtsClient], emulator: Emulator
) -> None:
    job_ids = jobs(emulator, 2)

    async def wait(key: str, job_id: str) -> dict[str, int]:
        async with subscribe(key, connect, [job_id], poke_interval=60) as subscription:
            return await statuses(subscription)

    async def main() -> None:
        await asyncio.gather(wait("a", job_ids[0]), wait("b", job_ids[1]))

    run(main())
    assert len(made) == 2
    assert emulator.request_counts() == {"get": 2}


def test_the_end_of_an_outage_is_news(run: Callable[..., Any], connect: Connect, emulator: Emulator) -> None:
    job_ids = jobs(emulator, 2)

    async def main() -> None:
        async with subscribe("key", connect, job_ids, poke_interval=60) as subscription:
            await statuses(subscription)
            emulator.inject(Fault(kind="status", status=503))
            failed = await subscription.observations(1000)
            assert all(isinstance(error, ModelArtsServerError) for error in failed.values())
            assert failed.keys() == set(job_ids)
            emulator.clear_faults()
            assert await statuses(subscription) == dict.fromkeys(job_ids, 7)

    run(main())


def test_429_slows_the_whole_group(
    run: Callable[..., Any], connect: Connect, emulator: Emulator, clock: SimulatedClock
) -> None:
    job_ids = jobs(emulator, 50)

    async def wait(job_id: str) -> tuple[dict[str, int], float]:
        async with subscribe("key", connect, [job_id], poke_interval=10) as subscription:
            await statuses(subscription)
            await subscription.observations(20)
            return await statuses(subscription, timeout=1000), clock.now

    async def main() -> list[tuple[dict[str, int], float]]:
        waits = asyncio.gather(*map(wait, job_ids))
        await asyncio.sleep(5)
        emulator.inject(Fault(kind="status", status=429, retry_after=300))
        await asyncio.sleep(10)
        emulator.clear_faults()
        emulator.clear_requests()
        return await waits

    for told, when in run(main()):
        assert list(told.values()) == [7]
        assert when >= 300
    assert emulator.request_counts() == {"list": 1}


def test_jobs_that_are_done_with_are_not_asked_for(
    run: Callable[..., Any], connect: Connect, emulator: Emulator
) -> None:
    job_ids = jobs(emulator, 3)

    async def main() -> None:
        async with subscribe("key", connect, job_ids, poke_interval=60) as subscription:
            await statuses(subscription)
            subscription.keep_only(job_ids[:1])
            emulator.clear_requests()
            await statuses(subscription, timeout=100)

    run(main())
    assert emulator.request_counts() == {"get": 1}


def test_nothing_is_left_behind(run: Callable[..., Any], connect: Connect, emulator: Emulator) -> None:
    job_ids = jobs(emulator, 20)

    async def wait(job_id: str) -> None:
        async with subscribe("key", connect, [job_id], poke_interval=60) as subscription:
            await statuses(subscription)
            await asyncio.sleep(3600)

    async def main() -> tuple[set[Any], dict[Any, Any]]:
        waits = [asyncio.ensure_future(wait(job_id)) for job_id in job_ids]
        await asyncio.sleep(100)
        for cancelled in waits:
            cancelled.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        emulator.clear_requests()
        await asyncio.sleep(600)
        return asyncio.all_tasks() - {asyncio.current_task()}, poller._pollers[asyncio.get_running_loop()]

    tasks, pollers = run(main())
    assert tasks == set()
    assert pollers == {}
    assert emulator.request_counts() == {}
    for thread in threading.enumerate():
        if thread.name.startswith("modelarts-poller"):
            thread.join(5)
            assert not thread.is_alive()


def test_a_connection_that_is_not_there_is_told_to_everybody_and_can_be_mended(
    run: Callable[..., Any], connect: Connect, emulator: Emulator
) -> None:
    (job_id,) = jobs(emulator, 1)

    def broken(sleep: Sleep) -> None:
        raise LookupError("no such connection")

    async def observations(how: Callable[..., Any]) -> dict[str, Any]:
        async with subscribe("key", how, [job_id], poke_interval=60) as subscription:
            return await subscription.observations(1000)

    async def main() -> dict[str, VisualizationJob]:
        for told in await asyncio.gather(observations(broken), observations(broken)):
            assert isinstance(told[job_id], ModelArtsUnexpectedError)
            assert "LookupError: no such connection" in str(told[job_id])
        return await observations(connect)

    assert run(main())[job_id].status == 7


def test_nobody_joins_a_poller_that_is_breaking_off(
    run: Callable[..., Any], connect: Connect, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job_id,) = jobs(emulator, 1)
    pollers = []
    notify = Poller._notify

    async def break_the_first(self: Poller, *args: Any) -> None:
        pollers.append(self)
        if self is pollers[0]:
            raise ZeroDivisionError
        await notify(self, *args)

    monkeypatch.setattr(Poller, "_notify", break_the_first)

    async def wait() -> dict[str, int]:
        async with subscribe("key", connect, [job_id], poke_interval=60) as subscription:
            return await statuses(subscription)

    async def wait_and_wait_again() -> dict[str, int]:
        with pytest.raises(PollerError):
            await wait()
        return await wait()

    async def main() -> list[dict[str, int]]:
        return await asyncio.gather(*(wait_and_wait_again() for _ in range(50)))

    assert run(main()) == [{job_id: 7}] * 50


def test_a_hiccup_of_the_connection_is_a_failed_poll_and_the_next_one_connects(
    run: Callable[..., Any], connect: Connect, emulator: Emulator
) -> None:
    (job_id,) = jobs(emulator, 1)
    hiccups = [LookupError("database is locked"), OSError("gone")]

    def connect_with_hiccups(sleep: Sleep) -> ModelArtsClient:
        if hiccups:
            raise hiccups.pop()
        return connect(sleep)

    async def main() -> tuple[list[Any], dict[str, int]]:
        async with subscribe("key", connect_with_hiccups, [job_id], poke_interval=60) as subscription:
            failed = [(await subscription.observations(1000))[job_id] for _ in range(2)]
            return failed, await statuses(subscription)

    failed, healed = run(main())
    assert all(failure.retryable for failure in failed)
    assert healed == {job_id: 7}


def test_a_bug_of_the_poller_costs_each_wait_the_same_and_is_logged_once(
    run: Callable[..., Any],
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Poller, "_notify", lambda self, due, seen: 1 / 0)

    async def wait() -> None:
        async with subscribe("key", connect, ["1"], poke_interval=60) as subscription:
            await subscription.observations(1000)

    async def main() -> list[BaseException | None]:
        return list(await asyncio.gather(*(wait() for _ in range(300)), return_exceptions=True))

    errors = run(main())
    depths = []
    for error in errors:
        assert isinstance(error, PollerError)
        depth, traceback = 0, error.__traceback__
        while traceback is not None:
            depth, traceback = depth + 1, traceback.tb_next
        depths.append(depth)
    assert len(depths) == 300
    assert len(set(depths)) == 1
    assert len([record for record in caplog.records if record.exc_info]) == 1


def rotate(emulator: Emulator) -> None:
    """Give the account another access key; the old one is refused from now on."""
    emulator.ak, emulator.sk = "ANOTHERAK00000000000", "AnotherSecretKey"


def test_a_secret_that_changes_ends_no_wait(
    run: Callable[..., Any], connect: Connect, made: list[ModelArtsClient], emulator: Emulator
) -> None:
    job_ids = jobs(emulator, 20)

    async def wait(job_id: str) -> list[dict[str, int]]:
        async with subscribe("key", connect, [job_id], poke_interval=60) as subscription:
            return [await statuses(subscription), await statuses(subscription)]

    async def main() -> list[list[dict[str, int]]]:
        waits = asyncio.gather(*map(wait, job_ids))
        await asyncio.sleep(30)
        rotate(emulator)
        emulator.clear_requests()
        for job_id in job_ids:
            emulator.set_status(job_id, 8)
        return await waits

    assert run(main()) == [[{job_id: 7}, {job_id: 8}] for job_id in job_ids]
    assert len(made) == 2
    assert emulator.request_counts() == {"list": 2}, "one is refused"


def test_refused_credentials_that_stay_are_told(
    run: Callable[..., Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job_id,) = jobs(emulator, 1)
    config = ModelArtsConfig(
        endpoint=emulator.url, project_id=emulator.project_id, login=emulator.ak, password=emulator.sk
    )
    made, closed = [], []
    monkeypatch.setattr(ModelArtsClient, "close", lambda client: closed.append(client))

    def connect_as_ever(sleep: Sleep) -> ModelArtsClient:
        made.append(ModelArtsClient(config))
        return made[-1]

    async def main() -> dict[str, Observation]:
        async with subscribe("key", connect_as_ever, [job_id], poke_interval=60) as subscription:
            await statuses(subscription)
            rotate(emulator)
            emulator.clear_requests()
            return await subscription.observations(1000)

    assert isinstance(run(main())[job_id], ModelArtsAuthenticationError)
    assert emulator.request_counts() == {"get": 1}, "the same credentials are not tried twice"
    assert len(made) == 2, "the connection was read anew"
    assert made[1] in closed


def test_a_connection_that_cannot_be_read_anew_leaves_the_refusal(
    run: Callable[..., Any], connect: Connect, made: list[ModelArtsClient], emulator: Emulator
) -> None:
    (job_id,) = jobs(emulator, 1)

    def connect_once(sleep: Sleep) -> ModelArtsClient:
        if made:
            raise LookupError("no such connection any more")
        return connect(sleep)

    async def main() -> dict[str, Observation]:
        async with subscribe("key", connect_once, [job_id], poke_interval=60) as subscription:
            await statuses(subscription)
            rotate(emulator)
            return await subscription.observations(1000)

    assert isinstance(run(main())[job_id], ModelArtsAuthenticationError)


@pytest.mark.parametrize("method", ["get", "list_statuses"])
def test_a_surprise_is_one_failed_poll_and_its_traceback_is_logged_once(
    run: Callable[..., Any],
    connect: Connect,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    method: str,
) -> None:
    job_ids = jobs(emulator, 1 if method == "get" else 20)
    surprises = [ZeroDivisionError("a bug"), ZeroDivisionError("the same bug"), RecursionError("another")]
    original = getattr(VisualizationJobs, method)

    def surprising(self: VisualizationJobs, *args: Any, **options: Any) -> Any:
        if surprises:
            raise surprises.pop(0)
        return original(self, *args, **options)

    monkeypatch.setattr(VisualizationJobs, method, surprising)

    async def main() -> list[Any]:
        async with subscribe("key", connect, job_ids, poke_interval=60) as subscription:
            return [await subscription.observations(1000) for _ in range(4)]

    *failed, healed = run(main())
    assert all(failures.keys() == set(job_ids) for failures in failed)
    assert all(type(seen) is ModelArtsUnexpectedError for failures in failed for seen in failures.values())
    assert all(seen.retryable for failures in failed for seen in failures.values())
    assert {int(job.status) for job in healed.values()} == {7}
    assert len(healed) == len(job_ids)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError, RecursionError]


def test_a_connection_that_is_mended_later_serves_the_same_waits(
    run: Callable[..., Any], connect: Connect, emulator: Emulator
) -> None:
    (job_id,) = jobs(emulator, 1)
    answers = [LookupError("no such connection"), ModelArtsConfigurationError("region: needed")]

    def connect_later(sleep: Sleep) -> ModelArtsClient:
        if answers:
            raise answers.pop(0)
        return connect(sleep)

    async def main() -> list[Any]:
        async with subscribe("key", connect_later, [job_id], poke_interval=60) as subscription:
            return [(await subscription.observations(1000))[job_id] for _ in range(3)]

    missing, invalid, job = run(main())
    assert (type(missing), missing.retryable) == (ModelArtsUnexpectedError, True)
    assert (type(invalid), invalid.retryable) == (ModelArtsConfigurationError, False)
    assert job.status == 7


def test_a_cancellation_is_never_swallowed(run: Callable[..., Any], connect: Connect, emulator: Emulator) -> None:
    """Also when news comes at the same moment, which `asyncio.wait_for` gets wrong below Python 3.12."""
    (job_id,) = jobs(emulator, 1)

    async def wait(subscriptions: list[Any]) -> None:
        async with subscribe("key", connect, [job_id], poke_interval=60) as subscription:
            subscriptions.append(subscription)
            while True:
                await subscription.observations(1000)

    async def main() -> bool:
        subscriptions: list[Any] = []
        task = asyncio.ensure_future(wait(subscriptions))
        await asyncio.sleep(30)
        subscriptions[0].notify(job_id, ModelArtsServerError("503"), 0.0)
        task.cancel()
        await asyncio.sleep(1)
        return task.cancelled()

    assert run(main())


def test_a_closed_poller_does_not_go_on_trying(run: Callable[..., Any], connect: Connect, emulator: Emulator) -> None:
    (job_id,) = jobs(emulator, 1)
    paused = threading.Event()
    outcome = []

    def connect_with_real_pauses(sleep: Sleep) -> ModelArtsClient:
        client = connect(sleep)

        def pause(seconds: Any) -> None:
            paused.set()
            try:
                sleep(3600)
            except ModelArtsConnectionError as error:
                outcome.append(error)
                raise

        client._http.sleep = pause
        return client

    async def main() -> None:
        emulator.inject(Fault(kind="status", status=503))
        async with subscribe("key", connect_with_real_pauses, [job_id], poke_interval=0.1) as subscription:
            while not paused.is_set():
                await subscription.observations(0.05)

    asyncio.run(main())
    for thread in threading.enumerate():
        if thread.name.startswith("modelarts-poller"):
            thread.join(10)
    assert len(outcome) == 1


def test_a_server_that_hangs_delays_its_own_group_only(
    run: Callable[..., Any], connect: Connect, emulator: Emulator, clock: SimulatedClock
) -> None:
    job_ids = jobs(emulator, 2)
    released = threading.Event()

    def connect_to_hanging(sleep: Any) -> Any:
        client: Any = ModelArtsClient(
            ModelArtsConfig(endpoint=emulator.url, project_id=emulator.project_id, login="AK", password="SK")
        )
        client.visualization_jobs.get = lambda job_id: released.wait(30)
        return client

    async def hang() -> None:
        async with subscribe("hanging", connect_to_hanging, [job_ids[0]], poke_interval=60) as subscription:
            await subscription.observations(1000)

    async def main() -> None:
        hanging = asyncio.ensure_future(hang())
        async with subscribe("fine", connect, [job_ids[1]], poke_interval=0.05) as subscription:
            assert await statuses(subscription) == {job_ids[1]: 7}
            emulator.set_status(job_ids[1], 8)
            assert await statuses(subscription) == {job_ids[1]: 8}
        released.set()
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)

    # On a real clock: simulated time stands still while a thread works.
    asyncio.run(main())


def test_its_log_lines_are_nobodys(
    run: Callable[..., Any], connect: Connect, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The poller runs in a context of its own, not in that of the wait that came first."""
    import contextvars

    whose = contextvars.ContextVar("whose", default="nobody's")
    seen = []

    def connect_and_look(sleep: Sleep) -> ModelArtsClient:
        seen.append(whose.get())
        return connect(sleep)

    async def wait() -> None:
        whose.set("the first wait's")
        async with subscribe("key", connect_and_look, ["1"], poke_interval=60) as subscription:
            await subscription.observations(1000)

    caplog.set_level(logging.INFO)
    run(wait())
    assert seen == ["nobody's"]


def test_a_poll_can_be_had_whatever_the_interval(
    run: Callable[..., Any], connect: Connect, emulator: Emulator, clock: SimulatedClock
) -> None:
    job_ids = jobs(emulator, 3)

    async def main() -> list[str]:
        async with (
            subscribe("key", connect, job_ids[:1], poke_interval=60) as other,
            subscribe("key", connect, job_ids[1:], poke_interval=60, first_poll_after=2) as subscription,
        ):
            await statuses(other)
            await asyncio.sleep(5)
            asked = clock.now
            polled: dict[str, Any] = await subscription.poll(20)
            assert {job_id: int(job.status) for job_id, job in polled.items()} == dict.fromkeys(job_ids[1:], 7)
            assert await subscription.poll(20) == {}, "nothing has changed"
            assert clock.now - asked < 2
            emulator.set_status(job_ids[2], 8)
            return list(await subscription.poll(20))

    assert run(main()) == job_ids[2:]


def test_polls_that_are_asked_for_together_are_one_request(
    run: Callable[..., Any], connect: Connect, emulator: Emulator
) -> None:
    job_ids = jobs(emulator, 50)

    async def wait(job_id: str) -> None:
        async with subscribe("key", connect, [job_id], poke_interval=3600) as subscription:
            await statuses(subscription)
            emulator.clear_requests()
            await subscription.poll(20)

    async def main() -> None:
        await asyncio.gather(*map(wait, job_ids))

    run(main())
    assert emulator.request_counts() == {"list": 1}


def test_a_poll_is_not_waited_for_longer_than_is_said(
    run: Callable[..., Any], connect: Connect, emulator: Emulator, clock: SimulatedClock
) -> None:
    (job_id,) = jobs(emulator, 1)

    async def main() -> float:
        async with subscribe("key", connect, [job_id], poke_interval=60) as subscription:
            await statuses(subscription)
            asked = clock.now
            assert await subscription.poll(0.2) == {}
            return clock.now - asked

    assert run(main()) == pytest.approx(0.2, abs=0.05)


def test_a_wait_that_leaves_during_its_poll_ends_no_other(
    run: Callable[..., Any], connect: Connect, emulator: Emulator
) -> None:
    job_ids = jobs(emulator, 2)

    async def leave() -> None:
        async with subscribe("key", connect, job_ids[:1], poke_interval=7) as subscription:
            await statuses(subscription)
            await asyncio.wait_for(subscription.poll(20), 0.5)

    async def main() -> dict[str, int]:
        async with subscribe("key", connect, job_ids[1:], poke_interval=60) as subscription:
            await statuses(subscription)
            await asyncio.gather(leave(), return_exceptions=True)
            emulator.set_status(job_ids[1], 8)
            return await statuses(subscription)

    assert run(main()) == {job_ids[1]: 8}


def test_an_update_between_two_reads_is_not_lost(run: Callable[..., Any], connect: Connect, emulator: Emulator) -> None:
    job_ids = jobs(emulator, 2)

    async def main() -> dict[str, int]:
        async with subscribe("key", connect, job_ids, poke_interval=60) as subscription:
            await statuses(subscription)
            emulator.set_status(job_ids[0], 8)
            await asyncio.sleep(70)
            emulator.set_status(job_ids[1], 8)
            await asyncio.sleep(70)
            return await statuses(subscription, timeout=0)

    assert run(main()) == dict.fromkeys(job_ids, 8)


def test_it_is_known_when_the_poll_began(
    run: Callable[..., Any], connect: Connect, emulator: Emulator, clock: SimulatedClock
) -> None:
    """A server that is silent for a while, in simulated time: what the poll took belongs to an outage."""
    (job_id,) = jobs(emulator, 1)

    def connect_slowly(sleep: Sleep) -> ModelArtsClient:
        client = connect(sleep)
        client._http.sleep = lambda seconds: clock.sleep(80)
        return client

    async def main() -> None:
        async with subscribe("key", connect_slowly, [job_id], poke_interval=60) as subscription:
            await statuses(subscription)
            emulator.inject(Fault(kind="status", status=503))
            before = clock.now
            (failure,) = (await subscription.observations(1000)).values()
            assert isinstance(failure, ModelArtsServerError)
            assert subscription.poll_seconds == pytest.approx(240, abs=1)
            assert clock.now - subscription.poll_seconds >= before

    run(main())


def test_unlisted_jobs_cost_no_list_request_however_many_intervals_there_are(
    run: Callable[..., Any], connect: Connect, emulator: Emulator
) -> None:
    unlisted = [emulator.create_job(status=7, workspace_id="elsewhere") for _ in range(3)]
    others = jobs(emulator, 3)

    async def wait(job_ids: list[str], interval: int) -> None:
        async with subscribe("key", connect, job_ids, poke_interval=interval) as subscription:
            await statuses(subscription)
            await subscription.observations(600)

    async def main() -> None:
        await asyncio.gather(wait(unlisted, 70), wait(others, 100))

    run(main())
    # The others' polls, the first two of all jobs, and the one at 700 s, when the others are gone.
    assert emulator.request_counts()["list"] <= 7 + 1


def test_a_silent_server_does_not_hold_the_process_at_its_end() -> None:
    """Details and poller have threads of their own; Python waits for those of its own pools."""
    script = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.waiting.poller import subscribe
from tests.faults.servers import Exchange, FaultyServer

asked = []

def answer(exchange):
    if exchange.request.operation == "list":
        exchange.send(403)
    elif not asked:
        asked.append("the first alone")
        exchange.as_asked()
    else:
        asked.append("silent")
        exchange.stall()

async def main():
    server = FaultyServer()
    server.behaviour = answer
    config = ModelArtsConfig(endpoint=server.url, project_id="p", login="AK", password="SK", read_timeout=30)
    def connect(sleep):
        return ModelArtsClient(config, sleep=sleep)
    async with subscribe(VISUALIZATION_JOBS, "key", connect, list(server.statuses), poke_interval=1) as subscription:
        while len(asked) < 3:
            await asyncio.sleep(0.05)
    print("leaving", flush=True)

asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "leaving\n"
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.stdout.close()
