"""Operators on a job that is given by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator, Fault
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
from tests.operators.conftest import Task

CHANGES = [(Stop, {}), (Restart, {}), (Delete, {}), (Update, {"job_desc": "new"})]


@pytest.fixture
def change(task: Callable[..., Task]) -> Callable[..., Any]:
    def make(operator: type[Any], **arguments: Any) -> Task:
        changed = task(operator, **arguments)
        if operator is Update:
            del changed.arguments["deferrable"]
        return changed

    return make


@pytest.mark.parametrize(("operator", "arguments"), CHANGES)
def test_a_job_is_changed_by_its_name(
    operator: type[Any], arguments: dict[str, str], change: Callable[..., Any], emulator: Emulator
) -> None:
    emulator.create_job("board-2", status=8)
    job_id = emulator.create_job("board", status=12)
    outcome = change(operator, job_name="board", **arguments).run()
    assert (outcome.state, outcome.xcom["job_id"], outcome.xcom["job_name"]) == ("success", job_id, "board")


@pytest.mark.parametrize(("operator", "arguments"), [row for row in CHANGES if row[0] is not Delete])
def test_a_name_that_no_job_has_fails_the_task_for_good(
    operator: type[Any], arguments: dict[str, str], change: Callable[..., Any], emulator: Emulator
) -> None:
    outcome = change(operator, job_name="board", **arguments).run()
    assert outcome.state == "failed"
    assert "There is no visualization job with the name board" in str(outcome.error)


def test_nothing_is_deleted_where_no_job_has_the_name(change: Callable[..., Any], emulator: Emulator) -> None:
    outcome = change(Delete, job_name="board").run()
    assert (outcome.state, outcome.xcom["job_id"], outcome.xcom["job_name"]) == ("success", None, "board")
    outcome = change(Delete, job_name="board", if_already="fail").run()
    assert outcome.state == "failed"
    assert "with the name board: there is nothing to delete" in str(outcome.error)


@pytest.mark.parametrize(("operator", "arguments"), CHANGES)
def test_of_several_jobs_of_a_name_none_is_changed(
    operator: type[Any], arguments: dict[str, str], change: Callable[..., Any], emulator: Emulator
) -> None:
    job_ids = [emulator.create_job(name, status=8) for name in ("board", "other")]
    emulator.cloud.visualization_jobs.get(job_ids[1]).job_name = "board"
    outcome = change(operator, job_name="board", **arguments).run()
    assert outcome.state == "failed"
    assert f"2 visualization jobs have the name 'board': {job_ids[1]}, {job_ids[0]}" in str(outcome.error)
    assert emulator.request_counts() == {"list": 1}


@pytest.mark.parametrize(("operator", "arguments"), CHANGES)
@pytest.mark.parametrize("status", [503, 403, 401])
def test_a_list_that_fails_is_not_a_job_that_is_missing(
    status: int, operator: type[Any], arguments: dict[str, str], change: Callable[..., Any], emulator: Emulator
) -> None:
    emulator.create_job("board", status=8)
    emulator.inject(Fault("status", operation="list", status=status))
    outcome = change(operator, job_name="board", **arguments).run()
    assert outcome.state == "up_for_retry"
    assert outcome.error.status_code == status


@pytest.mark.parametrize(("operator", "arguments"), CHANGES)
def test_a_job_is_given_in_one_way(operator: type[Any], arguments: dict[str, str]) -> None:
    for given in ({}, {"job_id": 1, "job_name": "board"}):
        with pytest.raises(ValueError, match="give either job_id or job_name"):
            operator(task_id="x", **given, **arguments)
    with pytest.raises(ValueError, match="job_name"):
        operator(task_id="x", job_name="no blanks", **arguments)
