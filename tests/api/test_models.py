"""Reading what the API sends: its own samples, and all that deployments are known to vary."""

from __future__ import annotations

import json
from typing import Any

import pendulum
import pytest

from airflow_provider_modelarts.api.visualization_jobs.models import Schedule, VisualizationJob
from airflow_provider_modelarts.api.visualization_jobs.pages import StatusPage, VisualizationJobPage
from airflow_provider_modelarts.api.visualization_jobs.statuses import (
    ENDED,
    FAILED,
    ON_THE_WAY,
    READY,
    JobStatus,
    status_label,
    to_status,
)
from tests.api.samples import DETAIL_SUCCESS


def job(**fields: Any) -> VisualizationJob:
    return VisualizationJob.from_api({"job_id": 1, **fields})


def test_the_detail_sample() -> None:
    assert VisualizationJob.from_api(json.loads(DETAIL_SUCCESS)) == VisualizationJob(
        job_id="197",
        status=JobStatus.WAITING,
        job_name="apiTest-11",
        create_time=pendulum.datetime(2019, 8, 7, 3, 48, 56),
        duration=pendulum.duration(seconds=33),
        job_desc="ModelArts API Dialtest",
        service_url=("https://console.huaweicloud.com/modelarts2/tensorboard/04f679b17380d32a2f32c00335c4b5ba/197/"),
        train_url="/wph-test/zl-test/Flowers-Set/ApiTest/",
        resource_id="e17dd874-b5e0-4e9b-aaf0-22b045ad8571",
        remaining_duration=None,
        schedule=None,
    )


def test_every_documented_status_is_in_exactly_one_group() -> None:
    groups = [READY, ON_THE_WAY, ENDED, FAILED]
    assert sorted(status for group in groups for status in group) == list(range(23))
    assert {int(status) for status in ON_THE_WAY} == {0, 1, 2, 4, 7, 9, 15, 18, 19}
    assert {int(status) for status in ENDED} == {10, 12, 13, 20}
    assert {int(status) for status in FAILED} == {3, 5, 6, 11, 14, 16, 17, 21, 22}


@pytest.mark.parametrize("value", [8, "8", 8.0, "8.0"])
def test_numbers_are_read_as_numbers_or_strings(value: float | str) -> None:
    assert job(status=value).status is JobStatus.RUNNING


def test_an_undocumented_status_survives() -> None:
    unknown = job(status=42)
    assert unknown.status == 42
    assert unknown.status_name == "42"
    assert to_status(42) == 42
    assert status_label(42) == "undocumented status 42"
    assert status_label(8) == "RUNNING (8)"


@pytest.mark.parametrize("fields", [{}, {"status": None}, {"status": ""}])
def test_a_missing_status_is_unknown(fields: dict[str, Any]) -> None:
    assert job(**fields).status is JobStatus.UNKNOWN


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1524189990635, pendulum.datetime(2018, 4, 20, 2, 6, 30, 635000)),
        ("1524189990635", pendulum.datetime(2018, 4, 20, 2, 6, 30, 635000)),
        (1524189990, pendulum.datetime(2018, 4, 20, 2, 6, 30)),
        (0, None),
        (None, None),
        (99999999999999999, None),
    ],
)
def test_create_time(value: int | str | None, expected: Any) -> None:
    assert job(create_time=value).create_time == expected


@pytest.mark.parametrize(
    "value",
    [
        [{"type": "stop", "timeUnit": "HOURS", "duration": 1}],
        {"type": "stop", "time_unit": "HOURS", "duration": "1"},
        [{"duration": 1}],
    ],
)
def test_schedule_in_every_form(value: dict[str, str] | list[Any]) -> None:
    assert job(schedule=value).schedule == (Schedule(duration=1),)


def test_each_other_field_is_read() -> None:
    read = job(remaining_duration="90.5", resource_id="r", train_url="/b/d/", job_desc="d", duration=1500)
    assert (read.remaining_duration, read.resource_id, read.train_url, read.job_desc) == (90.5, "r", "/b/d/", "d")
    assert read.duration == pendulum.duration(milliseconds=1500)


@pytest.mark.parametrize("written", ["/bucket/dir/", "/bucket/dir", "obs://bucket/dir/"])
def test_a_job_shows_its_files_however_the_directory_is_written(written: str) -> None:
    assert job(train_url=written).shows("obs://bucket/dir")
    assert job(train_url="/bucket/dir").shows(written)
    assert not job(train_url=written).shows("/bucket/other/")
    assert job().shows(written)


