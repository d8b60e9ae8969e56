"""Each example DAG, as users copy it, on real Airflow processes against the emulator."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator
from tools.local_airflow import LocalAirflow, poll_until


@pytest.fixture(scope="module")
def trainings(local_airflow: LocalAirflow) -> dict[str, str]:
    """Runs of the DAGs that train, by DAG. Each takes about a minute: they begin together."""
    confs = {"train_and_evaluate": {"epochs": 3}, "train_many": {}, "train_and_board": {}}
    return {name: local_airflow.trigger(f"modelarts_{name}", conf) for name, conf in confs.items()}


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
    created = local_airflow.xcom(dag_id, run_id, "create")
    operations = _operations(emulator, created["job_id"])
    changes = [operation for operation in operations if operation != "get"]
    assert changes == ["update", "stop", "restart", "stop", "delete"]
    assert (created["status_name"], created["train_url"]) == ("RUNNING", "/bucket/life/")
    ends = [local_airflow.xcom(dag_id, run_id, task)["status_name"] for task in ("stop", "restart", "delete")]
    assert ends == ["KILLED", "RUNNING", "GONE"]
    shown = f"{created['job_name']} shows /bucket/life/ at {created['service_url']}"
    assert shown in _log(local_airflow, dag_id, run_id, "show_job")
    assert created["job_id"] not in emulator.jobs


def test_a_job_that_does_not_start_fails_the_run_and_is_over(local_airflow: LocalAirflow, emulator: Emulator) -> None:
    dag_id = "modelarts_visualization_job_life_cycle"
    emulator.add_script_rule("modelar-*", "image-fails")

    run_id = local_airflow.trigger(dag_id)

    assert local_airflow.wait(dag_id, run_id, timeout=120) == "failed"
    emulator.clear_script_rules()
    states = {task_id: instance["state"] for task_id, instance in _instances(local_airflow, dag_id, run_id).items()}
    assert states.pop("create") == "failed"
    assert set(states.values()) == {"upstream_failed"}
    job_id = local_airflow.xcom(dag_id, run_id, "create", key="job_id")
    assert emulator.job(job_id).status == 3


@pytest.mark.parametrize("fails", [False, True])
def test_a_board_around_tasks_ends_with_them_whatever_becomes_of_them(
    fails: bool, local_airflow: LocalAirflow, emulator: Emulator
) -> None:
    dag_id = "modelarts_board_around_tasks"

    run_id = local_airflow.trigger(dag_id, conf={"train_url": "/bucket/board/", "fail": fails})

    assert local_airflow.wait(dag_id, run_id, timeout=240) == ("failed" if fails else "success")
    states = {task_id: instance["state"] for task_id, instance in _instances(local_airflow, dag_id, run_id).items()}
    assert states == {
        "board.create": "success",
        "board.stop": "success",
        "board_is_over": "success",
        "board.evaluate": "failed" if fails else "success",
        "publish": "upstream_failed" if fails else "success",
    }
    board = local_airflow.xcom(dag_id, run_id, "board.create")
    assert emulator.job(board["job_id"]).status == 12
    running = [job for job in emulator.jobs.values() if job.train_url == "/bucket/board/" and job.active]
    assert running == []


def test_housekeeping_reports_and_stops_only_if_told_to(local_airflow: LocalAirflow, emulator: Emulator) -> None:
    dag_id = "modelarts_clean_up_jobs"
    job_id = emulator.create_job("forgotten", status=8)
    emulator.advance(25 * 3600)

    for action, stopped in (("report", []), ("stop", [job_id])):
        run_id = local_airflow.trigger(dag_id, conf={"action": action})
        assert local_airflow.wait(dag_id, run_id, timeout=120) == "success"
        result = local_airflow.xcom(dag_id, run_id, "find_old_jobs")
        assert job_id in [job["job_id"] for job in result["found"]]
        assert set(stopped) <= set(result["stopped"])
        assert stopped or emulator.job(job_id).status == 8
    assert "forgotten" in str(_log(local_airflow, dag_id, run_id, "tell"))
    emulator.advance(60)
    assert emulator.job(job_id).status == 12


def test_a_dag_runs_when_a_job_comes_to_run(local_airflow: LocalAirflow, emulator: Emulator) -> None:
    dag_id = "modelarts_schedule_on_running"
    local_airflow.wait_for_dag(dag_id)
    emulator.create_job("other", status=8)
    # The watcher has to have seen the project once: what runs then has not come to run.
    poll_until(lambda: "list" in emulator.request_counts(), 120, lambda: "the watcher has not looked")
    job_id = emulator.create_job("board-of-tests", status=8)

    def runs() -> list[dict[str, Any]]:
        return list(local_airflow.api("GET", f"dags/{dag_id}/dagRuns")["dag_runs"])

    poll_until(runs, 120, lambda: local_airflow.component_log("triggerer")[-2000:])
    [run] = runs()
    assert local_airflow.wait(dag_id, run["dag_run_id"], timeout=120) == "success"
    said = _log(local_airflow, dag_id, run["dag_run_id"], "greet")
    assert any(f"board-of-tests ({job_id}) is RUNNING: {emulator.url}" in line for line in said), said


def test_a_training_is_evaluated_when_it_is_completed(
    local_airflow: LocalAirflow, emulator: Emulator, trainings: dict[str, str]
) -> None:
    dag_id, run_id = "modelarts_train_and_evaluate", trainings["train_and_evaluate"]
    assert local_airflow.wait(dag_id, run_id, timeout=240) == "success"
    trained = local_airflow.xcom(dag_id, run_id, "train")
    job = emulator.training_jobs.get(trained["job_id"])
    assert (trained["phase"], job.phase) == ("Completed", "Completed")
    assert job.body["algorithm"]["parameters"] == [{"name": "epochs", "value": "3"}]
    said = f"{trained['job_name']} is Completed: {trained['outputs']['train_url']}"
    assert said in _log(local_airflow, dag_id, run_id, "evaluate")


def test_the_best_of_many_trainings_is_taken(
    local_airflow: LocalAirflow, emulator: Emulator, trainings: dict[str, str]
) -> None:
    dag_id, run_id = "modelarts_train_many", trainings["train_many"]
    assert local_airflow.wait(dag_id, run_id, timeout=400) == "success"
    best = emulator.training_jobs.get(local_airflow.xcom(dag_id, run_id, "choose"))
    rates = [
        job.body["algorithm"]["parameters"]
        for job in emulator.training_jobs.all()
        if job.job_name.startswith(best.job_name[: len(f"{dag_id}-train")])
    ]
    assert sorted(rate[0]["value"] for rate in rates) == ["0.001", "0.01", "0.1"]


def test_a_board_is_there_for_the_evaluation_of_a_training(
    local_airflow: LocalAirflow, emulator: Emulator, trainings: dict[str, str]
) -> None:
    dag_id, run_id = "modelarts_train_and_board", trainings["train_and_board"]
    assert local_airflow.wait(dag_id, run_id, timeout=400) == "success"
    trained, board = (local_airflow.xcom(dag_id, run_id, task) for task in ("train", "board.create"))
    assert trained["outputs"]["logs"] == board["train_url"]
    instances = _instances(local_airflow, dag_id, run_id)
    assert _time(instances["train"]["end_date"]) <= _time(instances["board.create"]["start_date"])
    assert f"Compare the runs at {board['service_url']}" in _log(local_airflow, dag_id, run_id, "board.evaluate")
    assert emulator.job(board["job_id"]).status == 12


def test_a_nightly_training_starts_the_deployment(local_airflow: LocalAirflow, emulator: Emulator) -> None:
    dag_id, deployment = "modelarts_nightly_training", "modelarts_nightly_deployment"
    local_airflow.wait_for_dag(deployment)
    # The watcher has to have polled once: what is Completed then raises no event.
    polls = emulator.request_counts().get("training.search", 0)
    poll_until(
        lambda: emulator.request_counts().get("training.search", 0) > polls,
        120,
        lambda: local_airflow.component_log("triggerer")[-2000:],
    )

    run_id = local_airflow.trigger(dag_id)

    assert local_airflow.wait(dag_id, run_id, timeout=240) == "success"
    trained = local_airflow.xcom(dag_id, run_id, "train")
    assert trained["job_name"].startswith("nightly-")
    said = f"{trained['job_name']} is Completed, deploying {trained['outputs']['model']}"

    def is_deployed() -> bool:
        # The schedule may have started a training of its own when the DAG was loaded.
        runs = local_airflow.api("GET", f"dags/{deployment}/dagRuns")["dag_runs"]
        succeeded = [run["dag_run_id"] for run in runs if run["state"] == "success"]
        return any(said in _log(local_airflow, deployment, deployed, "deploy") for deployed in succeeded)

    poll_until(is_deployed, 120, lambda: local_airflow.component_log("triggerer")[-2000:])


def _instances(airflow: LocalAirflow, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
    return {instance["task_id"]: instance for instance in airflow.task_instances(dag_id, run_id)}


def _log(airflow: LocalAirflow, dag_id: str, run_id: str, task_id: str) -> list[str]:
    return [line["event"] for line in airflow.task_log(dag_id, run_id, task_id)]


def _operations(emulator: Emulator, job_id: str) -> list[str]:
    """Operations asked for on this job, in order."""
    return [record.operation for record in emulator.requests() if f"/{job_id}" in record.path]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
