"""Stopping, restarting, deleting, updating a job: what they do in each status, again, and when answers get lost."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_modelarts._compat import AirflowFailException, airflow_version
from airflow_provider_modelarts.api.errors import ModelArtsConflictError, ModelArtsError
from airflow_provider_modelarts.api.visualization_jobs.operations import RESTART_SHOWS
from airflow_provider_modelarts.assets.visualization_job import create_asset
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.emulator.faults import Fault, FaultKind
from airflow_provider_modelarts.links.base import XCOM_KEY
from airflow_provider_modelarts.operators.restarting import RESTART_TIMEOUT
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsDeleteVisualizationJobOperator as Delete,
)
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsRestartVisualizationJobOperator as Restart,
)
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsStopVisualizationJobOperator as Stop,
)
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsUpdateVisualizationJobOperator as Update,
)
from airflow_provider_modelarts.waiting.wait import JobCannotArriveError, JobStateUnknownError
from tests.operators.conftest import Task
from tests.simulated_clock import SimulatedClock

OVER = [3, 5, 6, 10, 11, 12, 13, 14, 16, 17, 20, 21, 22]
ON_THE_WAY = [1, 2, 4, 7, 8, 15]
LOST = ["cut_after", "truncated", "empty", "status", "cut"]


@pytest.mark.parametrize("status", ON_THE_WAY)
def test_stop_ends_a_job(status: int, task: Callable[..., Any], emulator: Emulator) -> None:
    outcome = task(Stop, job_id=emulator.create_job(status=status)).run()
    assert (outcome.state, outcome.xcom["status_name"]) == ("success", "KILLED")
    assert emulator.request_counts()["stop"] == 1


@pytest.mark.parametrize("status", OVER)
def test_stop_leaves_a_job_alone_that_is_over(status: int, task: Callable[..., Any], emulator: Emulator) -> None:
    job_id = emulator.create_job(status=status)
    assert task(Stop, job_id=job_id).run().xcom["status"] == status
    outcome = task(Stop, job_id=job_id, if_already="fail").run()
    assert outcome.state == "failed"
    assert "there is nothing to stop" in str(outcome.error)
    assert emulator.request_counts() == {"get": 2}


def test_what_an_earlier_try_has_done_is_no_failure(task: Callable[..., Any], emulator: Emulator) -> None:
    stopped = task(Stop, job_id=emulator.create_job(status=12), if_already="fail")
    stopped.ti.try_number = 2
    assert stopped.run().state == "success"


def test_stop_waits_for_a_stop_that_is_under_way(task: Callable[..., Any], emulator: Emulator) -> None:
    job_id = emulator.create_job(script="9:0,12:20")
    outcome = task(Stop, job_id=job_id).run()
    assert (outcome.state, outcome.xcom["status_name"]) == ("success", "KILLED")
    assert "stop" not in emulator.request_counts()


def test_stop_is_content_with_a_job_that_is_deleted_meanwhile(task: Callable[..., Any], emulator: Emulator) -> None:
    outcome = task(Stop, job_id=emulator.create_job(script="9:0,gone:20")).run()
    assert (outcome.state, outcome.xcom["status"], outcome.xcom["status_name"]) == ("success", None, "GONE")


def test_stop_without_waiting_returns_the_job_as_it_is_then(task: Callable[..., Any], emulator: Emulator) -> None:
    outcome = task(Stop, job_id=emulator.create_job(status=8), wait_for_completion=False).run()
    assert (outcome.xcom["status_name"], outcome.seconds) == ("KILLING", 0)


def test_a_stop_is_repeated_when_the_server_fails(task: Callable[..., Any], emulator: Emulator) -> None:
    emulator.inject(Fault("status", operation="stop", times=1, status=503))
    outcome = task(Stop, job_id=emulator.create_job(status=8)).run()
    assert (outcome.state, outcome.xcom["status_name"]) == ("success", "KILLED")


def test_an_outage_after_a_restart_is_outlived(
    task: Callable[..., Any], emulator: Emulator, clock: SimulatedClock
) -> None:
    restarted = task(Restart, job_id=emulator.create_job(status=12), poll_failure_tolerance=300)
    emulator.inject(Fault("status", operation="get", after=1, times=150, status=503))
    outcome = restarted.run()
    assert (outcome.state, outcome.xcom["status_name"]) == ("success", "RUNNING")
    assert emulator.request_counts()["restart"] == 1


def test_what_is_returned_of_a_deleted_job_tells_what_it_was(task: Callable[..., Any], emulator: Emulator) -> None:
    outcome = task(Delete, job_id=emulator.create_job("board", train_url="/bucket/dir/", status=12)).run()
    assert outcome.xcom["status_name"] == "GONE"
    assert (outcome.xcom["job_name"], outcome.xcom["train_url"]) == ("board", "/bucket/dir/")


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize(
    ("operator", "operation", "status", "end"),
    [(Stop, "stop", 8, "KILLED"), (Restart, "restart", 12, "RUNNING"), (Delete, "delete", 12, "GONE")],
)
def test_a_lost_answer_costs_no_try(
    kind: FaultKind,
    operator: type[Any],
    operation: str,
    status: int,
    end: str,
    task: Callable[..., Any],
    emulator: Emulator,
) -> None:
    emulator.inject(Fault(kind, operation=operation, times=1))
    changed = task(operator, job_id=emulator.create_job(status=status))
    outcome = changed.run()
    assert (outcome.state, outcome.xcom["status_name"]) == ("success", end)
    assert emulator.request_counts()[operation] == 2


@pytest.mark.parametrize("status", [3, 5, 10, 11, 12, 13, 14, 22])
def test_restart_starts_a_job_that_is_over(status: int, task: Callable[..., Any], emulator: Emulator) -> None:
    outcome = task(Restart, job_id=emulator.create_job(status=status)).run()
    assert (outcome.state, outcome.xcom["status_name"]) == ("success", "RUNNING")


@pytest.mark.parametrize("status", [12, 13])
def test_restart_returns_only_when_the_old_status_has_been_left(
    status: int, task: Callable[..., Any], emulator: Emulator
) -> None:
    outcome = task(Restart, job_id=emulator.create_job(status=status), wait_for_completion=False).run()
    assert (outcome.state, outcome.xcom["status_name"]) == ("success", "INIT")


def test_restart_does_not_wait_for_ever_for_the_old_status_to_be_left(
    task: Callable[..., Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_modelarts.emulator.visualization_jobs.state.RESTART", ((10_000.0, 1),))
    outcome = task(Restart, job_id=emulator.create_job(status=12)).run()
    assert (outcome.state, type(outcome.error)) == ("up_for_retry", JobStateUnknownError)
    # It may still be restarted then: the stop is tried for a while.
    assert outcome.seconds == pytest.approx(RESTART_TIMEOUT + RESTART_SHOWS, abs=5)


@pytest.mark.parametrize("script", ["1:0,8:20", "7:0,8:20", "8:0"])
def test_restart_leaves_a_job_alone_that_runs_or_is_about_to(
    script: str, task: Callable[..., Any], emulator: Emulator
) -> None:
    job_id = emulator.create_job(script=script)
    outcome = task(Restart, job_id=job_id, if_already="fail").run()
    assert outcome.state == "failed"
    assert "there is nothing to restart" in str(outcome.error)
    assert task(Restart, job_id=job_id).run().xcom["status_name"] == "RUNNING"
    assert "restart" not in emulator.request_counts()


def test_restart_waits_for_a_stop_that_is_under_way(task: Callable[..., Any], emulator: Emulator) -> None:
    outcome = task(Restart, job_id=emulator.create_job(script="9:0,12:30")).run()
    assert (outcome.state, outcome.xcom["status_name"]) == ("success", "RUNNING")


def test_a_restarted_job_that_fails_fails_the_task(
    task: Callable[..., Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_modelarts.emulator.visualization_jobs.state.RESTART", ((2, 1), (10, 11)))
    outcome = task(Restart, job_id=emulator.create_job(status=12)).run()
    assert (outcome.state, type(outcome.error)) == ("up_for_retry", JobCannotArriveError)


def test_a_refused_restart_says_what_the_api_says(task: Callable[..., Any], emulator: Emulator) -> None:
    outcome = task(Restart, job_id=emulator.create_job(status=21)).run()
    assert isinstance(outcome.error, ModelArtsConflictError)
    assert "job status: 21" in str(outcome.error)


@pytest.mark.parametrize("status", [*OVER, *ON_THE_WAY])
def test_delete_stops_what_runs_and_removes_the_job(status: int, task: Callable[..., Any], emulator: Emulator) -> None:
    job_id = emulator.create_job(status=status)
    outcome = task(Delete, job_id=job_id).run()
    assert (outcome.state, outcome.xcom["job_id"], outcome.xcom["status_name"]) == ("success", job_id, "GONE")
    assert emulator.jobs == {}
    assert emulator.request_counts().get("stop", 0) == (status in ON_THE_WAY)
    assert emulator.request_counts()["delete"] == 1


def test_delete_need_not_stop_first(task: Callable[..., Any], emulator: Emulator) -> None:
    assert task(Delete, job_id=emulator.create_job(status=8), stop_first=False).run().state == "success"
    assert "stop" not in emulator.request_counts()
    assert emulator.jobs == {}


def test_delete_waits_for_a_stop_that_is_under_way(task: Callable[..., Any], emulator: Emulator) -> None:
    outcome = task(Delete, job_id=emulator.create_job(script="9:0,12:30")).run()
    assert (outcome.state, emulator.jobs) == ("success", {})


@pytest.mark.parametrize("script", ["9:0,gone:30", "12:0"])
def test_delete_again_is_content(script: str, task: Callable[..., Any], emulator: Emulator) -> None:
    deleted = task(Delete, job_id=emulator.create_job(script=script))
    assert deleted.run().state == "success"
    assert deleted.run().xcom["status_name"] == "GONE"
    deleted.arguments["if_already"] = "fail"
    outcome = deleted.run()
    assert outcome.state == "failed"
    assert "there is nothing to delete" in str(outcome.error)


def test_delete_without_waiting(task: Callable[..., Any], emulator: Emulator) -> None:
    outcome = task(Delete, job_id=emulator.create_job(status=12), wait_for_completion=False).run()
    assert (outcome.xcom["status_name"], outcome.seconds) == ("KILLING", 0)


def test_a_deletion_that_fails_fails_the_task(
    task: Callable[..., Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_modelarts.emulator.visualization_jobs.state.DELETE", ((0, 9), (5, 6)))
    outcome = task(Delete, job_id=emulator.create_job(status=12)).run()
    assert (outcome.state, type(outcome.error)) == ("up_for_retry", JobCannotArriveError)


def test_update_changes_the_description(clock: SimulatedClock, emulator: Emulator) -> None:
    job_id = emulator.create_job(status=8, job_desc="old")
    updated = Task(Update, {"job_id": job_id, "job_desc": "neu, ää"}, clock)
    for _ in range(2):
        assert updated.run().xcom["job_id"] == job_id
    assert emulator.job(job_id).job_desc == "neu, ää"

    emulator.inject(Fault("cut_after", operation="update", times=1))
    updated.arguments["job_desc"] = ""
    assert updated.run().state == "success"
    assert emulator.job(job_id).job_desc == ""


@pytest.mark.parametrize("form", [dict, str])
@pytest.mark.parametrize(("operator", "status"), [(Stop, "KILLED"), (Restart, "RUNNING"), (Delete, "GONE")])
def test_a_job_is_the_output_of_another_task(
    operator: type[Any], status: str, form: type[Any], task: Callable[..., Any], emulator: Emulator
) -> None:
    output = task(Stop, job_id=emulator.create_job("it's {one}", status=12)).run().xcom
    changed = task(operator, job_id=form(output))
    outcome = changed.run()
    assert (outcome.state, outcome.xcom["status_name"]) == ("success", status)
    # Airflow 3.0 takes no XCom that is None.
    assert {key: changed.ti.xcoms.get(key) for key in outcome.xcom} == outcome.xcom


def test_an_updated_job_is_the_output_of_another_task(
    task: Callable[..., Any], clock: SimulatedClock, emulator: Emulator
) -> None:
    output = task(Stop, job_id=emulator.create_job(status=12)).run().xcom
    assert Task(Update, {"job_id": output, "job_desc": "new"}, clock).run().state == "success"
    assert emulator.job(output["job_id"]).job_desc == "new"


@pytest.mark.parametrize("operator", [Stop, Restart])
def test_a_job_that_is_not_there_fails_the_task_for_good(operator: type[Any], task: Callable[..., Any]) -> None:
    outcome = task(operator, job_id="4711").run()
    assert outcome.state == "failed"
    assert "There is no visualization job 4711" in str(outcome.error)


def test_an_update_of_a_job_that_is_not_there_fails_the_task_for_good(clock: SimulatedClock) -> None:
    outcome = Task(Update, {"job_id": "4711", "job_desc": "x"}, clock).run()
    assert outcome.state == "failed"
    assert "4711" in str(outcome.error)


@pytest.mark.parametrize("operator", [Stop, Restart, Delete])
def test_what_cannot_be_is_refused_when_the_dag_is_parsed(operator: type[Any]) -> None:
    with pytest.raises(ValueError, match="is not a job ID"):
        operator(task_id="x", job_id="../10")
    with pytest.raises(ValueError, match="if_already"):
        operator(task_id="x", job_id=10, if_already="retry")


def test_what_a_template_renders_is_checked_before_anything_is_sent(
    task: Callable[..., Any], emulator: Emulator
) -> None:
    for operator in (Stop, Restart, Delete):
        changed = task(operator, job_id="{{ params.x }}").make()
        changed.render_template_fields({"params": {"x": "10/stop"}})
        with pytest.raises(ValueError, match="is not a job ID"):
            changed.execute({})
    assert emulator.request_counts() == {}


def test_the_button_leads_to_the_job(task: Callable[..., Any], emulator: Emulator) -> None:
    stopped = task(Stop, job_id=emulator.create_job(status=8))
    outcome = stopped.run()
    assert stopped.ti.xcoms[XCOM_KEY] == outcome.xcom["service_url"]


class OutletEvents:
    """What Airflow's context has for the events of a task's outlets."""

    def __init__(self) -> None:
        self.extras: dict[str, Any] = {}

    def __getitem__(self, asset: Any) -> Any:
        return SimpleNamespace(extra=self.extras.setdefault(asset.uri, {}))


def test_consumers_of_an_outlet_are_told_of_the_job(task: Callable[..., Any], emulator: Emulator) -> None:
    board = create_asset(region="eu-de", project_id="p", job="board")
    other = type(board)("s3://bucket/other")
    stopped = task(Stop, job_id=emulator.create_job("board", status=8), outlets=[board, other])
    stopped.outlet_events = OutletEvents()
    outcome = stopped.run()
    assert stopped.outlet_events.extras == {board.uri: outcome.xcom}


@pytest.mark.skipif(airflow_version() < (3, 0), reason="Airflow 3.0 and later: references to assets")
@pytest.mark.parametrize("by", ["name", "uri"])
def test_a_reference_to_an_asset_is_an_outlet_as_well(
    by: str, task: Callable[..., Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk import Asset, AssetAlias
    from airflow.sdk.execution_time.context import OutletEventAccessors

    board = Asset("board", uri=create_asset(region="eu-de", project_id="p", job="board").uri)
    other = Asset("other", uri="s3://bucket/other")
    assets = {getattr(asset, by): asset for asset in (board, other)}
    monkeypatch.setattr(OutletEventAccessors, "_get_asset_from_db", lambda self, **how: assets[how[by]])
    monkeypatch.setattr(OutletEventAccessors, "_asset_ref_cache", {})
    references = [Asset.ref(**{by: getattr(asset, by)}) for asset in (board, other)]
    stopped = task(Stop, job_id=emulator.create_job("board", status=8), outlets=[*references, AssetAlias("alias")])
    stopped.outlet_events = OutletEventAccessors()
    outcome = stopped.run()
    assert outcome.state == "success"
    assert (stopped.outlet_events[board].extra, stopped.outlet_events[other].extra) == (outcome.xcom, {})


@pytest.mark.parametrize(("status", "fault"), [(503, "status"), (403, "status"), (401, "status"), (None, "cut")])
@pytest.mark.parametrize("operator", [Stop, Restart, Delete])
def test_a_first_look_that_fails_is_not_a_job_that_is_missing(
    operator: type[Any], status: int | None, fault: FaultKind, task: Callable[..., Any], emulator: Emulator
) -> None:
    job_id = emulator.create_job(status=8)
    emulator.inject(Fault(fault, operation="get", status=status))
    outcome = task(operator, job_id=job_id).run()
    assert outcome.state == "up_for_retry"
    assert outcome.error.status_code == status
    assert emulator.job(job_id).status == 8
    assert set(emulator.request_counts()) == {"get"}


def test_a_restart_of_a_job_that_is_said_to_be_gone_is_not_retried(
    task: Callable[..., Any], emulator: Emulator
) -> None:
    emulator.inject(Fault("status", operation="restart", status=404, error_code="ModelArts.0102"))
    outcome = task(Restart, job_id=emulator.create_job(status=12)).run()
    assert outcome.state == "failed"
    assert isinstance(outcome.error, AirflowFailException)
    assert "ModelArts.0102" in str(outcome.error)


@pytest.mark.parametrize(
    ("operator", "operation", "status"), [(Stop, "stop", 8), (Restart, "restart", 12), (Delete, "delete", 12)]
)
@pytest.mark.parametrize("refusal", [403, 401, 400])
def test_a_refusal_is_neither_a_conflict_nor_a_job_that_is_missing(
    refusal: int, operator: type[Any], operation: str, status: int, task: Callable[..., Any], emulator: Emulator
) -> None:
    job_id = emulator.create_job(status=status)
    code: dict[str, Any] = {"error_code": "ModelArts.0100"} if refusal == 400 else {}
    emulator.inject(Fault("status", operation=operation, status=refusal, **code))
    outcome = task(operator, job_id=job_id).run()
    assert outcome.state == "up_for_retry"
    assert outcome.error.status_code == refusal
    assert emulator.job(job_id).status == status


@pytest.mark.parametrize(("fault", "status"), [("cut", None), ("status", 503)])
def test_a_restart_whose_answer_was_lost_and_that_never_took_is_the_apis_error(
    fault: FaultKind, status: int | None, task: Callable[..., Any], emulator: Emulator
) -> None:
    """The API was asked for it, in all attempts, and the job shows that it has done nothing."""
    job_id = emulator.create_job(status=12)
    emulator.inject(Fault(fault, operation="restart", status=status))
    outcome = task(Restart, job_id=job_id).run()
    assert outcome.state == "up_for_retry"
    assert isinstance(outcome.error, ModelArtsError)
    assert outcome.error.status_code == status
    assert "Whether it was carried out is not known" in str(outcome.error)
    assert outcome.seconds == pytest.approx(RESTART_TIMEOUT, abs=30)
    assert emulator.job(job_id).status == 12


@pytest.mark.parametrize("length", [1, 255, 256])
def test_a_description_may_be_as_long_as_the_api_allows(length: int, clock: SimulatedClock, emulator: Emulator) -> None:
    job_id = emulator.create_job(status=8)
    assert Task(Update, {"job_id": job_id, "job_desc": "x" * length}, clock).run().state == "success"
    assert emulator.job(job_id).job_desc == "x" * length
    with pytest.raises(ValueError, match="has 257 characters, at most 256 are allowed"):
        Update(task_id="update", job_id=job_id, job_desc="x" * 257)


@pytest.mark.parametrize(
    ("operator", "status", "line"),
    [
        (Stop, 8, "Stopping visualization job "),
        (Restart, 12, "Restarting visualization job "),
        (Delete, 12, "Deleting visualization job "),
    ],
)
def test_each_request_is_one_line_of_the_log(
    operator: Any, status: int, line: str, task: Callable[..., Any], emulator: Emulator, written: Callable[[], str]
) -> None:
    job_id = emulator.create_job(status=status)
    assert task(operator, job_id=job_id).run().state == "success"
    assert written().count(f"{line}{job_id}") == 1


def test_an_update_is_one_line_of_the_log(
    clock: SimulatedClock, emulator: Emulator, written: Callable[[], str]
) -> None:
    job_id = emulator.create_job()
    assert Task(Update, {"job_id": job_id, "job_desc": "new"}, clock).run().state == "success"
    assert written().count(f"Changing the description of visualization job {job_id}") == 1


def test_the_log_ends_with_the_page_of_a_job_that_runs(
    task: Callable[..., Any], emulator: Emulator, written: Callable[[], str]
) -> None:
    job_id = emulator.create_job(status=12)
    page = task(Restart, job_id=job_id).run().xcom["service_url"]
    assert f"Page of visualization job {job_id}: {page}" in written().splitlines()[-1]
