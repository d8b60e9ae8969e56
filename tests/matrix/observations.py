"""
A pytest plugin that writes what a cell of the matrix observed into a JSON file: versions, counts of tests, skips.

``-p tests.matrix.observations --observations FILE --observed-as unit_tests``. Several runs of pytest share the file,
each with a key of its own; tests add to it by `record`.
"""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

PACKAGES = (
    "apache-airflow",
    "apache-airflow-task-sdk",
    "asgiref",
    "huaweicloudsdkcore",
    "keystoneauth1",
    "pendulum",
    "requests",
    "starlette",
    "tenacity",
    "urllib3",
    "uvicorn",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--observations", type=Path, help="JSON file that takes what was observed")
    parser.addoption("--observed-as", default="tests", help="key of this run's counts in that file")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    stats = terminalreporter.stats
    counts: dict[str, Any] = {kind: len(stats.get(kind, ())) for kind in ("passed", "failed", "error", "skipped")}
    reasons = {str(report.longrepr[2]).removeprefix("Skipped: ") for report in stats.get("skipped", ())}
    record(config, config.getoption("--observed-as"), {**counts, "skip_reasons": sorted(reasons)})
    record(config, "python", platform.python_version())
    record(config, "versions", {name: found for name in PACKAGES if (found := _installed(name))})


def record(config: pytest.Config, key: str, value: Any) -> None:
    """Write a fact into the file, if there is to be one."""
    file: Path | None = config.getoption("--observations", default=None)
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    facts = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**facts, key: value}, indent=2) + "\n")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
