"""Creating a training job: one job per task, what ends it, what the task's log tells, in both modes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_modelarts._compat import AirflowFailException, airflow_version, mask_secret
from airflow_provider_modelarts.api.training_jobs import failures
from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.operators.training_job import ModelArtsCreateTrainingJobOperator as Create
from airflow_provider_modelarts.waiting.wait import JobStateUnknownError, WaitTimeoutError
from tests.operators.conftest import Task
from tests.simulated_clock import SimulatedClock
from tests.simulated_tasks import TaskDeferred, TaskInstance

ARGUMENTS: dict[str, Any] = {"algorithm_id": "an-algorithm", "flavor_id": "modelarts.vm.cpu.2u"}


@pytest.fixture
def train(task: Callable[..., Task], emulator: Emulator) -> Callable[..., Any]:
    """Make a task that trains; its job follows a script."""

    def make(script: str = "normal", **arguments: Any) -> Task:
        emulator.cloud.training_jobs.scripts.add_rule("*", script)
        return task(Create, **{**ARGUMENTS, **arguments})

    return make


def jobs(emulator: Emulator) -> dict[str, str]:
    """Return the phase of each job, by its name without what all have in common."""
    return {job.job_name.rpartition("-r")[2]: job.phase for job in emulator.cloud.training_jobs.all()}


def submissions(emulator: Emulator) -> int:
    return emulator.request_counts().get("training.create", 0)


def test_a_job_is_created_and_completed(train: Callable[..., Any], emulator: Emulator) -> None:
    ran = train().run()
    assert ran.state == "success", ran.error
    [job] = emulator.cloud.training_jobs.all()
    assert set(ran.xcom) == {"job_id", "job_name", "phase", "create_time", "duration_ms", "outputs", "link"}
    assert (ran.xcom["job_id"], ran.xcom["phase"], ran.xcom["duration_ms"]) == (job.job_id, "Completed", 60000)
    assert job.job_name == ran.xcom["job_name"]
    assert job.job_name.startswith("dag-task-")
    assert job.body["metadata"]["description"] == "Airflow: dag / task / run"


def test_the_xcom_and_the_button_are_there_before_the_wait(
    train: Callable[..., Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_MODELARTS_DEFAULT",
        json.dumps(
            {**(c := emulator.connection()), "extra": {**c["extra"], "console_url": "https://console.example/"}}
        ),
    )
    task = train("runs", timeout=30)
    task.run()
    [job] = emulator.cloud.training_jobs.all()
    assert task.ti.xcoms["job_id"] == job.job_id
    assert task.ti.xcoms["modelarts_job_link"].endswith(f"#/training/detail/{job.job_id}")


def test_a_retry_takes_over_the_job_that_runs(train: Callable[..., Any], emulator: Emulator) -> None:
    task = train()
    task.begin()
    emulator.advance(20)
    task.ti.try_number = 2
    ran = task.run()
    assert ran.state == "success"
    assert submissions(emulator) == 1


def test_after_a_failure_the_retry_creates_the_next_job(train: Callable[..., Any], emulator: Emulator) -> None:
    task = train("fails")
    assert task.run().state == "up_for_retry"
    emulator.cloud.training_jobs.scripts.add_rule("*", "normal")
    task.ti.try_number = 2
    assert task.run().state == "success"
    assert jobs(emulator) == {"0": "Failed", "0-2": "Completed"}


def test_clearing_a_task_that_has_succeeded_starts_over(train: Callable[..., Any], emulator: Emulator) -> None:
    task = train()
    assert task.run().state == "success"
    task.ti.max_tries, task.ti.try_number = 1, 2
    assert task.run().state == "success"
    assert jobs(emulator) == {"0": "Completed", "1": "Completed"}


def test_clearing_a_task_whose_job_still_runs_stops_it_first(train: Callable[..., Any], emulator: Emulator) -> None:
    task = train("runs")
    task.ti.max_tries = 0
    task.begin() if task.arguments["deferrable"] else emulator.cloud.training_jobs.create(
        body={**body_of(task), "spec": {"resource": {}}}, script="runs"
    )
    emulator.cloud.training_jobs.scripts.add_rule("*", "normal")
    task.ti.max_tries, task.ti.try_number = 1, 2
    assert task.run().state == "success"
    assert jobs(emulator) == {"0": "Terminated", "1": "Completed"}


def body_of(task: Task) -> dict[str, Any]:
    """Return a body with the name that the task's first job has."""
    from airflow_provider_modelarts.operators.training_job_names import TrainingJobNames

    return {"kind": "job", "metadata": {"name": TrainingJobNames.of(task.ti, airflow="this-airflow").name(1)}}


