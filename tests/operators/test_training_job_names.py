"""The names of the training jobs of a task: unique, the same in each try, other ones after a clear."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_modelarts.api.training_jobs.parameters import checked_job_name
from airflow_provider_modelarts.operators.training_job_names import TrainingJobNames, checked_name_prefix
from tests.simulated_tasks import TaskInstance


def names(prefix: str = "", airflow: str = "a", **ti: Any) -> TrainingJobNames:
    return TrainingJobNames.of(
        TaskInstance(**{"dag_id": "nightly", "task_id": "train", **ti}), airflow=airflow, prefix=prefix
    )


def test_a_name_is_readable_and_the_same_in_each_try() -> None:
    name = names("team-", try_number=1, max_tries=3).name(1)
    assert name.startswith("team-nightly-train-")
    assert name.endswith("-r3")
    assert names("team-", try_number=2, max_tries=3).name(1) == name
    assert names("team-", max_tries=3).name(2) == f"{name}-2"


@pytest.mark.parametrize(
    "other",
    [
        {"dag_id": "other"},
        {"run_id": "other"},
        {"task_id": "other"},
        {"map_index": 1},
        {"airflow": "b"},
    ],
)
def test_another_task_instance_or_airflow_has_other_names(other: dict[str, Any]) -> None:
    assert names(**other).stem != names().stem
    assert names().parse(names(**other).name(1)) is None


def test_clearing_a_task_gives_it_other_names_that_it_still_recognizes() -> None:
    before, after = names(max_tries=0), names(max_tries=1)
    assert before.name(1) != after.name(1)
    assert after.parse(before.name(2)) == (0, 2)
    assert after.parse(after.name(1)) == (1, 1)


@pytest.mark.parametrize("foreign", [None, "", "nightly-train", "x" * 64])
def test_the_job_of_somebody_else_is_not_recognized(foreign: str | None) -> None:
    assert names().parse(foreign) is None


def test_a_name_fits_whatever_the_dag_is_called() -> None:
    longest = names("p" * 32, dag_id="d.é " * 60, task_id="t" * 200, max_tries=9999)
    assert checked_job_name(longest.name(999)) == longest.name(999)
    assert longest.parse(longest.name(999)) == (9999, 999)
    assert len(longest.name(999)) == 64
    assert checked_name_prefix("p" * 32) == "p" * 32


@pytest.mark.parametrize("prefix", ["a b", "x" * 33, "ü", None, 3])
def test_a_prefix_that_no_name_can_have_is_refused(prefix: object) -> None:
    with pytest.raises(ValueError, match="name_prefix"):
        checked_name_prefix(prefix)
