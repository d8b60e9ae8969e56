"""The button on a task that opens its visualization job, named after the job's type where that is known."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from airflow_provider_modelarts._compat import BaseOperatorLink, airflow_version, get_plain_xcom

XCOM_KEY: Final = "modelarts_visualization_job_link"

_MAX_LENGTH: Final = 2048
"""Characters; what browsers and proxies agree on."""

_HOST: Final = r"(?:[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*\.?|\[[0-9a-f:.]+\])"
_WEB_ADDRESS: Final = re.compile(rf"(?i:https?://{_HOST}(?::[0-9]{{1,5}})?)(?:[/?#][!#-&(-;=?-\[\]_a-z~]*)?")
"""Behind the host, all that is printable in ASCII but quotes, blanks, angle brackets, backslash, caret, braces, bar."""


class ModelArtsVisualizationJobLink(BaseOperatorLink):
    """
    Opens the page of a visualization job: there as soon as the job has a page, and whatever becomes of the task.

    The address is an XCom that worker and trigger push. Airflow 3 also asks for it whenever a worker leaves the task,
    and stores the answer, an empty one as well; Airflow 2.11 asks for it in the web server.
    """

    name = "ModelArts visualization job"

    @property
    def xcom_key(self) -> str:
        """Key of the XCom that holds the link."""
        return XCOM_KEY

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the page's URL, empty while there is none."""
        link: str | None = getattr(operator, "link", "") if airflow_version() >= (3, 0) else None
        # Airflow logs an error where it is asked for an XCom that is not there.
        return link if link is not None else get_plain_xcom(ti_key, XCOM_KEY) or ""


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
    """
    Return the URL of a job's page; empty when there is none, or it is more than a plain web address.

    A browser must take it for what it looks like: no credentials, nothing invisible, no letters that look like others.
    """
    if not service_url or len(service_url) > _MAX_LENGTH or not _WEB_ADDRESS.fullmatch(service_url):
        return ""
    try:
        parts = urlsplit(service_url)
        plain = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return ""
    return service_url if plain else ""
