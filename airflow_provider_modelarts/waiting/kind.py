"""What engine and operators must know about a kind of job. Each kind's package in ``api/`` implements it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient

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


class Page(Protocol):
    """Some jobs of a list, as one response shows them."""

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
    Reads the jobs of one kind through one client. All errors but those of a page are the client's.

    Only :meth:`one` may be called by several threads at the same time.
    """

    def one(self, job_id: str) -> Job:
        """Return a job by its id."""
        ...

    def named(self, job_name: str) -> Job:
        """Return the one job of a name; errors if there is none or several."""
        ...

    def find(self, job_ids: Collection[str]) -> Iterator[tuple[Page, Set[str]]]:
        """
        Read many jobs with few requests, for as long as that takes fewer than asking for them one by one.

        :return: each page, and those of the jobs that the pages so far should have shown and did not
        """
        ...

    def pages(self, status: Status | None = None) -> Iterator[Page]:
        """
        Yield the whole list, each page when it is needed.

        :param status: only jobs in this status, as far as the deployment respects the filter
        """
        ...

    def pages_needed(self, job_count: int) -> int:
        """Return how many requests it takes to list so many jobs."""
        ...


JobT_co = TypeVar("JobT_co", bound=Job, covariant=True)


class Jobs(Protocol[JobT_co]):
    """The operations that every kind of job has, through one client. All errors are the client's."""

    def get(self, job_id: str, /) -> JobT_co:
        """Return a job by its id."""
        ...

    def get_by_name(self, job_name: str, /) -> JobT_co:
        """Return the one job of a name; errors if there is none or several."""
        ...

    def ensure_stopped(self, job_id: str, /) -> str | None:
        """Stop a job unless that is unnecessary, and then return why: it is over, being stopped, or gone."""
        ...

    def delete(self, job_id: str, /) -> None:
        """Request the deletion of a job."""
        ...


class Kind(Protocol[JobT]):
    """
    One kind of job: its ids, its statuses, and how a job looks to people and in XComs. Has no state.

    :ivar noun: what messages call a job, such as ``visualization job``
    :ivar statuses: all documented statuses
    :ivar terminal: statuses that a job does not leave by itself
    :ivar stopping: statuses of a job that is being stopped
    :ivar deletion_failures: statuses that end a wait for the deletion of a job
    """

    noun: str
    statuses: frozenset[Status]
    terminal: frozenset[Status]
    stopping: frozenset[Status]
    deletion_failures: frozenset[Status]

    def __hash__(self) -> int: ...

    def parse_job_id(self, value: object) -> str:
        """
        Return a job id in its one canonical form.

        :raises ValueError: it is not a job id
        """
        ...

    def parse_job_name(self, value: object) -> str:
        """
        Return the name of a job.

        :raises ValueError: no job can have it
        """
        ...

    def parse_status(self, value: object) -> Status:
        """
        Return the status that a code or a name stands for.

        :raises ValueError: there is no such status
        """
        ...

    def jobs(self, client: ModelArtsClient) -> Jobs[JobT]:
        """Return the operations on jobs of this kind, through a client."""
        ...

    def reader(self, client: ModelArtsClient, clock: Callable[[], float]) -> Reader:
        """
        Return what reads jobs of this kind.

        :param client: sends the requests; the reader does not close it
        :param clock: seconds on a clock that only goes forward
        """
        ...

    def fingerprint(self, job: JobT) -> Hashable:
        """Return what a poll compares to tell whether a job has changed."""
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
