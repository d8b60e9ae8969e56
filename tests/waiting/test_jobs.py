"""All of several jobs, or any: what ends the wait."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_modelarts.api.errors import ModelArtsPermissionError, ModelArtsServerError
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus, to_status
from airflow_provider_modelarts.choices import WaitFor
from airflow_provider_modelarts.waiting.jobs import JobsWait, parse_job_ids
from airflow_provider_modelarts.waiting.names import name_key
from airflow_provider_modelarts.waiting.request import WaitRequest
from airflow_provider_modelarts.waiting.target import Target
from airflow_provider_modelarts.waiting.wait import (
    HEARTBEAT_SECONDS,
    JobCannotArriveError,
    JobStateUnknownError,
    Wait,
)


def job(job_id: str, status: int) -> VisualizationJob:
    return VisualizationJob(job_id, to_status(status))


def wait_for(how: WaitFor, count: int = 3) -> JobsWait:
    waits = [
        Wait(str(number), Target.of(VISUALIZATION_JOBS, 8), 600, logging.getLogger("jobs")) for number in range(count)
    ]
    return JobsWait(waits, how)


def see(jobs: JobsWait, now: int = 0, **statuses: Any) -> bool | None:
    return jobs.observe({job_id[1:]: job(job_id[1:], status) for job_id, status in statuses.items()}, now)


def test_all_arrive_each_in_its_time() -> None:
    jobs = wait_for("all")
    assert not see(jobs, _0=8, _1=7, _2=7)
    assert jobs.pending() == ["1", "2"]
    assert not see(jobs, _1=8, _2=7)
    assert see(jobs, _2=8)
    assert jobs.summaries().keys() == {"0", "1", "2"}


def test_what_has_arrived_is_not_judged_again() -> None:
    jobs = wait_for("all", 2)
    assert not see(jobs, _0=8, _1=7)
    assert not see(jobs, _0=12, _1=7)
    assert see(jobs, _1=8)
    assert jobs.summaries()["0"]["status"] == 8


def test_all_fails_with_the_first_that_cannot() -> None:
    jobs = wait_for("all")
    with pytest.raises(JobCannotArriveError, match="job 1 is FAILED"):
        see(jobs, _0=8, _1=11, _2=7)


def test_any_is_over_with_the_first() -> None:
    jobs = wait_for("any")
    assert not see(jobs, _0=7, _1=7, _2=7)
    assert see(jobs, _0=7, _1=8, _2=11)
    assert jobs.first().job_id == "1"


def test_any_fails_when_none_can_any_more() -> None:
    jobs = wait_for("any")
    assert not see(jobs, _0=11, _1=12, _2=7)
    assert jobs.pending() == ["2"]
    with pytest.raises(JobCannotArriveError, match="job 2 is LOST"):
        see(jobs, _2=14)


def test_nothing_that_was_seen_is_lost_when_something_is_wrong() -> None:
    jobs = wait_for("all")
    with pytest.raises(JobStateUnknownError):
        jobs.observe({"0": ModelArtsPermissionError("no"), "1": job("1", 8), "2": job("2", 8)}, 0)
    assert jobs.pending() == ["0"]


def test_any_bears_a_job_that_cannot_be_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    jobs = wait_for("any", 2)
    assert not jobs.observe({"0": ModelArtsPermissionError("no"), "1": job("1", 7)}, 0)
    assert "Waiting for the other jobs. The state of visualization job 0 is unknown" in caplog.text
    with pytest.raises(JobStateUnknownError):
        jobs.observe({"0": ModelArtsPermissionError("no"), "1": ModelArtsPermissionError("no")}, 60)


def test_an_arrival_counts_more_than_trouble_with_another() -> None:
    jobs = wait_for("any")
    assert jobs.observe({"0": ModelArtsServerError("503"), "1": job("1", 8)}, 0)


def begin(**known: Any) -> JobsWait:
    request = WaitRequest(job_ids=["0", "1"], target_status=8)
    return JobsWait.begin(VISUALIZATION_JOBS, request, log=logging.getLogger("jobs"), **known)


def test_what_an_earlier_process_saw_holds() -> None:
    earlier = begin()
    earlier.observe({"0": VisualizationJob("0", JobStatus.RUNNING, job_name="first"), "1": job("1", 7)}, 0)
    jobs = begin(histories=earlier.histories(), summaries=earlier.summaries_to_carry())
    assert jobs.pending() == ["1"]
    assert not see(jobs, _0=12, _1=7)
    assert see(jobs, _1=8)
    assert jobs.summaries()["0"]["job_name"] == "first"


def test_a_wait_begins_by_ids_or_by_a_name_or_by_one_id() -> None:
    log = logging.getLogger("jobs")
    for request, keys in (
        (WaitRequest(job_id="0", job_name="board", job_ids=["1"], target_status=8), ["1"]),
        (WaitRequest(job_id="0", job_name="board", target_status=8), [name_key("board")]),
        (WaitRequest(job_id="0", target_status=8), ["0"]),
    ):
        assert JobsWait.begin(VISUALIZATION_JOBS, request, log=log).pending() == keys


def test_an_outage_at_the_first_poll_of_a_wait_is_tolerated_only_if_an_earlier_process_has_observed_the_jobs() -> None:
    outage = {"0": ModelArtsServerError("503")}
    assert not begin(was_observed=True).observe(outage, 0)
    with pytest.raises(JobStateUnknownError):
        begin().observe(outage, 0)


def test_an_outage_counts_from_the_start_of_the_poll_that_failed() -> None:
    jobs = begin(was_observed=True)
    with pytest.raises(JobStateUnknownError, match="Polls have failed for 10 min 0 s"):
        jobs.observe({"0": ModelArtsServerError("503")}, 1000, poll_seconds=600)


@pytest.mark.parametrize(("target", "carried"), [("RUNNING", ["0"]), ("GONE", ["0", "1"])])
def test_what_later_polls_may_not_give_again_is_carried_on(target: str, carried: list[str]) -> None:
    request = WaitRequest(job_ids=["0", "1", "2"], target_status=target)
    jobs = JobsWait.begin(VISUALIZATION_JOBS, request, log=logging.getLogger("jobs"))
    see(jobs, _0=8, _1=7)
    assert list(jobs.summaries_to_carry()) == carried


def test_a_wait_is_failing_until_each_job_that_it_waits_for_was_polled() -> None:
    jobs = begin(was_observed=True)
    assert jobs.failing
    see(jobs, _0=8)
    assert jobs.failing
    see(jobs, _1=7)
    assert not jobs.failing
    jobs.observe({"1": ModelArtsServerError("503")}, 0)
    assert jobs.failing
    see(jobs, _1=7)
    assert not jobs.failing


def test_what_is_over_is_not_said_to_go_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    jobs = wait_for("all", 2)
    see(jobs, _0=8, _1=7)
    caplog.clear()
    jobs.heartbeat(HEARTBEAT_SECONDS)
    assert "job 1 is still WAITING" in caplog.text
    assert "job 0 is still RUNNING" not in caplog.text


def test_what_wait_for_may_be() -> None:
    with pytest.raises(ValueError, match="wait_for"):
        wait_for("most")  # type: ignore[arg-type]


def test_descriptions() -> None:
    one = wait_for("all", 1)
    see(one, _0=7)
    assert one.describe() == "visualization job 0 to become RUNNING (8); last seen: WAITING (7)"
    many = wait_for("any", 12)
    assert many.describe() == (
        "any of 12 visualization jobs to become RUNNING (8); not there yet: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
    )


@pytest.mark.parametrize(("count", "end"), [(10, ", 9"), (11, ", 9 and 1 more"), (12, ", 9 and 2 more")])
def test_a_description_names_ten_jobs(count: int, end: str) -> None:
    assert wait_for("any", count).describe().endswith(end)


def test_the_same_job_written_in_two_ways_is_one_job() -> None:
    assert parse_job_ids(VISUALIZATION_JOBS, ["00197", 198, "197"]) == ["197", "198"]


@pytest.mark.parametrize("job_ids", [5, None, {"197": 8}, [], "", "[]"])
def test_what_is_not_a_list_of_job_ids(job_ids: Any) -> None:
    with pytest.raises(ValueError, match="job_ids"):
        parse_job_ids(VISUALIZATION_JOBS, job_ids)
