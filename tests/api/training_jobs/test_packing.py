"""IDs of training jobs as short text."""

from __future__ import annotations

import uuid

import pytest

from airflow_provider_modelarts.api.training_jobs.packing import pack, unpack


def test_ids_survive() -> None:
    job_ids = {*(str(uuid.uuid4()) for _ in range(50)), "not-a-uuid"}
    assert set(unpack(pack(job_ids))) == job_ids
    assert unpack(pack([])) == []


def test_the_text_is_the_same_for_the_same_ids_and_short() -> None:
    job_ids = [str(uuid.uuid4()) for _ in range(1000)]
    assert pack(job_ids) == pack(set(job_ids))
    assert len(pack(job_ids)) <= 23_000


@pytest.mark.parametrize("text", ["x", "=a/b", "ü", "=", "197-199"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        unpack(text)
