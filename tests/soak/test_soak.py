"""
Hundreds of waits through real triggers in one event loop, while the emulator fails in every way: each ends as it must.

``SOAK_SECONDS`` (180), ``SOAK_WAITS`` (1000) and ``SOAK_SEED`` (by the day) rule the long one: ``pytest -m soak``.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger
from airflow_provider_modelarts.waiting import fetch
from airflow_provider_modelarts.waiting.result import ARRIVED, WaitResult
from airflow_provider_modelarts.waiting.wait import JobCannotArriveError, WaitTimeoutError

CANNOT_ARRIVE, TIMEOUT = JobCannotArriveError.outcome, WaitTimeoutError.outcome
CONNECTIONS = ("soak_signed", "soak_token")
TOLERANCE = 90.0
"""Seconds; far more than any outage lasts here."""

NO_SUCH_JOB = "999999"


@dataclass
class Plan:
    """A wait, and what it must end in."""

    kind: str
    scripts: list[str]
    outcome: str
    says: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    statuses: tuple[str, ...] = ()
    """Names of the statuses that the jobs may be in at the end, of a wait that arrives."""


def plans(rng: random.Random) -> Plan:
    """Make up a wait."""
    soon, later = round(rng.uniform(1, 6), 1), round(rng.uniform(1, 8), 1)
    choices = [
        Plan("runs", [f"1:0,7:{soon},8:{later}"], ARRIVED, statuses=("RUNNING",)),
        Plan("runs by way of an unknown status", [f"7:0,42:{soon},8:{later}"], ARRIVED, statuses=("RUNNING",)),
        Plan("runs at once", ["8:0"], ARRIVED, statuses=("RUNNING",)),
        Plan("fails", [f"7:0,11:{later}"], CANNOT_ARRIVE, "is FAILED (11)"),
        Plan("is stopped", [f"7:0,9:{soon},12:{later}"], CANNOT_ARRIVE, "is KILLED (12)"),
        Plan("vanishes", [f"7:0,gone:{later}"], CANNOT_ARRIVE, "was not found"),
        Plan("never was", [], CANNOT_ARRIVE, "was not found", {"job_id": NO_SUCH_JOB}),
        Plan("hangs", [f"7:0,42:{soon}"], TIMEOUT, "Timed out", {"timeout": soon + 3}),
        Plan("is deleted, as waited for", [f"8:0,9:{soon},gone:{later}"], ARRIVED, "",
             {"target_status": "GONE"}, ("GONE",)),
        Plan("is stopped, as waited for", [f"8:0,9:{soon},12:{later}"], ARRIVED, "",
             {"target_status": ["KILLED", "CANCELED"]}, ("KILLED",)),
        Plan("all of three", [f"7:0,8:{soon}", f"7:0,8:{later}", "8:0"], ARRIVED, statuses=("RUNNING",)),
        Plan("all of three, one fails", [f"7:0,8:{soon}", f"7:0,11:{later}", "7:0"], CANNOT_ARRIVE,
             "is FAILED (11)"),
        Plan("any of three", ["7:0", f"7:0,11:{soon}", f"7:0,8:{later}"], ARRIVED, "", {"wait_for": "any"},
             ("RUNNING", "WAITING", "FAILED")),
        Plan("any of two, none can", [f"7:0,11:{soon}", f"7:0,gone:{later}"], CANNOT_ARRIVE, "cannot become",
             {"wait_for": "any"}),
    ]  # fmt: skip
    return rng.choice(choices)


class Weather:
    """
    Lets the emulator fail now and then, each time for shorter than is tolerated.

    What is final for a wait (a refused key, a missing permission to look at a job, a retired API) does not happen.
    """

    def __init__(self, emulator: Emulator, rng: random.Random) -> None:
        self._emulator = emulator
        self._rng = rng
        self.seen: Counter[str] = Counter()
        self._expired_at = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._rage, name="weather")

    def __enter__(self) -> Weather:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()

    def _rage(self) -> None:
        kinds = [
            self._answers, self._answers, self._answers, self._bodies, self._bodies, self._outage, self._delay,
            self._no_list, self._broken_list, self._tokens, self._tokens, self._no_iam,
        ]  # fmt: skip
        while not self._over.wait(self._rng.uniform(0.3, 1.5)):
            kind = self._rng.choice(kinds)
            self.seen[kind.__name__.strip("_")] += 1
            kind()

    def _inject(self, kind: Any, **options: Any) -> None:
        seconds = self._rng.uniform(0.2, 2.0)
        self._emulator.inject(Fault(kind=kind, seconds=seconds, **options))
        self._over.wait(seconds)

    def _answers(self) -> None:
        status = self._rng.choice([408, 429, 500, 502, 503, 504])
        self._inject("status", status=status, retry_after=self._rng.choice([None, 1, 2]))

    def _bodies(self) -> None:
        # Not "truncated": half of a 404 does not say any more that it is about a job, and a foreign 404 is final.
        self._inject(self._rng.choice(["html", "empty", "wrong_types", "is_success_false", "cut"]))

    def _delay(self) -> None:
        delay = self._rng.uniform(0.1, 3)
        self._inject("delay", delay=delay)
        self._over.wait(delay)

    def _outage(self) -> None:
        self._emulator.stop()
        self._over.wait(self._rng.uniform(0.2, 3))
        self._emulator.start()

    def _no_list(self) -> None:
        self._inject("status", status=403, operation="list")

    def _broken_list(self) -> None:
        self._inject(self._rng.choice(["empty", "cut", "html", "wrong_types"]), operation="list")

    def _tokens(self) -> None:
        """Expire them, but not a new one on its way: a token that is refused right after its renewal is final."""
        if time.monotonic() - self._expired_at > 15:
            self._expired_at = time.monotonic()
            self._emulator.expire_tokens()

    def _no_iam(self) -> None:
        self._tokens()
        self._inject("status", status=503, operation="token")


async def wait(plan: Plan, emulator: Emulator, connection: str) -> str | None:
    """Run a trigger to its end; return what is wrong with that."""
    job_ids = [emulator.create_job(script=script) for script in plan.scripts]
    which = {"job_ids": job_ids} if len(job_ids) > 1 else {"job_id": job_ids[0]} if job_ids else {}
    arguments = {**which, "timeout": 600.0, **plan.arguments}
    asked_for = job_ids or [NO_SUCH_JOB]
    # A worker has seen the jobs before: what it saw travels with the deferral.
    histories = {job_id: [(time.time(), 7)] for job_id in asked_for}
    trigger = ModelArtsVisualizationJobTrigger(
        modelarts_conn_id=connection,
        poke_interval=1.0,
        poll_failure_tolerance=TOLERANCE,
        histories=json.loads(json.dumps(histories)),
        **arguments,
    )
    stream = trigger.run()
    try:
        event = WaitResult.from_dict(json.loads(json.dumps((await stream.__anext__()).payload)))
    finally:
        await stream.aclose()
    for job_id in job_ids:
        if job_id in emulator.jobs:
            emulator.remove_job(job_id)
    names = {job["status_name"] for job in event.jobs.values()}
    if event.outcome != plan.outcome or plan.says not in event.message:
        return f"{plan}: ended as {event.outcome} ({event.message}), {event.histories}"
    if plan.outcome == ARRIVED and not names <= set(plan.statuses):
        return f"{plan}: the jobs are {names}"
    return None


async def run_waits(
    emulator: Emulator, rng: random.Random, count: int, seconds: float
) -> tuple[Counter[str], list[str], int]:
    """Run waits that begin spread over a time; return how many of each kind there were, and what went wrong."""
    kinds: Counter[str] = Counter()
    waits = []
    for _ in range(count):
        plan = plans(rng)
        kinds[plan.kind] += 1
        waits.append(asyncio.create_task(wait(plan, emulator, rng.choice(CONNECTIONS))))
        await asyncio.sleep(seconds / count)
    wrong = [problem for problem in await asyncio.gather(*waits) if problem is not None]
    await asyncio.sleep(0)
    return kinds, wrong, len(asyncio.all_tasks())


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Any:
    with Emulator(token_lifetime=60.0) as running:
        ways: dict[str, Callable[[], dict[str, Any]]] = {
            CONNECTIONS[0]: lambda: running.connection("aksk"),
            CONNECTIONS[1]: lambda: running.connection("password"),
        }
        for name, connection in ways.items():
            fields = connection()
            fields["extra"]["read_timeout"] = 2
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))
        # So that the list is used again after each time that it could not be.
        monkeypatch.setattr(fetch, "LIST_AGAIN_AFTER", 4.0)
        monkeypatch.setattr(fetch, "LIST_AGAIN_AFTER_FAILURE", 4.0)
        yield running


def soak(emulator: Emulator, count: int, seconds: float, seed: str) -> None:
    rng = random.Random(seed)
    with Weather(emulator, random.Random(f"weather of {seed}")) as weather:
        kinds, wrong, tasks = asyncio.run(run_waits(emulator, rng, count, seconds))
    print(f"\nseed {seed!r}: {count} waits {dict(kinds)}\nweather {dict(weather.seen)}")
    print(f"requests {emulator.request_counts()}")
    assert not wrong, f"seed {seed!r}: {len(wrong)} of {count} waits ended wrongly:\n" + "\n".join(wrong[:10])
    assert tasks == 1
    assert sum(weather.seen.values()) >= seconds / 10
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("modelarts-poller")]
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_a_short_soak(emulator: Emulator) -> None:
    soak(emulator, count=200, seconds=10, seed="short")


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_long_soak(emulator: Emulator) -> None:
    soak(
        emulator,
        count=int(os.environ.get("SOAK_WAITS", "1000")),
        seconds=float(os.environ.get("SOAK_SECONDS", "180")),
        seed=os.environ.get("SOAK_SEED", time.strftime("%Y-%m-%d")),
    )