def test_extra_fields_are_fine() -> None:
    assert job(brand_new={"a": 1}) == job()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("job_id", None),
        ("job_id", "ten"),
        ("status", "abc"),
        ("status", [8]),
        ("status", True),
        ("status", -1),
        ("status", 8.5),
        ("status", 2**63),
        ("status", "9" * 30),
        ("status", 1e300),
        ("job_id", -1),
        ("job_id", 2**63),
    ],
)
def test_an_id_or_a_status_that_cannot_be_is_an_error_that_names_the_field(
    field: str, value: float | list[int] | str | None
) -> None:
    with pytest.raises(ValueError, match=field):
        job(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("duration", {}),
        ("duration", 10**30),
        ("job_name", 5),
        ("schedule", "stop"),
        ("schedule", [1]),
        ("create_time", 10**30),
        ("remaining_duration", float("inf")),
        ("remaining_duration", 2**64),
    ],
)
def test_anything_else_that_cannot_be_read_is_left_out(field: str, value: Any) -> None:
    assert job(**{field: value}) == job()


def test_texts_are_short_and_printable() -> None:
    text = "board\n2030-01-01 ERROR forged \x1b[31mred\x1b]0;title\x07 \u202egnp.exe \u200bzero"
    read = job(job_name=text, job_desc="x" * 10**7, service_url="https://a/" + "y" * 10**6)
    assert read.job_name == "board 2030-01-01 ERROR forged red  gnp.exe  zero"
    assert len(read.job_desc or "") == 1024
    assert len(read.service_url or "") == 2048


def test_summary_is_json_with_the_same_keys_always() -> None:
    full = VisualizationJob.from_api(json.loads(DETAIL_SUCCESS)).summary()
    assert full == {
        "job_id": "197",
        "job_name": "apiTest-11",
        "status": 7,
        "status_name": "WAITING",
        "service_url": "https://console.huaweicloud.com/modelarts2/tensorboard/04f679b17380d32a2f32c00335c4b5ba/197/",
        "train_url": "/wph-test/zl-test/Flowers-Set/ApiTest/",
        "create_time": "2019-08-07T03:48:56Z",
        "duration_ms": 33000,
    }
    assert json.loads(json.dumps(full)) == full
    assert type(full["status"]) is int
    assert job().summary().keys() == full.keys()


def test_a_page() -> None:
    page = VisualizationJobPage.from_api(
        {"job_total_count": "2", "job_count_limit": 999, "quotas": 100, "jobs": [{"job_id": 1}, {"job_id": 2}]}
    )
    assert [found.job_id for found in page.jobs] == ["1", "2"]
    assert (page.job_total_count, page.job_count_limit, page.quotas) == (2, 999, 100)


def test_a_job_of_a_page_that_cannot_be_read_does_not_hide_the_others() -> None:
    page = VisualizationJobPage.from_api({"jobs": [{"job_id": 1, "status": "yes"}, {"job_id": 2}]})
    assert ([found.job_id for found in page.jobs], page.row_count) == (["2"], 2)


def test_a_job_made_of_its_summary_has_the_same_summary() -> None:
    full = VisualizationJob.from_api(json.loads(DETAIL_SUCCESS))
    assert VisualizationJob.from_summary(json.loads(json.dumps(full.summary()))).summary() == full.summary()
    assert VisualizationJob.from_summary(job().summary()) == job()


@pytest.mark.parametrize("jobs", [None, {}, "x", [1], [{"status": 1}]])
def test_a_page_without_a_list_of_jobs_is_an_error(jobs: dict[Any, Any] | list[Any] | str | None) -> None:
    with pytest.raises(ValueError, match="job"):
        VisualizationJobPage.from_api({"jobs": jobs})


def status_page(data: dict[str, Any]) -> StatusPage:
    body = json.dumps(data).encode()
    return StatusPage.from_api(StatusPage.loads(body), body)


def test_a_status_page_reads_statuses_now_and_jobs_when_asked() -> None:
    rows: list[dict[str, Any]] = [
        {"job_id": 3, "status": "8", "job_name": "c", "schedule": [{"duration": 1}]},
        {"job_id": "2"},
    ]
    page = status_page({"jobs": rows, "job_total_count": 5})
    assert page.statuses == {"3": 8, "2": 0}
    assert page.job_total_count == 5
    assert page.job("3") == VisualizationJob.from_api(rows[0])


@pytest.mark.parametrize("jobs", [None, {}, "x"])
def test_a_status_page_without_a_list_of_jobs_is_an_error(jobs: dict[Any, Any] | str | None) -> None:
    with pytest.raises(ValueError, match="jobs"):
        status_page({"jobs": jobs})


@pytest.mark.parametrize(
    "row", [1, None, {"status": 1}, {"job_id": None}, {"job_id": "x"}, {"job_id": 1, "status": "abc"}]
)
def test_a_row_that_cannot_be_read_does_not_hide_the_others(row: dict[str, Any] | int | None) -> None:
    page = status_page({"jobs": [row, {"job_id": 2.0, "status": 8}]})
    assert (page.statuses, page.row_count) == ({"2": 8}, 2)
    assert page.job("2").job_id == "2"
