"""Checks the parameters of requests about existing jobs: IDs, searches, changes, logs and events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final, TypeAlias, TypedDict, get_args

from airflow_provider_modelarts.api import checks
from airflow_provider_modelarts.choices import EventLevel, FilterOperator, FlavorType, Order

MAX_PER_PAGE: Final = 50
MAX_FILTERS: Final = 20
MAX_FILTER_VALUES: Final = 10
MAX_EVENTS_PER_PAGE: Final = 100
MAX_LOG_LINES: Final = 500

ORDERS: Final[tuple[Order, ...]] = get_args(Order)
OPERATORS: Final[tuple[FilterOperator, ...]] = get_args(FilterOperator)
EVENT_LEVELS: Final[tuple[EventLevel, ...]] = get_args(EventLevel)
FLAVOR_TYPES: Final[tuple[FlavorType, ...]] = get_args(FlavorType)

_MAX_WINDOW: Final = timedelta(days=31)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_JOB_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_JOB_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TASK: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_WORKSPACE_ID: Final = re.compile(r"0|[A-Za-z0-9]{32}")


@dataclass(frozen=True)
class Filter:
    """
    A condition of a search. All conditions of a search must hold.

    :param key: ``id``, ``name``, ``kind``, ``phase``, ``algorithm_id``, ``algorithm_name``, ``create_time``,
        ``user_id``, ``pool_id``, ``training_experiment_id``, ``runtime_type`` or ``priority``
    :param operator: ``in``, ``like``, ``not`` or ``between``
    :param values: 1 to 10 values; for ``create_time`` two times, at most 31 days apart
    """

    key: str
    operator: FilterOperator
    values: tuple[str, ...]


FilterLike: TypeAlias = "Filter | Mapping[str, Any]"
"""A :class:`Filter`, or the API's own object ``{"key": ..., "operator": ..., "value": [...]}``."""


class Search(TypedDict, total=False):
    """Arguments of a search for all pages, as of :func:`search_body`."""

    filters: Iterable[FilterLike]
    limit: int
    order: Order
    workspace_id: str | None


def checked_job_id(job_id: object) -> str:
    """
    Return a job id as it goes into a path. UUIDs are written in lower case, as the API writes them.

    :raises ValueError: it is not letters, digits and ``-``
    """
    text = checks.to_text(job_id)
    if not isinstance(text, str) or not _JOB_ID.fullmatch(text):
        raise ValueError(
            f"job_id: {job_id!r:.100} is not the ID of a training job, such as 425b7087-83de-49b4-9b65-6e2b91e4a5fe"
        )
    return text.lower() if _UUID.fullmatch(text) else text


def checked_job_ids(job_ids: object) -> list[str]:
    """
    Return job ids, each once, in the order given. Text is read as a list, as a template renders one.

    :raises ValueError: one is not a job id, or there is none
    """
    given = checks.text_items(job_ids) if isinstance(job_ids, str) else job_ids
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise ValueError(f"job_ids: {job_ids!r:.100} is not a list of job IDs")
    checked = list(dict.fromkeys(map(checked_job_id, given)))
    if not checked:
        raise ValueError("job_ids: at least one job ID is needed")
    return checked


def checked_job_name(job_name: object) -> str:
    """
    Return the name of a job.

    :raises ValueError: it is not 1 to 64 letters, digits, ``_`` or ``-``
    """
    text = checks.to_text(job_name)
    if not isinstance(text, str) or not _JOB_NAME.fullmatch(text):
        raise ValueError(f"job_name: {job_name!r:.100} is not 1 to 64 letters, digits, '_' or '-'")
    return text


def checked_task(task: object) -> str:
    """
    Return the name of a task of a job, such as ``worker-0``.

    :raises ValueError: it is not a name
    """
    text = checks.to_text(task)
    if not isinstance(text, str) or not _TASK.fullmatch(text):
        raise ValueError(f"task: {task!r:.100} is not the name of a task, such as worker-0")
    return text


def checked_workspace_id(workspace_id: object) -> str:
    """
    Return the id of a workspace.

    :raises ValueError: it is neither ``0`` nor 32 letters and digits
    """
    text = checks.to_text(workspace_id)
    if not isinstance(text, str) or not _WORKSPACE_ID.fullmatch(text):
        raise ValueError(f"workspace_id: {workspace_id!r:.100} is neither '0' nor 32 letters and digits")
    return text


