"""The course of a wait: transitions, heartbeats, outages, and what each end says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts.api.errors import (
    ModelArtsAuthenticationError,
    ModelArtsError,
    ModelArtsNotFoundError,
    ModelArtsPermissionError,
    ModelArtsRetiredError,
    ModelArtsServerError,
)
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
from airflow_provider_modelarts.api.visualization_jobs.statuses import to_status
from airflow_provider_modelarts.waiting.target import Target, Verdict
from airflow_provider_modelarts.waiting.wait import (
    JobCannotArriveError,
    JobStateUnknownError,
    Wait,
    duration,
    point_in_time,
)
from tests.recorded_metrics import RecordedMetrics

OUTAGE = ModelArtsServerError("GET … answered HTTP 503")
NOT_FOUND = ModelArtsNotFoundError("GET … answered HTTP 404")


def job(status: int) -> VisualizationJob:
    return VisualizationJob("10", to_status(status), job_name="board")


class Course:
    """A wait, polled at the times and with the outcomes that a test gives."""

    def __init__(self, target: str = "RUNNING", **fields: Any) -> None:
        self.wait = Wait(
            "10",
            Target.of(VISUALIZATION_JOBS, target),
            fields.pop("tolerance", 600),
            logging.getLogger("course"),
            **fields,
        )

    def at(self, seconds: int, outcome: ModelArtsError | int, **options: Any) -> Verdict | None:
        observation = outcome if isinstance(outcome, ModelArtsError) else job(outcome)
        return self.wait.observe(observation, float(seconds), **options)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[..., Any]:
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


def test_one_line_a_transition_with_the_time_in_the_state_before(lines: Callable[..., Any]) -> None:
    course = Course()
    for seconds, status in [(0, 1), (5, 1), (60, 7), (120, 7), (185, 8)]:
        verdict = course.at(seconds, status)
    assert verdict is Verdict.ARRIVED
    assert lines() == [
        "Visualization job 10 (board) is INIT (1); waiting for RUNNING (8)",
        "Visualization job 10 (board) went from INIT (1) to WAITING (7) after 1 min 0 s; waiting for RUNNING (8)",
        "Visualization job 10 (board) went from WAITING (7) to RUNNING (8) after 2 min 5 s",
    ]


def test_the_time_in_each_status_is_reported_once_the_job_has_left_it() -> None:
    metrics = RecordedMetrics()
    course = Course(metrics=metrics)
    for seconds, status in [(0, 1), (5, 1), (60, 42), (185, 8)]:
        course.at(seconds, status)
    name = "modelarts.time_in_status status="
    assert metrics.timings == [(f"{name}INIT", 60_000.0), (f"{name}42", 125_000.0)]


def test_a_heartbeat_now_and_then(lines: Callable[..., Any]) -> None:
    course = Course()
    for seconds in range(0, 1801, 60):
        course.at(seconds, 7)
    assert lines()[1:] == [
        f"Visualization job 10 (board) is still WAITING (7), for {minutes} min 0 s; waiting for RUNNING (8)"
        for minutes in (10, 20, 30)
    ]


def test_a_wait_goes_on_from_the_last_entry_of_its_history(lines: Callable[..., Any]) -> None:
    course = Course(history=[(0.0, 1), (60.0, 7)])
    assert (course.wait.status, course.wait.was_observed, course.wait.verdict) == (7, True, Verdict.WAITING)
    course.at(659, 7)
    assert lines() == []
    course.at(660, 7)
    assert lines() == ["Visualization job 10 (board) is still WAITING (7), for 10 min 0 s; waiting for RUNNING (8)"]
    assert Course(history=[(0.0, 7), (60.0, 8)]).wait.verdict is Verdict.ARRIVED


def test_an_undocumented_status_is_warned_of_once_and_waited_on(caplog: pytest.LogCaptureFixture) -> None:
    course = Course()
    assert [course.at(seconds, 42) for seconds in (0, 1, 2)] == [Verdict.WAITING] * 3
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "Visualization job 10 (board) is undocumented status 42; waiting for RUNNING (8)")
    ]
    assert course.at(3, 8) is Verdict.ARRIVED


def test_a_failed_job_ends_the_wait_at_once() -> None:
    course = Course()
    course.at(0, 7)
    with pytest.raises(
        JobCannotArriveError, match=r"10 \(board\) is FAILED \(11\) and cannot become RUNNING \(8\) any more"
    ):
        course.at(60, 11)


def test_a_deleted_job_ends_the_wait_at_once() -> None:
    course = Course()
    course.at(0, 7)
    with pytest.raises(JobCannotArriveError, match=r"not found .* last seen: WAITING \(7\)\. GET … answered HTTP 404"):
        course.at(60, NOT_FOUND)


def test_a_wait_for_the_deletion(lines: Callable[..., Any]) -> None:
    course = Course("GONE")
    assert course.at(0, 9) is Verdict.WAITING
    assert course.at(30, NOT_FOUND) is Verdict.ARRIVED
    assert lines()[-1] == "Visualization job 10 (board) went from KILLING (9) to GONE after 30 s"
    summary = course.wait.summary()
    assert (summary["job_id"], summary["job_name"], summary["status"], summary["status_name"]) == (
        "10", "board", None, "GONE",
    )  # fmt: skip


def test_the_summary_of_a_job_that_was_never_there() -> None:
    course = Course("GONE")
    assert course.at(0, NOT_FOUND) is Verdict.ARRIVED
    assert course.wait.summary().keys() == job(8).summary().keys()
    assert course.wait.summary()["job_id"] == "10"


def test_an_outage_is_outlived(lines: Callable[..., Any]) -> None:
    course = Course()
    course.at(0, 7)
    assert [course.at(seconds, OUTAGE) for seconds in (60, 120, 180)] == [Verdict.WAITING] * 3
    assert course.wait.failing
    assert course.at(181, 8) is Verdict.ARRIVED
    assert not course.wait.failing
    assert lines()[1] == (
        "Polls of visualization job 10 (board) have failed for 0 s (tolerated: 10 min 0 s); last seen: WAITING (7). "
        "GET … answered HTTP 503"
    )
    assert "The API answers again, after 2 min 1 s" in lines()


def test_an_outage_that_lasts_too_long_says_state_unknown() -> None:
    course = Course(tolerance=100)
    course.at(0, 7)
    course.at(60, OUTAGE)
    with pytest.raises(JobStateUnknownError) as caught:
        course.at(161, OUTAGE)
    text = str(caught.value)
    assert "unknown; last seen: WAITING (7). Polls have failed for 1 min 41 s. GET … answered HTTP 503" in text
    assert "failed (11)" not in text.lower()
    assert caught.value.__cause__ is OUTAGE


def test_an_outage_counts_from_the_start_of_its_first_failed_poll() -> None:
    course = Course(tolerance=600)
    course.at(0, 7)
    assert course.at(310, OUTAGE, poll_seconds=250) is Verdict.WAITING
    assert course.at(610, OUTAGE, poll_seconds=250) is Verdict.WAITING
    with pytest.raises(JobStateUnknownError, match="Polls have failed for 10 min 0 s"):
        course.at(660, OUTAGE, poll_seconds=250)


def test_a_tolerance_of_0_tolerates_no_failure() -> None:
    course = Course(tolerance=0)
    course.at(0, 7)
    with pytest.raises(JobStateUnknownError, match=r"last seen: WAITING \(7\)"):
        course.at(60, OUTAGE)


def test_each_outage_has_the_whole_tolerance() -> None:
    course = Course(tolerance=100)
    for start in (0, 1000, 2000):
        course.at(start, 7)
        course.at(start + 1, OUTAGE)
        course.at(start + 100, OUTAGE)
    assert course.at(3000, 8) is Verdict.ARRIVED


def test_the_first_poll_is_strict() -> None:
    with pytest.raises(JobStateUnknownError, match="last seen: never"):
        Course().at(0, OUTAGE)


def test_a_job_seen_by_an_earlier_process_has_been_seen() -> None:
    course = Course(was_observed=True, tolerance=100)
    assert course.at(0, OUTAGE) is Verdict.WAITING
    with pytest.raises(JobStateUnknownError, match="last seen: by an earlier poll"):
        course.at(101, OUTAGE)


@pytest.mark.parametrize("kind", [ModelArtsAuthenticationError, ModelArtsPermissionError, ModelArtsRetiredError])
def test_what_cannot_heal_ends_the_wait_at_once(kind: type[Any]) -> None:
    course = Course()
    course.at(0, 7)
    with pytest.raises(JobStateUnknownError, match=r"last seen: WAITING \(7\)\. refused"):
        course.at(60, kind("refused"))


def test_a_wait_goes_on_where_another_process_left_it(lines: Callable[..., Any]) -> None:
    first = Course()
    first.at(1000, 1)
    first.at(1060, 7)
    second = Course(history=first.wait.history)
    assert second.at(1090, OUTAGE) is Verdict.WAITING
    assert second.at(1120, 8) is Verdict.ARRIVED
    assert second.wait.history == [(1000, 1), (1060, 7), (1120, 8)]
    assert lines()[-1] == "Visualization job 10 (board) went from WAITING (7) to RUNNING (8) after 1 min 0 s"


def test_what_another_process_saw_is_what_is_known_of_the_job() -> None:
    summary = Course(history=[(1000, 7)]).wait.summary()
    assert (summary["job_id"], summary["status"], summary["status_name"]) == ("10", 7, "WAITING")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (7200, "2 h 0 min"),
        (7320, "2 h 2 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_point_in_time_is_in_utc() -> None:
    assert point_in_time(1641892655) == "2022-01-11 09:17:35 UTC"
