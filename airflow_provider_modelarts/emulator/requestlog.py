"""The request log: what clients have asked, countable by operation."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Final

KEPT_RECORDS: Final = 10_000
"""How many records are kept; counts go on beyond."""


@dataclass
class RequestRecord:
    """
    A request that has arrived.

    :param operation: get, list, create, update, delete, stop, restart; token, projects and identity (the rest of IAM);
        page (of a job); other (what the gateway does not know)
    :param query: as sent, percent-encoded
    :param time: when it arrived, seconds since the epoch
    :param status: HTTP status of the answer; None when there was none, or not yet
    """

    operation: str
    method: str
    path: str
    query: str
    time: float
    status: int | None = None


class RequestLog:
    """The newest requests, and the number of all."""

    def __init__(self) -> None:
        self.records: deque[RequestRecord] = deque(maxlen=KEPT_RECORDS)
        self.counts: Counter[str] = Counter()

    def add(self, record: RequestRecord) -> None:
        """Add a request when it arrives, so that it is counted before its answer is seen."""
        self.records.append(record)
        self.counts[record.operation] += 1

    def clear(self) -> None:
        """Begin anew."""
        self.records.clear()
        self.counts.clear()
