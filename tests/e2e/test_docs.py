"""Whole DAGs that documents show, on real Airflow against the emulator; and the tests that they show, on pytest."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator
from tests.documents import EXAMPLE_DAGS, Block, python_blocks
from tools.local_airflow import LocalAirflow, isolated_environment, poll_until

TIMEOUT = 180.0  # seconds


@pytest.mark.parametrize("block", [pytest.param(block, id=block.name) for block in python_blocks("dag")])
def test_a_dag_of_a_document_succeeds(block: Block, local_airflow: LocalAirflow, emulator: Emulator) -> None:
    dags = poll_until(lambda: dags_of(local_airflow, block), TIMEOUT, lambda: import_errors(local_airflow))
    triggered = [dag for dag in dags if dag["asset_expression"] is None]
    assert triggered, "nothing in it can be triggered"

    for dag in triggered:
        conf = configuration(dag["params"] or {}, emulator)
        run_id = local_airflow.trigger(dag["dag_id"], conf=conf)
        assert local_airflow.wait(dag["dag_id"], run_id, TIMEOUT) == "success"
    for dag in dags:
        if dag not in triggered:
            # What runs on events must do so by itself, as what was triggered sends them.
            [run] = poll_until(partial(runs_of, local_airflow, dag), TIMEOUT, lambda: f"no run in {block.name}")
            assert local_airflow.wait(dag["dag_id"], run["dag_run_id"], TIMEOUT) == "success"


def test_the_tests_that_documents_show_pass(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE_DAGS, tmp_path / "dags")
    expected = 0
    for block in python_blocks("pytest"):
        functions = [node.name for node in ast.walk(block.tree) if isinstance(node, ast.FunctionDef)]
        tests = [name for name in functions if name.startswith("test_")]
        (tmp_path / (f"test_{block.name}.py" if tests else "conftest.py")).write_text(block.code)
        expected += len(tests)
    environment = isolated_environment(tmp_path / "airflow")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert re.search(rf"\b{expected} passed", done.stdout), done.stdout[-4000:] + done.stderr[-2000:]
    assert expected > 1


def dags_of(airflow: LocalAirflow, block: Block) -> list[dict[str, Any]]:
    """Return the details of the DAGs that a block defines, once they are loaded."""
    known = airflow.api("GET", "dags", params={"limit": 100})["dags"]
    ids = [dag["dag_id"] for dag in known if dag["fileloc"].endswith(f"/docs/{block.name}.py")]
    return [airflow.api("GET", f"dags/{dag_id}/details") for dag_id in ids]


def import_errors(airflow: LocalAirflow) -> str:
    """Return why DAG files could not be loaded."""
    errors = airflow.api("GET", "importErrors")["import_errors"]
    return "\n".join(f"{error['filename']}:\n{error['stack_trace']}" for error in errors)


def runs_of(airflow: LocalAirflow, dag: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the runs of a DAG."""
    runs: list[dict[str, Any]] = airflow.api("GET", f"dags/{dag['dag_id']}/dagRuns")["dag_runs"]
    return runs


def configuration(params: dict[str, Any], emulator: Emulator) -> dict[str, Any]:
    """Return what a DAG is to be triggered with: jobs that come to run, where it asks for jobs."""
    jobs: dict[str, Any] = {"job_id": emulator.create_job, "job_ids": lambda: [emulator.create_job() for _ in range(2)]}
    return {name: make() for name, make in jobs.items() if name in params}
