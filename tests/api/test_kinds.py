"""What the waiting engine, messages, XComs and metrics get from each kind of job."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_modelarts.api.training_jobs.kind import TRAINING_JOBS
from airflow_provider_modelarts.api.training_jobs.models import TrainingJob
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob

UUID = "425b7087-83de-49b4-9b65-6e2b91e4a5fe"
PAGE = "https://console.example.com/"
BOARD = VisualizationJob("7", 8, job_name="board", service_url=PAGE)
TRAINING = TrainingJob(UUID, "Running", "train", page_url=PAGE)


@pytest.mark.parametrize(
    ("kind", "name", "label"),
    [
        ((VISUALIZATION_JOBS, 8), "RUNNING", "RUNNING (8)"),
        ((VISUALIZATION_JOBS, 42), "42", "undocumented status 42"),
        ((TRAINING_JOBS, "Running"), "Running", "Running"),
        ((TRAINING_JOBS, "Hibernating"), "undocumented", "undocumented phase Hibernating"),
    ],
)
def test_how_a_status_is_counted_and_shown(kind: tuple[Any, Any], name: str, label: str) -> None:
    jobs, status = kind
    assert (jobs.status_name(status), jobs.status_label(status)) == (name, label)


@pytest.mark.parametrize(
    ("kind", "job", "status", "later"),
    [
        (VISUALIZATION_JOBS, BOARD, 8, VisualizationJob("7", 9)),
        (TRAINING_JOBS, TRAINING, "Running", TrainingJob(UUID, "Pending")),
    ],
)
def test_what_a_poll_sees_of_a_job(kind: Any, job: Any, status: Any, later: Any) -> None:
    assert (kind.status_of(job), type(kind.status_of(job))) == (status, type(status))
    assert kind.page_url(job) == PAGE
    assert kind.fingerprint(job) == kind.fingerprint(job) != kind.fingerprint(later)


@pytest.mark.parametrize(
    ("kind", "job", "gone"),
    [
        (VISUALIZATION_JOBS, BOARD, {"status": None, "status_name": "GONE"}),
        (TRAINING_JOBS, TRAINING, {"phase": "GONE"}),
    ],
)
def test_the_summary_of_a_job_and_of_one_that_is_gone(kind: Any, job: Any, gone: dict[str, Any]) -> None:
    summary = kind.summary(job)
    assert summary == job.summary()
    assert kind.summary(job, gone=True) == {**summary, **gone}
    assert kind.from_summary(summary) == job
    assert summary[kind.page_field] == PAGE


@pytest.mark.parametrize(
    ("kind", "job_id", "status", "unknown"),
    [(VISUALIZATION_JOBS, "7", 8, 0), (TRAINING_JOBS, UUID, "Running", "")],
)
def test_a_job_of_which_little_is_known(kind: Any, job_id: str, status: Any, unknown: Any) -> None:
    assert (kind.unobserved(job_id, status).job_id, kind.status_of(kind.unobserved(job_id, status))) == (job_id, status)
    assert kind.status_of(kind.unobserved(job_id, None)) == unknown
    assert kind.summary(kind.unobserved(job_id, None))["job_id"] == job_id


@pytest.mark.parametrize(
    ("kind", "given", "parsed"),
    [
        (VISUALIZATION_JOBS, ("007", "board", "running"), ("7", "board", 8)),
        (TRAINING_JOBS, (UUID.upper(), "train", "running"), (UUID, "train", "Running")),
    ],
)
def test_what_is_given_has_one_form(kind: Any, given: tuple[str, str, str], parsed: tuple[Any, ...]) -> None:
    job_id, job_name, status = given
    assert (kind.parse_job_id(job_id), kind.parse_job_name(job_name), kind.parse_status(status)) == parsed
    for parse in (kind.parse_job_id, kind.parse_job_name, kind.parse_status):
        with pytest.raises(ValueError, match="'a/b'"):
            parse("a/b")


def test_the_statuses_that_operators_ask_for() -> None:
    assert (set(VISUALIZATION_JOBS.stopping), set(VISUALIZATION_JOBS.deletion_failures)) == ({9}, {6})
    assert (set(TRAINING_JOBS.stopping), set(TRAINING_JOBS.deletion_failures)) == ({"Terminating"}, set())
