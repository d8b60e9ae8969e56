"""
Asset URIs of jobs: ``modelarts://{region}/{project_id}/{collection}/{job}``.

Region and project are those of the connection; with an explicit endpoint, its host takes the place of the region. The
collection is that of the API, such as ``visualization-jobs``. The last part is the ID or the name of a job. The URI is
only a name that producers and consumers share.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult

from airflow_provider_modelarts._compat import asset_uri

if TYPE_CHECKING:
    from airflow.sdk import Asset, Context

SCHEME: Final = "modelarts"


def sanitize_job_uri(uri: SplitResult, *collections: str) -> SplitResult:
    """
    Check an asset URI, and return it in its canonical form.

    :param collections: the allowed collections
    :raises ValueError: it is not the URI of a job
    """
    path = uri.path.rstrip("/")
    pattern = rf"/[A-Za-z0-9_-]+/(?:{'|'.join(map(re.escape, collections))})/[A-Za-z0-9_-]+"
    if not uri.hostname or not re.fullmatch(pattern, path) or uri.query or uri.fragment:
        expected = " or ".join(
            f"{SCHEME}://{{region}}/{{project_id}}/{name}/{{job id or job name}}" for name in collections
        )
        raise ValueError(f"{uri.geturl()!r} is not {expected}")
    return uri._replace(netloc=uri.netloc.lower(), path=path)


def create_job_asset(collection: str, *, region: str, project_id: str, job: str | int, **kwargs: Any) -> Asset:
    """
    Return the asset of a job.

    :param collection: the API's, such as ``visualization-jobs``
    :param region: region ID, or the host of an explicit endpoint
    :param project_id: project of the region
    :param job: ID or name of the job
    :param kwargs: further arguments of the asset, such as ``watchers`` or ``extra``; ``name`` is the job by default
    """
    uri = f"{SCHEME}://{region}/{project_id}/{collection}/{job}"
    try:
        from airflow.sdk import Asset
    except ImportError:  # Airflow 2.11, where assets have no name
        from airflow.datasets import Dataset  # type: ignore[import-not-found]

        kwargs.pop("name", None)
        return Dataset(uri=uri, **kwargs)  # type: ignore[no-any-return]
    return Asset(uri=uri, **{"name": str(job), **kwargs})


def add_to_outlet_events(task: Any, context: Context, xcom: Mapping[str, Any]) -> None:
    """Add a job to the events of the task's outlets, as far as they are assets of jobs."""
    for outlet in task.outlets:
        if asset_uri(outlet, context).startswith(f"{SCHEME}://"):
            context["outlet_events"][outlet].extra.update(xcom)
