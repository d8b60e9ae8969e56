"""Searches for training jobs: filters and pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from airflow_provider_modelarts.emulator.http import ModelArtsV2Refusal
from airflow_provider_modelarts.emulator.training_jobs.job import TrainingJob

MAX_LIMIT: Final = 50
MAX_FILTERS: Final = 20
MAX_VALUES: Final = 10
MAX_WINDOW: Final = timedelta(days=31)
OPERATORS: Final = ("between", "like", "in", "not")

_FIELDS: Final[dict[str, Callable[[TrainingJob], Any]]] = {
    "id": lambda job: job.job_id,
    "name": lambda job: job.job_name,
    "kind": lambda job: job.body.get("kind"),
    "phase": lambda job: job.phase,
    "algorithm_id": lambda job: job.body.get("algorithm", {}).get("id"),
    "algorithm_name": lambda job: job.body.get("algorithm", {}).get("name"),
    "create_time": lambda job: job.create_time,
    "user_id": lambda job: None,
    "pool_id": lambda job: job.body["spec"]["resource"].get("pool_id"),
    "training_experiment_id": lambda job: None,
    "runtime_type": lambda job: job.body["spec"].get("runtime_type"),
    "priority": lambda job: job.body["spec"].get("schedule_policy", {}).get("priority"),
}
"""Keys of filters."""


@dataclass(frozen=True)
class Query:
    """
    A search.

    :param first: index of the first job of the page
    """

    limit: int
    offset: int
    first: int
    order: str
    workspace_id: str
    filters: tuple[dict[str, Any], ...]

    @classmethod
    def parse(cls, body: dict[str, Any], offset_counts: str) -> Query:
        """
        Read the body of a search.

        :param offset_counts: ``pages`` or ``jobs``
        :raises ModelArtsV2Refusal: it exceeds a limit
        """
        limit, offset = _integer(body, "limit", MAX_LIMIT, 1, MAX_LIMIT), _integer(body, "offset", 0, 0, 10**9)
        order, filters = body.get("order") or "desc", body.get("filters") or []
        if order not in ("asc", "desc") or body.get("sort_by") not in (None, "", "create_time"):
            raise ModelArtsV2Refusal(400, "ModelArts.2790", "Invalid sort.")
        if not isinstance(filters, list) or len(filters) > MAX_FILTERS:
            raise ModelArtsV2Refusal(400, "ModelArts.2789", f"There must be at most {MAX_FILTERS} filters.")
        for entry in filters:
            _check_filter(entry)
        workspace_id = str(body.get("workspace_id") or "0")
        first = offset * limit if offset_counts == "pages" else offset
        return cls(limit, offset, first, order, workspace_id, tuple(filters))

    def select(self, jobs: list[TrainingJob]) -> list[TrainingJob]:
        """Return the jobs that match all filters, in order."""
        found = [job for job in jobs if job.workspace_id == self.workspace_id and all(self._matches(job))]
        return found if self.order == "asc" else found[::-1]

    def page(self, jobs: list[TrainingJob]) -> list[TrainingJob]:
        """Return the jobs of the page."""
        return jobs[self.first : self.first + self.limit]

    def echo(self) -> dict[str, Any]:
        """Return the fields that the response repeats."""
        return {
            "limit": self.limit,
            "offset": self.offset,
            "sort_by": "create_time",
            "order": self.order,
            "group_by": "",
            "workspace_id": self.workspace_id,
            "ai_project": "default-ai-project",
        }

    def _matches(self, job: TrainingJob) -> list[bool]:
        return [_matches(_FIELDS[entry["key"]](job), entry["operator"], entry["value"]) for entry in self.filters]


def _check_filter(entry: Any) -> None:
    if not isinstance(entry, dict):
        raise ModelArtsV2Refusal(400, "ModelArts.2789", "A filter is not an object.")
    key, operator, values = (entry.get(name) for name in ("key", "operator", "value"))
    if not isinstance(key, str) or key not in _FIELDS:
        raise ModelArtsV2Refusal(400, "ModelArts.2807", f"Invalid filter key {key}.")
    if operator not in OPERATORS or (operator == "between") != (key == "create_time"):
        raise ModelArtsV2Refusal(400, "ModelArts.2808", f"Invalid filter operator {operator}.")
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_VALUES or {*map(type, values)} != {str}:
        raise ModelArtsV2Refusal(
            400, "ModelArts.2809", f"A filter must have 1 to {MAX_VALUES} values, all of them text."
        )
    if operator == "between":
        try:
            first, last = map(_time, values)
        except ValueError:
            raise ModelArtsV2Refusal(400, "ModelArts.2809", "A filter has invalid times.") from None
        if last - first > MAX_WINDOW:
            raise ModelArtsV2Refusal(400, "ModelArts.2809", f"Times must be within {MAX_WINDOW.days} days.")


def _matches(field: Any, operator: str, values: list[str]) -> bool:
    if operator == "between":
        first, last = map(_time, values)
        return bool(first.timestamp() <= field <= last.timestamp())
    text = "" if field is None else str(field)
    if operator == "like":
        return any(value in text for value in values)
    return (text in values) == (operator == "in")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if time.tzinfo is None:
        raise ValueError(text)
    return time


def _integer(body: dict[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = default if body.get(name) is None else body[name]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ModelArtsV2Refusal(400, "ModelArts.2788", f"Invalid parameter({name} should be in [{low},{high}]).")
    return value
