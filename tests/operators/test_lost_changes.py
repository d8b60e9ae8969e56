"""When a change of a job counts as done although its request failed: each half of the condition alone."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_modelarts._compat import AirflowFailException
from airflow_provider_modelarts.api.errors import (
    ModelArtsAuthenticationError,
    ModelArtsConflictError,
    ModelArtsConnectionError,
    ModelArtsError,
    ModelArtsNotFoundError,
    ModelArtsPermissionError,
    ModelArtsServerError,
    ModelArtsThrottledError,
)
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.operators.base import JobOperator

REFUSED = [ModelArtsConflictError("refused"), ModelArtsNotFoundError("refused")]
LOST = [ModelArtsServerError("lost"), ModelArtsConnectionError("lost", may_have_happened=True)]
NEITHER = [
    ModelArtsAuthenticationError("no"),
    ModelArtsPermissionError("no"),
    ModelArtsThrottledError("no"),
    ModelArtsConnectionError("no"),
    ModelArtsServerError("IAM failed before anything was sent", may_have_happened=False),
]


def names(error: ModelArtsError) -> str:
    return f"{type(error).__name__}-{error}"


def change(error: Exception, *, is_carried_out: bool) -> list[str]:
    """Change a job by a request that fails, and return which jobs were looked at after that."""
    looked: list[str] = []

    class Operator(JobOperator):
        kind = VISUALIZATION_JOBS

        def _get_job(self, context: Any, job_id: str) -> Any:
            looked.append(job_id)

    def call(job_id: str) -> None:
        raise error

    context: Any = {}
    Operator(task_id="change")._change(context, call, "7", lambda job: is_carried_out)
    return looked


@pytest.mark.parametrize("error", [*REFUSED, *LOST], ids=names)
def test_a_job_that_is_what_it_should_become_is_enough_after_a_refusal_and_after_a_lost_answer(
    error: ModelArtsError,
) -> None:
    assert change(error, is_carried_out=True) == ["7"]


@pytest.mark.parametrize("error", NEITHER, ids=names)
def test_it_is_not_enough_after_any_other_error(error: ModelArtsError) -> None:
    with pytest.raises(type(error)) as caught:
        change(error, is_carried_out=True)
    assert caught.value is error


def test_a_bug_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        change(ZeroDivisionError("a bug"), is_carried_out=True)


@pytest.mark.parametrize("error", [*REFUSED, *LOST, *NEITHER], ids=names)
def test_a_job_that_is_not_what_it_should_become_is_the_errors(error: ModelArtsError) -> None:
    expected = AirflowFailException if isinstance(error, ModelArtsNotFoundError) else type(error)
    with pytest.raises(expected, match=str(error)):
        change(error, is_carried_out=False)
