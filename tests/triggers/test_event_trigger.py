"""The event trigger: which jobs it tells of, and what it keeps over a restart."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from airflow_provider_modelarts._compat import airflow_version
from airflow_provider_modelarts.api.visualization_jobs.pages import StatusPage
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus
from airflow_provider_modelarts.emulator import Emulator, Fault

if airflow_version() < (3, 0):
    pytest.skip("Airflow 2.11 has no event triggers", allow_module_level=True)

from airflow_provider_modelarts.triggers.visualization_job_event import (
    ModelArtsVisualizationJobEventTrigger as EventTrigger,
)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator(time_scale=0) as running:
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(running.connection()))
        yield running


class AssetStore(dict[str, Any]):
    """Airflow 3.3's asset state store."""

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.get(key, default)

    async def aset(self, key: str, value: str) -> None:
        self[key] = json.loads(json.dumps(value))


class Watcher:
    """A trigger as the triggerer runs it, without sharing; looks as fast as it can."""

    def __init__(self, emulator: Emulator, store: AssetStore | FailingStore | None = None, **arguments: Any) -> None:
        self.emulator = emulator
        self.trigger = EventTrigger(**arguments)
        self.trigger.poke_interval = 0.01
        self.trigger.asset_state_store = store  # type: ignore[assignment]

    def events(self, count: int, *steps: Any) -> list[str]:
        """Return the names of the jobs in the events; each step is taken after some looks, and seen by some more."""

        async def listen() -> list[str]:
            told = []

            async def collect() -> None:
                async for event in self.trigger.run():
                    told.append(event.payload["job_name"])

            task = asyncio.create_task(collect())
            await self.looks()
            for step in steps:
                step()
                await self.looks()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return told

        told = asyncio.run(asyncio.wait_for(listen(), 30))
        assert len(told) == count, told
        return told

    async def looks(self) -> None:
        """Wait until the project has been looked at whole, as often as it takes to tell of what is there."""
        before = self.emulator.request_counts().get("list", 0)
        while self.emulator.request_counts().get("list", 0) < before + 3:
            await asyncio.sleep(0.01)


@pytest.fixture
def watcher(emulator: Emulator) -> Callable[..., Any]:
    return partial(Watcher, emulator)


def test_each_arrival_is_told_once(watcher: Callable[..., Any], emulator: Emulator) -> None:
    emulator.create_job("early", status=8)
    late = emulator.create_job("late", status=7)
    told = watcher().events(
        3,
        lambda: emulator.set_status(late, 8),
        lambda: emulator.create_job("new", status=8),
        lambda: emulator.set_status(late, 12),
        lambda: emulator.set_status(late, 8),
    )
    assert told == ["late", "new", "late"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ["board-1", "other"]),
        ({"job_name": "board-*"}, ["board-1"]),
        ({"job_name": "other"}, ["other"]),
        ({"job_id": "1002"}, ["other"]),
        ({"job_id": 1001}, ["board-1"]),
        ({"status": ["KILLED", 11]}, ["fails"]),
    ],
)
def test_only_what_is_asked_for_is_told(
    watcher: Callable[..., Any], arguments: dict[str, Any], expected: list[str], emulator: Emulator
) -> None:
    def arrive() -> None:
        emulator.create_job("board-1", status=8)
        emulator.create_job("other", status=8)
        emulator.create_job("fails", status=11)

    assert watcher(**arguments).events(len(expected), arrive) == expected


def test_a_restart_neither_repeats_nor_misses(watcher: Callable[..., Any], emulator: Emulator) -> None:
    store = AssetStore()
    watcher(store).events(1, lambda: emulator.create_job("first", status=8))
    emulator.create_job("meanwhile", status=8)
    assert watcher(store).events(1) == ["meanwhile"]
    assert watcher(store).events(0) == []


