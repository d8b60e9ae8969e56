"""What Airflow calls for asset URIs of the scheme ``modelarts``, whatever the kind of job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult

from airflow_provider_modelarts.assets import training_job, visualization_job
from airflow_provider_modelarts.assets.base import create_job_asset, sanitize_job_uri

if TYPE_CHECKING:
    from airflow.sdk import Asset


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Check an asset URI, and return it in the one spelling that it has (entry ``handler`` of the provider's metadata).

    :raises ValueError: it is not one of a job
    """
    return sanitize_job_uri(uri, visualization_job.COLLECTION, training_job.COLLECTION)


def create_asset(
    *, region: str, project_id: str, job: str | int, collection: str = visualization_job.COLLECTION, **kwargs: Any
) -> Asset:
    """
    Return the asset of a job (entry ``factory`` of the provider's metadata).

    :param region: region id, or the host of an explicit endpoint
    :param project_id: project of the region
    :param job: id or name of the job
    :param collection: ``visualization-jobs`` or ``training-jobs``
    :param kwargs: further arguments of the asset, such as ``watchers`` or ``extra``; ``name`` is the job by default
    """
    return create_job_asset(collection, region=region, project_id=project_id, job=job, **kwargs)
