"""
Arguments that take one of a few values, as types: ``job_type: JobType = "mindinsight"``.

Templated arguments are typed as ``str`` instead, because type checkers cannot know what a template renders to. Such are
``job_type`` and ``action`` of the operators. Every value is checked at runtime as well.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

WaitFor: TypeAlias = Literal["all", "any"]
"""Whether to wait for all of several jobs, or for any of them."""

IfAlready: TypeAlias = Literal["skip", "fail"]
"""What a task does if its job is already in the state that the task is to bring about."""

GroupEnd: TypeAlias = Literal["stop", "delete"]
"""How the task group ends its job."""

CleanUpAction: TypeAlias = Literal["report", "stop"]
"""What to do with the jobs that were found."""

JobType: TypeAlias = Literal["tensorboard", "mindinsight"]
"""The server that a visualization job runs."""

SortField: TypeAlias = Literal["job_id", "job_name", "job_desc", "create_time", "status"]
"""What a list of visualization jobs is sorted by."""

Order: TypeAlias = Literal["asc", "desc"]
"""The direction of a list."""

FilterOperator: TypeAlias = Literal["between", "like", "in", "not"]
"""How a search for training jobs compares."""

EventLevel: TypeAlias = Literal["Info", "Warning", "Error"]
"""How important an event of a training job is."""

FlavorType: TypeAlias = Literal["CPU", "GPU", "Ascend"]
"""The processor of a resource flavor."""

SensorMode: TypeAlias = Literal["poke", "reschedule"]
"""What a sensor does between two polls on a worker: it stays there, or leaves it."""
