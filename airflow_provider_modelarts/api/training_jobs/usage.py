"""Whether the accelerators of a training job are in use, from the metrics of its tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

Samples: TypeAlias = "Sequence[float | None]"
"""Use in percent, one mean per minute, the newest last; None where a value is missing."""

ACCELERATORS: Final = ("gpuUtil", "npuUtil")
"""Names of the metrics of accelerators."""


def accelerator_samples(metrics: Iterable[Mapping[str, Samples]]) -> list[Samples]:
    """
    Return the samples of all accelerators of a job. A resource that a task does not have has no value at all.

    :param metrics: of each of its tasks (:meth:`.TrainingJobs.metrics`)
    """
    series = [samples.get(name, ()) for samples in metrics for name in ACCELERATORS]
    return [samples for samples in series if any(value is not None for value in samples)]


def all_idle(accelerators: Sequence[Samples], minutes: int, below: float) -> bool:
    """
    Return whether all accelerators were idle in each of the last minutes. A value that is missing may be any.

    :param below: percent under which an accelerator is idle
    """
    recent = [samples[-minutes:] for samples in accelerators]
    return bool(recent) and all(
        len(samples) == minutes and all(value is not None and value < below for value in samples) for samples in recent
    )
