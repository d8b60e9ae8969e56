"""What is sent about an existing training job: every limit is checked before anything leaves the machine."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_modelarts.api.training_jobs.parameters import (
    Filter,
    checked_job_id,
    checked_job_ids,
    checked_job_name,
    checked_task,
    checked_workspace_id,
    events_query,
    log_lines_query,
    search_body,
    update_body,
)
from tests.api.training_jobs.samples import JOB_ID


def test_a_job_id_has_one_form() -> None:
    assert checked_job_id(JOB_ID) == JOB_ID
    assert checked_job_id(f" {JOB_ID.upper()}\n") == JOB_ID
    assert checked_job_id("Not-A-UUID-1") == "Not-A-UUID-1"


@pytest.mark.parametrize("job_id", ["", "a/b", "../x", "a b", "x" * 65, 1.5, None, True, ["x"]])
def test_what_is_not_a_job_id_is_refused(job_id: Any) -> None:
    with pytest.raises(ValueError, match="is not the ID of a training job, such as 425b7087"):
        checked_job_id(job_id)


def test_job_ids_each_once_in_order_also_as_a_template_renders_them() -> None:
    assert checked_job_ids([JOB_ID, "b", JOB_ID.upper()]) == [JOB_ID, "b"]
    assert checked_job_ids(f"['{JOB_ID}', 'b']") == [JOB_ID, "b"]
    values: tuple[Any, ...] = ([], "", {"a": 1}, 7)
    for wrong in values:
        with pytest.raises(ValueError, match="job_ids: "):
            checked_job_ids(wrong)


def test_names() -> None:
    assert checked_job_name("a_B-1" * 12) == "a_B-1" * 12
    assert checked_task("worker-0") == "worker-0"
    assert checked_workspace_id("0") == "0"
    # As a DAG that renders natively hands them on.
    assert (checked_job_name(20240101), checked_workspace_id(0)) == ("20240101", "0")
    for check, wrong in (
        (checked_job_name, "a.b"),
        (checked_job_name, "x" * 65),
        (checked_task, "../x"),
        (checked_task, ""),
        (checked_workspace_id, "default"),
        (checked_workspace_id, 0.0),
    ):
        with pytest.raises(ValueError, match=r"job_name: |task: |workspace_id: "):
            check(wrong)


def test_a_search_says_everything_about_its_pages() -> None:
    assert search_body() == {"limit": 50, "offset": 0, "sort_by": "create_time", "order": "desc"}
    assert search_body(
        filters=[Filter("id", "in", (JOB_ID,)), {"key": "name", "operator": "like", "value": ["x"]}],
        limit=10,
        offset=3,
        order="asc",
        workspace_id="0",
    ) == {
        "limit": 10,
        "offset": 3,
        "sort_by": "create_time",
        "order": "asc",
        "workspace_id": "0",
        "filters": [
            {"key": "id", "operator": "in", "value": [JOB_ID]},
            {"key": "name", "operator": "like", "value": ["x"]},
        ],
    }


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"limit": 51}, "limit: 51 is not a whole number from 1 to 50"),
        ({"limit": 0}, "limit: 0"),
        ({"offset": -1}, "offset: -1 is not a whole number >= 0"),
        ({"order": "newest"}, "order: 'newest' is not one of asc, desc"),
        ({"workspace_id": "x"}, "workspace_id: "),
        ({"filters": [Filter("name", "like", ("x",))] * 21}, "filters: there are 21, at most 20"),
        ({"filters": [Filter("id", "in", tuple("abcdefghijk"))]}, "filter id: has 11 values, 1 to 10"),
        ({"filters": [Filter("id", "in", ())]}, "filter id: has 0 values"),
        ({"filters": [Filter("id", "equals", ("a",))]}, "filter id: operator: 'equals' is not one of"),  # type: ignore[arg-type]
        ({"filters": [Filter("", "in", ("a",))]}, "filter: '' is not text"),
        ({"filters": [Filter("k" * 65, "in", ("a",))]}, "filter: has 65 characters"),
        ({"filters": [{"key": "id", "operator": "in", "value": "a"}]}, "is not {'key': 'name'"),
        ({"filters": [{"key": "id"}]}, "is not {'key': 'name'"),
        ({"filters": [Filter("create_time", "between", ("2026-01-01T00:00:00Z",))]}, "is not a pair of times"),
        ({"filters": [Filter("create_time", "between", ("yesterday", "today"))]}, "is not a pair of times"),
        (
            {"filters": [Filter("create_time", "between", ("2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"))]},
            "at most 31 days",
        ),
        (
            {"filters": [Filter("create_time", "between", ("2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"))]},
            "at most 31 days after the first",
        ),
    ],
)
def test_a_search_outside_the_limits_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search_body(**parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": 1},
        {"limit": 50},
        {"offset": 0},
        {"filters": [Filter("name", "like", ("x",))] * 20},
        {"filters": [Filter("id", "in", tuple("abcdefghij"))]},
        {"filters": [Filter("k" * 64, "in", ("a",))]},
        {"filters": [Filter("create_time", "between", ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"))]},
        {"filters": [Filter("create_time", "between", ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"))]},
    ],
)
def test_a_search_may_go_up_to_the_limits(parameters: dict[str, Any]) -> None:
    search_body(**parameters)


def test_times_of_a_search_are_written_as_rfc_3339() -> None:
    times = ("2026-01-01T00:00:00Z", "2026-01-31")
    (sent,) = search_body(filters=[Filter("create_time", "between", times)])["filters"]
    assert sent["value"] == ["2026-01-01T00:00:00+00:00", "2026-01-31T00:00:00+00:00"]


def test_a_change() -> None:
    assert update_body(description="") == {"description": ""}
    assert update_body(description="x", body={"spec": {"a": 1}}) == {"description": "x", "spec": {"a": 1}}
    for wrong in ({}, {"description": "x" * 257}, {"body": {"description": 7.5}}):
        with pytest.raises(ValueError, match="description: "):
            update_body(**wrong)


EVENTS: dict[str, Any] = {"offset": 0, "order": "asc", "level": None, "pattern": None}


def test_queries_of_events_and_log_lines() -> None:
    assert events_query(offset=2, order="asc", level="Error", pattern="x") == {
        "offset": "2",
        "limit": "100",
        "order": "asc",
        "level": "Error",
        "pattern": "x",
    }
    assert log_lines_query(base_line="0", lines=500) == {"base_line": "0", "lines": "500", "order": "asc"}
    for wrong in ({"level": "error"}, {"pattern": "x" * 257}, {"order": "up"}, {"offset": -1}):
        with pytest.raises(ValueError, match="|".join(wrong)):
            events_query(**{**EVENTS, **wrong})
    assert log_lines_query(base_line="0" * 64, lines=1)["base_line"] == "0" * 64
    events_query(**{**EVENTS, "pattern": "x" * 256})
    for limits in ({"lines": 501}, {"lines": 0}, {"base_line": "0" * 65}):
        with pytest.raises(ValueError, match=f"{next(iter(limits))}: "):
            log_lines_query(**{"base_line": "0", "lines": 1, **limits})  # type: ignore[arg-type]