def test_a_first_look_at_nothing_is_kept_too(watcher: Callable[..., Any], emulator: Emulator) -> None:
    store = AssetStore()
    watcher(store).events(0)
    emulator.create_job("meanwhile", status=8)
    assert watcher(store).events(1) == ["meanwhile"]


def test_watchers_of_one_asset_keep_their_own(watcher: Callable[..., Any], emulator: Emulator) -> None:
    store = AssetStore()
    watcher(store).events(1, lambda: emulator.create_job("first", status=8))
    watcher(store, job_name="x-*").events(0)
    assert len(store) == 2


@pytest.mark.parametrize("broken", ["aget", "aset"])
def test_a_store_that_fails_does_not_end_the_watching(
    watcher: Callable[..., Any], broken: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*args: Any) -> None:
        raise RuntimeError("no store")

    store = AssetStore()
    monkeypatch.setattr(AssetStore, broken, fail)
    assert watcher(store).events(1, lambda: emulator.create_job("first", status=8)) == ["first"]


class FailingStore(AssetStore):
    """Fails so many times at first."""

    def __init__(self, *, reads: int = 0, writes: int = 0) -> None:
        super().__init__()
        self.failures = {"aget": reads, "aset": writes}

    def fail(self, operation: str) -> None:
        self.failures[operation] -= 1
        if self.failures[operation] >= 0:
            raise RuntimeError(f"no {operation}")

    async def aget(self, key: str, default: Any = None) -> Any:
        self.fail("aget")
        return await super().aget(key, default)

    async def aset(self, key: str, value: str) -> None:
        self.fail("aset")
        await super().aset(key, value)


def test_a_write_that_failed_is_made_up_for(
    watcher: Callable[..., Any], emulator: Emulator, written: Callable[[], str]
) -> None:
    store = FailingStore(writes=3)
    watcher(store).events(1, lambda: emulator.create_job("first", status=8), lambda: None)
    said = written()
    told = re.findall(r"The asset state store can(?:not be used; trying again with each poll| be used again)", said)
    assert told == [
        "The asset state store cannot be used; trying again with each poll",
        "The asset state store can be used again",
    ]
    emulator.create_job("while-down", status=8)
    assert watcher(store).events(1) == ["while-down"]


def test_a_read_that_failed_neither_repeats_nor_loses(watcher: Callable[..., Any], emulator: Emulator) -> None:
    store = FailingStore()
    watcher(store).events(1, lambda: emulator.create_job("first", status=8))
    emulator.create_job("while-down", status=8)
    store.failures["aget"] = 2
    # Three polls are needed to read the store, and more to see what follows.
    assert watcher(store).events(1, lambda: None) == ["while-down"]
    assert watcher(store).events(0) == []


def test_what_cannot_be_read_is_not_overwritten(watcher: Callable[..., Any], emulator: Emulator) -> None:
    store = FailingStore()
    watcher(store).events(1, lambda: emulator.create_job("first", status=8))
    kept = dict(store)
    store.failures["aget"] = 10**6
    watcher(store).events(1, lambda: emulator.create_job("second", status=8))
    assert store == kept


