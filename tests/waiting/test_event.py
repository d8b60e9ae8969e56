"""The event between triggerer and worker."""

from __future__ import annotations

import json

import pytest

from airflow_provider_modelarts.waiting.event import ARRIVED, OUTCOMES, WaitEvent


def test_it_survives_the_journey():
    event = WaitEvent(ARRIVED, "text", {"10": {"job_id": "10"}}, "http://x", {"10": [(1.5, 7), (9.0, 8)]})
    assert WaitEvent.from_dict(json.loads(json.dumps(event.to_dict()))) == event


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_does(outcome):
    assert WaitEvent.from_dict(WaitEvent(outcome, jobs={"1": {}}).to_dict()).outcome == outcome


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
def test_what_is_not_understood_is_an_error_never_success(payload):
    with pytest.raises(ValueError, match="event"):
        WaitEvent.from_dict(payload)


def test_one_wait_is_less_than_a_kilobyte():
    job = {
        "job_id": "1234567890", "job_name": "x" * 20, "status": 8, "status_name": "RUNNING",
        "service_url": "https://console.huaweicloud.com/modelarts2/tensorboard/04f679b17380d32a2f32c00335c4b5ba/197/",
        "train_url": "/some-bucket/experiments/2026/run-17/summaries/", "create_time": "2026-01-01T00:00:00Z",
        "duration_ms": 33000,
    }  # fmt: skip
    history = [(1_700_000_000.123 + step, step) for step in range(8)]
    assert (
        len(
            json.dumps(
                WaitEvent(ARRIVED, "", {"1234567890": job}, job["service_url"], {"1234567890": history}).to_dict()
            )
        )
        < 1024
    )
