"""The trigger that waits for training jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_modelarts.api.training_jobs.kind import TRAINING_JOBS
from airflow_provider_modelarts.triggers.base import JobTrigger


@dataclass(kw_only=True, eq=False, repr=False)
class ModelArtsTrainingJobTrigger(JobTrigger):
    """
    Waits until training jobs have reached a phase. Its parameters are those of :class:`.JobTrigger`.

    :param target_status: a phase or several; ``"ENDED"`` is any end, ``"GONE"`` waits for the deletion
    """

    kind = TRAINING_JOBS

    target_status: Any = "Completed"
