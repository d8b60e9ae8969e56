"""The seven operations on visualization jobs, with retries that never make a second job."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, TypeVar

from airflow_provider_modelarts.api.auth import OnSecret
from airflow_provider_modelarts.api.config import ModelArtsConfig, checked_project_id
from airflow_provider_modelarts.api.creation import create_once
from airflow_provider_modelarts.api.errors import (
    ModelArtsConfigurationError,
    ModelArtsNotFoundError,
)
from airflow_provider_modelarts.api.fields import printable
from airflow_provider_modelarts.api.http import Call, Http, Operation, Parse
from airflow_provider_modelarts.api.metrics import Metrics, NoMetrics
from airflow_provider_modelarts.api.models import StatusPage, VisualizationJob, VisualizationJobPage
from airflow_provider_modelarts.api.pages import read_pages
from airflow_provider_modelarts.api.parameters import (
    ScheduleLike,
    StatusLike,
    checked_job_desc,
    checked_job_id,
    create_body,
    list_query,
)
from airflow_provider_modelarts.api.training_jobs.operations import TrainingJobs

log = logging.getLogger(__name__)

T = TypeVar("T")

_GET: Final = Operation("get", "GET", "modelarts:tensorboard:get", names_job=True)
_LIST: Final = Operation("list", "GET", "modelarts:tensorboard:list")
_CREATE: Final = Operation("create", "POST", "modelarts:tensorboard:create")
_UPDATE: Final = Operation("update", "PUT", "modelarts:tensorboard:update", names_job=True)
_STOP: Final = Operation("stop", "POST", "modelarts:tensorboard:stop", names_job=True)
_RESTART: Final = Operation("restart", "POST", "modelarts:tensorboard:restart", names_job=True)
_DELETE: Final = Operation("delete", "DELETE", "modelarts:tensorboard:delete", names_job=True)
_PROJECTS: Final = Operation("projects", "GET", "iam:projects:listProjects", is_login=True)

_NOTHING: Final[Parse[None]] = Parse.data(lambda data: None)


class ModelArtsClient:
    """
    Client of ModelArts' visualization jobs, REST v1, and training jobs, REST v2. May be used by several threads.

    Every operation raises `ValueError` for a parameter that the API would refuse, before anything is sent, and
    a :class:`~airflow_provider_modelarts.api.errors.ModelArtsError` for what goes wrong after that. Requests are
    repeated on connection errors, 429 and 5xx; to create a job only after looking whether that has happened already.

    :param config: where ModelArts is and who calls
    :param on_secret: told of each token or temporary key that comes up, before it is used
    :param sleep: how to wait between attempts, in seconds
    :param metrics: what counts the requests
    :ivar training_jobs: the operations on training jobs
    """

    def __init__(
        self,
        config: ModelArtsConfig,
        *,
        on_secret: OnSecret = lambda secret: None,
        sleep: Callable[[float], None] = time.sleep,
        metrics: Metrics | None = None,
    ) -> None:
        self.metrics: Metrics = metrics or NoMetrics()
        self._config = config
        self._http = Http(config, on_secret=on_secret, sleep=sleep, metrics=self.metrics)
        self._project_id = config.project_id
        self.training_jobs = TrainingJobs(self._http, config, lambda: self.project_id)
        if config.verify is False:
            log.warning("TLS certificates of %s are not verified, as the connection says", config.endpoint)

    def close(self) -> None:
        """Close the kept connections."""
        self._http.close()

    def __enter__(self) -> ModelArtsClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def calls_like(self, other: ModelArtsClient) -> bool:
        """Return whether both call with the same credentials; what the credential chain finds may differ any time."""
        return self._config == other._config and bool(self._config.login)

    @property
    def project_id(self) -> str:
        """
        Project in use: the configured one, the one that the credentials name, or the one called like the region.

        :raises ModelArtsError: it has to be asked for, and that failed
        :raises ModelArtsConfigurationError: there is not exactly one project of the region's name
        """
        if self._project_id is None:
            with self._http.naming_ignored_fields():
                # It goes into every URL, whoever names it.
                self._project_id = checked_project_id(self._http.auth.project_id() or self._project_of_region())
        return self._project_id

    def get_visualization_job(self, job_id: str | int) -> VisualizationJob:
        """
        Return a job (``GET /v1/{project_id}/visualization-jobs/{job_id}``).

        :raises ModelArtsNotFoundError: there is no such job
        """
        return self._http.read(self._call(_GET, Parse.data(VisualizationJob.from_api), checked_job_id(job_id)))

    def list_visualization_jobs(
        self,
        *,
        status: StatusLike | None = None,
        per_page: int = 100,
        page: int = 1,
        sort_by: str = "job_id",
        order: str = "asc",
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
        :param search_content: text to look for, at most 64 characters; what it is looked for in is not documented
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

    def iter_visualization_jobs(self, *, per_page: int = 100, **filters: Any) -> Iterator[VisualizationJob]:
        """
        Yield the jobs of all pages, each page when it is needed, each job once.

        A job that is deleted meanwhile can shift another one past the page that would have shown it.

        :param filters: as for :meth:`list_visualization_jobs`, but for ``page``
        """
        seen: set[str] = set()
        for page in read_pages(lambda number: self.list_visualization_jobs(per_page=per_page, page=number, **filters)):
            new = {job.job_id: job for job in page.jobs if job.job_id not in seen}
            yield from new.values()
            seen.update(new)

    def find_visualization_job(self, job_name: str) -> VisualizationJob | None:
        """
        Return the job of exactly this name, None when there is none; the newest, should there be several.

        The API has no such operation: the list is searched.
        """
        found = self.iter_visualization_jobs(search_content=job_name, order="desc")
        return next((job for job in found if job.job_name == job_name), None)

    def list_job_statuses(self, *, per_page: int, page: int, status: StatusLike | None = None) -> StatusPage:
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

    def create_visualization_job(
        self,
        *,
        job_name: str,
        train_url: str,
        job_desc: str | None = None,
        job_type: str = "tensorboard",
        flavor: str | None = None,
        schedule: ScheduleLike | None = None,
    ) -> VisualizationJob:
        """
        Create a job (``POST /v1/{project_id}/visualization-jobs``) and return it as it is at first.

        When the answer is lost, the job is looked up by its exact name before anything is sent again.

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
            lambda: self.find_visualization_job(job_name),
            lambda job: job.shows(body["train_url"]),
        )

    def update_visualization_job(self, job_id: str | int, *, job_desc: str) -> None:
        """
        Change the description of a job (``PUT /v1/{project_id}/visualization-jobs/{job_id}``).

        :param job_desc: at most 256 characters; nothing else of a job can be changed
        """
        body = {"job_desc": checked_job_desc(job_desc)}
        self._http.write(self._call(_UPDATE, _NOTHING, checked_job_id(job_id), body=body))

    def stop_visualization_job(self, job_id: str | int) -> None:
        """
        Ask for a job to be stopped (``POST …/{job_id}/stop``); it is over when its status is one of ``ENDED``.

        :raises ModelArtsConflictError: its status does not allow it; it may be over, or be coming to its end
        """
        self._http.write(self._call(_STOP, _NOTHING, f"{checked_job_id(job_id)}/stop"))

    def restart_visualization_job(self, job_id: str | int) -> None:
        """
        Ask for a stopped job to be started again (``POST …/{job_id}/restart``). It keeps its id.

        :raises ModelArtsConflictError: its status does not allow it
        """
        self._http.write(self._call(_RESTART, _NOTHING, f"{checked_job_id(job_id)}/restart"))

    def delete_visualization_job(self, job_id: str | int) -> None:
        """
        Ask for a job to be deleted (``DELETE …/{job_id}``); it is gone when it is not found any more.

        :raises ModelArtsConflictError: its status does not allow it
        :raises ModelArtsNotFoundError: there is no such job
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

        :param path: what comes behind ``visualization-jobs/``
        """
        url = f"{self._config.endpoint}/v1/{self.project_id}/visualization-jobs"
        return Call(operation, f"{url}/{path}" if path else url, parse, query, body, self.project_id)

    def _project_of_region(self) -> str:
        """Look the project up by its name, which is the region's (IAM, ``GET /v3/projects``)."""
        region = self._config.region
        if not region:
            raise ModelArtsConfigurationError("project_id: needed, unless region names the project")

        def named_ids(data: Mapping[str, Any]) -> list[str]:
            return [str(project["id"]) for project in data["projects"] if project["name"] == region]

        url = f"{self._config.iam_url}/v3/projects"
        ids = self._http.read(Call(_PROJECTS, url, Parse.data(named_ids), {"name": region}))
        if len(ids) != 1:
            found = f"{len(ids)} projects ({printable(', '.join(ids), 200)})" if ids else "no project"
            raise ModelArtsConfigurationError(f"project_id: needed, because IAM has {found} of the name {region!r}")
        return ids[0]
