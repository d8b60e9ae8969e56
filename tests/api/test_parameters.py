"""Bad input is refused by name, before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_modelarts.api.visualization_jobs.models import Schedule
from airflow_provider_modelarts.api.visualization_jobs.parameters import (
    checked_job_desc,
    checked_job_id,
    checked_status,
    create_body,
    list_query,
)
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus

LIST: dict[str, Any] = {
    "status": None,
    "per_page": 100,
    "page": 1,
    "sort_by": "job_id",
    "order": "asc",
    "search_content": None,
    "workspace_id": None,
}
CREATE: dict[str, Any] = {
    "job_name": "board-1",
    "train_url": "/bucket/dir/",
    "job_desc": None,
    "job_type": "tensorboard",
    "flavor": None,
    "schedule": None,
    "workspace_id": None,
}


@pytest.mark.parametrize("job_id", [197, "197", "000197"])
def test_job_ids_have_one_form(job_id: int | str) -> None:
    assert checked_job_id(job_id) == "197"


def test_white_space_around_a_job_id_does_not_count() -> None:
    assert checked_job_id(" 197\n") == "197"


@pytest.mark.parametrize(
    "job_id",
    [
        "",
        "ten",
        "-1",
        "1.0",
        "1 2",
        "1/stop",
        "../1",
        "\N{FULLWIDTH DIGIT ONE}",
        None,
        True,
        1.0,
        "{{ x }}",
        "1" * 20,
        "9" * 5000,
    ],
)
def test_what_is_no_job_id(job_id: bool | float | str | None) -> None:
    with pytest.raises(ValueError, match="job_id"):
        checked_job_id(job_id)


@pytest.mark.parametrize("status", [8, "8", "RUNNING", "running", " JOBSTAT_RUNNING ", JobStatus.RUNNING])
def test_statuses(status: JobStatus | int | str) -> None:
    assert checked_status(status) is JobStatus.RUNNING


def test_an_undocumented_code_may_be_asked_for() -> None:
    assert checked_status("42") == 42


@pytest.mark.parametrize("status", ["RUNING", "", -1, 8.0, True, None, [8]])
def test_what_is_no_status(status: float | list[int] | str | None) -> None:
    with pytest.raises(ValueError, match="RUNNING"):
        checked_status(status)


def test_a_full_list_query() -> None:
    assert list_query(
        **{**LIST, "status": "WAITING", "per_page": 1000, "page": 3, "search_content": "a", "workspace_id": "w"}
    ) == {
        "status": "7",
        "per_page": "1000",
        "page": "3",
        "sortBy": "job_id",
        "order": "asc",
        "search_content": "a",
        "workspace_id": "w",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [("per_page", 1), ("per_page", 1000), ("page", 1), ("search_content", "x" * 64), ("status", 0)],
)
def test_a_list_may_go_up_to_the_limits(field: str, value: int | str) -> None:
    assert list_query(**{**LIST, field: value})[field] == str(value)


def test_the_largest_ids_and_the_smallest_status() -> None:
    assert checked_job_id("9" * 19) == "9" * 19
    assert checked_status(0) == checked_status("0") == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("per_page", 0),
        ("per_page", 1001),
        ("per_page", "10"),
        ("per_page", True),
        ("page", 0),
        ("sort_by", "duration"),
        ("order", "down"),
        ("search_content", "x" * 65),
        ("status", "NOPE"),
        ("workspace_id", 5.5),
    ],
)
def test_list_refuses(field: str, value: float | str) -> None:
    with pytest.raises(ValueError, match=field):
        list_query(**{**LIST, field: value})


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(duration=24),
        {"duration": 24},
        {"type": "stop", "time_unit": "HOURS", "duration": 24},
        [Schedule(duration=24)],
    ],
)
def test_schedule_goes_out_as_a_list_of_one(schedule: Schedule | dict[str, Any] | list[Schedule]) -> None:
    body = create_body(**{**CREATE, "schedule": schedule})
    assert body["schedule"] == [{"type": "stop", "time_unit": "HOURS", "duration": 24}]


def test_what_is_not_given_is_not_sent() -> None:
    assert create_body(**CREATE) == {
        "job_name": "board-1",
        "train_url": "/bucket/dir/",
        "job_type": "tensorboard",
    }


@pytest.mark.parametrize("field", ["job_name", "job_desc", "workspace_id"])
def test_a_number_counts_as_its_text(field: str) -> None:
    """A DAG with native rendering turns text that looks like a number into a number."""
    assert create_body(**{**CREATE, field: 20240101})[field] == "20240101"


def test_a_flavor_that_is_a_number_counts_as_its_text() -> None:
    assert create_body(**{**CREATE, "flavor": 5})["flavor"] == {"code": "5"}


def test_a_searched_text_that_is_a_number_counts_as_its_text() -> None:
    assert list_query(**{**LIST, "search_content": 2024})["search_content"] == "2024"


@pytest.mark.parametrize("field", ["job_name", "train_url", "job_type"])
def test_white_space_around_a_text_does_not_count(field: str) -> None:
    assert create_body(**{**CREATE, field: f" {CREATE[field]}\n"})[field] == CREATE[field]


def test_obs_urls_become_paths() -> None:
    assert create_body(**{**CREATE, "train_url": "obs://bucket/dir/"})["train_url"] == "/bucket/dir/"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("job_name", ""),
        ("job_name", "x" * 21),
        ("job_name", "visualization job"),
        ("job_name", "a\nb"),
        ("job_name", None),
        ("train_url", ""),
        ("train_url", "bucket/dir/"),
        ("train_url", "/bucket/"),
        ("train_url", "s3://bucket/dir/"),
        ("train_url", "/bucket/a dir/"),
        ("train_url", "/bucket/{a}/"),
        ("train_url", None),
        ("job_desc", "x" * 257),
        ("job_desc", 1.5),
        ("job_desc", True),
        ("job_name", 1e5),
        ("job_name", True),
        ("job_type", "board"),
        ("flavor", ""),
        ("schedule", []),
        ("schedule", [Schedule(1), Schedule(2)]),
        ("schedule", Schedule(0)),
        ("schedule", Schedule(25)),
        ("schedule", Schedule(True)),
        ("schedule", Schedule(1, type="start")),
        ("schedule", Schedule(1, time_unit="DAYS")),
        ("schedule", {"hours": 1}),
        ("schedule", [1]),
    ],
)
def test_create_refuses(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        create_body(**{**CREATE, field: value})


def test_an_empty_description_is_fine() -> None:
    assert checked_job_desc("") == ""
