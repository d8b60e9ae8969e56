"""What the metrics of a job say about its accelerators, however incomplete they are."""

from __future__ import annotations

import pytest

from airflow_provider_modelarts.api.training_jobs.usage import Samples, accelerators_idle

NONE = (None, None, None)


@pytest.mark.parametrize(
    ("tasks", "idle"),
    [
        ([(90.0, 1.0, 0.0)], True),
        ([(1.0, 1.0, 90.0)], False),
        ([(90.0, 5.0, 4.9)], False),
        ([(1.0, 1.0, 1.0), (1.0, 90.0, 1.0)], False),
        ([(1.0, 1.0, 1.0), (9.0, 0.0, 0.0)], True),
        ([(1.0, None, 1.0)], None),
        ([(None, 90.0)], False),
        ([(1.0,)], None),
        ([(1.0, 1.0), (1.0,)], None),
        ([(1.0, 1.0), NONE], None),
        ([(1.0, 1.0), ()], None),
        ([NONE], None),
        ([], None),
    ],
)
def test_a_job_idles_only_if_each_accelerator_is_known_to_have_idled(tasks: list[Samples], idle: bool | None) -> None:
    assert accelerators_idle([{"gpuUtil": samples} for samples in tasks], minutes=2, below=5.0) is idle


def test_only_accelerators_that_are_there_count() -> None:
    of_gpu = {"cpuUsage": (90.0, 90.0), "gpuUtil": (1.0, 1.0), "npuUtil": NONE}
    assert accelerators_idle([of_gpu, of_gpu], minutes=2, below=5.0) is True
    assert accelerators_idle([{"npuUtil": (1.0, 1.0)}], minutes=2, below=5.0) is True
    assert accelerators_idle([{"cpuUsage": (1.0, 1.0), "gpuUtil": NONE}], minutes=2, below=5.0) is None
