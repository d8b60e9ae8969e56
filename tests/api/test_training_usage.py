"""What the metrics of a job say about its accelerators, however incomplete they are."""

from __future__ import annotations

import pytest

from airflow_provider_modelarts.api.training_jobs.usage import Samples, accelerator_samples, all_idle

NONE = (None, None, None)


@pytest.mark.parametrize(
    ("accelerators", "idle"),
    [
        ([(90.0, 1.0, 0.0)], True),
        ([(1.0, 1.0, 90.0)], False),
        ([(90.0, 5.0, 4.9)], False),
        ([(1.0, 1.0, 1.0), (1.0, 90.0, 1.0)], False),
        ([(1.0, 1.0, 1.0), (9.0, 0.0, 0.0)], True),
        ([(1.0, None, 1.0)], False),
        ([(1.0,)], False),
        ([(1.0, 1.0), (1.0,)], False),
        ([], False),
    ],
)
def test_a_job_idles_only_if_each_accelerator_is_known_to_have_idled(accelerators: list[Samples], idle: bool) -> None:
    assert all_idle(accelerators, minutes=2, below=5.0) is idle


def test_only_accelerators_that_are_there_count() -> None:
    worker = {"cpuUsage": (0.0, 0.0, 0.0), "gpuUtil": (None, 3.0, 4.0), "npuUtil": NONE}
    assert accelerator_samples([worker, {"cpuUsage": (9.0,)}, {"npuUtil": (7.0,)}]) == [(None, 3.0, 4.0), (7.0,)]
    assert accelerator_samples([{"gpuUtil": NONE, "npuUtil": NONE}, {}]) == []
