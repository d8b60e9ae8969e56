"""What a wait ends in: the whole table, every status against every target."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus
from airflow_provider_modelarts.waiting.kind import GONE
from airflow_provider_modelarts.waiting.target import Target, Verdict, label

ON_THE_WAY_OR_READY = {0, 1, 2, 4, 7, 8, 9, 15, 18, 19}
OVER = {10, 12, 13, 20, 3, 5, 6, 11, 14, 16, 17, 21, 22}
UNDOCUMENTED = {23, 42, 255}
ALL = sorted(ON_THE_WAY_OR_READY | OVER | UNDOCUMENTED)


def test_the_table_names_every_documented_status() -> None:
    assert {int(status) for status in JobStatus} == ON_THE_WAY_OR_READY | OVER


@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("status", [*ALL, GONE])
def test_the_table(status: int | str, target: int) -> None:
    if status == target:
        expected = Verdict.ARRIVED
    elif status in OVER or status == GONE:
        expected = Verdict.CANNOT_ARRIVE
    else:
        expected = Verdict.WAITING
    assert Target.of(VISUALIZATION_JOBS, target).observe(status) is expected


@pytest.mark.parametrize("status", [*ALL, GONE])
def test_a_wait_for_the_deletion(status: int | str) -> None:
    expected = {GONE: Verdict.ARRIVED, 6: Verdict.CANNOT_ARRIVE}.get(status, Verdict.WAITING)
    assert Target.of(VISUALIZATION_JOBS, "GONE").observe(status) is expected


@pytest.mark.parametrize("status", [*ALL, GONE])
def test_one_of_several(status: int | str) -> None:
    target = Target.of(VISUALIZATION_JOBS, ["KILLED", 13, JobStatus.COMPLETED])
    if status in {10, 12, 13}:
        expected = Verdict.ARRIVED
    elif status in OVER or status == GONE:
        expected = Verdict.CANNOT_ARRIVE
    else:
        expected = Verdict.WAITING
    assert target.observe(status) is expected


@pytest.mark.parametrize("status", [*ALL, GONE])
def test_failure_statuses_take_the_place_of_the_defaults(status: int | str) -> None:
    target = Target.of(VISUALIZATION_JOBS, 8, failure_statuses=["WAITING", 42])
    if status == 8:
        expected = Verdict.ARRIVED
    elif status in {7, 42, GONE}:
        expected = Verdict.CANNOT_ARRIVE
    else:
        expected = Verdict.WAITING
    assert target.observe(status) is expected


def test_no_failure_status_at_all() -> None:
    assert Target.of(VISUALIZATION_JOBS, 8, failure_statuses=[]).observe(11) is Verdict.WAITING


@pytest.mark.parametrize(
    "written",
    [
        8,
        "8",
        "RUNNING",
        "running",
        "JOBSTAT_RUNNING",
        JobStatus.RUNNING,
        [8],
        {"RUNNING"},
        (8, "8"),
        "[8]",
        "RUNNING, 8",
    ],
)
def test_ways_to_write_a_target(written: Any) -> None:
    assert Target.of(VISUALIZATION_JOBS, written) == Target.of(VISUALIZATION_JOBS, 8)


@pytest.mark.parametrize("written", [None, [], "", "RUNING", -1, 8.0, True, [None], {"status": 8}, "8,NOPE"])
def test_what_is_no_target(written: Any) -> None:
    with pytest.raises(ValueError, match="target_status"):
        Target.of(VISUALIZATION_JOBS, written)


def test_a_target_that_is_a_failure_is_a_contradiction() -> None:
    with pytest.raises(ValueError, match=r"failure_statuses: RUNNING \(8\)"):
        Target.of(VISUALIZATION_JOBS, [7, 8], failure_statuses=[8, 11])


def test_labels() -> None:
    assert [label(VISUALIZATION_JOBS, code) for code in (8, 42, GONE)] == [
        "RUNNING (8)",
        "undocumented status 42",
        "GONE",
    ]
    assert str(Target.of(VISUALIZATION_JOBS, "ENDED")) == "ENDED"
    assert str(Target.of(VISUALIZATION_JOBS, ["ENDED", "GONE", 8])) == "ENDED or RUNNING (8) or GONE"
    assert str(Target.of(VISUALIZATION_JOBS, ["KILLED", 13])) == "KILLED (12) or CANCELED (13)"
