"""What holds for whatever a server sends: it is read, or refused with what the documentation says, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_modelarts.api.errors import ModelArtsError
from airflow_provider_modelarts.api.responses import ApiResponse, find_error, retry_after_seconds
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
from airflow_provider_modelarts.api.visualization_jobs.pages import StatusPage, VisualizationJobPage
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus
from tests.hypothesis_profile import load_profile

load_profile()

FIELDS = (
    "job_id", "job_name", "status", "create_time", "duration", "job_desc", "service_url", "train_url", "resource_id",
    "remaining_duration", "schedule", "is_success", "error_code", "error_msg", "error_message", "error",
)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text()
    | st.sampled_from(["", "8", "-8", "--8", "8.0", "1e3", "1e400", "nan", "inf", "٣", "\ud800", "false", "False"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=8,
)
WELL_TYPED = st.fixed_dictionaries(
    {"job_id": st.integers(0, 10**6)},
    optional={
        "status": st.integers(0, 40),
        "job_name": st.text(),
        "create_time": st.integers(0, 10**13),
        "duration": st.integers(0, 10**10),
        "remaining_duration": st.none() | st.floats(0, 1e6),
        "service_url": st.text(),
    },
)
ANY_JOB = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)) | WELL_TYPED.flatmap(
    lambda job: st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=1).map(lambda wrong: {**job, **wrong})
)


def as_strings(value: Any) -> Any:
    """Return a decoded answer with its numbers as strings, as some deployments write them."""
    if isinstance(value, dict):
        return {key: as_strings(item) for key, item in value.items()}
    return str(value) if type(value) in (int, float) else value


@given(ANY_JOB)
@example({"job_id": 1, "duration": 10**300})
@example({"job_id": 1, "create_time": 10**300})
@example({"job_id": float("inf")})
@example({"job_id": 1, "job_name": "\ud800"})
def test_a_job_is_read_or_refused_with_a_value_error(data: dict[str, Any]) -> None:
    try:
        job = VisualizationJob.from_api(data)
    except ValueError:
        return
    summary = job.summary()
    assert json.loads(json.dumps(summary, ensure_ascii=False).encode()) == summary
    assert job.job_id.removeprefix("-").isdigit()
    assert int(job.status) >= 0
    assert job.status is JobStatus.UNKNOWN or data.get("status") not in (None, "", 0)


@given(WELL_TYPED)
def test_numbers_as_strings_equal_numbers(data: dict[str, Any]) -> None:
    assert VisualizationJob.from_api(as_strings(data)) == VisualizationJob.from_api(data)


@given(st.lists(WELL_TYPED, max_size=5, unique_by=lambda job: job["job_id"]), st.none() | st.integers(0, 10**6))
def test_the_page_of_statuses_agrees_with_the_page_of_jobs(rows: list[Any], total: int | None) -> None:
    data = {"jobs": rows, "job_total_count": total}
    body = json.dumps(data).encode()
    statuses, jobs = StatusPage.from_api(StatusPage.loads(body), body), VisualizationJobPage.from_api(json.loads(body))
    assert statuses.row_count == len(jobs.jobs)
    assert statuses.job_total_count == jobs.job_total_count
    assert statuses.statuses == {job.job_id: int(job.status) for job in jobs.jobs}
    assert [statuses.job(job.job_id) for job in jobs.jobs] == list(jobs.jobs)


@given(st.lists(ANY_JOB | JSON, max_size=5) | JSON, JSON)
@example([[1, 8]], None)
@example(["18"], None)
@example([{"1": 8, "2": 8}], None)
@example([{"job_id": {"job_id": 1}, "status": {"job_id": 2}}], None)
def test_of_any_page_each_row_is_a_job_or_none(rows: Any, total: Any) -> None:
    body = json.dumps({"jobs": rows, "job_total_count": total}).encode()
    try:
        page = StatusPage.from_api(StatusPage.loads(body), body)
    except ValueError:
        return
    assert page.row_count == len(rows)
    for job_id, status in page.statuses.items():
        try:
            job = page.job(job_id)
        except ValueError:
            continue
        assert (job.job_id, int(job.status)) == (job_id, status)


@given(st.integers(200, 599), JSON, st.dictionaries(st.sampled_from(["Date", "Location", "X-Request-Id"]), st.text()))
@example(401, {}, {"Date": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"})
@example(400, {"error_code": "\ud800", "error_message": "\ud800"}, {})
@example(401, {}, {"Date": "Mon, 01 Jan 2026 00:00:00 +99999999999"})
def test_every_answer_is_a_success_or_an_error(status_code: int, data: Any, headers: dict[str, str]) -> None:
    response = ApiResponse(
        "GET", "http://example.com/", status_code, headers, json.dumps(data).encode(), names_job=True
    )
    error = find_error(response)
    failed = isinstance(data, dict) and (str(data.get("is_success")).lower() == "false" or data.get("error_code"))
    assert error is None or (isinstance(error, ModelArtsError) and str(error).encode())
    assert (error is not None) or not (failed or status_code >= 300)


@given(st.binary(), st.integers(200, 599))
def test_every_body_makes_an_error_or_none(body: bytes, status_code: int) -> None:
    error = find_error(ApiResponse("GET", "http://example.com/", status_code, {}, body, secrets=("s3cret",)))
    assert (error is None) == (status_code < 300) or b"{" in body
    assert error is None or "s3cret" not in str(error)


@given(st.text(max_size=30) | st.integers().map(str) | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ GMT"))
@example("9" * 5000)
@example("Fri, 31 Dec 99999 25:61:61 GMT")
def test_a_retry_after_is_a_length_of_time_or_none(value: str) -> None:
    seconds = retry_after_seconds(value)
    assert seconds is None or seconds >= 0


def test_the_statuses_of_a_page_are_those_of_a_page_of_jobs_whatever_their_number() -> None:
    body = json.dumps({"jobs": [{"job_id": number, "status": number % 30} for number in range(1000)]}).encode()
    page = StatusPage.from_api(StatusPage.loads(body), body)
    assert page.statuses == {str(number): number % 30 for number in range(1000)}


@pytest.mark.parametrize("text", ["8", " 8", "8.0", "+8", "0x8", "8e0", "٨"])
def test_a_status_in_text_is_a_number_or_refused(text: str) -> None:
    try:
        assert VisualizationJob.from_api({"job_id": 1, "status": text}).status is JobStatus.RUNNING
    except ValueError:
        assert text == "0x8"
