"""Worker starts and CPU of a wait in every mode of the sensor, on real Airflow processes against the emulator."""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from airflow_provider_modelarts.emulator import Emulator
from benchmarks.table import print_table
from tools.local_airflow import LocalAirflow

DAGS: Final = Path(__file__).parent / "dags"
MODES: Final = ("poke", "reschedule", "deferrable", "skip_worker")
JOB: Final = "1:0,8:30"
"""The path of each job: RUNNING after 30 s."""

WINDOW: Final = 55.0
"""Seconds for which the CPU time is counted: those waits, and time for the last to end."""


def cpu_of_airflow() -> float:
    """Return the CPU seconds that all descendants of this process have used, those that have ended included."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def cpu_in_window() -> float:
    """Return the CPU seconds of the window that begins now. Nobody asks Airflow for anything in it."""
    before = cpu_of_airflow()
    time.sleep(WINDOW)
    return cpu_of_airflow() - before


def wait_in(airflow: LocalAirflow, emulator: Emulator, mode: str, waits: int) -> float:
    """Run the DAG of a mode and return the CPU seconds of its window."""
    jobs = [emulator.create_job(script=JOB) for _ in range(waits)]
    run_id = airflow.trigger(mode, {"job_ids": jobs})
    cpu = cpu_in_window()
    state = airflow.wait(mode, run_id, timeout=0)
    if state != "success":
        raise SystemExit(f"the run of {mode} ended as {state}")
    return cpu


def warm_up(airflow: LocalAirflow, emulator: Emulator, waits: int) -> None:
    """Have every worker and the triggerer import what they import once."""
    arrived = {"job_ids": [emulator.create_job(status=8)] * waits}
    for mode in ("poke", "skip_worker"):
        airflow.wait(mode, airflow.trigger(mode, arrived), timeout=120)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.worker_starts", description=__doc__)
    parser.add_argument("--waits", type=int, default=8, help="waits side by side in each mode")
    waits = parser.parse_args().waits
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        starts = Path(directory) / "starts"
        environment = {
            "AIRFLOW__CORE__PARALLELISM": str(waits),
            "BENCHMARK_WAITS": str(waits),
            "BENCHMARK_WORKER_STARTS": str(starts),
        }
        with Emulator() as emulator, LocalAirflow(DAGS, env=environment) as airflow:
            airflow.add_connection("modelarts_default", emulator.connection())
            warm_up(airflow, emulator, waits)
            starts.unlink()
            idle = cpu_in_window()
            cpu = {mode: wait_in(airflow, emulator, mode, waits) for mode in MODES}
            idle = (idle + cpu_in_window()) / 2
            started = starts.read_text().splitlines()
    print(f"{waits} waits side by side for jobs that are RUNNING after 30 s, a look every 5 s\n")
    print_table(
        ["mode", "worker starts a wait", "CPU a wait, all components"],
        [[mode, f"{started.count(mode) / waits:.1f}", f"{(cpu[mode] - idle) / waits:.2f} s"] for mode in MODES],
    )
    print(f"\nIdle, subtracted: {idle / WINDOW:.2f} s of CPU a second.")


if __name__ == "__main__":
    main()
