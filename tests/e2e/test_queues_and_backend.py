"""Waits with `skip_worker` where triggerers serve queues, and where XComs are kept outside of Airflow's database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_modelarts.emulator import Emulator
from tests.e2e.observed_run import ObservedRun
from tools.local_airflow import LocalAirflow

DAG = """
from airflow.sdk import DAG

from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor

MODES = {"poke": {}, "reschedule": {"mode": "reschedule"}, "deferrable": {"deferrable": True}}

with DAG("other_settings", schedule=None):
    for mode, options in {**MODES, "skip_worker": {"skip_worker": True}}.items():
        ModelArtsVisualizationJobSensor(
            task_id=mode, job_id="{{ params.job_id }}", poke_interval=2, timeout=120, **options
        )
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ObservedRun, str]]:
    dags, xcoms = tmp_path_factory.mktemp("dags"), tmp_path_factory.mktemp("xcoms")
    (dags / "other_settings.py").write_text(DAG)
    settings = {
        "AIRFLOW__TRIGGERER__QUEUES_ENABLED": "True",
        "AIRFLOW__CORE__XCOM_BACKEND": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": f"file://{xcoms}",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": "1",
    }
    arguments = {"triggerer": ["--queues", "default"]}
    with Emulator() as emulator, LocalAirflow(dags, env=settings, arguments=arguments) as airflow:
        airflow.add_connection("modelarts_default", emulator.connection())
        job_id = emulator.create_job(script="7:0,8:15")
        run = ObservedRun(airflow, "other_settings", {"job_id": job_id})
        run.wait(200)
        yield run, f"/{job_id}/"


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable", "skip_worker"])
def test_the_wait_ends_and_its_link_opens_the_job(mode: str, run: tuple[ObservedRun, str]) -> None:
    observed, in_link = run
    assert observed.states(mode) == ["success"], observed.log(mode)
    link = observed.link(mode)
    assert link is not None
    assert link.startswith("http")
    assert in_link in link


def test_the_xcom_of_a_wait_is_where_all_are(run: tuple[ObservedRun, str]) -> None:
    observed, _ = run
    assert str(observed.xcoms("skip_worker")["return_value"]).startswith("file:")
