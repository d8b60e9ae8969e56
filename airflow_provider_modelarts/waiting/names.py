"""Stand-ins for the IDs of jobs that are known by name only, until a poll has found the ID."""

from __future__ import annotations

from typing import Final

_PREFIX: Final = "name:"


def name_key(job_name: str) -> str:
    """Return the stand-in for the ID of a job that is known by name only."""
    return f"{_PREFIX}{job_name}"


def job_name_in(key: str) -> str | None:
    """Return the job name in a stand-in; None for a job ID."""
    return key.removeprefix(_PREFIX) if key.startswith(_PREFIX) else None
