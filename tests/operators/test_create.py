"""Creating a job: one task, one job, whatever happens to the task."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts._compat import AirflowTaskTimeout
from airflow_provider_modelarts.api.errors import ModelArtsError, ModelArtsNameTakenError
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
from airflow_provider_modelarts.api.visualization_jobs.operations import VisualizationJobs
from airflow_provider_modelarts.assets.visualization_job import create_asset
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.emulator.faults import Fault, FaultKind
from airflow_provider_modelarts.emulator.visualization_jobs.state import Job
from airflow_provider_modelarts.links.base import XCOM_KEY
from airflow_provider_modelarts.operators import starting
from airflow_provider_modelarts.operators.identity import AIRFLOW_ID, own_job_name
from airflow_provider_modelarts.operators.visualization_job import ModelArtsCreateVisualizationJobOperator as Create
from airflow_provider_modelarts.waiting.jobs import JobsWait
from airflow_provider_modelarts.waiting.wait import JobCannotArriveError, WaitTimeoutError
from tests.operators.conftest import Task
from tests.simulated_tasks import TaskDeferred, TaskInstance, first_event

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

URL = "/bucket/logs/"


def only_job(emulator: Emulator) -> Job:
    (job,) = emulator.jobs.values()
    return job


def left_in(status: int, task: Callable[..., Task], emulator: Emulator, **arguments: Any) -> Task:
    """Return a task whose first run succeeded, and whose job has come into a status since."""
    created = task(Create, train_url=URL, **arguments)
    created.run()
    emulator.set_status(only_job(emulator).job_id, status)
    return created


@pytest.fixture(params=[False, True], ids=["without_store", "with_store"])
def store(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_the_job_runs_when_the_task_succeeds(task: Callable[..., Task], emulator: Emulator) -> None:
    created = task(Create, train_url="obs://bucket/logs/", auto_stop_hours="4", job_type="mindinsight")
    outcome = created.run()
    job = only_job(emulator)
    assert (outcome.state, job.status, job.auto_stop_hours) == ("success", 8, 4)
    assert (job.train_url, job.job_type) == (URL, "mindinsight")
    assert outcome.xcom["job_id"] == created.ti.xcoms["job_id"] == str(job.job_id)
    assert outcome.xcom["status_name"] == "RUNNING"
    assert outcome.xcom["service_url"] == created.ti.xcoms[XCOM_KEY]
    assert job.job_name == own_job_name(created.ti, "this-airflow")
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,7}-[a-z2-7]{12}", job.job_name)
    assert re.fullmatch(r"Airflow [a-z2-7]{8}: dag / task / run; mindinsight, stops after 4 h", job.job_desc)


def test_without_waiting_the_job_is_returned_as_it_is_made(task: Callable[..., Task], emulator: Emulator) -> None:
    outcome = task(Create, train_url=URL, wait_for_completion=False).run()
    assert outcome.xcom["status_name"] == "INIT"
    assert emulator.request_counts() == {"list": 1, "create": 1}


@pytest.mark.parametrize(
    ("is_setup", "hours", "warns"), [(True, None, 1), (True, "", 1), (True, 4, 0), (False, None, 0)]
)
def test_a_setup_without_auto_stop_warns_once_that_its_job_may_run_on(
    is_setup: bool,
    hours: int | str | None,
    warns: int,
    task: Callable[..., Task],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    created = task(Create, train_url=URL, auto_stop_hours=hours)
    operator = created.make()
    operator.is_setup = is_setup
    created.make = lambda: operator  # type: ignore[method-assign]
    assert created.run().state == "success"
    # Airflow 2.11 writes what caplog catches to the standard output as well.
    said = capsys.readouterr().out or caplog.text
    assert said.count("No auto_stop_hours is set.") == warns


@pytest.mark.parametrize("ended_in", [8, 9, 10, 11, 12, 13, 14, 7, 1])
def test_a_task_that_runs_again_has_the_same_job(
    ended_in: int, task: Callable[..., Task], emulator: Emulator, store: bool
) -> None:
    created = task(Create, train_url=URL, store=store)
    assert created.run().state == "success"
    job = only_job(emulator)
    emulator.set_script(job.job_id, {9: "9:0,12:5", 7: "7:0,8:20", 1: "1:0,8:20"}.get(ended_in, f"{ended_in}:0"))

    outcome = created.run()

    assert (outcome.state, outcome.xcom["status_name"]) == ("success", "RUNNING")
    assert (only_job(emulator).job_id, only_job(emulator).status) == (job.job_id, 8)
    assert created.store in (None, {})


def test_a_job_that_cannot_be_restarted_is_replaced(task: Callable[..., Task], emulator: Emulator) -> None:
    created = left_in(16, task, emulator)
    assert created.run().state == "success"
    assert (only_job(emulator).job_id, only_job(emulator).status) == (1002, 8)


def test_a_job_that_was_deleted_is_made_anew(task: Callable[..., Task], emulator: Emulator, store: bool) -> None:
    created = task(Create, train_url=URL, store=store)
    created.run()
    emulator.remove_job(only_job(emulator).job_id)
    assert created.run().state == "success"
    assert only_job(emulator).status == 8


def test_a_worker_lost_right_after_the_request_leaves_one_job(
    task: Callable[..., Task], emulator: Emulator, store: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = task(Create, train_url=URL, store=store)
    with monkeypatch.context() as patch:
        patch.setattr(Create, "_store_job_id", lost_worker)
        with pytest.raises(SystemExit):
            created.begin()
    job_id = only_job(emulator).job_id
    emulator.clear_requests()

    outcome = created.run()

    assert (outcome.state, outcome.xcom["job_id"]) == ("success", str(job_id))
    assert only_job(emulator).job_id == job_id
    assert "create" not in emulator.request_counts()


def lost_worker(*args: Any) -> None:
    raise SystemExit


def test_the_task_state_store_leads_to_a_job_that_nobody_can_find_by_its_name(
    task: Callable[..., Task], emulator: Emulator
) -> None:
    created = task(Create, train_url=URL, job_name="board", store=True, deferrable=True)
    assert isinstance(created.begin(), TaskDeferred)
    emulator.cloud.visualization_jobs.get("1001").job_desc = "changed"
    emulator.set_status("1001", 8)
    assert created.run().xcom["job_id"] == "1001"
    assert only_job(emulator).status == 8
    assert created.store == {}


@pytest.mark.parametrize("kind", ["cut_after", "truncated", "empty"])
def test_a_lost_answer_leaves_one_job(kind: FaultKind, task: Callable[..., Task], emulator: Emulator) -> None:
    emulator.inject(Fault(kind, operation="create", times=1))
    outcome = task(Create, train_url=URL).run()
    assert (outcome.state, only_job(emulator).status) == ("success", 8)


@pytest.mark.parametrize("kind", ["cut_after", "truncated", "empty", "wrong_types"])
def test_lost_answers_and_a_lost_list_leave_one_job_after_a_retry(
    kind: FaultKind, task: Callable[..., Task], emulator: Emulator
) -> None:
    emulator.inject(Fault(kind, operation="create", times=1))
    emulator.inject(Fault("status", operation="list", after=1, times=12, status=503))
    created = task(Create, train_url=URL)
    assert created.run().state == "up_for_retry"
    assert created.run().state == "success"
    assert only_job(emulator).status == 8


def test_a_list_that_is_forbidden_does_not_keep_a_job_from_being_made(
    task: Callable[..., Task], emulator: Emulator
) -> None:
    emulator.deny = frozenset({"list"})
    created = task(Create, train_url=URL)
    assert created.run().state == "success"
    # Made twice it is not: the API takes no name twice.
    outcome = created.run()
    assert isinstance(outcome.error, ModelArtsNameTakenError)
    assert only_job(emulator).status == 8


@pytest.mark.parametrize(("script", "error"), [("fails", JobCannotArriveError), ("hangs", WaitTimeoutError)])
def test_a_wait_that_fails_stops_the_job(
    script: str, error: type[Any], task: Callable[..., Task], emulator: Emulator
) -> None:
    emulator.add_script_rule("*", script)
    created = task(Create, train_url=URL, timeout=60)
    outcome = created.run()
    assert (outcome.state, type(outcome.error)) == ("up_for_retry", error)
    emulator.advance(10)
    assert only_job(emulator).status == {"fails": 11, "hangs": 12}[script]

    # A retry starts the same job again.
    outcome = created.run()
    assert (outcome.state, only_job(emulator).status) == ("success", 8)


def test_a_wait_that_fails_leaves_the_job_alone_if_told_so(task: Callable[..., Task], emulator: Emulator) -> None:
    emulator.add_script_rule("*", "hangs")
    assert task(Create, train_url=URL, timeout=60, stop_on_failure=False).run().state == "up_for_retry"
    emulator.advance(10)
    assert only_job(emulator).status == 7


def test_airflows_own_end_of_a_deferral_stops_the_job(task: Callable[..., Task], emulator: Emulator) -> None:
    created = task(Create, train_url=URL, deferrable=True)
    assert isinstance(created.begin(), TaskDeferred)
    with pytest.raises(Exception, match="Trigger"):
        created.make().resume_execution("__fail__", {"error": "Trigger timeout"}, created.context)
    emulator.advance(10)
    assert only_job(emulator).status == 12


def test_a_job_can_be_stopped_after_the_secret_has_changed_in_the_wait(
    task: Callable[..., Task], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.add_script_rule("*", "hangs")
    created = task(Create, train_url=URL, timeout=60, deferrable=False)

    def change_the_secret() -> None:
        emulator.sk = "AnotherSecretKey"
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(emulator.connection()))

    created.clock.at(15, change_the_secret)
    assert isinstance(created.run().error, WaitTimeoutError)
    emulator.advance(10)
    assert only_job(emulator).status == 12


def test_a_worker_that_is_told_to_end_stops_the_job(task: Callable[..., Task], emulator: Emulator) -> None:
    created = task(Create, train_url=URL, deferrable=False)
    operator = created.make()
    created.clock.at(5, operator.on_kill)
    # A worker goes on after the signal, until it is killed for good.
    with pytest.raises(JobCannotArriveError):
        operator.execute(created.context)
    assert only_job(emulator).status == 12
    assert emulator.request_counts()["stop"] == 2


def test_a_kill_before_the_job_is_known_stops_it_once_it_is(
    task: Callable[..., Task], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = task(Create, train_url=URL)
    operator = created.make()
    create = VisualizationJobs.create

    def create_and_be_killed(client: VisualizationJobs, **arguments: Any) -> VisualizationJob:
        job = create(client, **arguments)
        operator.on_kill()
        return job

    monkeypatch.setattr(VisualizationJobs, "create", create_and_be_killed)
    with pytest.raises(RuntimeError, match="killed while it started its job"):
        operator.execute(created.context)
    emulator.advance(10)
    assert only_job(emulator).status == 12


def test_a_time_limit_that_strikes_during_the_request_stops_the_job(
    task: Callable[..., Task], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = task(Create, train_url=URL)
    operator = created.make()
    create = VisualizationJobs.create

    def create_and_be_timed_out(client: VisualizationJobs, **arguments: Any) -> None:
        create(client, **arguments)
        raise AirflowTaskTimeout

    monkeypatch.setattr(VisualizationJobs, "create", create_and_be_timed_out)
    with pytest.raises(AirflowTaskTimeout):
        operator.execute(created.context)
    operator.on_kill()  # as Airflow does then
    emulator.advance(10)
    assert only_job(emulator).status == 12


def test_a_task_that_is_killed_while_it_looks_makes_no_job(
    task: Callable[..., Task], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = task(Create, train_url=URL)
    operator = created.make()
    find = VisualizationJobs.find

    def find_and_be_killed(client: VisualizationJobs, name: str) -> Any:
        operator.on_kill() if not operator._killed else None
        return find(client, name)

    monkeypatch.setattr(VisualizationJobs, "find", find_and_be_killed)
    with pytest.raises(RuntimeError, match="killed while it started its job"):
        operator.execute(created.context)
    assert emulator.jobs == {}


def test_a_task_that_is_killed_while_its_job_restarts_stops_it(
    task: Callable[..., Task], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = left_in(12, task, emulator)
    operator = created.make()
    restart = VisualizationJobs.restart

    def be_killed_and_restart(client: VisualizationJobs, job_id: str) -> None:
        operator.on_kill()
        restart(client, job_id)

    monkeypatch.setattr(VisualizationJobs, "restart", be_killed_and_restart)
    with pytest.raises(RuntimeError, match="killed while it started its job"):
        operator.execute(created.context)
    emulator.advance(60)
    assert only_job(emulator).status == 12


def test_a_lost_answer_and_no_retry_leave_no_job_that_runs(task: Callable[..., Task], emulator: Emulator) -> None:
    emulator.inject(Fault("cut_after", operation="create"))
    emulator.inject(Fault("status", operation="list", after=1, times=12, status=503))
    assert task(Create, train_url=URL).run().state == "up_for_retry"
    emulator.advance(10)
    assert only_job(emulator).status == 12


def test_a_failure_after_the_wait_stops_the_job(task: Callable[..., Task], emulator: Emulator) -> None:
    outlet = create_asset(region="eu-de", project_id="p", job="board")
    created = task(Create, train_url=URL, outlets=[outlet])  # whose event cannot be told: there is no accessor
    assert created.run().state == "up_for_retry"
    emulator.advance(10)
    assert only_job(emulator).status == 12


def test_a_time_limit_before_the_task_resumes_stops_the_job(
    task: Callable[..., Task], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow 2.11 counts from the first start of a task, and lets a new process go no further than `on_kill`."""
    created = task(Create, train_url=URL, deferrable=True)
    assert isinstance(created.begin(), TaskDeferred)
    monkeypatch.setattr(starting, "airflow_version", lambda: (2, 11))
    monkeypatch.setattr(starting, "current_context", lambda: created.context)
    created.make().on_kill()
    assert only_job(emulator).status == 9


