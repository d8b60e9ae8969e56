"""How a wait ended, on its way from the triggerer to the worker."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus
from airflow_provider_modelarts.waiting.jobs import JobsWait
from airflow_provider_modelarts.waiting.kind import Status
from airflow_provider_modelarts.waiting.request import WaitRequest
from airflow_provider_modelarts.waiting.result import ARRIVED, OUTCOMES, VERSION, WaitResult
from airflow_provider_modelarts.waiting.subscription import PollerError
from airflow_provider_modelarts.waiting.wait import (
    InvalidWaitError,
    JobCannotArriveError,
    JobStateUnknownError,
    WaitTimeoutError,
)


def test_it_survives_the_journey() -> None:
    event = WaitResult(ARRIVED, "text", {"10": {"job_id": "10"}}, "http://x", {"10": [(1.5, 7), (9.0, 8)]})
    assert WaitResult.from_dict(json.loads(json.dumps(event.to_dict()))) == event


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_does(outcome: str) -> None:
    assert WaitResult.from_dict(WaitResult(outcome, jobs={"1": {}}).to_dict()).outcome == outcome


@pytest.mark.parametrize("error", [JobCannotArriveError, JobStateUnknownError, WaitTimeoutError, InvalidWaitError])
def test_a_worker_raises_the_error_that_ended_the_wait(error: type[Any]) -> None:
    result = WaitResult.from_dict(json.loads(json.dumps(WaitResult.of(error("why")).to_dict())))
    with pytest.raises(error, match=r"\Awhy\Z") as raised:
        result.raise_error()
    assert type(raised.value) is error


def test_a_worker_takes_a_bug_of_the_poller_for_an_unknown_state() -> None:
    with pytest.raises(JobStateUnknownError, match=r"triggerer's log.* ZeroDivisionError"):
        WaitResult.of(PollerError("ZeroDivisionError")).raise_error()


def test_no_error_is_raised_when_the_jobs_arrived() -> None:
    result = WaitResult.of(None, link="http://x")
    result.raise_error()
    assert result == WaitResult(ARRIVED, "", {}, "http://x", {})


def test_it_has_what_the_wait_has_observed() -> None:
    request = WaitRequest(job_ids=["1", "2"], target_status=8)
    jobs = JobsWait.begin(VISUALIZATION_JOBS, request, log=logging.getLogger("jobs"))
    jobs.observe({"1": VisualizationJob("1", JobStatus.RUNNING)}, 9.0)
    result = WaitResult.of(WaitTimeoutError("why"), jobs, link="http://x")
    assert result == WaitResult("timeout", "why", jobs.summaries(), "http://x", {"1": [(9.0, 8)], "2": []})


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (None, "not understood"),
        ("success", "not understood"),
        ("", "not understood"),
        ({}, "not understood"),
        ([], "not understood"),
        ({"version": 1, "outcome": ARRIVED}, "not understood"),
        ({"version": VERSION, "outcome": "ok"}, "an unknown outcome: 'ok'"),
        ({"version": VERSION}, "an unknown outcome: None"),
        ({"version": VERSION, "outcome": ARRIVED}, "without the jobs that have arrived"),
        ({"version": VERSION, "outcome": ARRIVED, "jobs": {}}, "without the jobs that have arrived"),
    ],
)
def test_what_is_not_understood_is_an_error_never_success(payload: Any, why: str) -> None:
    with pytest.raises(ValueError, match=f"The trigger sent an event .*{why}"):
        WaitResult.from_dict(payload)


def test_what_a_failure_need_not_have_is_empty() -> None:
    assert WaitResult.from_dict({"version": VERSION, "outcome": "timeout"}) == WaitResult("timeout")


def test_one_wait_is_less_than_a_kilobyte() -> None:
    job = {
        "job_id": "1234567890", "job_name": "x" * 20, "status": 8, "status_name": "RUNNING",
        "service_url": "https://console.huaweicloud.com/modelarts2/tensorboard/04f679b17380d32a2f32c00335c4b5ba/197/",
        "train_url": "/some-bucket/experiments/2026/run-17/summaries/", "create_time": "2026-01-01T00:00:00Z",
        "duration_ms": 33000,
    }  # fmt: skip
    history: list[tuple[float, Status]] = [(1_700_000_000.123 + step, step) for step in range(8)]
    assert (
        len(
            json.dumps(
                WaitResult(ARRIVED, "", {"1234567890": job}, str(job["service_url"]), {"1234567890": history}).to_dict()
            )
        )
        < 1024
    )
