"""Job IDs as short text, for a store that keeps thousands of them."""

from __future__ import annotations

from collections.abc import Collection


def pack(job_ids: Collection[str]) -> str:
    """Return job IDs as short text: the first ID, and then the difference of each to the one before."""
    numbers = sorted(map(int, job_ids))
    return " ".join(str(number - before) for before, number in zip([0, *numbers], numbers, strict=False))


def unpack(text: str) -> list[str]:
    """
    Return the job IDs in a text of :func:`pack`.

    :raises ValueError: it is another text
    """
    job_ids: list[str] = []
    number = 0
    for step in map(int, text.split()):
        number += step
        job_ids.append(str(number))
    return job_ids
