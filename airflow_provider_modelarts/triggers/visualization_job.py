"""The trigger that waits for visualization jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.triggers.base import JobTrigger


@dataclass(kw_only=True, eq=False, repr=False)
class ModelArtsVisualizationJobTrigger(JobTrigger):
    """
    Waits until visualization jobs have reached a status. Its parameters are those of :class:`.JobTrigger`.

    :param target_status: a code, a name or several of these; ``"GONE"`` waits for the deletion
    """

    kind = VISUALIZATION_JOBS

    target_status: Any = "RUNNING"
