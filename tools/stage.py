"""What the demos share: Airflow and the emulator side by side, and a clean end however they are ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from airflow_provider_modelarts.emulator import Emulator
from tools.local_airflow import LocalAirflow

EXAMPLE_DAGS = Path(__file__).resolve().parent.parent / "example_dags"


@contextmanager
def stage() -> Iterator[tuple[LocalAirflow, Emulator]]:
    """Run Airflow with the example DAGs, and the emulator as what ``modelarts_default`` connects to."""
    pages_on = {"AIRFLOW__MODELARTS__JOBS_IN_UI": "True"}
    with Emulator() as emulator, LocalAirflow(EXAMPLE_DAGS, env=pages_on) as airflow:
        airflow.add_connection("modelarts_default", emulator.connection())
        yield airflow, emulator


def interrupt_once() -> None:
    """Let the first Ctrl-C, SIGTERM or SIGHUP raise KeyboardInterrupt, and later ones not disturb the cleaning up."""
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(signum: int, frame: FrameType | None) -> NoReturn:
        for each in ending:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for each in ending:
        signal.signal(each, interrupt)
