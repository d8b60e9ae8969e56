"""
Asset URIs of visualization jobs: ``modelarts://{region}/{project_id}/visualization-jobs/{job}``.

Region and project are those of the connection; for an explicit endpoint, its host stands for the region. A job is named
by its id or its name. The URI is a name that producers and consumers share; nothing is looked up by it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult

if TYPE_CHECKING:
    from airflow.sdk import Asset

SCHEME: Final = "modelarts"
_COLLECTION: Final = "visualization-jobs"
_PATH: Final = re.compile(rf"/[A-Za-z0-9_-]+/{_COLLECTION}/[A-Za-z0-9_-]+")


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Check an asset URI, and return it in the one spelling that it has (entry ``handler`` of the provider's metadata).

    :raises ValueError: it is not one of a visualization job
    """
    path = uri.path.rstrip("/")
    if not uri.hostname or not _PATH.fullmatch(path) or uri.query or uri.fragment:
        raise ValueError(
            f"{uri.geturl()!r} is not {SCHEME}://{{region}}/{{project_id}}/{_COLLECTION}/{{job id or job name}}"
        )
    return uri._replace(netloc=uri.netloc.lower(), path=path)


def create_asset(*, region: str, project_id: str, job: str | int, **kwargs: Any) -> Asset:
    """
    Return the asset of a visualization job (entry ``factory`` of the provider's metadata).

    :param region: region id, or the host of an explicit endpoint
    :param project_id: project of the region
    :param job: id or name of the job
    :param kwargs: further arguments of the asset, such as ``watchers`` or ``extra``
    """
    try:
        from airflow.sdk import Asset
    except ImportError:  # Airflow 2.11
        from airflow.datasets import Dataset as Asset  # type: ignore[import-not-found, no-redef]
    return Asset(uri=f"{SCHEME}://{region}/{project_id}/{_COLLECTION}/{job}", **kwargs)
