"""The button on a task that opens its visualization job."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow_provider_modelarts._compat import BaseOperatorLink, airflow_version

XCOM_KEY = "modelarts_visualization_job_link"


class ModelArtsVisualizationJobLink(BaseOperatorLink):
    """
    Opens the page of a visualization job; there for as long as the task waits, too, once the job has a page.

    Airflow 3 asks for it at the end of each of the task's phases and keeps the answer in an XCom; Airflow 2.11 asks for
    it in the web server, where the XCom that the task pushed is read.
    """

    name = "ModelArts visualization job"

    @property
    def xcom_key(self) -> str:
        """Key of the XCom that holds the link."""
        return XCOM_KEY

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the page's URL, empty while there is none."""
        if airflow_version() >= (3, 0):
            return getattr(operator, "link", None) or ""
        from airflow.models.xcom import XCom

        return XCom.get_value(ti_key=ti_key, key=XCOM_KEY) or ""


def link_to(service_url: str | None) -> str:
    """Return the URL of a job's page; empty when there is none or it is no web address."""
    return service_url if service_url and urlsplit(service_url).scheme in ("http", "https") else ""
