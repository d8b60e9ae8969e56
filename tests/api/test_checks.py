"""Arguments as templates and other tasks hand them on: one job or several, as values or as text."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_modelarts.api.checks import job_id_in, job_ids_in, one_of, text, text_items, to_text, whole_number

ONE = {"job_id": "7", "status": 8}
MANY = {"7": {"job_id": "7"}, "8": {"job_id": "8"}}


@pytest.mark.parametrize(
    ("value", "job_id"),
    [
        ("7", "7"),
        (7, 7),
        (ONE, "7"),
        (str(ONE), "7"),
        ('{"job_id": "7"}', "7"),
        (f"  {ONE}\n", "7"),
        ({"other": 1}, {"other": 1}),
        ("{'other': 1}", "{'other': 1}"),
        ("{broken", "{broken"),
        (None, None),
    ],
)
def test_the_job_in_the_output_of_a_task(value: object, job_id: object) -> None:
    assert job_id_in(value) == job_id


@pytest.mark.parametrize(
    ("value", "job_ids"),
    [
        (["7", 8], ["7", 8]),
        ("7, 8", ["7", "8"]),
        ("['7', '8']", ["7", "8"]),
        (MANY, ["7", "8"]),
        (str(MANY), ["7", "8"]),
        ([ONE, "8"], ["7", "8"]),
        (str([ONE, {"job_id": "8"}]), ["7", "8"]),
        (ONE, ["7"]),
        (str(ONE), ["7"]),
        ([], []),
    ],
)
def test_the_jobs_in_the_output_of_a_task(value: object, job_ids: list[Any]) -> None:
    assert job_ids_in(value) == job_ids


@pytest.mark.parametrize("value", [5, None, {"7": 8}])
def test_what_is_not_a_list_of_jobs(value: object) -> None:
    with pytest.raises(ValueError, match=r"job_ids: .* is not a list of job IDs"):
        job_ids_in(value)


@pytest.mark.parametrize(
    ("value", "read"), [(" a ", "a"), (7, "7"), (True, True), (1.5, 1.5), (None, None), ([" a "], [" a "])]
)
def test_text(value: object, read: object) -> None:
    assert to_text(value) == read


def test_items_of_a_text() -> None:
    assert text_items(" ['a', \"b\" ,, c] ") == ["a", "b", "c"]
    assert text_items("") == []


def test_bounds() -> None:
    assert [whole_number("f", value, 1, 3) for value in (1, 3)] == [1, 3]
    assert whole_number("f", 10**9, 1) == 10**9
    for value, high, bounds in ((0, 3, "from 1 to 3"), (4, 3, "from 1 to 3"), (0, None, ">= 1"), (True, 3, "from 1")):
        with pytest.raises(ValueError, match=f"f: {value} is not a whole number {bounds}"):
            whole_number("f", value, 1, high)
    assert text("f", "x" * 3, 3) == "xxx"
    with pytest.raises(ValueError, match="f: has 4 characters, at most 3 are allowed"):
        text("f", "x" * 4, 3)
    assert one_of("f", " a ", ("a", "b")) == "a"
    with pytest.raises(ValueError, match="f: 'c' is not one of a, b"):
        one_of("f", "c", ("a", "b"))
