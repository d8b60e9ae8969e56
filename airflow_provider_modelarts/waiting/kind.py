"""What the engine and the operators need to know about a kind of job. Each kind's package in ``api/`` implements it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient

Status: TypeAlias = int | str
"""A status of one kind of job: a code or a word. The engine only compares statuses."""

GONE: Final = "GONE"
"""Stands for a deleted job where a status is expected. No API uses it."""


class Job(Protocol):
    """The fields of a job that the engine reads."""

    @property
    def job_id(self) -> str: ...

    @property
    def job_name(self) -> str | None: ...


JobT = TypeVar("JobT", bound=Job)


class Page(Protocol):
    """Some jobs of a list, from one response."""

    @property
    def statuses(self) -> Mapping[str, Status]:
        """Statuses by job id."""
        ...

    def fingerprint(self, job_id: str) -> Hashable:
        """Return the fingerprint of a job of this page."""
        ...

    def job(self, job_id: str) -> Job:
        """
        Return a job of this page.

        :raises ValueError: it cannot be read
        :raises OverflowError: it cannot be read
        """
        ...


class Reader(Protocol):
    """
    Reads the jobs of one kind through one client. Raises the client's errors, except for pages.

    Only :meth:`one` may be called by several threads at a time.
    """

    def one(self, job_id: str) -> Job:
        """Return a job by its id."""
        ...

    def named(self, job_name: str) -> Job:
        """Return the job of a name; raises an error if no job or several have it."""
        ...

    def find(self, job_ids: Collection[str]) -> Iterator[tuple[Page, Set[str]]]:
        """
        Read many jobs with few requests, as long as that takes fewer requests than reading them one by one.

        :return: each page, and the jobs that the pages so far should have shown but did not
        """
        ...

    def pages(self, status: Status | None = None) -> Iterator[Page]:
        """
        Yield the pages of the whole list, each when it is needed.

        :param status: only jobs in this status, if the deployment supports the filter
        """
        ...

    def pages_needed(self, job_count: int) -> int:
        """Return the number of requests that it takes to list this many jobs."""
        ...


JobT_co = TypeVar("JobT_co", bound=Job, covariant=True)


class Jobs(Protocol[JobT_co]):
    """The operations that every kind of job has, through one client. Raises the client's errors."""

    def get(self, job_id: str, /) -> JobT_co:
        """Return a job by its id."""
        ...

    def get_by_name(self, job_name: str, /) -> JobT_co:
        """Return the job of a name; raises an error if no job or several have it."""
        ...

    def ensure_stopped(self, job_id: str, /) -> str | None:
        """Stop a job. Return why if that is unnecessary: the job has ended, is being stopped, or is gone."""
        ...

    def delete(self, job_id: str, /) -> None:
        """Request the deletion of a job."""
        ...


class Kind(Protocol[JobT]):
    """
    One kind of job: its IDs, its statuses, and how messages and XComs show a job. Has no state.

    :ivar noun: the job in messages, such as ``visualization job``
    :ivar statuses: all documented statuses
    :ivar terminal: statuses that a job does not leave by itself
    :ivar stopping: statuses of a job that is being stopped
    :ivar deletion_failures: statuses that end a wait for the deletion of a job
    :ivar page_field: key of a :meth:`summary` that has the address of the job's page
    """

    noun: str
    statuses: frozenset[Status]
    terminal: frozenset[Status]
    stopping: frozenset[Status]
    deletion_failures: frozenset[Status]
    page_field: str

    def __hash__(self) -> int: ...

    def parse_job_id(self, value: object) -> str:
        """
        Return a job ID in its canonical form.

        :raises ValueError: it is not a job ID
        """
        ...

    def parse_job_name(self, value: object) -> str:
        """
        Return a job name.

        :raises ValueError: it is not a valid job name
        """
        ...

    def parse_status(self, value: object) -> Status:
        """
        Return the status of a code or a name.

        :raises ValueError: the status does not exist
        """
        ...

    def jobs(self, client: ModelArtsClient) -> Jobs[JobT]:
        """Return the operations on jobs of this kind, through a client."""
        ...

    def reader(self, client: ModelArtsClient, clock: Callable[[], float]) -> Reader:
        """
        Return a reader of jobs of this kind.

        :param client: sends the requests; the reader does not close it
        :param clock: seconds on a clock that only goes forward
        """
        ...

    def fingerprint(self, job: JobT) -> Hashable:
        """Return a value that differs if the job has changed between two polls."""
        ...

    def status_of(self, job: JobT) -> Status:
        """Return the status of a job as a plain number or word, for serialization."""
        ...

    def status_name(self, status: Status) -> str:
        """Return the name of a status, for metrics."""
        ...

    def status_label(self, status: Status) -> str:
        """Return a status as text for messages."""
        ...

    def page_url(self, job: JobT) -> str | None:
        """Return the address of the job's page, if it has one."""
        ...

    def unobserved(self, job_id: str, status: Status | None) -> JobT:
        """Return a job of which only the ID is known, and perhaps the status."""
        ...

    def summary(self, job: JobT, *, gone: bool = False) -> dict[str, Any]:
        """Return the job as XComs and events have it: a small dict of JSON types, always with the same keys."""
        ...

    def from_summary(self, summary: Any) -> JobT:
        """Return the job of a :meth:`summary`, with the fields that it has."""
        ...
