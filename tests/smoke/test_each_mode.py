"""The one test of `make test` on real Airflow processes: a wait in each mode ends when its job runs, and not before."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_modelarts.emulator import Emulator
from tests.smoke.dags.each_mode import MODES
from tools.local_airflow import LocalAirflow, poll_until

DAG_ID = "each_mode"
TIMEOUT = 120.0  # seconds


def test_a_wait_in_each_mode() -> None:
    with Emulator() as emulator, LocalAirflow(Path(__file__).parent / "dags") as airflow:
        airflow.add_connection("modelarts_default", emulator.connection())
        job_id = emulator.create_job(status=7)
        run_id = airflow.trigger(DAG_ID, {"job_id": job_id})
        poll_until(lambda: _all_wait(airflow, run_id), TIMEOUT, lambda: str(_states(airflow, run_id)))

        emulator.set_status(job_id, 8)

        airflow.wait(DAG_ID, run_id, TIMEOUT)
        assert set(_states(airflow, run_id).values()) == {"success"}, _states(airflow, run_id)
        assert {mode: airflow.xcom(DAG_ID, run_id, f"use_{mode}") for mode in MODES} == dict.fromkeys(MODES, "RUNNING")


def _all_wait(airflow: LocalAirflow, run_id: str) -> bool:
    states = _states(airflow, run_id)
    waiting = {"poke": {"running"}, "reschedule": {"up_for_reschedule"}}
    return all(states[f"wait_{mode}"] in waiting.get(mode, {"deferred"}) for mode in MODES)


def _states(airflow: LocalAirflow, run_id: str) -> dict[str, str | None]:
    return {instance["task_id"]: instance["state"] for instance in airflow.task_instances(DAG_ID, run_id)}
