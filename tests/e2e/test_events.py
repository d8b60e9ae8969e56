"""DAGs scheduled by jobs that come into a status, on a real triggerer: shared looks, and none lost or told twice."""

from __future__ import annotations

import time

from airflow_provider_modelarts.emulator import Emulator
from tools.local_airflow import LocalAirflow, poll_until

TIMEOUT = 120.0  # seconds
DAGS = ("on_any_running", "on_nightly_over")
POKE_INTERVAL = 2.0


def told(airflow: LocalAirflow, dag_id: str) -> list[str]:
    """Return the names of the jobs that a DAG has run for, in order."""
    runs = airflow.api("GET", f"dags/{dag_id}/dagRuns", params={"limit": 100})["dag_runs"]
    ended = [run["dag_run_id"] for run in runs if run["state"] == "success"]
    return sorted(name for run_id in ended for name in airflow.xcom(dag_id, run_id, "names"))


def test_a_reference_to_an_asset_tells_of_the_job(local_airflow: LocalAirflow, servers: dict[str, Emulator]) -> None:
    server = servers["events"]
    local_airflow.wait_for_dag("on_reference")
    job_id = server.create_job("referred", status=7)
    run_id = local_airflow.trigger("tells_by_reference", conf={"job_id": job_id})
    assert local_airflow.wait("tells_by_reference", run_id, TIMEOUT) == "success"
    poll_until(lambda: told(local_airflow, "on_reference"), TIMEOUT, lambda: "the DAG has not run")
    assert told(local_airflow, "on_reference") == ["referred"]
    server.remove_job(job_id)


def test_each_arrival_is_told_once_also_over_the_end_of_a_triggerer(
    local_airflow: LocalAirflow, servers: dict[str, Emulator]
) -> None:
    server = servers["events"]

    def looked(times: int = 2) -> None:
        before = server.request_counts().get("list", 0)
        poll_until(lambda: server.request_counts().get("list", 0) >= before + times, TIMEOUT, lambda: "no look")

    for dag_id in DAGS:
        local_airflow.wait_for_dag(dag_id)
    assert [job.job_name for job in server.jobs.values()] == ["early"]
    looked()

    nightly = server.create_job("nightly-1", status=8)
    poll_until(lambda: told(local_airflow, DAGS[0]) == ["nightly-1"], TIMEOUT, lambda: told(local_airflow, DAGS[0]))
    server.set_status(nightly, 12)
    poll_until(lambda: told(local_airflow, DAGS[1]) == ["nightly-1"], TIMEOUT, lambda: told(local_airflow, DAGS[1]))

    # Two watchers, one look an interval.
    begin, before = time.monotonic(), server.request_counts()["list"]
    looked(5)
    looks = server.request_counts()["list"] - before
    assert looks <= (time.monotonic() - begin) / POKE_INTERVAL + 1.5

    local_airflow.kill("triggerer")
    server.create_job("while-nobody-looks", status=8)
    local_airflow.start_component("triggerer")
    expected = ["nightly-1", "while-nobody-looks"]
    poll_until(lambda: told(local_airflow, DAGS[0]) == expected, TIMEOUT, lambda: told(local_airflow, DAGS[0]))
    looked(3)
    assert told(local_airflow, DAGS[0]) == expected
    assert told(local_airflow, DAGS[1]) == ["nightly-1"]