def test_a_kill_of_a_task_that_has_not_begun_does_nothing(task: Callable[..., Task], emulator: Emulator) -> None:
    task(Create, train_url=URL).make().on_kill()
    assert emulator.request_counts() == {}


def test_a_kill_stops_nothing_if_told_so(task: Callable[..., Task], emulator: Emulator) -> None:
    created = task(Create, train_url=URL, stop_on_failure=False, wait_for_completion=False)
    operator = created.make()
    operator.execute(created.context)
    operator.on_kill()
    assert "stop" not in emulator.request_counts()


def test_a_given_name_is_shared_with_nobody(task: Callable[..., Task], emulator: Emulator) -> None:
    emulator.create_job("board", train_url=URL, job_desc="of somebody else")
    outcome = task(Create, train_url=URL, job_name="board").run()
    assert isinstance(outcome.error, ModelArtsNameTakenError)
    assert len(emulator.jobs) == 1


def test_a_given_name_with_everything_else_the_same_is_the_tasks_own(
    task: Callable[..., Task], emulator: Emulator
) -> None:
    emulator.create_job("board", train_url=URL, job_desc="the board")
    outcome = task(Create, train_url=URL, job_name="board", job_desc="the board").run()
    assert (outcome.state, outcome.xcom["job_id"]) == ("success", "1001")