def test_a_job_that_cannot_be_read_is_told_of_as_far_as_it_is_known(
    watcher: Callable[..., Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch, written: Callable[[], str]
) -> None:
    monkeypatch.setattr(StatusPage, "job", lambda page, job_id: int("x"))
    assert watcher().events(1, lambda: emulator.create_job("board", status=8)) == [None]
    assert "Visualization job 1001 has arrived, but its details cannot be read: invalid literal" in written()
    watcher(job_name="board").events(0, lambda: emulator.create_job("other", status=8))


def test_an_entry_that_makes_no_sense_is_said_to_be_left_out(
    watcher: Callable[..., Any], emulator: Emulator, written: Callable[[], str]
) -> None:
    made = watcher()
    store = AssetStore({made.trigger._store_key: "not packed"})
    made.trigger.asset_state_store = store
    assert made.events(1, lambda: emulator.create_job("first", status=8)) == ["first"]
    assert "The entry in the asset state store cannot be read; starting without it." in written()
    assert store[made.trigger._store_key] == EventTrigger.pack({"1001"})


def test_a_job_id_with_leading_zeros_is_found(watcher: Callable[..., Any], emulator: Emulator) -> None:
    assert watcher(job_id="001001").events(1, lambda: emulator.create_job("board", status=8)) == ["board"]


def test_without_a_store_a_restart_begins_anew(watcher: Callable[..., Any], emulator: Emulator) -> None:
    emulator.create_job("early", status=8)
    assert watcher().events(0) == []


def test_an_outage_is_waited_for(watcher: Callable[..., Any], emulator: Emulator) -> None:
    def break_down() -> None:
        emulator.inject(Fault("status", status=503, times=1))
        emulator.create_job("during", status=8)

    assert watcher().events(1, break_down) == ["during"]


def test_the_payload_is_the_job(emulator: Emulator) -> None:
    async def first() -> Any:
        return (await anext(trigger.run())).payload

    trigger = EventTrigger()
    trigger.poke_interval = 0.01
    trigger.asset_state_store = AssetStore({trigger._store_key: ""})  # type: ignore[assignment]
    job_id = emulator.create_job("board", status=8)
    payload = asyncio.run(first())
    assert (payload["job_id"], payload["status_name"]) == (job_id, "RUNNING")
    assert set(payload) == {
        "job_id", "job_name", "status", "status_name", "service_url", "train_url", "create_time", "duration_ms",
    }  # fmt: skip
    json.dumps(payload)


def test_what_travels_makes_the_same_trigger() -> None:
    trigger = EventTrigger(
        status=[JobStatus.RUNNING, 12],
        job_id=10,
        job_name="x*",
        modelarts_conn_id="other",
        region="eu-de",
        project_id="p",
        workspace_id="1",
        poke_interval=5.0,
    )
    path, arguments = trigger.serialize()
    assert arguments == {
        "status": [8, 12],
        "job_id": 10,
        "job_name": "x*",
        "modelarts_conn_id": "other",
        "region": "eu-de",
        "project_id": "p",
        "workspace_id": "1",
        "poke_interval": 5.0,
    }
    module, _, name = path.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))
    assert again.serialize() == (path, arguments)
    assert again.shared_stream_key() == trigger.shared_stream_key()


def test_triggers_share_a_look_where_they_can() -> None:
    one = EventTrigger(status="RUNNING").shared_stream_key()
    assert one == EventTrigger(status="KILLED", job_name="x*").shared_stream_key()
    assert one != EventTrigger(poke_interval=5).shared_stream_key()
    assert one != EventTrigger(modelarts_conn_id="other").shared_stream_key()
    assert one != EventTrigger(region="eu-de").shared_stream_key()
    assert one != EventTrigger(project_id="p").shared_stream_key()
    assert one != EventTrigger(workspace_id="1").shared_stream_key()


def test_the_same_status_written_in_two_ways_makes_two_triggers_that_share_their_polls() -> None:
    """The way round for two assets: Airflow keeps nothing for one trigger of both."""
    one, other = EventTrigger(status="RUNNING"), EventTrigger(status="JOBSTAT_RUNNING")
    assert one.serialize() != other.serialize()
    assert one._store_key != other._store_key
    assert one.shared_stream_key() == other.shared_stream_key()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"status": "RUNING"}, "status"),
        ({"status": "GONE"}, "GONE is not a status"),
        ({"job_id": "board"}, "not a job ID"),
        ({"poke_interval": -1}, "poke_interval"),
    ],
)
def test_what_cannot_be_is_refused_when_the_dag_is_parsed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EventTrigger(**arguments)


@pytest.mark.parametrize(("given", "used"), [(0.1, 1), (1, 1), (1.5, 1.5)])
def test_a_poll_comes_at_most_once_a_second(given: float, used: float) -> None:
    assert EventTrigger(status="RUNNING", poke_interval=given).poke_interval == used
