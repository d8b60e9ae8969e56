"""Whether the accelerators of a training job are in use, from the metrics of its tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from airflow_provider_modelarts.api.fields import LIST_LIMIT

Samples: TypeAlias = "Sequence[float | None]"
"""Use in percent, one mean per minute, the newest last; None where a value is missing."""

ACCELERATORS: Final = ("gpuUtil", "npuUtil")
"""Names of the metrics of accelerators."""

MAX_MINUTES: Final = LIST_LIMIT
"""For how many minutes metrics are read."""


def accelerators_idle(metrics: Iterable[Mapping[str, Samples]], minutes: int, below: float) -> bool | None:
    """
    Return whether all accelerators of a job were idle in each of the last minutes; None if the metrics do not tell.

    The API sends no value both for a task without accelerators and for one whose values are missing. So, if one task of
    a job has an accelerator, each of its tasks counts as having it.

    :param metrics: of each of its tasks (:meth:`.TrainingJobs.metrics`)
    :param below: percent of use under which an accelerator is idle
    """
    tasks = list(metrics)
    names = [name for name in ACCELERATORS if any(_has_values(task.get(name, ())) for task in tasks)]
    recent = [task.get(name, ())[-minutes:] for task in tasks for name in names]
    if any(value is not None and value >= below for samples in recent for value in samples):
        return False
    is_complete = all(len(samples) == minutes and None not in samples for samples in recent)
    return True if recent and is_complete else None


def _has_values(samples: Samples) -> bool:
    return any(value is not None for value in samples)
