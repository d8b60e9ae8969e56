"""What parsing a DAG file with a sensor costs over one with a bare sensor of `airflow.sdk`, beside a peer's."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.table import print_table
from tools.local_airflow import isolated_environment

BARE: Final = """
from airflow.sdk import DAG, BaseSensorOperator

with DAG("bare", schedule=None):
    BaseSensorOperator(task_id="wait")
"""

MODELARTS: Final = """
from airflow.sdk import DAG
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
{more_imports}
with DAG("modelarts", schedule=None):
    ModelArtsVisualizationJobSensor(task_id="wait", job_id="10", {argument}=True)
"""

HTTP: Final = """
from airflow.sdk import DAG
from airflow.providers.http.sensors.http import HttpSensor

with DAG("http", schedule=None):
    HttpSensor(task_id="wait", endpoint="jobs/10", deferrable=True)
"""

TRIGGER: Final = (
    "from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger  # noqa: F401"
)

DAG_FILES: Final = {
    "ModelArts sensor, deferrable": MODELARTS.format(more_imports="", argument="deferrable"),
    "ModelArts sensor, skip_worker": MODELARTS.format(more_imports="", argument="skip_worker"),
    "ModelArts sensor and trigger": MODELARTS.format(more_imports=TRIGGER, argument="deferrable"),
    "HttpSensor, deferrable": HTTP,
}

PARSE: Final = """
import json, runpy, sys, time

bare, dag_file = sys.argv[1:]
runpy.run_path(bare)
before = set(sys.modules)
start = time.process_time()
runpy.run_path(dag_file)
seconds = time.process_time() - start
print(json.dumps([seconds, sorted(set(sys.modules) - before)]))
"""

HEAVY: Final = (
    "aiohttp",
    "huaweicloudsdkcore",
    "keystoneauth1",
    "requests",
    "starlette",
    "tenacity",
    "urllib3",
    "uvicorn",
)
"""HTTP clients and servers, SDKs: what is worth a name when a DAG file imports it."""


def parse(bare: Path, dag_file: Path, home: Path) -> tuple[float, list[str]]:
    """Return the CPU seconds that a fresh interpreter takes for the second file after the first, and its imports."""
    done = subprocess.run(  # noqa: S603 - this interpreter, constant arguments
        [sys.executable, "-c", PARSE, str(bare), str(dag_file)],
        env=isolated_environment(home),
        check=True,
        stdout=subprocess.PIPE,
    )
    seconds, modules = json.loads(done.stdout.splitlines()[-1])
    return seconds, modules


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.parse", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="fresh interpreters for each DAG file")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        home = Path(directory)
        bare = home / "bare.py"
        bare.write_text(BARE)
        rows = []
        for number, (name, text) in enumerate(DAG_FILES.items()):
            dag_file = home / f"dag_{number}.py"
            dag_file.write_text(text)
            parse(bare, dag_file, home)  # compiles what has not been yet
            seconds, modules = zip(*(parse(bare, dag_file, home) for _ in range(runs)), strict=True)
            heavy = ", ".join(sorted(set(HEAVY) & set(modules[0])))
            rows.append(
                [
                    name,
                    f"{median(seconds) * 1000:.1f} ms",
                    f"{min(seconds) * 1000:.1f} ms",
                    str(len(modules[0])),
                    heavy or "none",
                ]
            )
    print_table(
        ["over a bare sensor", f"CPU, median of {runs}", "fastest", "modules", "HTTP and SDK packages among them"], rows
    )


if __name__ == "__main__":
    main()
