"""What the engine must know about a kind of job. Each kind's package in ``api/`` implements it."""

from __future__ import annotations

from typing import Any, Final, Protocol, TypeAlias, TypeVar

Status: TypeAlias = int | str
"""A status as one kind of job writes it: a code, or a word. The engine only compares statuses."""

GONE: Final = "GONE"
"""Stands for "there is no such job" where a status is expected. No API uses it."""


class Job(Protocol):
    """What the engine reads of an observed job."""

    @property
    def job_id(self) -> str: ...

    @property
    def job_name(self) -> str | None: ...


JobT = TypeVar("JobT", bound=Job)


class Kind(Protocol[JobT]):
    """
    One kind of job: its ids, its statuses, and how a job looks to people and in XComs. Has no state.

    :ivar noun: what messages call a job, such as ``visualization job``
    :ivar statuses: all documented statuses
    :ivar terminal: statuses that a job does not leave by itself
    :ivar deletion_failures: statuses that end a wait for the deletion of a job
    """

    noun: str
    statuses: frozenset[Status]
    terminal: frozenset[Status]
    deletion_failures: frozenset[Status]

    def __hash__(self) -> int: ...

    def parse_job_id(self, value: object) -> str:
        """
        Return a job id in its one canonical form.

        :raises ValueError: it is not a job id
        """
        ...

    def parse_status(self, value: object) -> Status:
        """
        Return the status that a code or a name stands for.

        :raises ValueError: there is no such status
        """
        ...

    def status_of(self, job: JobT) -> Status:
        """Return the status of a job as a plain number or word, which can travel."""
        ...

    def status_name(self, status: Status) -> str:
        """Return the name of a status, for metrics."""
        ...

    def status_label(self, status: Status) -> str:
        """Return how messages show a status."""
        ...

    def page_url(self, job: JobT) -> str | None:
        """Return the address of the job's page, if it has one."""
        ...

    def unobserved(self, job_id: str, status: Status | None) -> JobT:
        """Return a job of which only the id is known, and perhaps the status."""
        ...

    def summary(self, job: JobT, *, gone: bool = False) -> dict[str, Any]:
        """Return the job as the small dict that XComs and events carry: JSON types only, always the same keys."""
        ...

    def from_summary(self, summary: Any) -> JobT:
        """Return the job that :meth:`summary` was made of, as far as it was kept."""
        ...
