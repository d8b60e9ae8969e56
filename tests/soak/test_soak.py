"""
Hundreds of waits for jobs of both kinds through real triggers in one event loop, while the emulator fails in every way:
each ends as it must.

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
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.triggers.base import JobTrigger
from airflow_provider_modelarts.triggers.training_job import ModelArtsTrainingJobTrigger
from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger
from airflow_provider_modelarts.waiting import fetch
from airflow_provider_modelarts.waiting.result import ARRIVED, WaitResult
from airflow_provider_modelarts.waiting.wait import JobCannotArriveError, WaitTimeoutError

CANNOT_ARRIVE, TIMEOUT = JobCannotArriveError.outcome, WaitTimeoutError.outcome
CONNECTIONS = ("soak_signed", "soak_token")
LISTS = ("list", "training.search")
TOLERANCE = 90.0
"""Seconds; far more than any outage lasts here."""


@dataclass(frozen=True)
class Jobs:
    """
    Jobs of one kind.

    :param create: creates one in an emulator that follows a script, and returns its ID
    :param remove: removes one, if it is there
    :param seen_in: a status on the way
    :param missing: ID of a job that never was
    """

    trigger: type[JobTrigger]
    create: Callable[[Emulator, str], str]
    remove: Callable[[Emulator, str], None]
    seen_in: int | str
    missing: str


VISUALIZATION = Jobs(
    ModelArtsVisualizationJobTrigger,
    lambda emulator, script: emulator.create_job(script=script),
    lambda emulator, job_id: emulator.remove_job(job_id),
    7,
    "999999",
)
TRAINING = Jobs(
    ModelArtsTrainingJobTrigger,
    lambda emulator, script: emulator.training_jobs.create(script=script).job_id,
    lambda emulator, job_id: emulator.training_jobs.remove(job_id),
    "Creating",
    "5d2c9ad4-2b0c-4c5a-9b7e-0c1d2e3f4a5b",
)


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
    jobs: Jobs = VISUALIZATION


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
        Plan("never was", [], CANNOT_ARRIVE, "was not found", {"job_id": VISUALIZATION.missing}),
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
        train("completes", [f"Creating:0,Running:{soon},Completed:{later}"], ARRIVED, statuses=("Completed",)),
        train("completes by way of an unknown phase", [f"Running:0,Hibernating:{soon},Completed:{later}"], ARRIVED,
              statuses=("Completed",)),
        train("is rescheduled", [f"Running:0,Pending:{soon},Running:1,Completed:{later}"], ARRIVED,
              statuses=("Completed",)),
        train("fails", [f"Running:0,Failed=137:{later}"], CANNOT_ARRIVE, "is Failed"),
        train("is stopped", [f"Running:0,Terminating:{soon},Terminated:{later}"], CANNOT_ARRIVE, "is Terminated"),
        train("vanishes", [f"Running:0,gone:{later}"], CANNOT_ARRIVE, "was not found"),
        train("never was", [], CANNOT_ARRIVE, "was not found", {"job_id": TRAINING.missing}),
        train("hangs", [f"Creating:0,Pending:{soon}"], TIMEOUT, "Timed out", {"timeout": soon + 3}),
        train("is stopped, as waited for", [f"Running:0,Terminating:{soon},Terminated:{later}"], ARRIVED, "",
              {"target_status": "ENDED"}, ("Terminated",)),
        train("all of three", [f"Running:0,Completed:{soon}", f"Running:0,Completed:{later}", "Completed:0"], ARRIVED,
              statuses=("Completed",)),
        train("any of two, none can", [f"Running:0,Abnormal:{soon}", f"Running:0,gone:{later}"], CANNOT_ARRIVE,
              "cannot become", {"wait_for": "any"}),
    ]  # fmt: skip
    return rng.choice(choices)


def train(name: str, *about: Any, **more: Any) -> Plan:
    """Return a wait for training jobs."""
    more["jobs"] = TRAINING
    return Plan(f"training {name}", *about, **more)


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
        # Not "truncated", nor "empty" where a 400 says "not found": such a refusal does not say any more that it is
        # about a job, and is final.
        kind = self._rng.choice(["html", "empty", "wrong_types", "is_success_false", "cut"])
        whose = self._rng.choice(["get", "list", "training.search"]) if kind == "empty" else None
        self._inject(kind, operation=whose)

    def _delay(self) -> None:
        delay = self._rng.uniform(0.1, 3)
        self._inject("delay", delay=delay)
        self._over.wait(delay)

    def _outage(self) -> None:
        self._emulator.stop()
        self._over.wait(self._rng.uniform(0.2, 3))
        self._emulator.start()

    def _no_list(self) -> None:
        self._inject("status", status=403, operation=self._rng.choice(LISTS))

    def _broken_list(self) -> None:
        self._inject(self._rng.choice(["empty", "cut", "html", "wrong_types"]), operation=self._rng.choice(LISTS))

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
    jobs = plan.jobs
    job_ids = [jobs.create(emulator, script) for script in plan.scripts]
    which = {"job_ids": job_ids} if len(job_ids) > 1 else {"job_id": job_ids[0]} if job_ids else {}
    arguments = {**which, "timeout": 600.0, **plan.arguments}
    asked_for = job_ids or [jobs.missing]
    # A worker has seen the jobs before: what it saw travels with the deferral.
    histories = {job_id: [(time.time(), jobs.seen_in)] for job_id in asked_for}
    trigger = jobs.trigger(
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
        with suppress(KeyError):  # it is gone
            jobs.remove(emulator, job_id)
    names = {job.get("phase", job.get("status_name")) for job in event.jobs.values()}
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
