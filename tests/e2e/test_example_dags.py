"""Each example DAG, as users copy it, on real Airflow processes against the emulator."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow_provider_modelarts.emulator import Emulator
from demo.local_airflow import LocalAirflow, poll_until


def test_the_gated_task_starts_only_when_the_job_runs(local_airflow: LocalAirflow, emulator: Emulator) -> None:
    dag_id = "modelarts_gate_on_running"
    job_id = emulator.create_job(job_name="gate", train_url="/bucket/gate/", status=7)

    run_id = local_airflow.trigger(dag_id, conf={"job_id": job_id})
    poll_until(lambda: _operations(emulator, job_id), 120, lambda: f"the sensor has not asked for job {job_id}")
    assert _instances(local_airflow, dag_id, run_id)["use_tensorboard"]["start_date"] is None
    emulator.set_status(job_id, 8)
    running_since = datetime.now(timezone.utc)
    assert local_airflow.wait(dag_id, run_id, timeout=120) == "success"

    instances = _instances(local_airflow, dag_id, run_id)
    assert running_since < _time(instances["wait_until_running"]["end_date"])
    assert _time(instances["wait_until_running"]["end_date"]) <= _time(instances["use_tensorboard"]["start_date"])
    assert [instance["try_number"] for instance in instances.values()] == [1, 1]

    operations = _operations(emulator, job_id)
    assert operations[0] == "get"
    assert set(operations) == {"get"}, "a sensor only looks"
    assert len(operations) >= 2

    xcom = local_airflow.xcom(dag_id, run_id, "wait_until_running")
    assert set(xcom) == {
        "job_id",
        "job_name",
        "status",
        "status_name",
        "service_url",
        "train_url",
        "create_time",
        "duration_ms",
    }
    assert (xcom["job_id"], xcom["job_name"], xcom["train_url"]) == (job_id, "gate", "/bucket/gate/")
    assert (xcom["status"], xcom["status_name"]) == (8, "RUNNING")
    assert xcom["service_url"].startswith(emulator.url)
    assert f"gate is RUNNING: {xcom['service_url']}" in _log(local_airflow, dag_id, run_id, "use_tensorboard")


def test_a_job_that_fails_fails_the_wait_and_never_starts_the_gated_task(
    local_airflow: LocalAirflow, emulator: Emulator
) -> None:
    dag_id = "modelarts_gate_on_running"
    job_id = emulator.create_job(job_name="gate-of-failed", status=11)

    run_id = local_airflow.trigger(dag_id, conf={"job_id": job_id})

    assert local_airflow.wait(dag_id, run_id, timeout=120) == "failed"
    instances = _instances(local_airflow, dag_id, run_id)
    assert {task_id: instance["state"] for task_id, instance in instances.items()} == {
        "wait_until_running": "failed",
        "use_tensorboard": "upstream_failed",
    }
    assert _operations(emulator, job_id) == ["get"]
    assert "FAILED (11)" in str(local_airflow.task_log(dag_id, run_id, "wait_until_running"))


def test_a_job_lives_its_whole_life(local_airflow: LocalAirflow, emulator: Emulator) -> None:
    dag_id = "modelarts_visualization_job_life_cycle"

    run_id = local_airflow.trigger(dag_id, conf={"train_url": "/bucket/life/"})

    assert local_airflow.wait(dag_id, run_id, timeout=240) == "success"
    job_id = local_airflow.xcom(dag_id, run_id, "create_job")
    operations = _operations(emulator, job_id)
    assert [operation for operation in operations if operation != "get"] == ["stop", "delete"]
    assert operations[0] == "get", "waited before it was stopped"
    assert operations[-2] == "get", "waited before it was deleted"

    running = local_airflow.xcom(dag_id, run_id, "wait_until_running")
    assert (running["job_id"], running["status_name"], running["train_url"]) == (job_id, "RUNNING", "/bucket/life/")
    over = local_airflow.xcom(dag_id, run_id, "wait_until_over")
    assert (over["job_id"], over["status_name"]) == (job_id, "KILLED")
    shown = f"{running['job_name']} shows /bucket/life/ at {running['service_url']}"
    assert shown in _log(local_airflow, dag_id, run_id, "show_job")

    emulator.advance(60)  # a deletion takes a while
    assert job_id not in emulator.jobs


def test_a_job_that_does_not_start_is_deleted_all_the_same(local_airflow: LocalAirflow, emulator: Emulator) -> None:
    dag_id = "modelarts_visualization_job_life_cycle"
    emulator.add_script_rule("airflow-*", "image-fails")

    run_id = local_airflow.trigger(dag_id)

    assert local_airflow.wait(dag_id, run_id, timeout=120) == "failed"
    emulator.clear_script_rules()
    states = {task_id: instance["state"] for task_id, instance in _instances(local_airflow, dag_id, run_id).items()}
    assert states == {
        "create_job": "success",
        "wait_until_running": "failed",
        "show_job": "upstream_failed",
        "stop_job": "upstream_failed",
        "wait_until_over": "upstream_failed",
        "delete_job": "success",
    }
    job_id = local_airflow.xcom(dag_id, run_id, "create_job")
    assert _operations(emulator, job_id)[-1] == "delete"


def _instances(airflow: LocalAirflow, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
    return {instance["task_id"]: instance for instance in airflow.task_instances(dag_id, run_id)}


def _log(airflow: LocalAirflow, dag_id: str, run_id: str, task_id: str) -> list[str]:
    return [line["event"] for line in airflow.task_log(dag_id, run_id, task_id)]


def _operations(emulator: Emulator, job_id: str) -> list[str]:
    """Operations asked for on this job, in order."""
    return [record.operation for record in emulator.requests() if f"/{job_id}" in record.path]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