def test_the_cause_is_in_the_error_and_at_the_end_of_the_log(
    train: Callable[..., Any], emulator: Emulator, written: Callable[..., Any]
) -> None:
    ran = train("fails").run()
    assert type(ran.error) is failures.TrainingCodeError
    assert "RuntimeError: the emulated training failed with exit code 1" in str(ran.error)
    assert str(ran.error).endswith("worker-0 ended with exit code 1")
    assert "training end: exit with 1" in written()
    assert "training.terminate" not in emulator.request_counts(), "a job that is over is not stopped"


def test_a_bug_in_the_explanation_of_a_failure_is_not_hidden(
    train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "airflow_provider_modelarts.operators.waiting_training_job.read_failure"
    monkeypatch.setattr(module, lambda jobs, job: 1 / 0)
    assert isinstance(train("fails").run().error, ZeroDivisionError)


def test_a_secret_that_the_training_prints_leaves_the_process_masked(
    train: Callable[..., Any], emulator: Emulator, written: Callable[..., Any]
) -> None:
    """LocalExecutor writes what a task logs to the scheduler's output, too, and masks nothing there."""
    secret = "a-value-of-the-environment"
    mask_secret(secret)
    task = train("fails")
    task.clock.at(6, lambda: print_into_log(emulator, f"logged in with {secret}"))
    ran = task.run()
    assert "logged in with ***" in str(ran.error)
    assert written().count("logged in with ***") == 1
    assert secret not in str(ran.error) + written()


def print_into_log(emulator: Emulator, line: str) -> None:
    [job] = emulator.cloud.training_jobs.all()
    emulator.cloud.training_jobs.write_log(job.job_id, line)


@pytest.mark.parametrize(
    ("script", "expected"),
    [("terminated", failures.TrainingStoppedError), ("abnormal", failures.TrainingJobFailedError)],
)
def test_each_end_without_success_is_a_failure(train: Callable[..., Any], script: str, expected: type[Any]) -> None:
    assert type(train(script).run().error) is expected


def test_a_job_that_cannot_run_as_configured_is_not_retried(train: Callable[..., Any]) -> None:
    ran = train("Creating:0,Pending:3,Running:3,Failed=127:10").run()
    assert ran.state == "failed"
    assert "check command, boot_file and the image" in str(ran.error)


def test_a_job_that_vanishes_fails(train: Callable[..., Any]) -> None:
    ran = train("vanishes").run()
    assert ran.state == "up_for_retry"
    assert "was not found" in str(ran.error)


def test_a_request_that_is_wrong_is_not_retried(train: Callable[..., Any]) -> None:
    ran = train(algorithm_id="missing").run()
    assert isinstance(ran.error, AirflowFailException)
    assert "ModelArts.2755" in str(ran.error)


def test_the_timeout_counts_from_the_creation_of_the_job_and_stops_it(
    train: Callable[..., Any], emulator: Emulator, clock: SimulatedClock
) -> None:
    task = train("runs", timeout=600)
    created = clock.now
    task.begin() if task.arguments["deferrable"] else None
    emulator_time = clock.now
    ran = task.run()
    assert isinstance(ran.error, WaitTimeoutError)
    assert 600 <= ran.seconds - created <= 660, emulator_time
    assert set(jobs(emulator).values()) == {"Terminating"}


def test_a_retry_does_not_begin_the_timeout_again(
    train: Callable[..., Any], emulator: Emulator, clock: SimulatedClock
) -> None:
    task = train("runs", timeout=600)
    emulator.cloud.training_jobs.create(body={**body_of(task), "spec": {"resource": {}}}, script="runs")
    clock.sleep(500)
    began = clock.now
    ran = task.run()
    assert isinstance(ran.error, WaitTimeoutError)
    assert 90 <= ran.seconds - began <= 160


def test_a_job_that_does_not_start_in_time_is_stopped_and_said_to_lack_resources(
    train: Callable[..., Any], emulator: Emulator
) -> None:
    ran = train("hangs", max_pending=120).run()
    assert type(ran.error) is failures.TrainingCapacityError
    assert "has not started to run within 2 min 0 s (max_pending)" in str(ran.error)
    assert 120 <= ran.seconds <= 180
    assert jobs(emulator) == {"0": "Terminating"}


@pytest.mark.parametrize(
    ("max_pending", "error"),
    [(119, failures.TrainingCapacityError), (120, WaitTimeoutError), (121, WaitTimeoutError), (None, WaitTimeoutError)],
)
def test_resources_are_said_to_be_missing_only_if_max_pending_ends_before_the_timeout(
    max_pending: float | None, error: type[Exception], train: Callable[..., Any]
) -> None:
    assert type(train("hangs", max_pending=max_pending, timeout=120).run().error) is error


def test_a_job_that_starts_in_time_may_run_for_longer(train: Callable[..., Any]) -> None:
    ran = train("Creating:0,Pending:60,Running:30,Completed:600", max_pending=120).run()
    assert ran.state == "success", ran.error


def test_a_job_that_queues_again_after_it_has_run_did_start_in_time(train: Callable[..., Any]) -> None:
    ran = train("Creating:0,Pending:10,Running:30,Pending:30", max_pending=120, timeout=600).run()
    assert type(ran.error) is WaitTimeoutError


def test_a_quota_is_waited_for(train: Callable[..., Any], emulator: Emulator, clock: SimulatedClock) -> None:
    emulator.cloud.options.running_quota = 0
    clock.at(600, lambda: setattr(emulator.cloud.options, "running_quota", 9))
    assert train(max_pending=3600).run().state == "success"


def test_the_api_out_of_reach_leaves_the_job_to_the_next_try(train: Callable[..., Any], emulator: Emulator) -> None:
    task = train("runs", poll_failure_tolerance=60)
    task.ti.max_tries = 1
    emulator.inject(Fault("status", "training.get", status=500))
    emulator.inject(Fault("status", "training.search", status=500, after=1))
    ran = task.run()
    assert isinstance(ran.error, JobStateUnknownError)
    assert jobs(emulator) == {"1": "Running"}
    emulator.clear_faults()
    task.ti.try_number = 2
    emulator.cloud.training_jobs.set_phase(emulator.cloud.training_jobs.all()[0].job_id, "Completed")
    assert task.run().state == "success"
    assert submissions(emulator) == 1


def test_the_last_try_stops_the_job_that_it_cannot_see(train: Callable[..., Any], emulator: Emulator) -> None:
    task = train("runs", poll_failure_tolerance=60)
    emulator.inject(Fault("status", "training.get", status=500))
    emulator.inject(Fault("status", "training.search", status=500, after=1))
    assert isinstance(task.run().error, JobStateUnknownError)
    assert jobs(emulator) == {"0": "Terminating"}


def test_a_server_is_waited_for_until_it_runs(train: Callable[..., Any], emulator: Emulator) -> None:
    ran = train(job_kind="visualization_job").run()
    assert (ran.state, ran.xcom["phase"]) == ("success", "Running")
    assert not emulator.cloud.training_jobs.all()[0].body["spec"]["auto_stop"]


def test_the_task_need_not_wait(train: Callable[..., Any], emulator: Emulator) -> None:
    ran = train(wait_for_completion=False).run()
    assert (ran.state, ran.xcom["phase"]) == ("success", "Creating")
    assert jobs(emulator) == {"0": "Creating"}


def test_the_log_of_the_job_is_in_the_log_of_the_task(train: Callable[..., Any], written: Callable[..., Any]) -> None:
    train().run()
    log = written()
    assert [log.count(f"INFO step {step}: loss") for step in range(1, 61)] == [1] * 60
    assert "training end: job completed" in log


def test_the_log_of_the_job_can_be_left_out(train: Callable[..., Any], emulator: Emulator) -> None:
    assert train(get_logs=False).run().state == "success"
    assert not {"training.log_lines", "training.log_preview"} & set(emulator.request_counts())


def test_a_log_that_cannot_be_read_fails_nothing(train: Callable[..., Any], emulator: Emulator) -> None:
    for operation in ("training.log_lines", "training.log_preview"):
        emulator.inject(Fault("status", operation, status=403))
    assert train().run().state == "success"


def test_what_is_billed_is_said(train: Callable[..., Any], written: Callable[..., Any]) -> None:
    train().run()
    assert "Ran for 1 min 0 s on 1 x modelarts.vm.cpu.2u" in written()


@pytest.mark.parametrize(
    ("arguments", "hours"),
    [
        ({}, 169),
        ({"timeout": 3600}, 2),
        ({"timeout": timedelta(minutes=90)}, 2),
        ({"auto_stop_hours": 5}, 5),
        ({"auto_stop_hours": "5"}, 5),
        ({"auto_stop_hours": 0}, None),
        ({"body": {"spec": {"auto_stop": {"time_unit": "HOURS", "duration": 9}}}}, 9),
    ],
)
def test_model_arts_itself_stops_the_job_a_little_after_the_timeout(
    train: Callable[..., Any], emulator: Emulator, arguments: dict[str, Any], hours: int | None
) -> None:
    train(wait_for_completion=False, **arguments).run()
    [job] = emulator.cloud.training_jobs.all()
    assert job.body["spec"].get("auto_stop", {}).get("duration") == hours


@pytest.mark.parametrize("kill", [True, False])
def test_a_kill_stops_the_job_if_it_shall(train: Callable[..., Any], emulator: Emulator, kill: bool) -> None:
    task = train("runs", cancel_on_kill=kill)
    operator = task.make()
    operator.deferrable = True
    with pytest.raises(TaskDeferred):
        operator.execute(task.context)
    operator.on_kill()
    assert jobs(emulator) == {"0": "Terminating" if kill else "Creating"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "a job needs one of"),
        ({**ARGUMENTS, "flavor_id": None}, "flavor_id: needed"),
        ({**ARGUMENTS, "name_prefix": "a b"}, "name_prefix"),
        ({**ARGUMENTS, "body": {"metadata": {"name": "mine"}}}, "use name_prefix"),
        ({**ARGUMENTS, "max_pending": -1}, "max_pending"),
        ({**ARGUMENTS, "auto_stop_hours": "soon"}, "auto_stop"),
        ({**ARGUMENTS, "environments": {"A B": "x"}}, "environments"),
    ],
)
def test_what_cannot_be_is_refused_when_the_dag_is_parsed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Create(task_id="task", **arguments)


