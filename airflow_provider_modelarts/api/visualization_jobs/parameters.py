"""Parameters of requests, checked against the API's constraints before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias, TypedDict, get_args

from airflow_provider_modelarts.api import checks
from airflow_provider_modelarts.api.visualization_jobs.models import Schedule
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus, to_status
from airflow_provider_modelarts.choices import JobType, Order, SortField

JOB_TYPES: Final[tuple[JobType, ...]] = get_args(JobType)
SORT_FIELDS: Final[tuple[SortField, ...]] = get_args(SortField)
ORDERS: Final[tuple[Order, ...]] = get_args(Order)
MAX_PER_PAGE: Final = 1000

_MAX_DIGITS: Final = 19
"""Digits of a job ID: the API's IDs are 64-bit numbers."""

_JOB_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,20}")
_STATUS_PREFIX: Final = "JOBSTAT_"

StatusLike: TypeAlias = "int | str | JobStatus"
"""A status as an argument: ``8``, ``"8"``, ``"RUNNING"``, ``"JOBSTAT_RUNNING"``, ``JobStatus.RUNNING``."""


class ListFilters(TypedDict, total=False):
    """Arguments of a list of all pages, as of :func:`list_query`."""

    status: StatusLike | None
    sort_by: SortField
    order: Order
    search_content: str | None
    workspace_id: str | None


ScheduleLike: TypeAlias = "Schedule | Mapping[str, Any] | Iterable[Schedule | Mapping[str, Any]]"
"""Auto stop as an argument: a :class:`Schedule`, the API's own object, or a list of one."""


def checked_job_id(job_id: object) -> str:
    """
    Return a job ID in the form that the API uses: decimal digits without leading zeros.

    :raises ValueError: a job ID consists of decimal digits only
    """
    text = checks.to_text(job_id)
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise ValueError(f"job_id: {job_id!r:.100} is not a job ID: job IDs are digits, such as 197")
    return str(int(text))


def checked_status(status: object) -> JobStatus | int:
    """
    Return the status of a code, of its digits, or of a name with or without ``JOBSTAT_``.

    :raises ValueError: not a status code or name
    """
    if isinstance(status, int) and not isinstance(status, bool) and status >= 0:
        return to_status(status)
    if isinstance(status, str):
        text = status.strip()
        if text.isascii() and text.isdigit():
            return to_status(int(text))
        name = text.upper().removeprefix(_STATUS_PREFIX)
        if name in JobStatus.__members__:
            return JobStatus[name]
    names = ", ".join(f"{known.name} ({known.value})" for known in JobStatus)
    raise ValueError(f"status: {status!r:.100} is not a status code or name. Known statuses: {names}")


def list_query(
    *,
    status: StatusLike | None,
    per_page: int,
    page: int,
    sort_by: SortField,
    order: Order,
    search_content: str | None,
    workspace_id: str | None,
) -> dict[str, str]:
    """
    Return the query of the list operation. It always sets paging and sorting, because their defaults differ.

    :raises ValueError: the API does not accept a parameter; the text names it
    """
    query = {
        "per_page": str(checks.whole_number("per_page", per_page, 1, MAX_PER_PAGE)),
        "page": str(checks.whole_number("page", page, 1)),
        "sortBy": checks.one_of("sort_by", sort_by, SORT_FIELDS),
        "order": checks.one_of("order", order, ORDERS),
    }
    if status is not None:
        query["status"] = str(int(checked_status(status)))
    if search_content:
        query["search_content"] = checks.text("search_content", search_content, 64)
    if workspace_id is not None:
        query["workspace_id"] = checks.text("workspace_id", workspace_id)
    return query


def create_body(
    *,
    job_name: str,
    train_url: str,
    job_desc: str | None,
    job_type: JobType,
    flavor: str | None,
    schedule: ScheduleLike | None,
    workspace_id: str | None,
) -> dict[str, Any]:
    """
    Return the body of the create operation.

    :raises ValueError: the API does not accept a parameter; the text names it
    """
    body: dict[str, Any] = {
        "job_name": checked_job_name(job_name),
        "train_url": _obs_path(train_url),
        "job_type": checks.one_of("job_type", job_type, JOB_TYPES),
    }
    if job_desc is not None:
        body["job_desc"] = checked_job_desc(job_desc)
    if flavor is not None:
        body["flavor"] = {"code": checks.text("flavor", flavor)}
    if schedule is not None:
        body["schedule"] = _schedule(schedule)
    if workspace_id is not None:
        body["workspace_id"] = checks.text("workspace_id", workspace_id)
    return body


def checked_job_name(job_name: object) -> str:
    """
    Return the name of a job.

    :raises ValueError: it is not 1 to 20 letters, digits, ``_`` or ``-``
    """
    text = checks.to_text(job_name)
    if not isinstance(text, str) or not _JOB_NAME.fullmatch(text):
        raise ValueError(f"job_name: {job_name!r:.100} is not 1 to 20 letters, digits, '_' or '-'")
    return text


def checked_job_desc(job_desc: object) -> str:
    """
    Return the description of a job; it may be empty.

    :raises ValueError: not a text of at most 256 characters
    """
    return "" if checks.to_text(job_desc) == "" else checks.text("job_desc", job_desc, 256)


def _obs_path(train_url: object) -> str:
    """Return ``/bucket/dir/``; the console shows ``obs://bucket/dir/``."""
    text = checks.text("train_url", train_url)
    path = "/" + text.removeprefix("obs://") if text.startswith("obs://") else text
    if not re.fullmatch(r"/[^/]+/.+", path) or not re.fullmatch(r"[!-~]+", path) or re.search(r"['{}\[\]]", path):
        raise ValueError(
            f"train_url: {train_url!r:.200} is not an OBS directory such as /bucket/dir/ "
            "(a bucket alone is not enough; blanks, quotes, braces and brackets are not allowed)"
        )
    return path


def _schedule(schedule: ScheduleLike) -> list[dict[str, Any]]:
    """Return the auto stop as a list of one entry, the only form that the API's pages show in a request."""
    given = [schedule] if isinstance(schedule, (Schedule, Mapping)) else list(schedule)
    if len(given) != 1:
        raise ValueError(f"schedule: one entry is needed, not {len(given)}")
    entry = given[0]
    if isinstance(entry, Mapping):
        unknown = set(entry) - {"type", "time_unit", "duration"}
        if unknown or "duration" not in entry:
            raise ValueError(
                f"schedule: {dict(entry)!r:.200} is not {{'type': 'stop', 'time_unit': 'HOURS', 'duration': 1}}"
            )
        entry = Schedule(**entry)
    if not isinstance(entry, Schedule):
        raise ValueError(f"schedule: {entry!r:.100} is not a Schedule")
    checks.one_of("schedule.type", entry.type, ("stop",))
    checks.one_of("schedule.time_unit", entry.time_unit, ("HOURS",))
    checks.whole_number("schedule.duration", entry.duration, 1, 24)
    return [entry.to_api()]