def checked_description(description: object) -> str:
    """
    Return a description of a job.

    :raises ValueError: it is not text of at most 256 characters
    """
    return "" if checks.to_text(description) == "" else checks.text("description", description, 256)


def search_body(
    *,
    filters: Iterable[FilterLike] = (),
    limit: int = MAX_PER_PAGE,
    offset: int = 0,
    order: Order = "desc",
    workspace_id: str | None = None,
) -> dict[str, Any]:
    """
    Return the body of a search. Jobs are sorted by their creation.

    :param filters: at most 20
    :param limit: jobs per page, 1 to 50
    :param offset: number of the page, 0 is the first
    :param order: ``desc``, newest first, or ``asc``
    :param workspace_id: ``0``, the default workspace, if it is left out
    :raises ValueError: the API does not accept a parameter
    """
    checked = [_filter(given) for given in filters]
    if len(checked) > MAX_FILTERS:
        raise ValueError(f"filters: there are {len(checked)}, at most {MAX_FILTERS} are allowed")
    body: dict[str, Any] = {
        "limit": checks.whole_number("limit", limit, 1, MAX_PER_PAGE),
        "offset": checks.whole_number("offset", offset, 0),
        "sort_by": "create_time",
        "order": checks.one_of("order", order, ORDERS),
    }
    if checked:
        body["filters"] = checked
    if workspace_id is not None:
        body["workspace_id"] = checked_workspace_id(workspace_id)
    return body


def update_body(*, description: str | None = None, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """
    Return the body of a change.

    :param description: at most 256 characters
    :param body: other fields of the API, such as ``{"spec": {"schedule_policy": {"priority": 3}}}``
    :raises ValueError: there is nothing to change, or a parameter is outside what the API takes
    """
    changes = dict(body or {})
    if description is not None:
        changes["description"] = description
    if "description" in changes:
        changes["description"] = checked_description(changes["description"])
    if not changes:
        raise ValueError("description: needed, unless body has other fields to change")
    return changes


def events_query(*, offset: int, order: Order, level: EventLevel | None, pattern: str | None) -> dict[str, str]:
    """
    Return the query of a page of events.

    :param offset: number of the page, 0 is the first
    :raises ValueError: the API does not accept a parameter
    """
    query = {
        "offset": str(checks.whole_number("offset", offset, 0)),
        "limit": str(MAX_EVENTS_PER_PAGE),
        "order": checks.one_of("order", order, ORDERS),
    }
    if level is not None:
        query["level"] = checks.one_of("level", level, EVENT_LEVELS)
    if pattern is not None:
        query["pattern"] = checks.text("pattern", pattern, 256)
    return query


def log_lines_query(*, base_line: str, lines: int) -> dict[str, str]:
    """
    Return the query of the lines that follow one, oldest first.

    :param lines: 1 to 500
    :raises ValueError: the API does not accept a parameter
    """
    return {
        "base_line": checks.text("base_line", base_line, 64),
        "lines": str(checks.whole_number("lines", lines, 1, MAX_LOG_LINES)),
        "order": "asc",
    }


def _filter(given: FilterLike) -> dict[str, Any]:
    if isinstance(given, Mapping):
        if set(given) != {"key", "operator", "value"} or isinstance(given["value"], str):
            raise ValueError(
                f"filters: {dict(given)!r:.200} is not {{'key': 'name', 'operator': 'like', 'value': ['x']}}"
            )
        given = Filter(given["key"], given["operator"], tuple(given["value"]))
    key, values = checks.text("filter", given.key, 64), [str(value) for value in given.values]
    checks.one_of(f"filter {key}: operator", given.operator, OPERATORS)
    if not 1 <= len(values) <= MAX_FILTER_VALUES:
        raise ValueError(f"filter {key}: has {len(values)} values, 1 to {MAX_FILTER_VALUES} are allowed")
    if given.operator == "between":
        values = _window(key, values)
    return {"key": key, "operator": given.operator, "value": values}


def _window(key: str, values: list[str]) -> list[str]:
    try:
        begin, end = map(_time, values)
    except ValueError:
        example = "2026-01-31T00:00:00Z"
        raise ValueError(f"filter {key}: {values!r:.100} is not a pair of times, such as {example}") from None
    if not timedelta() <= end - begin <= _MAX_WINDOW:
        raise ValueError(f"filter {key}: the second time must be at most {_MAX_WINDOW.days} days after the first")
    return [begin.isoformat(), end.isoformat()]


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)
