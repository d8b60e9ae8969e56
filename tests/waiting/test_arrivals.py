"""Which jobs have come into a status: once each, whatever the list does."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_modelarts.api.visualization_jobs.packing import pack, unpack
from airflow_provider_modelarts.waiting.project_watch import Arrivals


def recalling(statuses: list[Any], present: list[str]) -> Arrivals:
    arrivals = Arrivals(statuses)
    arrivals.recall(present)
    return arrivals


def test_what_is_there_at_the_very_first_look_has_not_arrived() -> None:
    arrivals = Arrivals([8])
    assert arrivals.observe({"1": 8, "2": 7}) == []
    assert arrivals.observe({"1": 8, "2": 8, "3": 8}) == ["2", "3"]
    assert arrivals.observe({"1": 8, "2": 8, "3": 8}) == []


def test_what_was_there_at_an_earlier_process_s_last_look_has_not_arrived_either() -> None:
    arrivals = recalling([8], ["1"])
    assert arrivals.observe({"1": 8, "2": 8}) == ["2"]


def test_nothing_there_is_not_the_same_as_nothing_known() -> None:
    assert recalling([8], []).observe({"1": 8}) == ["1"]


def test_a_job_that_leaves_and_comes_back_arrives_again() -> None:
    arrivals = recalling([8, 10], [])
    assert arrivals.observe({"1": 8}) == ["1"]
    assert arrivals.observe({"1": 10}) == []
    assert arrivals.observe({"1": 12}) == []
    assert arrivals.observe({"1": 8}) == ["1"]


@pytest.mark.parametrize("lies", [1, 2, 99])
def test_a_list_that_hides_a_job_for_a_while_does_not_make_it_arrive_again(lies: int) -> None:
    arrivals = recalling([8], [])
    arrivals.observe({"1": 8})
    for _ in range(lies):
        assert arrivals.observe({}) == []
    assert arrivals.observe({"1": 8}) == []


def test_a_job_that_is_gone_for_good_is_forgotten() -> None:
    arrivals = recalling([8], ["1"])
    for _ in range(100):
        arrivals.observe({})
    assert arrivals.present == set()


def test_arrivals_come_oldest_first() -> None:
    assert recalling([8], []).observe({"10": 8, "9": 8, "100": 8}) == ["9", "10", "100"]


@pytest.mark.parametrize("job_ids", [[], ["7"], ["9", "10", "1000000"], [str(number) for number in range(5, 9000, 7)]])
def test_what_is_packed_is_unpack(job_ids: list[str]) -> None:
    assert unpack(pack(job_ids[::-1])) == job_ids


def test_a_thousand_jobs_are_little_to_keep() -> None:
    assert len(pack([str(1_500_000 + 3 * number) for number in range(1000)])) < 2100


def test_what_nobody_packed_is_refused() -> None:
    with pytest.raises(ValueError, match="literal"):
        unpack("1 x")


def test_what_is_recalled_late_tells_what_arrived_before_the_first_poll() -> None:
    arrivals = Arrivals([8])
    assert arrivals.observe({"1": 8, "2": 8, "3": 8, "4": 7}) == []
    assert arrivals.observe({"1": 8, "2": 8, "3": 12, "4": 8}) == ["4"]
    arrivals.recall(["1", "9"])
    assert arrivals.observe({"1": 8, "2": 8, "3": 12, "4": 8}) == ["2"]
    assert arrivals.observe({"1": 8, "2": 8, "3": 12, "4": 8, "9": 8}) == []


def test_ids_need_not_be_numbers() -> None:
    assert recalling(["Running"], []).observe({"b": "Running", "a": "Running"}) == ["a", "b"]