@pytest.mark.parametrize("status", [8, 7, 9, 12])
def test_a_job_with_other_files_is_replaced(
    status: int, task: Callable[..., Task], emulator: Emulator, store: bool
) -> None:
    created = task(Create, train_url=URL, store=store)
    created.run()
    if created.store is not None:
        created.store.set("modelarts_visualization_job_id", f"{emulator.project_id}/1001")
        emulator.deny = frozenset({"list"})
    emulator.set_script(only_job(emulator).job_id, {9: "9:0,12:5"}.get(status, f"{status}:0"))
    created.arguments["train_url"] = "/bucket/corrected/"
    outcome = created.run()
    assert (outcome.state, outcome.xcom["train_url"]) == ("success", "/bucket/corrected/")
    assert (only_job(emulator).job_id, only_job(emulator).status) == (1002, 8)


CHANGES = [
    ({}, {"auto_stop_hours": 4}),
    ({"auto_stop_hours": 4}, {"auto_stop_hours": "8"}),
    ({"auto_stop_hours": 4}, {"auto_stop_hours": None}),
    ({}, {"job_type": "mindinsight"}),
    ({}, {"flavor": "modelarts.vm.cpu.2u"}),
    ({"flavor": "a; b"}, {"flavor": "a; c"}),
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_a_job_with_other_settings_is_replaced(
    before: dict[str, Any], after: dict[str, Any], task: Callable[..., Task], emulator: Emulator, store: bool
) -> None:
    created = task(Create, train_url=URL, store=store, **before)
    created.run()
    if created.store is not None:
        created.store.set("modelarts_visualization_job_id", f"{emulator.project_id}/1001")
    created.arguments.update(after)
    outcome = created.run()
    assert (outcome.state, outcome.xcom["job_id"]) == ("success", "1002")
    job = only_job(emulator)
    assert (job.job_id, job.status) == (1002, 8)
    assert job.auto_stop_hours == int(created.arguments.get("auto_stop_hours") or 0)
    assert job.job_type == created.arguments.get("job_type", "tensorboard")


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_a_job_whose_name_was_given_is_kept_and_the_log_says_what_it_lacks(
    before: dict[str, Any],
    after: dict[str, Any],
    task: Callable[..., Task],
    emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    created = task(Create, train_url=URL, job_name="board", **before)
    created.run()
    created.arguments.update(after)
    outcome = created.run()
    assert (outcome.state, outcome.xcom["job_id"], len(emulator.jobs)) == ("success", "1001", 1)
    assert "Visualization job 1001 was created as " in capsys.readouterr().out + caplog.text


@pytest.mark.parametrize("job_desc", [None, "of people"])
def test_settings_that_cannot_be_known_are_said_to_be_unknown(
    job_desc: str | None,
    task: Callable[..., Task],
    emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    created = task(Create, train_url=URL, job_desc=job_desc)
    created.run()
    if job_desc is None:
        emulator.cloud.visualization_jobs.get("1001").job_desc = "changed by an update"
    created.arguments["auto_stop_hours"] = 4
    outcome = created.run()
    assert (outcome.state, outcome.xcom["job_id"], len(emulator.jobs)) == ("success", "1001", 1)
    said = "Whether visualization job 1001 was created as this task asks for now (tensorboard, stops after 4 h)"
    assert said in capsys.readouterr().out + caplog.text


@pytest.mark.parametrize("lost", [False, True])
def test_a_retry_with_another_description_updates_it(lost: bool, task: Callable[..., Task], emulator: Emulator) -> None:
    created = task(Create, train_url=URL, job_desc="first")
    created.run()
    created.arguments["job_desc"] = "second"
    if lost:
        emulator.inject(Fault("cut_after", operation="update", times=1))
    outcome = created.run()
    assert (outcome.state, only_job(emulator).job_id, only_job(emulator).job_desc) == ("success", 1001, "second")


@pytest.mark.parametrize("arguments", [{}, {"job_name": "board"}])
def test_the_job_of_another_airflow_with_the_same_dag_is_not_taken_over(
    arguments: dict[str, Any], task: Callable[..., Task], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = task(Create, train_url=URL, **arguments)
    theirs.run()
    monkeypatch.setenv(f"AIRFLOW_VAR_{AIRFLOW_ID.upper()}", "another-airflow")
    outcome = task(Create, train_url=URL, **arguments).run()
    assert emulator.job("1001").status == 8
    if arguments:
        assert isinstance(outcome.error, ModelArtsNameTakenError)
    else:
        assert (outcome.state, outcome.xcom["job_id"]) == ("success", "1002")


def test_other_files_than_those_of_a_job_of_the_same_name_leave_it_alone(
    task: Callable[..., Task], emulator: Emulator, store: bool
) -> None:
    """Other runs may have made it theirs."""
    created = task(Create, train_url=URL, job_name="board", job_desc="the board", store=store)
    created.run()
    if created.store is not None:
        created.store.set("modelarts_visualization_job_id", f"{emulator.project_id}/1001")
    created.arguments["train_url"] = "/bucket/other/"
    assert isinstance(created.run().error, ModelArtsNameTakenError)
    assert (only_job(emulator).train_url, only_job(emulator).status) == (URL, 8)


def test_a_job_of_another_name_that_an_earlier_try_has_made_is_taken_over(
    task: Callable[..., Task], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = task(Create, train_url=URL, job_name="board-1", store=True)
    with monkeypatch.context() as patch:
        patch.setattr(Create, "_wait", lost_worker)
        with pytest.raises(SystemExit):
            created.begin()
    created.arguments["job_name"] = "board-2"
    assert created.run().xcom["job_id"] == "1001"
    assert only_job(emulator).job_name == "board-1"


def test_a_number_of_another_project_is_nothing_to_take_over(task: Callable[..., Task], emulator: Emulator) -> None:
    theirs = emulator.create_job("theirs", train_url=URL, status=12)
    created = task(Create, train_url=URL, store=True)
    assert created.store is not None
    created.store.set("modelarts_visualization_job_id", f"another-project/{theirs}")
    outcome = created.run()
    assert (outcome.state, outcome.xcom["job_id"]) == ("success", "1002")
    assert emulator.job(theirs).status == 12


@pytest.mark.parametrize("kind", ["cut_after", "truncated", "empty", "status", "cut"])
def test_a_restart_with_a_lost_answer_is_waited_for(
    kind: FaultKind, task: Callable[..., Task], emulator: Emulator
) -> None:
    created = left_in(12, task, emulator)
    emulator.inject(Fault(kind, operation="restart", times=1))
    outcome = created.run()
    assert (outcome.state, outcome.xcom["status_name"]) == ("success", "RUNNING")
    assert emulator.request_counts()["restart"] == 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_restart_with_a_lost_answer_in_an_outage_is_waited_for(
    status: int, task: Callable[..., Task], emulator: Emulator
) -> None:
    created = left_in(12, task, emulator)
    emulator.inject(Fault("cut_after", operation="restart", times=1))
    emulator.inject(Fault("status", operation="restart", times=3, status=status))
    assert created.run().state == "success"
    assert only_job(emulator).status == 8


def test_a_job_that_replaces_another_is_stopped_when_its_answer_is_lost(
    task: Callable[..., Task], emulator: Emulator
) -> None:
    created = left_in(16, task, emulator)
    emulator.inject(Fault("cut_after", operation="create"))
    emulator.inject(Fault("status", operation="list", after=1, times=12, status=503))
    assert created.run().state == "up_for_retry"
    emulator.advance(30)
    assert (only_job(emulator).job_id, only_job(emulator).status) == (1002, 12)


def test_a_time_limit_right_after_a_restart_stops_the_job_although_it_looks_over(
    task: Callable[..., Task], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = left_in(12, task, emulator)
    operator = created.make()
    observe = JobsWait.observe

    def time_out(*args: Any, **options: Any) -> None:
        monkeypatch.setattr(JobsWait, "observe", observe)
        operator.on_kill()
        raise AirflowTaskTimeout

    monkeypatch.setattr(JobsWait, "observe", time_out)
    with pytest.raises(AirflowTaskTimeout):
        operator.execute(created.context)
    emulator.advance(30)
    assert only_job(emulator).status == 12
    assert emulator.request_counts()["stop"] > 1


def test_the_button_does_not_lead_to_a_job_that_was_replaced(task: Callable[..., Task], emulator: Emulator) -> None:
    created = left_in(8, task, emulator, store=True)
    assert created.store is not None
    created.store.set("modelarts_visualization_job_id", f"{emulator.project_id}/1001")
    created.arguments.update(auto_stop_hours=4, wait_for_completion=False)
    pushed: list[tuple[str, Any]] = []

    class Recorded(TaskInstance):
        def xcom_push(self, key: str, value: Any) -> None:
            pushed.append((key, value))
            super().xcom_push(key, value)

    created.ti = Recorded(task_id="task")
    assert created.run().xcom["job_id"] == "1002"
    links = [value for key, value in pushed if key == XCOM_KEY]
    assert (len(links), links[-1]) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train_url": "bucket/logs"}, "train_url: 'bucket/logs' is not an OBS directory"),
        ({"train_url": URL, "job_name": "no blanks"}, "job_name: 'no blanks' is not 1 to 20"),
        ({"train_url": URL, "job_type": "wandb"}, "job_type: 'wandb' is not one of"),
        ({"train_url": URL, "job_desc": "x" * 257}, "job_desc: has 257 characters"),
        ({"train_url": URL, "auto_stop_hours": 0}, "auto_stop_hours: 0 is not a whole number from 1 to 24"),
        ({"train_url": URL, "auto_stop_hours": "many"}, "auto_stop_hours: 'many' is not a whole number"),
        ({"train_url": URL, "auto_stop_hours": "²"}, "auto_stop_hours: '²' is not a whole number"),
        ({"train_url": URL, "timeout": -1}, "timeout: -1 is not a number of seconds"),
        ({"train_url": URL, "timeout": float("inf")}, "timeout: inf is not a number of seconds"),
        ({"train_url": URL, "poke_interval": 0}, "poke_interval: 0 is not a number of seconds, or a timedelta, > 0"),
    ],
)
def test_what_cannot_be_is_refused_when_the_dag_is_parsed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Create(task_id="create", **arguments)


def test_templates_are_taken_as_they_are() -> None:
    template = "{{ params.x }}"
    operator = Create(
        task_id="create",
        train_url=template,
        job_name=template * 2,
        job_desc=template,
        job_type=template,
        flavor=template,
        auto_stop_hours=template,
    )
    operator.render_template_fields({"params": {"x": "7"}})
    assert (operator.train_url, operator.job_name, operator.auto_stop_hours) == ("7", "77", "7")


def test_what_a_template_renders_is_checked_before_anything_is_sent(
    task: Callable[..., Task], emulator: Emulator
) -> None:
    created = task(Create, train_url="{{ params.x }}")
    operator = created.make()
    operator.render_template_fields({"params": {"x": "../../etc"}})
    with pytest.raises(ValueError, match="train_url"):
        operator.execute(created.context)
    assert emulator.request_counts() == {}


def test_the_type_may_come_from_another_task() -> None:
    with DAG("dag", schedule=None):
        job_type: Any = Create(task_id="other", train_url=URL).output
        assert Create(task_id="create", train_url=URL, job_type=job_type).job_type is job_type


@pytest.mark.parametrize(
    ("job_type", "name"),
    [
        ("tensorboard", "TensorBoard"),
        ("mindinsight", "MindInsight"),
        ("{{ params.x }}", "ModelArts visualization job"),
    ],
)
def test_the_button_is_named_after_the_jobs_type(job_type: str, name: str) -> None:
    (link,) = Create(task_id="create", train_url=URL, job_type=job_type).operator_extra_links
    assert link.name == name


def test_a_wait_that_fails_says_so_when_nothing_can_be_stopped(
    task: Callable[..., Task],
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The error of the task is the one of its wait, not of the stop."""
    emulator.add_script_rule("*", "hangs")
    created = task(Create, train_url=URL, timeout=60, deferrable=True)
    deferral = created.begin()
    event = first_event(deferral, created.clock)
    monkeypatch.delenv("AIRFLOW_CONN_MODELARTS_DEFAULT")
    with pytest.raises(WaitTimeoutError):
        created.make().resume_execution("execute_complete", {"event": event}, created.context)
    assert "could not be stopped and may run on, billed" in capsys.readouterr().out + caplog.text


@pytest.mark.parametrize("hours", [1, 24, "1", "24", " 24 "])
def test_auto_stop_may_be_as_short_and_as_long_as_the_api_allows(
    hours: int | str, task: Callable[..., Task], emulator: Emulator
) -> None:
    assert task(Create, train_url=URL, auto_stop_hours=hours).run().state == "success"
    assert only_job(emulator).auto_stop_hours == int(hours)


@pytest.mark.parametrize("hours", [0, 25, "0", "25", -1, True, 1.5])
def test_auto_stop_beyond_what_the_api_allows_is_refused(hours: Any) -> None:
    with pytest.raises(ValueError, match="auto_stop_hours"):
        Create(task_id="create", train_url=URL, auto_stop_hours=hours)


@pytest.mark.parametrize("arguments", [{"job_name": "x"}, {"job_name": "x" * 20}, {"job_desc": "x" * 256}])
def test_texts_may_be_as_long_as_the_api_allows(
    arguments: dict[str, Any], task: Callable[..., Task], emulator: Emulator
) -> None:
    assert task(Create, train_url=URL, **arguments).run().state == "success"
    [(field, value)] = arguments.items()
    assert getattr(only_job(emulator), field) == value


@pytest.mark.parametrize("arguments", [{"job_name": "x" * 21}, {"job_desc": "x" * 257}])
def test_texts_that_are_one_character_too_long_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Create(task_id="create", train_url=URL, **arguments)


@pytest.mark.parametrize(
    ("fault", "status", "code"), [("status", 403, None), ("status", 503, None), ("status", 400, "ModelArts.0106")]
)
def test_a_job_whose_restart_fails_otherwise_than_by_its_status_is_kept(
    fault: FaultKind, status: int, code: str | None, task: Callable[..., Task], emulator: Emulator
) -> None:
    created = left_in(12, task, emulator)
    emulator.inject(Fault(fault, operation="restart", status=status, error_code=code))
    outcome = created.run()
    assert outcome.state == "up_for_retry"
    assert isinstance(outcome.error, ModelArtsError)
    assert outcome.error.status_code == status
    assert (only_job(emulator).job_id, only_job(emulator).status) == (1001, 12)
    assert "delete" not in emulator.request_counts()


@pytest.mark.parametrize("status", [503, 401])
def test_a_list_that_fails_makes_no_job(status: int, task: Callable[..., Task], emulator: Emulator) -> None:
    """Only without the permission to list is a job created without a look for one of an earlier try."""
    emulator.inject(Fault("status", operation="list", status=status))
    outcome = task(Create, train_url=URL).run()
    assert isinstance(outcome.error, ModelArtsError)
    assert (outcome.state, outcome.error.status_code) == ("up_for_retry", status)
    assert emulator.jobs == {}


@pytest.mark.parametrize(("fault", "state"), [("cut_after", "success"), ("cut", "up_for_retry")])
def test_an_update_whose_answer_is_lost_is_done_if_the_job_has_the_description(
    fault: FaultKind, state: str, task: Callable[..., Task], emulator: Emulator
) -> None:
    created = task(Create, train_url=URL, job_name="board", job_desc="old", store=True, deferrable=True)
    assert isinstance(created.begin(), TaskDeferred)
    created.arguments["job_desc"] = "new"
    emulator.set_status("1001", 8)
    emulator.inject(Fault(fault, operation="update"))
    outcome = created.run()
    assert (outcome.state, only_job(emulator).job_desc) == (state, "new" if state == "success" else "old")
