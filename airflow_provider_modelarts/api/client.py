"""The seven operations on visualization jobs, over one kept session, with retries that never make a second job."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import pendulum
import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from airflow_provider_modelarts.api.answers import Answer, error_in, malformed
from airflow_provider_modelarts.api.auth import OnSecret, auth_for
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.errors import (
    ModelArtsAuthenticationError,
    ModelArtsConfigurationError,
    ModelArtsError,
    ModelArtsNameTakenError,
    ModelArtsNotFoundError,
)
from airflow_provider_modelarts.api.metrics import REQUESTS, Metrics, NoMetrics
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
from airflow_provider_modelarts.api.transport import Session, answer_of, connection_error

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_ATTEMPTS: Final = 4
MAX_RETRY_AFTER: Final = 60.0
"""Seconds; a server that asks for more is not asked again here, the error says for how long it wants to be left."""

_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "update": "PUT",
    "stop": "POST",
    "restart": "POST",
    "delete": "DELETE",
    "projects": "GET",
}
_BACKOFF: Final = wait_exponential(multiplier=0.5, max=8) + wait_random(0, 0.5)
_CLOCK_SKEW: Final = pendulum.duration(minutes=15)
"""The gateway refuses signatures of clocks that are further off."""


@dataclass(frozen=True)
class _Parse(Generic[T]):
    """How an answer is read: how its JSON is decoded, and what is made of it."""

    read: Callable[[Answer], T]
    loads: Callable[[bytes], Any] = json.loads

    @classmethod
    def data(cls, read: Callable[[Mapping[str, Any]], T]) -> _Parse[T]:
        """Return how to make something of the decoded body."""
        return cls(lambda answer: read(answer.data))


class ModelArtsClient:
    """
    Client of ModelArts' visualization jobs, REST v1. May be used by several threads.

    Every operation raises `ValueError` for a parameter that the API would refuse, before anything is sent, and
    a :class:`~airflow_provider_modelarts.api.errors.ModelArtsError` for what goes wrong after that. Requests are
    repeated on connection errors, 429 and 5xx; to create a job only after looking whether that has happened already.

    :param config: where ModelArts is and who calls
    :param on_secret: told of each token or temporary key that comes up, before it is used
    :param sleep: how to wait between attempts, in seconds
    :param metrics: what counts the requests
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
        self._sleep = sleep
        self._session = Session(verify=config.verify, proxies=config.proxies)
        self._auth = auth_for(config, self._session, on_secret)
        self._project_id = config.project_id
        if config.verify is False:
            log.warning("TLS certificates of %s are not verified, as the connection says", config.endpoint)

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

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
            self._project_id = self._auth.project_id() or self._project_of_region()
        return self._project_id

    def get_visualization_job(self, job_id: str | int) -> VisualizationJob:
        """
        Return a job (``GET /v1/{project_id}/visualization-jobs/{job_id}``).

        :raises ModelArtsNotFoundError: there is no such job
        """
        return self._read("get", self._jobs_url(checked_job_id(job_id)), _Parse.data(VisualizationJob.from_api))

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
        found = self._read("list", self._jobs_url(), _Parse.data(VisualizationJobPage.from_api), query)
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
        parse = _Parse(lambda answer: StatusPage.from_api(answer.data, answer.body), StatusPage.loads)
        return self._read("list", self._jobs_url(), parse, query)

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
        url = self._jobs_url()
        earliest = pendulum.now("UTC") - _CLOCK_SKEW
        lost: ModelArtsError | None = None

        parse = _Parse.data(lambda data: VisualizationJob.from_api({**body, **data}))

        def attempt() -> VisualizationJob:
            nonlocal lost
            created = self._find_created(body, earliest, lost) if lost else None
            if created is not None:
                return created
            try:
                return self._exchange("create", url, parse, body=body)
            except ModelArtsNameTakenError:
                # An earlier attempt whose answer was lost may have become visible only now.
                created = self._find_created(body, earliest, lost) if lost else None
                if created is None:
                    raise
                return created
            except ModelArtsError as error:
                lost = error if error.may_have_happened else lost
                raise

        return self._repeated(attempt, lambda error: error.retryable)

    def update_visualization_job(self, job_id: str | int, *, job_desc: str) -> None:
        """
        Change the description of a job (``PUT /v1/{project_id}/visualization-jobs/{job_id}``).

        :param job_desc: at most 256 characters; nothing else of a job can be changed
        """
        body = {"job_desc": checked_job_desc(job_desc)}
        self._write("update", self._jobs_url(checked_job_id(job_id)), body)

    def stop_visualization_job(self, job_id: str | int) -> None:
        """
        Ask for a job to be stopped (``POST …/{job_id}/stop``); it is over when its status is one of ``ENDED``.

        :raises ModelArtsConflictError: its status does not allow it; it may be over, or be coming to its end
        """
        self._write("stop", f"{self._jobs_url(checked_job_id(job_id))}/stop")

    def restart_visualization_job(self, job_id: str | int) -> None:
        """
        Ask for a stopped job to be started again (``POST …/{job_id}/restart``). It keeps its id.

        :raises ModelArtsConflictError: its status does not allow it
        """
        self._write("restart", f"{self._jobs_url(checked_job_id(job_id))}/restart")

    def delete_visualization_job(self, job_id: str | int) -> None:
        """
        Ask for a job to be deleted (``DELETE …/{job_id}``); it is gone when it is not found any more.

        :raises ModelArtsConflictError: its status does not allow it
        :raises ModelArtsNotFoundError: there is no such job
        """
        self._write("delete", self._jobs_url(checked_job_id(job_id)), carried_out=ModelArtsNotFoundError)

    def _jobs_url(self, job_id: str = "") -> str:
        url = f"{self._config.endpoint}/v1/{self.project_id}/visualization-jobs"
        return f"{url}/{job_id}" if job_id else url

    def _project_of_region(self) -> str:
        """Look the project up by its name, which is the region's (IAM, ``GET /v3/projects``)."""
        region = self._config.region
        if not region:
            raise ModelArtsConfigurationError("project_id: needed, unless region names the project")

        def named_ids(data: Mapping[str, Any]) -> list[str]:
            return [str(project["id"]) for project in data["projects"] if project["name"] == region]

        ids = self._read("projects", f"{self._config.iam_url}/v3/projects", _Parse.data(named_ids), {"name": region})
        if len(ids) != 1:
            found = f"{len(ids)} projects ({', '.join(ids)})" if ids else "no project"
            raise ModelArtsConfigurationError(f"project_id: needed, IAM knows {found} of the name {region!r}")
        return ids[0]

    def _find_created(
        self, body: Mapping[str, Any], earliest: pendulum.DateTime, lost: ModelArtsError
    ) -> VisualizationJob | None:
        """
        Return the job that a create request with a lost answer made; an older job of that name is not it.

        :raises ModelArtsError: the one of the create request, when the jobs cannot be listed
        """
        try:
            job = self.find_visualization_job(body["job_name"])
        except ModelArtsError as error:
            log.warning("Whether job %s was created cannot be looked up. %s", body["job_name"], error)
            raise lost from error
        if job is None or not job.shows(body["train_url"]):
            return None
        if job.create_time is not None and job.create_time < earliest:
            return None
        log.info("The answer to creating job %s was lost, but the job is there: %s", job.job_name, job.job_id)
        return job

    def _read(self, operation: str, url: str, parse: _Parse[T], query: Mapping[str, str] | None = None) -> T:
        return self._repeated(lambda: self._exchange(operation, url, parse, query=query), lambda error: error.retryable)

    def _write(
        self,
        operation: str,
        url: str,
        body: Mapping[str, Any] | None = None,
        *,
        carried_out: type[ModelArtsError] | None = None,
    ) -> None:
        """
        Change a job. Done twice, each of these changes is what it is when it is done once, so a lost answer is no
        reason not to ask again.

        :param carried_out: refusal which, after a lost answer, means that the request was carried out
        :raises ModelArtsError: ``may_have_happened`` holds for all attempts together
        """
        lost = False

        def attempt() -> None:
            nonlocal lost
            try:
                self._exchange(operation, url, _Parse.data(lambda data: None), body=body)
            except ModelArtsError as error:
                if lost and carried_out is not None and isinstance(error, carried_out):
                    log.info("The answer to an earlier attempt was lost, but it was carried out. %s", error)
                    return
                if lost:
                    error.doubt()
                lost = error.may_have_happened
                raise

        self._repeated(attempt, lambda error: error.retryable)

    def _repeated(self, call: Callable[[], T], worth_repeating: Callable[[ModelArtsError], bool]) -> T:
        """Return what a call returns, calling it again, a few times, as long as its error is worth that."""

        def again(error: BaseException) -> bool:
            if not isinstance(error, ModelArtsError) or (error.retry_after or 0) > MAX_RETRY_AFTER:
                return False
            return worth_repeating(error)

        retrying = Retrying(
            retry=retry_if_exception(again),
            stop=stop_after_attempt(MAX_ATTEMPTS),
            wait=_delay,
            sleep=self._sleep,
            before_sleep=_log_repetition,
            reraise=True,
        )
        return retrying(call)

    def _exchange(
        self,
        operation: str,
        url: str,
        parse: _Parse[T],
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> T:
        """Send a request, and once more when its token was refused and a new one can be had; read the answer."""
        answer, request = self._send(operation, url, parse, query, body)
        failure = error_in(answer)
        if isinstance(failure, ModelArtsAuthenticationError) and self._auth.renew(request):
            log.info("The IAM token was refused (%s); getting a new one", failure.error_code or failure.status_code)
            answer, _ = self._send(operation, url, parse, query, body)
            failure = error_in(answer)
        if failure is not None:
            raise failure
        if not isinstance(answer.data, Mapping):
            raise malformed(answer, "the body is no JSON object")
        try:
            return parse.read(answer)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            # What it could not be read as may hold anything, and is said already.
            raise malformed(answer, f"it cannot be read ({error})") from None

    def _send(
        self,
        operation: str,
        url: str,
        parse: _Parse[T],
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
    ) -> tuple[Answer, requests.PreparedRequest]:
        method = _METHODS[operation]
        config = self._config
        headers = {"Content-Type": "application/json"}
        if operation != "projects":
            headers["X-Project-Id"] = self.project_id
        try:
            response = self._session.request(
                method,
                _with_query(url, query),
                headers=headers,
                data=None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
                auth=self._auth,
                timeout=(config.connect_timeout, config.read_timeout),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            self._count(operation, 0)
            raise connection_error(error, method=method, url=url, secrets=config.secrets) from error
        self._count(operation, response.status_code)
        action = f"modelarts:tensorboard:{operation}" if operation != "projects" else "iam:projects:listProjects"
        names_job = operation not in ("create", "list", "projects")
        answer = answer_of(
            response, action=action, names_job=names_job, extra_secrets=config.secrets, loads=parse.loads
        )
        return answer, response.request

    def _count(self, operation: str, status_code: int) -> None:
        self.metrics.incr(REQUESTS, tags={"operation": operation, "status": str(status_code)})


def _with_query(url: str, query: Mapping[str, str] | None) -> str:
    """Return the URL with its query in canonical form; `requests` leaves that alone, so what is signed is sent."""
    if not query:
        return url
    return f"{url}?" + "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query))


def _delay(state: RetryCallState) -> float:
    """Return the seconds until the next attempt: what the server asks for, else exponential with jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ModelArtsError) else None
    return max(asked or 0.0, _BACKOFF(state))


def _log_repetition(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    delay = state.next_action.sleep if state.next_action else 0.0
    log.info("%s Trying again in %.1f s (attempt %d of %d)", error, delay, state.attempt_number + 1, MAX_ATTEMPTS)
