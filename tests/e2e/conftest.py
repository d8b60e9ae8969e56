"""One real Airflow and one emulator for all end-to-end tests that do not need their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from airflow_provider_modelarts.emulator import Emulator
from demo.local_airflow import LocalAirflow
from demo.stage import EXAMPLE_DAGS


@pytest.fixture(scope="package")
def emulator() -> Iterator[Emulator]:
    with Emulator(time_scale=20) as emulator:
        yield emulator


@pytest.fixture(scope="package")
def local_airflow(emulator: Emulator) -> Iterator[LocalAirflow]:
    with LocalAirflow(EXAMPLE_DAGS) as airflow:
        airflow.add_connection("modelarts_default", emulator.connection())
        yield airflow


@pytest.fixture
def processes_in() -> Callable[[Path], list[str]]:
    """
    Command lines of the living processes whose working directory is in this one, wherever they descend from.

    Airflow's processes start in AIRFLOW_HOME. Their environment is no mark: it vanishes when they set their title.
    """

    def find(directory: Path) -> list[str]:
        return [
            " ".join(process.info["cmdline"])
            for process in psutil.process_iter(["cmdline", "cwd", "status"])
            if (process.info["cwd"] or "").startswith(str(directory)) and process.info["status"] != psutil.STATUS_ZOMBIE
        ]

    return find
