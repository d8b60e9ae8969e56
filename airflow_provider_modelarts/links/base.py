"""The button on a task that opens its job: checks and stores the address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from airflow_provider_modelarts._compat import BaseOperatorLink, airflow_version, get_plain_xcom, push_plain_xcom

if TYPE_CHECKING:
    from airflow.sdk import Context

XCOM_KEY: Final = "modelarts_job_link"
"""Key of the XCom that holds the link of a task, whatever the kind of its job."""

_MAX_LENGTH: Final = 2048
"""The longest address, in characters, that browsers and proxies support."""

_MAX_PAGES_IN_LOG: Final = 20

_HOST: Final = r"(?:[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*\.?|\[[0-9a-f:.]+\])"
_WEB_ADDRESS: Final = re.compile(rf"(?i:https?://{_HOST}(?::[0-9]{{1,5}})?)(?:[/?#][!#-&(-;=?-\[\]_a-z~]*)?")
"""After the host, all printable ASCII but quotes, blanks, angle brackets, backslash, caret, braces and bar."""


class JobLink(BaseOperatorLink):
    """
    Base class of links to a job's page. The link appears once the job has a page, and stays after the end of the task.

    The address is an XCom that workers and triggers push. Airflow 3 also calls :meth:`get_link` whenever a worker
    leaves the task, and stores the result, even an empty one. Airflow 2.11 calls it in the web server.
    """

    @property
    def xcom_key(self) -> str:
        """Key of the XCom that holds the link."""
        return XCOM_KEY

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the page's URL; empty if there is none yet."""
        link: str | None = getattr(operator, "link", "") if airflow_version() >= (3, 0) else None
        # Airflow logs an error for a missing XCom.
        return link if link is not None else get_plain_xcom(ti_key, XCOM_KEY) or ""


def link_to(page_url: str | None) -> str:
    """
    Return the URL of a job's page; empty if there is none, or it is not a plain web address.

    The address must be what it looks like: no credentials, no invisible characters, no letters that resemble others.
    """
    if not page_url or len(page_url) > _MAX_LENGTH or not _WEB_ADDRESS.fullmatch(page_url):
        return ""
    try:
        parts = urlsplit(page_url)
        plain = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return ""
    return page_url if plain else ""


def publish_link(task: Any, context: Context, page_url: str | None) -> None:
    """Let the task's button open a job's page, if the job has one."""
    url = link_to(page_url)
    if url and url != task.link:
        task.link = url
        # A test that only pokes a sensor may have no task instance.
        if (ti := context.get("ti")) is not None:
            push_plain_xcom(ti, XCOM_KEY, url)


def log_pages(task: Any, jobs: Mapping[str, Mapping[str, Any]]) -> None:
    """
    Log the addresses of the pages of jobs, for the first 20 jobs.

    :param task: has ``kind`` and ``log``
    :param jobs: summaries by job ID
    """
    for job_id, summary in islice(jobs.items(), _MAX_PAGES_IN_LOG):
        page = link_to(summary.get(task.kind.page_field))
        if page:
            task.log.info("Page of %s %s: %s", task.kind.noun, job_id, page)


def clear_link(task: Any, context: Context) -> None:
    """Let the task's button open nothing, because its job is gone."""
    if task.link:
        task.link = ""
        push_plain_xcom(context["ti"], XCOM_KEY, "")
