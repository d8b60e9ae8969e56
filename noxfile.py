"""
The version matrix: `make matrix`, or `nox`. A cell of it: `nox -s "cell(3.1.8, Python 3.11)"`.

Each cell runs the unit tests, and a real DAG on real Airflow processes, and writes what it observed into build/matrix;
the session `compatibility` makes docs/reports/compatibility.md of all of them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True

# One release a minor version, and the day it came out: what was there on that day stands in for Airflow's constraints
# files, without which old releases stop to work as their dependencies go on.
RELEASED = {
    "2.11.1": "2026-02-21",  # five days later: only then there was a provider that it needs
    "2.11.2": "2026-03-14",
    "3.0.6": "2025-08-29",
    "3.1.8": "2026-03-11",
    "3.2.2": "2026-05-29",
    "3.3.2": "2026-09-17",
}
OLDEST, NEWEST = "2.11.1", "3.3.2"
CELLS = [
    *[(airflow, "3.11") for airflow in RELEASED if airflow != OLDEST],
    *[(NEWEST, python) for python in ("3.10", "3.12", "3.13")],
]
# On the newest Airflow only: real processes, and the minutes of faults and bad weather.
NOT_UNIT_TESTS = ["e2e", "smoke", "kill", "fleet", "secrets", "faults", "soak"]
PROVIDERS = [f"apache-airflow-providers-{name}" for name in ("mongo", "http", "databricks")]
LEGACY_PROVIDER = "apache-airflow-providers-huawei"

OBSERVED = Path("build/matrix")
EXPECTED = [
    *[f"cell-{airflow}-{python}" for airflow, python in CELLS],
    "lowest",
    "beside",
    "resolution",
]
IMPORT = """
from airflow_provider_modelarts.operators.visualization_job import ModelArtsCreateVisualizationJobOperator
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.providers.http.hooks.http import HttpHook
from airflow.providers.mongo.hooks.mongo import MongoHook
"""


@nox.session
@nox.parametrize("airflow,python", CELLS, ids=[f"{airflow}, Python {python}" for airflow, python in CELLS])
def cell(session: nox.Session, airflow: str) -> None:
    """Run all tests of a cell with what was new on the day of the Airflow release."""
    file = _forget(f"cell-{airflow}-{session.python}")
    session.install(*_until(airflow), f"apache-airflow=={airflow}", "-e", ".[emulator]", "--group", "test")
    _test(session, file)


@nox.session(python="3.10")
def lowest(session: nox.Session) -> None:
    """Run all tests with the lowest allowed version of every dependency."""
    file = _forget("lowest")
    until = _until(OLDEST)
    session.install(*until, f"apache-airflow=={OLDEST}", "--resolution", "lowest-direct", "-e", ".[emulator]")
    # What the tests themselves need must not raise them.
    constraints = Path(session.create_tmp()) / "constraints.txt"
    installed = _versions(session.run("uv", "pip", "freeze", "--exclude-editable", silent=True))
    constraints.write_text("\n".join(f"{name}=={version}" for name, version in installed.items()))
    session.install(*until, "-c", str(constraints), "--group", "test")
    _test(session, file)


@nox.session(python="3.11")
def beside(session: nox.Session) -> None:
    """Install beside other providers, and import."""
    _forget("beside")
    session.install(*_until(NEWEST), f"apache-airflow=={NEWEST}", *PROVIDERS, "pip", ".")
    session.run("uv", "pip", "check")
    session.run("python", "-m", "pip", "check")
    session.run("python", "-I", "-c", IMPORT)  # not from the tree
    _write("beside", {"installed": _versions(session.run("uv", "pip", "freeze", silent=True))})


@nox.session(python="3.11")
def resolution(session: nox.Session) -> None:
    """Resolve beside the older provider for Huawei Cloud, too, and install nothing."""
    _forget("resolution")
    requirements = Path(session.create_tmp()) / "requirements.in"
    requirements.write_text("\n".join([f"apache-airflow=={NEWEST}", *PROVIDERS, LEGACY_PROVIDER]))
    compile_options = ["--quiet", "--no-header", "--no-annotate", "--extra", "emulator", *_until(NEWEST)]
    resolved = session.run("uv", "pip", "compile", *compile_options, "pyproject.toml", str(requirements), silent=True)
    _write("resolution", {"resolved": _versions(resolved)})


@nox.session(python=False)
def compatibility(session: nox.Session) -> None:
    """Make docs/reports/compatibility.md of what the cells have written."""
    files = [str(OBSERVED / f"{name}.json") for name in EXPECTED]
    session.run(sys.executable, "-m", "tests.matrix.compatibility", "docs/reports/compatibility.md", *files)


def _until(airflow: str) -> list[str]:
    return ["--exclude-newer", f"{RELEASED[airflow]}T23:59:59Z"]


def _test(session: nox.Session, file: Path) -> None:
    """Run the unit tests and the real DAG, both, whatever becomes of the first; the file takes what they observe."""
    pytest = ["python", "-m", "pytest", "-p", "tests.matrix.observations", "--observations", str(file)]
    env = {"AIRFLOW_HOME": str(Path(session.create_tmp()).resolve() / "airflow")}
    runs = {
        "unit_tests": ["tests", *[f"--ignore=tests/{name}" for name in NOT_UNIT_TESTS]],
        "real_dag": ["tests/matrix", "-m", "matrix"],
    }
    for key, arguments in runs.items():
        session.run(*pytest, "--observed-as", key, *arguments, env=env, success_codes=[0, 1, 2])
    observed = json.loads(file.read_text())
    if any(observed[key][kind] for key in runs for kind in ("failed", "error")):
        session.error("tests failed")


def _forget(name: str) -> Path:
    """Return the file of a cell, without what an earlier run wrote, or a cell that fails would look like a good one."""
    file = OBSERVED / f"{name}.json"
    file.unlink(missing_ok=True)
    return file


def _write(name: str, facts: dict[str, object]) -> None:
    OBSERVED.mkdir(parents=True, exist_ok=True)
    (OBSERVED / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n")


def _versions(output: str | None) -> dict[str, str]:
    """Versions by package, of what ``uv pip freeze`` and ``uv pip compile`` print."""
    return dict(line.split("==") for line in (output or "").split() if "==" in line)
