"""Job IDs as short text, for a store that keeps thousands of them."""

from __future__ import annotations

from collections.abc import Collection


def pack(job_ids: Collection[str]) -> str:
    """Return job IDs as short text: the first, and then by how much each is higher than the one before."""
    numbers = sorted(map(int, job_ids))
    return " ".join(str(number - before) for before, number in zip([0, *numbers], numbers, strict=False))


def unpack(text: str) -> list[str]:
    """
    Return the job IDs that :func:`pack` made text of.

    :raises ValueError: it did not
    """
    job_ids: list[str] = []
    number = 0
    for step in map(int, text.split()):
        number += step
        job_ids.append(str(number))
    return job_ids
