"""Asset URIs of training jobs: ``modelarts://{region}/{project_id}/training-jobs/{job}``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts.assets.base import create_job_asset

if TYPE_CHECKING:
    from airflow.sdk import Asset

COLLECTION: Final = "training-jobs"


def create_asset(*, region: str, project_id: str, job: str, **kwargs: Any) -> Asset:
    """
    Return the asset of a training job.

    :param region: region id, or the host of an explicit endpoint
    :param project_id: project of the region
    :param job: id or name of the job
    :param kwargs: further arguments of the asset, such as ``watchers`` or ``extra``; ``name`` is the job by default
    """
    return create_job_asset(COLLECTION, region=region, project_id=project_id, job=job, **kwargs)
