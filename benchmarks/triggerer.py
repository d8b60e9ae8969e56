"""
Runs many waits in Airflow's own trigger runner and measures this process; `benchmarks.waits` starts it.

The triggers come in as they come in a triggerer, serialized and encrypted. What a triggerer has beside them (its
supervisor, the database, one pass a second over all triggers) is left out, for it is the same for all contenders.
Writes JSON lines: ``{"moment": ...}`` asks for all jobs to change, ``{"window": ...}`` reports a measured phase.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from airflow.executors.workloads.trigger import RunTrigger
from airflow.jobs.triggerer_job_runner import TriggerRunner
from airflow.models.trigger import Trigger
from airflow.sdk.log import configure_logging, reset_logging
from airflow.triggers.base import BaseTrigger

from benchmarks.jobs import ARRIVED, CHANGED, training_id
from benchmarks.stub import PROJECT_ID

TICK: Final = 0.010
"""Seconds between two beats of the timer that feels the lag."""

STEADY_INTERVALS: Final = 6
ARRIVAL_PATIENCE: Final = 6
"""Intervals within which all waits should have noticed that their jobs have arrived."""


def sleeper(number: int, interval: float) -> BaseTrigger:
    """Return the floor."""
    from benchmarks.sleeper import SleepingTrigger

    return SleepingTrigger(interval)


def visualization_jobs(number: int, interval: float) -> BaseTrigger:
    """Return a wait for a visualization job as the sensor defers it."""
    from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger

    return ModelArtsVisualizationJobTrigger(job_id=number, poke_interval=interval)


def training_jobs(number: int, interval: float) -> BaseTrigger:
    """Return a wait for a training job as the sensor defers it."""
    from airflow_provider_modelarts.triggers.training_job import ModelArtsTrainingJobTrigger

    return ModelArtsTrainingJobTrigger(job_id=training_id(number), poke_interval=interval)


def http_sensor(number: int, interval: float) -> BaseTrigger:
    """Return a wait of the http provider, which polls until the answer is no 404."""
    from airflow.providers.http.triggers.http import HttpSensorTrigger

    trigger: BaseTrigger = HttpSensorTrigger(endpoint=f"peer/{number}", poke_interval=interval)
    return trigger


def signed_get(number: int, interval: float) -> BaseTrigger:
    """Return a wait that asks for one training job alone."""
    from benchmarks.signed_get import SignedGetTrigger

    url = f"{os.environ['AIRFLOW_CONN_HTTP_DEFAULT']}/v2/{PROJECT_ID}/training-jobs/{training_id(number)}"
    return SignedGetTrigger(url=url, poke_interval=interval)


CONTENDERS: Final = {
    contender.__name__: contender for contender in (sleeper, visualization_jobs, training_jobs, http_sensor, signed_get)
}


class Lag:
    """How late a timer is, as something due at any moment would feel it: a long stall counts as many late beats."""

    def __init__(self) -> None:
        self.beats: list[float] = []

    async def feel(self) -> None:
        """Beat for ever."""
        loop = asyncio.get_running_loop()
        due = loop.time() + TICK
        while True:
            await asyncio.sleep(due - loop.time())
            now = loop.time()
            while due <= now:
                self.beats.append(now - due)
                due += TICK

    def percentiles(self) -> dict[str, float]:
        """Return the lag of the beats so far, in seconds."""
        beats = sorted(self.beats)
        return {"p50": beats[len(beats) // 2], "p99": beats[len(beats) * 99 // 100], "max": beats[-1]}


class Measurement:
    """One contender, so many times, in this process."""

    def __init__(self, contender: str, waits: int, interval: float) -> None:
        self._make = CONTENDERS[contender]
        self._polls = contender != "sleeper"
        self._waits = waits
        self._interval = interval
        self._runner = TriggerRunner()  # type: ignore[no-untyped-call]
        self._lag = Lag()

    async def run(self) -> None:
        """Go through the phases, report each."""
        timer = asyncio.create_task(self._lag.feel())
        async with self._window("empty"):
            await asyncio.sleep(self._interval)
        # The first wait imports and connects, which is not what another wait costs.
        await self._start(1)
        await asyncio.sleep(self._interval)
        async with self._window("start"):
            for number in range(2, self._waits + 1):
                await self._start(number)
            await asyncio.sleep(2 * self._interval)
        async with self._window("steady"):
            await asyncio.sleep(STEADY_INTERVALS * self._interval)
        if self._polls:
            async with self._window("change"):
                _report(moment=CHANGED)
                await asyncio.sleep(2 * self._interval)
            async with self._window("arrival"):
                _report(moment=ARRIVED)
                await self._all_events()
        timer.cancel()

    async def _start(self, number: int) -> None:
        classpath, arguments = self._make(number, self._interval).serialize()
        encrypted = Trigger.encrypt_kwargs(arguments)
        self._runner.to_create.append(RunTrigger(id=number, classpath=classpath, encrypted_kwargs=encrypted))
        await self._runner.create_triggers()  # type: ignore[no-untyped-call]

    async def _all_events(self) -> None:
        patience = time.monotonic() + ARRIVAL_PATIENCE * self._interval
        while len(self._runner.events) < self._waits and time.monotonic() < patience:
            await asyncio.sleep(TICK)

    @asynccontextmanager
    async def _window(self, name: str) -> AsyncIterator[None]:
        gc.collect()  # each phase pays for its own garbage
        await asyncio.sleep(2 * TICK)
        self._lag.beats.clear()
        began, cpu, memory = time.monotonic(), time.process_time(), _peak_memory()
        yield
        _report(
            window=name,
            began=began,
            ended=time.monotonic(),
            cpu=time.process_time() - cpu,
            memory=_peak_memory() - memory,
            events=len(self._runner.events),
            failed=len(self._runner.failed_triggers),
            lag=self._lag.percentiles(),
        )


def _peak_memory() -> int:
    """Return the largest resident size so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _report(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def main() -> None:
    """Measure what the command line names, with logs that are written as the triggerer writes them, to nowhere."""
    contender, waits, interval = sys.argv[1:]
    with open(os.devnull, "wb", buffering=0) as nowhere:
        reset_logging()  # type: ignore[no-untyped-call]
        configure_logging(json_output=True, output=nowhere, sending_to_supervisor=True)
        asyncio.run(Measurement(contender, int(waits), float(interval)).run())


if __name__ == "__main__":
    main()
