"""What waits cost in a triggerer: requests, CPU, memory and event-loop lag of many at a time, beside a peer's."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.stub import PROJECT_ID, Stub
from benchmarks.table import print_table
from tools.local_airflow import isolated_environment

CONTENDERS: Final = {
    "sleeper": "only sleep",
    "visualization_jobs": "visualization jobs",
    "training_jobs": "training jobs",
    "http_sensor": "HttpSensorTrigger",
    "signed_get": "a signed GET per job",
}
FLOOR: Final = "only sleep"
LATE: Final = 1.1
"""Intervals after which a look at a job is late."""


@dataclass
class Result:
    """
    What one process showed.

    :param requests: a second, in the steady phase
    :param on_time: share of the looks at jobs that came in time, of all that were due
    :param windows: what the process reported of each phase
    """

    requests: float
    on_time: float
    windows: dict[str, dict[str, Any]]

    def cpu(self, window: str) -> float:
        """Return the CPU time of a phase, in seconds a second."""
        return float(self.windows[window]["cpu"]) / _length(self.windows[window])

    def memory(self) -> int:
        """Return by how much the peak has grown with all waits but the first, in bytes."""
        return int(self.windows["start"]["memory"] + self.windows["steady"]["memory"])


def measure(contender: str, waits: int, interval: float) -> Result:
    """Run a contender in a process of its own, against a server of its own."""
    windows: dict[str, dict[str, Any]] = {}
    with Stub(waits) as stub, tempfile.TemporaryDirectory(prefix="benchmark-") as home:
        connection = {
            "conn_type": "modelarts",
            "host": stub.url,
            "login": "ACCESSKEY",
            "password": "not-a-real-secret-key",
            "extra": {"project_id": PROJECT_ID, "region": "cn-north-4"},
        }
        environment = isolated_environment(Path(home)) | {
            "AIRFLOW_CONN_MODELARTS_DEFAULT": json.dumps(connection),
            "AIRFLOW_CONN_HTTP_DEFAULT": stub.url,
        }
        with subprocess.Popen(  # noqa: S603 - this interpreter, constant arguments
            [sys.executable, "-m", "benchmarks.triggerer", contender, str(waits), str(interval)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as triggerer:
            assert triggerer.stdout is not None  # noqa: S101 - for the type checker
            for message in map(json.loads, triggerer.stdout):
                if "moment" in message:
                    stub.moment = message["moment"]
                else:
                    windows[message["window"]] = message
        if triggerer.returncode or any(window["failed"] for window in windows.values()):
            raise SystemExit(f"{contender} failed; exit status {triggerer.returncode}")
    steady = windows["steady"]
    in_steady = [moment for moment, _ in stub.looks if steady["began"] <= moment < steady["ended"]]
    return Result(len(in_steady) / _length(steady), _share_on_time(stub, windows, LATE * interval), windows)


def _length(window: dict[str, Any]) -> float:
    return float(window["ended"] - window["began"])


def _share_on_time(stub: Stub, windows: dict[str, dict[str, Any]], late: float) -> float:
    """Return how many looks at jobs came within so many seconds of the look before, of all that were due."""
    steady = windows["steady"]
    last = dict.fromkeys(stub.jobs, windows["start"]["began"])
    gaps: list[float] = []
    for moment, jobs in stub.looks:
        if moment >= steady["ended"]:
            break
        if moment >= steady["began"]:
            gaps += [moment - last[job] for job in jobs]
        last.update(dict.fromkeys(jobs, moment))
    gaps += [overdue for moment in last.values() if (overdue := steady["ended"] - moment) > late]
    return sum(gap <= late for gap in gaps) / len(gaps)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.waits", description=__doc__)
    parser.add_argument("waits", type=int, nargs="*", default=[100, 1000, 5000], help="how many at a time")
    parser.add_argument("--interval", type=float, default=5.0, help="seconds between two looks at a job")
    parser.add_argument("--contenders", nargs="*", choices=list(CONTENDERS), default=list(CONTENDERS), help="all")
    options = parser.parse_args()
    for waits in options.waits:
        results = {}
        for contender in dict.fromkeys(["sleeper", *options.contenders]):
            name = CONTENDERS[contender]
            print(f"Measuring {waits} x {name} ...", file=sys.stderr, flush=True)
            results[name] = measure(contender, waits, options.interval)
        print(f"\n{waits} waits, one look at a job every {options.interval:g} s\n")
        _print_steady(results, waits, options.interval)
        print("\nBursts: all waits start; all jobs change, and are still waited for; all jobs arrive\n")
        _print_bursts(results, waits, options.interval)
        sys.stdout.flush()


def _print_steady(results: dict[str, Result], waits: int, interval: float) -> None:
    floor = results[FLOOR]
    print_table(
        [
            "",
            "requests an interval",
            "looks on time",
            "CPU an interval",
            "CPU",
            "lag p50",
            "lag p99",
            "lag max",
            "memory a wait",
        ],
        [
            [
                name,
                f"{result.requests * interval:.1f}",
                f"{result.on_time:.1%}" if result.requests else "",
                f"{result.cpu('steady') * interval * 1000:.0f} ms",
                f"{result.cpu('steady') / floor.cpu('steady'):.2f} x",
                *(_milliseconds(result.windows["steady"]["lag"][which]) for which in ("p50", "p99", "max")),
                f"{(result.memory() - floor.memory()) / waits / 1024:+.1f} KB",
            ]
            for name, result in results.items()
        ],
    )
    print(f"\nThe timer that feels the lag takes {floor.cpu('empty') * interval * 1000:.0f} ms of each.")


def _print_bursts(results: dict[str, Result], waits: int, interval: float) -> None:
    bursts = ("start", "change", "arrival")
    print_table(
        ["", *(f"{burst}: lag {which}" for burst in bursts for which in ("p99", "max")), "all arrived after"],
        [
            [
                name,
                *(
                    _milliseconds(result.windows[burst]["lag"][which]) if burst in result.windows else ""
                    for burst in bursts
                    for which in ("p99", "max")
                ),
                _arrival(result, waits, interval),
            ]
            for name, result in results.items()
        ],
    )


def _arrival(result: Result, waits: int, interval: float) -> str:
    """Return how long it took until all had noticed that their job had arrived, in intervals."""
    if "arrival" not in result.windows:
        return ""
    arrival = result.windows["arrival"]
    intervals = f"{_length(arrival) / interval:.1f} intervals"
    return intervals if arrival["events"] == waits else f"{arrival['events']} after {intervals}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


if __name__ == "__main__":
    main()
