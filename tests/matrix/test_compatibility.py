"""The page says what the cells observed, and fails where one failed or was not run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.matrix.compatibility import ENDS, main

GOOD_RUN = {"passed": 7, "failed": 0, "error": 0, "skipped": 1, "skip_reasons": ["Airflow 3.3 and later"]}


def waits(worker_runs: int, defers_at_once: bool = False, **ends: str) -> dict[str, Any]:
    return {
        wait: {"state": end, "worker_runs": worker_runs, "defers_at_once": defers_at_once}
        for wait, end in {**ENDS, **ends}.items()
    }


def cell() -> dict[str, Any]:
    return {
        "python": "3.11.7",
        "versions": {"apache-airflow": "3.1.8", "requests": "2.32.5"},
        "unit_tests": GOOD_RUN,
        "real_dag": GOOD_RUN,
        "modes": {
            "poke": waits(1),
            "reschedule": waits(6),
            "deferrable": waits(2),
            "skip_worker": waits(2, defers_at_once=True),
        },
    }


def make(directory: Path, cells: dict[str, Any]) -> tuple[int, str]:
    """Return the exit status and the page; a cell that is None has written nothing."""
    for name, observed in cells.items():
        if observed is not None:
            (directory / f"{name}.json").write_text(json.dumps(observed))
    page = directory / "docs" / "compatibility.md"
    status = main([str(page), *[str(directory / f"{name}.json") for name in cells]])
    return status, page.read_text()


def test_what_was_observed_is_told(tmp_path: Path) -> None:
    beside = {"installed": {"apache-airflow": "3.3.2", "pymongo": "4.18.1", "wheel": "1.0"}}
    status, page = make(tmp_path, {"cell-3.1.8-3.11": cell(), "beside": beside})
    assert status == 0
    assert (
        "| 3.1.8 | 3.11.7 | 7 passed, 1 skipped | 7 passed, 1 skipped | ok, 1 worker run | ok, 6 worker runs "
        "| ok, 2 worker runs | ok, 2 worker runs: deferred from one at once, said so in the log |"
    ) in page
    assert "| requests | 2.32.5 |" in page
    assert "- Airflow 3.3 and later: 3.1.8 on 3.11.7" in page
    assert "imported: apache-airflow 3.3.2, pymongo 4.18.1." in page


def test_a_cell_that_was_not_run_is_told_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, page = make(tmp_path, {"cell-3.1.8-3.11": cell(), "cell-3.3.2-3.13": None, "resolution": None})
    assert status == 1
    assert "| cell-3.3.2-3.13 |  | **not run** |" in page
    assert "not installed: **not run**" in page
    assert "cell-3.3.2-3.13, resolution" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["failed", "error"])
@pytest.mark.parametrize("key", ["unit_tests", "real_dag"])
def test_a_failed_test_is_told_and_fails(key: str, kind: str, tmp_path: Path) -> None:
    status, page = make(tmp_path, {"cell-3.1.8-3.11": {**cell(), key: {**GOOD_RUN, kind: 2}}})
    assert status == 1
    assert f"| **2 {kind}**, 7 passed, 1 skipped |" in page


def test_a_wait_that_ended_wrong_is_told(tmp_path: Path) -> None:
    wrong = cell()
    wrong["modes"]["deferrable"] = waits(2, hangs="failed")
    assert "| **hangs: failed** |" in make(tmp_path, {"cell-3.1.8-3.11": wrong})[1]


def test_a_cell_whose_dag_never_ran_is_told_and_fails(tmp_path: Path) -> None:
    half = {key: value for key, value in cell().items() if key not in ("real_dag", "modes")}
    status, page = make(tmp_path, {"cell-3.1.8-3.11": half})
    assert status == 1
    assert f"| 7 passed, 1 skipped | {' | '.join(['**not run**'] * 5)} |" in page
