"""The operations on visualization jobs, REST v1."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.creation import create_once
from airflow_provider_modelarts.api.errors import (
    ModelArtsAmbiguousNameError,
    ModelArtsConflictError,
    ModelArtsNotFoundError,
)
from airflow_provider_modelarts.api.http import Call, Http, Operation, Parse
from airflow_provider_modelarts.api.pages import read_pages
from airflow_provider_modelarts.api.stopping import ensure_stopped
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
from airflow_provider_modelarts.api.visualization_jobs.pages import StatusPage, VisualizationJobPage
from airflow_provider_modelarts.api.visualization_jobs.parameters import (
    ListFilters,
    ScheduleLike,
    StatusLike,
    checked_job_desc,
    checked_job_id,
    create_body,
    list_query,
)
from airflow_provider_modelarts.api.visualization_jobs.statuses import OVER, JobStatus
from airflow_provider_modelarts.choices import JobType, Order, SortField

if TYPE_CHECKING:
    from typing_extensions import Unpack

log = logging.getLogger(__name__)

T = TypeVar("T")

RESTART_SHOWS: Final = 10.0
"""Seconds for which a restarted job may still show its old status."""

_STOP_AGAIN_AFTER: Final = 1.0

_GET: Final = Operation("get", "GET", "modelarts:tensorboard:get", names_job=True)
_LIST: Final = Operation("list", "GET", "modelarts:tensorboard:list")
_CREATE: Final = Operation("create", "POST", "modelarts:tensorboard:create")
_UPDATE: Final = Operation("update", "PUT", "modelarts:tensorboard:update", names_job=True)
_STOP: Final = Operation("stop", "POST", "modelarts:tensorboard:stop", names_job=True)
_RESTART: Final = Operation("restart", "POST", "modelarts:tensorboard:restart", names_job=True)
_DELETE: Final = Operation("delete", "DELETE", "modelarts:tensorboard:delete", names_job=True)

_NOTHING: Final[Parse[None]] = Parse.data(lambda data: None)


class VisualizationJobs:
    """
    The visualization jobs of a project.

    Every operation raises `ValueError` for a parameter that the API would refuse, before anything is sent, and
    a :class:`~airflow_provider_modelarts.api.errors.ModelArtsError` for failures after that.

    :param http: sends the requests
    :param config: where ModelArts is, and the workspace
    :param project_id: returns the project; may have to look it up
    """

    def __init__(self, http: Http, config: ModelArtsConfig, project_id: Callable[[], str]) -> None:
        self._http = http
        self._config = config
        self._project_id = project_id

    def get(self, job_id: str | int) -> VisualizationJob:
        """
        Return a job (``GET /v1/{project_id}/visualization-jobs/{job_id}``).

        :raises ModelArtsNotFoundError: the job does not exist
        """
        return self._http.read(self._call(_GET, Parse.data(VisualizationJob.from_api), checked_job_id(job_id)))

    def list_page(
        self,
        *,
        status: StatusLike | None = None,
        per_page: int = 100,
        page: int = 1,
        sort_by: SortField = "job_id",
        order: Order = "asc",
        search_content: str | None = None,
        workspace_id: str | None = None,
    ) -> VisualizationJobPage:
        """
        Return one page of the jobs (``GET /v1/{project_id}/visualization-jobs``).

        :param status: only jobs in this status
        :param per_page: 1 to 1000; old deployments refuse more than 100
        :param page: counted from 1
        :param sort_by: ``job_id``, ``job_name``, ``job_desc``, ``create_time`` or ``status``
        :param order: ``asc`` or ``desc``
        :param search_content: text to search for, at most 64 characters; the API does not document in which fields
        :param workspace_id: by default the configured one, else the API's own default
        """
        query = list_query(
            status=status,
            per_page=per_page,
            page=page,
            sort_by=sort_by,
            order=order,
            search_content=search_content,
            workspace_id=workspace_id or self._config.workspace_id,
        )
        found = self._http.read(self._call(_LIST, Parse.data(VisualizationJobPage.from_api), query=query))
        if (left_out := found.row_count - len(found.jobs)) > 0:
            log.warning("%d of %d jobs on page %d of the list cannot be read", left_out, found.row_count, page)
        return found

    def list_all(self, *, per_page: int = 100, **filters: Unpack[ListFilters]) -> Iterator[VisualizationJob]:
        """
        Yield the jobs of all pages, each page when it is needed, each job once.

        If a job is deleted during this, another job may shift to a page that was already read.

        :param filters: as for :meth:`list_page`, but for ``page``
        """
        seen: set[str] = set()
        for page in read_pages(lambda number: self.list_page(per_page=per_page, page=number, **filters)):
            new = {job.job_id: job for job in page.jobs if job.job_id not in seen}
            yield from new.values()
            seen.update(new)

    def find(self, job_name: str) -> VisualizationJob | None:
        """
        Return the job of exactly this name; None if there is none, and the newest if there are several.

        The API has no such operation: the list is searched.
        """
        found = self.list_all(search_content=job_name, order="desc")
        return next((job for job in found if job.job_name == job_name), None)

    def get_by_name(self, job_name: str) -> VisualizationJob:
        """
        Return the one job of exactly this name. The API has no such operation: the list is searched.

        :raises ModelArtsNotFoundError: no job has the name
        :raises ModelArtsAmbiguousNameError: several jobs have it
        """
        listed = self.list_all(search_content=job_name, order="desc")
        jobs = [job for job in listed if job.job_name == job_name]
        if not jobs:
            raise ModelArtsNotFoundError(
                f"There is no visualization job with the name {job_name!r}. Check the job_name, and the project_id, "
                "region and workspace_id that are used."
            )
        if len(jobs) > 1:
            job_ids = ", ".join(job.job_id for job in jobs[:10])
            raise ModelArtsAmbiguousNameError(
                f"{len(jobs)} visualization jobs have the name {job_name!r}: {job_ids}. Give the job_id instead."
            )
        return jobs[0]

    def list_statuses(self, *, per_page: int, page: int, status: StatusLike | None = None) -> StatusPage:
        """
        Return the statuses of one page of the jobs, newest first; cheap to read, for polls of many jobs.

        :param per_page: 1 to 1000; old deployments refuse more than 100
        :param page: counted from 1
        :param status: only jobs in this status
        """
        query = list_query(
            status=status,
            per_page=per_page,
            page=page,
            sort_by="job_id",
            order="desc",
            search_content=None,
            workspace_id=self._config.workspace_id,
        )
        parse = Parse(lambda response: StatusPage.from_api(response.data, response.body), StatusPage.loads)
        return self._http.read(self._call(_LIST, parse, query=query))

    def create(
        self,
        *,
        job_name: str,
        train_url: str,
        job_desc: str | None = None,
        job_type: JobType = "tensorboard",
        flavor: str | None = None,
        schedule: ScheduleLike | None = None,
    ) -> VisualizationJob:
        """
        Create a job (``POST /v1/{project_id}/visualization-jobs``) and return it in its first status.

        If the response is lost, the job is searched for by its exact name before the request is sent again.

        :param job_name: 1 to 20 letters, digits, ``_`` or ``-``; not that of another job
        :param train_url: OBS directory ``/bucket/dir/`` or ``obs://bucket/dir/`` with the files to show
        :param job_desc: at most 256 characters
        :param job_type: ``tensorboard`` or ``mindinsight``
        :param flavor: code of the resource flavor; not needed
        :param schedule: auto stop after 1 to 24 hours; a running job is billed until it is stopped
        :raises ModelArtsNameTakenError: another job has the name
        """
        body = create_body(
            job_name=job_name,
            train_url=train_url,
            job_desc=job_desc,
            job_type=job_type,
            flavor=flavor,
            schedule=schedule,
            workspace_id=self._config.workspace_id,
        )
        parse = Parse.data(lambda data: VisualizationJob.from_api({**body, **data}))
        call = self._call(_CREATE, parse, body=body)
        return create_once(
            self._http,
            call,
            lambda: self.find(job_name),
            lambda job: job.shows(body["train_url"]),
        )

    def update(self, job_id: str | int, *, job_desc: str) -> None:
        """
        Change the description of a job (``PUT /v1/{project_id}/visualization-jobs/{job_id}``).

        :param job_desc: at most 256 characters; nothing else of a job can be changed
        """
        body = {"job_desc": checked_job_desc(job_desc)}
        self._http.write(self._call(_UPDATE, _NOTHING, checked_job_id(job_id), body=body))

    def stop(self, job_id: str | int) -> None:
        """
        Request that a job is stopped (``POST …/{job_id}/stop``); it is over when its status is one of ``ENDED``.

        :raises ModelArtsConflictError: its status does not allow it; it may be over, or be coming to its end
        """
        self._http.write(self._call(_STOP, _NOTHING, f"{checked_job_id(job_id)}/stop"))

    def ensure_stopped(self, job_id: str | int, *, restarted: bool = False) -> str | None:
        """
        Stop a job unless it is over, being stopped, or gone.

        :param restarted: whether the job was restarted just now. While it still shows its old status, the API refuses
            to stop it: the request is repeated for ``RESTART_SHOWS``
        :return: None if the API accepted the request; else why it was unnecessary, such as "is KILLED already"
        :raises ModelArtsError: the job could not be stopped, and may still run
        """
        ends = {JobStatus.KILLING} if restarted else OVER | {JobStatus.KILLING}

        def get_end() -> str | None:
            job = self.get(job_id)
            return job.status_name if job.status in ends else None

        attempts_left = round(RESTART_SHOWS / _STOP_AGAIN_AFTER) if restarted else 0
        while True:
            try:
                return ensure_stopped(lambda: self.stop(job_id), get_end)
            except ModelArtsConflictError:
                if not attempts_left:
                    raise
            attempts_left -= 1
            self._http.sleep(_STOP_AGAIN_AFTER)

    def restart(self, job_id: str | int) -> None:
        """
        Request that a stopped job is started again (``POST …/{job_id}/restart``). It keeps its ID.

        :raises ModelArtsConflictError: its status does not allow it
        """
        self._http.write(self._call(_RESTART, _NOTHING, f"{checked_job_id(job_id)}/restart"))

    def delete(self, job_id: str | int) -> None:
        """
        Request that a job is deleted (``DELETE …/{job_id}``); it is gone when it is not found any more.

        :raises ModelArtsConflictError: its status does not allow it
        :raises ModelArtsNotFoundError: the job does not exist
        """
        call = self._call(_DELETE, _NOTHING, checked_job_id(job_id))
        self._http.write(call, carried_out=ModelArtsNotFoundError)

    def _call(
        self,
        operation: Operation,
        parse: Parse[T],
        path: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Call[T]:
        """
        Return a call for the jobs of the project.

        :param path: the end of the URL, after ``visualization-jobs/``
        """
        project_id = self._project_id()
        url = f"{self._config.endpoint}/v1/{project_id}/visualization-jobs"
        return Call(operation, f"{url}/{path}" if path else url, parse, query, body, project_id)
