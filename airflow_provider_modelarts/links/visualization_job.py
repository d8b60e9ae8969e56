"""The button on a task that opens its visualization job, named after the job's type where that is known."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from airflow_provider_modelarts._compat import BaseOperatorLink, airflow_version, get_xcom

XCOM_KEY: Final = "modelarts_visualization_job_link"


class ModelArtsVisualizationJobLink(BaseOperatorLink):
    """
    Opens the page of a visualization job: there as soon as the job has a page, and whatever becomes of the task.

    The address is an XCom that worker and trigger push. Airflow 3 also asks for it at the end of each phase on a
    worker, and would keep an empty answer in its place; Airflow 2.11 asks for it in the web server.
    """

    name = "ModelArts visualization job"

    @property
    def xcom_key(self) -> str:
        """Key of the XCom that holds the link."""
        return XCOM_KEY

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the page's URL, empty while there is none."""
        known = getattr(operator, "link", None) if airflow_version() >= (3, 0) else None
        return known or get_xcom(ti_key, XCOM_KEY) or ""


class TensorBoardLink(ModelArtsVisualizationJobLink):
    """Opens a visualization job that is known to be a TensorBoard."""

    name = "TensorBoard"


class MindInsightLink(ModelArtsVisualizationJobLink):
    """Opens a visualization job that is known to be a MindInsight."""

    name = "MindInsight"


LINKS_BY_JOB_TYPE: Final[dict[str, ModelArtsVisualizationJobLink]] = {
    "tensorboard": TensorBoardLink(),
    "mindinsight": MindInsightLink(),
}


def link_to(service_url: str | None) -> str:
    """Return the URL of a job's page; empty when there is none or it is no web address."""
    return service_url if service_url and urlsplit(service_url).scheme in ("http", "https") else ""
