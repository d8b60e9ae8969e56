"""What a wait reports to Airflow's Stats, in every mode, from a hook and from an operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.operators.visualization_job import ModelArtsStopVisualizationJobOperator
from tests.recorded_metrics import RecordedMetrics
from tests.sensors.test_wait_table import MODES
from tests.simulated_clock import SimulatedClock
from tests.simulated_tasks import TaskInstance

IN_STATUS = "modelarts.time_in_status status="


def requests(reported: RecordedMetrics) -> Counter[str]:
    """Return how many requests were reported, by operation."""
    prefix = "modelarts.requests operation="
    found: Counter[str] = Counter()
    for name, count in reported.counts.items():
        if name.startswith(prefix):
            found[name.removeprefix(prefix).partition(" ")[0]] += count
    return found


@pytest.mark.parametrize("mode", MODES)
def test_requests_and_the_time_in_each_status(
    mode: str, emulator: Emulator, run: Callable[..., Any], reported: RecordedMetrics
) -> None:
    assert run(mode, job_id=emulator.create_job(script="1:0,7:60,8:180"), poke_interval=10).state == "success"
    assert requests(reported) == emulator.request_counts()
    # A rescheduled sensor remembers nothing from poke to poke.
    statuses = [] if mode == "reschedule" else [f"{IN_STATUS}INIT", f"{IN_STATUS}WAITING"]
    assert [name for name, _ in reported.timings] == statuses
    for (_, milliseconds), expected in zip(reported.timings, (60_000, 180_000), strict=False):
        assert abs(milliseconds - expected) <= 10_000
    in_triggerer = mode in ("deferrable", "skip_worker")
    assert (reported.counts["modelarts.polls"] > 0, bool(reported.gauges)) == (in_triggerer, in_triggerer)


def test_the_waits_and_the_failures_of_a_triggerer(
    emulator: Emulator, clock: SimulatedClock, run: Callable[..., Any], reported: RecordedMetrics
) -> None:
    job_ids = [emulator.create_job(script="7:0,8:180") for _ in range(2)]
    clock.at(60, lambda: emulator.inject(Fault("status", status=503)))
    clock.at(100, emulator.clear_faults)
    assert run("deferrable", job_ids=job_ids, poke_interval=30).state == "success"
    failures = reported.counts["modelarts.poll_failures"]
    assert (failures > 0, failures % 2) == (True, 0), "of both jobs"
    assert {name for name, _ in reported.gauges} == {"modelarts.waits"}
    assert [number for _, number in reported.gauges] == [1.0] * (len(reported.gauges) - 1) + [0.0]
    assert reported.counts["modelarts.polls"] == len(reported.gauges) - 1


def test_the_wait_of_a_hook(
    emulator: Emulator, clock: SimulatedClock, connection: Callable[..., Any], reported: RecordedMetrics
) -> None:
    job_id = emulator.create_job(script="7:0,8:60")
    with ModelArtsHook() as hook:
        hook.wait_for_visualization_job(job_id, poke_interval=20)
    [(status, milliseconds)] = reported.timings
    assert (status, round(milliseconds)) == (f"{IN_STATUS}WAITING", 60_000)
    assert requests(reported) == emulator.request_counts()


def test_the_wait_of_an_operator(
    emulator: Emulator, clock: SimulatedClock, connection: Callable[..., Any], reported: RecordedMetrics
) -> None:
    operator = ModelArtsStopVisualizationJobOperator(task_id="stop", job_id=emulator.create_job(status=8))
    operator.execute({"ti": TaskInstance(task_id="stop"), "outlet_events": {}})  # type: ignore[typeddict-item]
    assert [name for name, _ in reported.timings] == [f"{IN_STATUS}KILLING"]
    assert requests(reported) == emulator.request_counts()
