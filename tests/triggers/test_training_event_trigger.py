"""The event trigger for training jobs: what it reports, and what it keeps over a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_modelarts._compat import airflow_version
from airflow_provider_modelarts.emulator import Emulator

if airflow_version() < (3, 0):
    pytest.skip("Airflow 2.11 has no event triggers", allow_module_level=True)

from airflow_provider_modelarts.triggers.training_job_event import ModelArtsTrainingJobEventTrigger as EventTrigger


class AssetStore(dict[str, Any]):
    """Airflow 3.3's asset state store."""

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator(time_scale=0) as running:
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(running.connection()))
        yield running


def events(emulator: Emulator, *steps: Callable[[], Any], store: AssetStore | None = None, **arguments: Any) -> Any:
    """Run a trigger; each step is taken after some polls. Return the payloads of its events."""
    trigger = EventTrigger(**arguments)
    trigger.poke_interval = 0.01
    trigger.asset_state_store = store  # type: ignore[assignment]
    sent: list[dict[str, Any]] = []

    async def collect() -> None:
        async for event in trigger.run():
            sent.append(event.payload)

    async def polls() -> None:
        before = emulator.request_counts().get("training.search", 0)
        while emulator.request_counts().get("training.search", 0) < before + 3:
            await asyncio.sleep(0.01)

    async def listen() -> None:
        task = asyncio.create_task(collect())
        await polls()
        for step in steps:
            step()
            await polls()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(listen(), 30))
    return sent


def test_each_completion_is_reported_once(emulator: Emulator) -> None:
    jobs = emulator.cloud.training_jobs
    jobs.create("early", phase="Completed")
    late = jobs.create("late", phase="Running")
    sent = events(
        emulator,
        lambda: jobs.set_phase(late.job_id, "Completed"),
        lambda: jobs.create("fails", phase="Failed"),
        lambda: jobs.create("new", phase="Completed"),
    )
    assert [event["job_name"] for event in sent] == ["late", "new"]
    assert list(sent[0]) == ["job_id", "job_name", "phase", "create_time", "duration_ms", "outputs", "link"]
    assert not any(job.token in str(sent) for job in jobs.all())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"job_name": "nightly-*"}, ["nightly-1"]),
        ({"status": ["failed", "ABNORMAL"]}, ["fails"]),
        ({"status": "Terminated"}, []),
    ],
)
def test_only_what_is_asked_for_is_reported(emulator: Emulator, arguments: dict[str, Any], expected: list[str]) -> None:
    def arrive() -> None:
        for name, phase in (("nightly-1", "Completed"), ("other", "Completed"), ("fails", "Failed")):
            emulator.cloud.training_jobs.create(name, phase=phase)

    assert [event["job_name"] for event in events(emulator, arrive, **arguments)] == expected


def test_a_restart_neither_repeats_nor_misses(emulator: Emulator) -> None:
    jobs, store = emulator.cloud.training_jobs, AssetStore()
    first = events(emulator, lambda: jobs.create("before", phase="Completed"), store=store)
    jobs.create("between", phase="Completed")
    second = events(emulator, store=store)
    assert [event["job_name"] for event in (*first, *second)] == ["before", "between"]


def test_what_travels_makes_the_same_trigger() -> None:
    arguments: dict[str, Any] = {
        "status": ["Failed"],
        "job_id": "425b7087-83de-49b4-9b65-6e2b91e4a5fe",
        "job_name": "x*",
        "modelarts_conn_id": "other",
        "region": "eu-de",
        "project_id": "p",
        "workspace_id": "1" * 32,
        "poke_interval": 5.0,
    }
    module = "airflow_provider_modelarts.triggers.training_job_event"
    assert EventTrigger(**arguments).serialize() == (f"{module}.ModelArtsTrainingJobEventTrigger", arguments)


@pytest.mark.parametrize("arguments", [{"status": "GONE"}, {"status": "8"}, {"job_id": "a/b"}, {"job_name": ""}])
def test_what_cannot_be_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"status|job_id|job_name"):
        EventTrigger(**arguments)
