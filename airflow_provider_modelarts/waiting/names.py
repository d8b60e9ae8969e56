"""Jobs that are waited for by name: what stands for their id until a poll has looked it up."""

from __future__ import annotations

from typing import Final

_PREFIX: Final = "name:"


def name_key(job_name: str) -> str:
    """Return what stands for the id of a job in a wait that only knows its name."""
    return f"{_PREFIX}{job_name}"


def job_name_in(key: str) -> str | None:
    """Return the name of a job that is waited for by name; None for an id."""
    return key.removeprefix(_PREFIX) if key.startswith(_PREFIX) else None
