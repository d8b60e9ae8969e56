"""How a wait ended, on its way from the triggerer to the worker."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_modelarts.waiting.kind import Status
from airflow_provider_modelarts.waiting.result import ARRIVED, OUTCOMES, WaitResult
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
    result = WaitResult.of(None)
    result.raise_error()
    assert result.outcome == ARRIVED


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "success",
        "",
        {},
        [],
        {"version": 2, "outcome": "arrived"},
        {"version": 1},
        {"version": 1, "outcome": "ok"},
    ],
)
def test_what_is_not_understood_is_an_error_never_success(payload: dict[str, Any] | list[Any] | str | None) -> None:
    with pytest.raises(ValueError, match="event"):
        WaitResult.from_dict(payload)


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