def test_templates_are_checked_once_they_are_rendered(emulator: Emulator, clock: SimulatedClock) -> None:
    operator = Create(task_id="task", **{**ARGUMENTS, "node_count": "{{ nodes }}"})
    context: Any = {"nodes": "none", "ti": TaskInstance()}
    operator.render_template_fields(context)
    with pytest.raises(AirflowFailException, match="node_count"):
        operator.execute(context)
    assert submissions(emulator) == 0


def test_the_values_of_environments_are_masked_as_soon_as_they_are_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[str] = []
    module = "airflow_provider_modelarts.operators.create_training_job.mask_secret"
    monkeypatch.setattr(module, masked.append)
    body = {"algorithm": {"environments": {"TOKEN": "also-secret"}}}
    operator = Create(task_id="task", **ARGUMENTS, environments={"SK": "{{ sk }}", "N": 8}, body=body)
    context: Any = {"sk": "a-secret"}
    operator.render_template_fields(context)
    assert masked == ["a-secret", "also-secret"]


def test_the_pages_of_airflows_ui_show_the_job_if_they_are_on(
    train: Callable[..., Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MODELARTS__JOBS_IN_UI", "True")
    trained = train()
    assert trained.run().state == "success"
    if airflow_version() >= (3, 1):
        (job,) = trained.ti.xcoms["modelarts_jobs"]["jobs"]
        # The simulated trigger of an operator pushes nothing.
        last = ["Creating", "waiting"] if trained.arguments["deferrable"] else ["Completed", "arrived"]
        assert job["history"][-1][1:] == last
