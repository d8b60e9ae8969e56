"""What Airflow's processes report to StatsD of waits."""

from __future__ import annotations

from airflow_provider_modelarts.api import metrics
from airflow_provider_modelarts.emulator import Emulator
from tests.e2e.conftest import StatsDServer
from tests.e2e.observed_run import ObservedRun
from tools.local_airflow import LocalAirflow, poll_until

TIMEOUT = 120.0  # seconds


def test_workers_and_triggerer_report_a_wait(
    local_airflow: LocalAirflow, servers: dict[str, Emulator], statsd: StatsDServer
) -> None:
    server = servers["tokens"]
    job_id = server.create_job(status=7)
    server.clear_requests()
    statsd.received.clear()
    run = ObservedRun(local_airflow, "few_waits", {"job_id": job_id})
    # The gauge comes with a look of the triggerer, and tells of all waits that are in progress then.
    poll_until(lambda: "2|g" in statsd.named(metrics.WAITS), TIMEOUT, lambda: statsd.named(metrics.WAITS))
    server.set_status(job_id, 8)
    assert run.wait(TIMEOUT) == "success"

    assert len(statsd.named(metrics.POLLS)) >= 2
    # A look on a worker and two in the triggerer at least; the watchers of other tests ask, too.
    sent = server.request_counts()
    assert len(statsd.named(metrics.REQUESTS)) >= sent["get"] + sent.get("list", 0) >= 3
    assert statsd.named(metrics.TIME_IN_STATUS)
    assert all(value.endswith("|ms") for value in statsd.named(metrics.TIME_IN_STATUS))
    poll_until(lambda: statsd.named(metrics.WAITS)[-1] == "0|g", TIMEOUT, lambda: statsd.named(metrics.WAITS))
