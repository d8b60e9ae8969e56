"""The operations on training jobs, REST v2."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_provider_modelarts.api import checks
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.creation import create_once
from airflow_provider_modelarts.api.errors import ModelArtsBadRequestError, ModelArtsNotFoundError
from airflow_provider_modelarts.api.fields import Fields
from airflow_provider_modelarts.api.http import Call, Http, Operation, Parse
from airflow_provider_modelarts.api.pages import read_pages
from airflow_provider_modelarts.api.stopping import ensure_stopped
from airflow_provider_modelarts.api.training_jobs.body import environment_secrets
from airflow_provider_modelarts.api.training_jobs.logs import LOG_START, JobEvent, LogLines, LogPosition, LogPreview
from airflow_provider_modelarts.api.training_jobs.models import TrainingJob, TrainingJobPage
from airflow_provider_modelarts.api.training_jobs.offsets import Offsets
from airflow_provider_modelarts.api.training_jobs.parameters import (
    FLAVOR_TYPES,
    MAX_EVENTS_PER_PAGE,
    MAX_FILTER_VALUES,
    MAX_LOG_LINES,
    MAX_PER_PAGE,
    Filter,
    FilterLike,
    Search,
    checked_job_id,
    checked_job_ids,
    checked_job_name,
    checked_task,
    checked_workspace_id,
    events_query,
    log_lines_query,
    search_body,
    update_body,
)
from airflow_provider_modelarts.api.training_jobs.resources import Engine, Flavor, Quota
from airflow_provider_modelarts.choices import EventLevel, FlavorType, Order

if TYPE_CHECKING:
    from typing_extensions import Unpack

log = logging.getLogger(__name__)

T = TypeVar("T")


def _operation(name: str, method: str, action: str, **about: bool) -> Operation:
    return Operation(f"training.{name}", method, f"modelarts:trainJob:{action}" if action else "", **about)


_CREATE: Final = _operation("create", "POST", "create")
_GET: Final = _operation("get", "GET", "get", names_job=True)
_SEARCH: Final = _operation("search", "POST", "list", is_search=True)
_UPDATE: Final = _operation("update", "PUT", "update", names_job=True)
# The documentation names two different actions for terminating a job.
_TERMINATE: Final = _operation("terminate", "POST", "", names_job=True)
_DELETE: Final = _operation("delete", "DELETE", "delete", names_job=True)
_CHECK_NAME: Final = _operation("check_name", "GET", "get")
_LOG_PREVIEW: Final = _operation("log_preview", "GET", "get", names_job=True)
_LOG_URL: Final = _operation("log_url", "GET", "logExport", names_job=True)
_LOG_LINES: Final = _operation("log_lines", "GET", "get", names_job=True)
_EVENTS: Final = _operation("events", "GET", "get", names_job=True)
_METRICS: Final = _operation("metrics", "GET", "get", names_job=True)
_ENGINES: Final = _operation("engines", "GET", "list")
_FLAVORS: Final = _operation("flavors", "GET", "list")
_QUOTAS: Final = _operation("quotas", "GET", "getQuotas")

_NO_LOG_YET: Final = "ModelArts.2818"

_NOTHING: Final[Parse[None]] = Parse(lambda response: None, may_be_empty=True)


class TrainingJobs:
    """
    The training jobs of a project.

    Every operation raises `ValueError` before it sends anything if the API would refuse a parameter, and
    a :class:`~airflow_provider_modelarts.api.errors.ModelArtsError` if the request fails.

    :param http: sends the requests
    :param config: where ModelArts is, and the workspace
    :param project_id: returns the project, which may take a request
    """

    def __init__(self, http: Http, config: ModelArtsConfig, project_id: Callable[[], str]) -> None:
        self._http = http
        self._config = config
        self._project_id = project_id
        console_url = config.console_url
        self._job = Parse.data(lambda data: TrainingJob.from_api(data, console_url))
        self._page = Parse(lambda response: TrainingJobPage.from_api(response.data, response.body, console_url))

    def create(self, body: Mapping[str, Any]) -> TrainingJob:
        """
        Create a job (``POST /v2/{project_id}/training-jobs``) and return its initial state.

        If the response is lost, the job is looked up by its exact name before the request is sent again.

        :param body: what :func:`~.body.create_body` returns
        :raises ModelArtsNameTakenError: another job has the name
        :raises ModelArtsQuotaError: a quota is used up; trying again later may help
        """
        metadata = {"workspace_id": self._config.workspace_id, **body["metadata"]}
        workspace_id = metadata["workspace_id"]
        if workspace_id is None:
            del metadata["workspace_id"]
        secrets = environment_secrets(body.get("algorithm", {}).get("environments"))
        call = self._call(_CREATE, "training-jobs", self._job, body={**body, "metadata": metadata}, secrets=secrets)
        return create_once(self._http, call, lambda: self.find(metadata["name"], workspace_id=workspace_id))

    def get(self, job_id: str) -> TrainingJob:
        """
        Return a job (``GET /v2/{project_id}/training-jobs/{training_job_id}``).

        :raises ModelArtsNotFoundError: the job does not exist
        """
        return self._http.read(self._job_call(_GET, job_id, "", self._job))

    def search_page(
        self,
        *,
        filters: Iterable[FilterLike] = (),
        limit: int = MAX_PER_PAGE,
        offset: int = 0,
        order: Order = "desc",
        workspace_id: str | None = None,
    ) -> TrainingJobPage:
        """
        Return one page of the jobs of a workspace (``POST /v2/{project_id}/training-job-searches``).

        :param filters: conditions that all must hold, at most 20
        :param limit: jobs per page, 1 to 50
        :param offset: number of the page from 0; :meth:`search_pages` also handles deployments that count jobs
        :param order: ``desc``, newest first, or ``asc``
        :param workspace_id: by default the configured one, else the default workspace
        """
        body = search_body(
            filters=filters,
            limit=limit,
            offset=offset,
            order=order,
            workspace_id=workspace_id or self._config.workspace_id,
        )
        found = self._http.read(self._call(_SEARCH, "training-job-searches", self._page, body=body))
        if (left_out := found.row_count - len(found.statuses)) > 0:
            log.warning("%d of %d jobs on a page of training jobs cannot be read", left_out, found.row_count)
        return found

    def search_pages(self, **search: Unpack[Search]) -> Iterator[TrainingJobPage]:
        """
        Yield all pages of a search, fetching each on demand.

        :param search: as for :meth:`search_page`, but for ``offset``
        """
        search["filters"] = tuple(search.get("filters", ()))
        offsets = Offsets(lambda offset: self.search_page(offset=offset, **search))
        return read_pages(offsets.page)

    def search(self, **search: Unpack[Search]) -> Iterator[TrainingJob]:
        """
        Yield the jobs of all pages, each once, fetching pages on demand.

        :param search: as for :meth:`search_page`, but for ``offset``
        """
        yielded: set[str] = set()
        for page in self.search_pages(**search):
            yield from (job for job_id, job in page.jobs.items() if job_id not in yielded)
            yielded.update(page.job_ids)

    def search_by_ids(self, job_ids: Iterable[str], *, workspace_id: str | None = None) -> dict[str, TrainingJob]:
        """
        Return the jobs of these IDs that the search shows, by ID: one request for ten. It may miss new jobs.

        :param workspace_id: by default the configured one, else the default workspace
        """
        checked = checked_job_ids(job_ids)
        found: dict[str, TrainingJob] = {}
        for start in range(0, len(checked), MAX_FILTER_VALUES):
            wanted = Filter("id", "in", tuple(checked[start : start + MAX_FILTER_VALUES]))
            found |= self.search_page(filters=[wanted], limit=MAX_FILTER_VALUES, workspace_id=workspace_id).jobs
        return {job_id: found[job_id] for job_id in checked if job_id in found}

    def find(self, job_name: str, *, workspace_id: str | None = None) -> TrainingJob | None:
        """
        Return the job of exactly this name; None if the search does not show it. It may miss a new job.

        :param workspace_id: by default the configured one, else the default workspace
        """
        named = Filter("name", "like", (checked_job_name(job_name),))
        found = self.search(filters=[named], workspace_id=workspace_id)
        return next((job for job in found if job.job_name == job_name), None)

    def get_by_name(self, job_name: str) -> TrainingJob:
        """
        Return the job of exactly this name.

        :raises ModelArtsNotFoundError: the search shows no such job
        """
        job = self.find(job_name)
        if job is None:
            raise ModelArtsNotFoundError(
                f"There is no training job with the name {job_name!r}. Check the job_name, and the project_id, region "
                "and workspace_id that are used."
            )
        return job

    def update(self, job_id: str, *, description: str | None = None, body: Mapping[str, Any] | None = None) -> None:
        """
        Change a job (``PUT …/{training_job_id}``).

        :param description: at most 256 characters
        :param body: other fields of the API, such as ``{"spec": {"schedule_policy": {"priority": 3}}}``
        """
        changes = update_body(description=description, body=body)
        self._http.write(self._job_call(_UPDATE, job_id, "", _NOTHING, body=changes))

    def terminate(self, job_id: str) -> None:
        """
        Request that a job be terminated (``POST …/{training_job_id}/actions``). It ends in a terminal phase.

        :raises ModelArtsConflictError: its phase does not allow it: the job may have ended, or be about to end
        """
        body = {"action_type": "terminate"}
        self._http.write(self._job_call(_TERMINATE, job_id, "/actions", _NOTHING, body=body))

    def ensure_stopped(self, job_id: str) -> str | None:
        """Terminate a job unless it has ended, is being terminated, or is gone; if so, return which."""
        return ensure_stopped(lambda: self.terminate(job_id), lambda: self.get(job_id).end)

    def delete(self, job_id: str) -> None:
        """
        Request that a job be deleted (``DELETE …/{training_job_id}``). It is gone once the API no longer finds it.

        :raises ModelArtsNotFoundError: the job does not exist
        """
        self._http.write(self._job_call(_DELETE, job_id, "", _NOTHING), carried_out=ModelArtsNotFoundError)

    def is_name_taken(self, job_name: str, *, workspace_id: str | None = None) -> bool:
        """Return whether a job has this name (``GET /v2/{project_id}/training-job-names``)."""
        query = {"job_name": checked_job_name(job_name)}
        workspace_id = workspace_id or self._config.workspace_id
        if workspace_id is not None:
            query["workspace_id"] = checked_workspace_id(workspace_id)
        return self._http.read(self._call(_CHECK_NAME, "training-job-names", Parse.data(_is_duplicate), query=query))

    def log_preview(self, job_id: str, task: str = "worker-0") -> LogPreview:
        """Return the end of a task's log, at most 5 MB (``GET …/tasks/{task}/logs/preview``); empty before it runs."""
        path = f"/tasks/{checked_task(task)}/logs/preview"
        return self._read_log(_LOG_PREVIEW, job_id, path, LogPreview.from_api)

    def log_lines(
        self, job_id: str, task: str = "worker-0", *, after: LogPosition = LOG_START, lines: int = MAX_LOG_LINES
    ) -> LogLines:
        """
        Return the lines of a task's log that follow a position (``GET …/logs/{task}``); none before it runs.

        :param after: ``position`` of an earlier answer; the start of the log by default
        :param lines: how many at most, 1 to 500
        """
        query = log_lines_query(base_line=after.line, lines=lines)
        path = f"/logs/{checked_task(task)}"
        return self._read_log(_LOG_LINES, job_id, path, lambda data: LogLines.from_api(data, after), query)

    def read_log(self, job_id: str, task: str = "worker-0", *, after: LogPosition = LOG_START) -> Iterator[LogLines]:
        """Yield the lines that follow a position, up to 500 at a time, until there are no more for now."""
        found = self.log_lines(job_id, task, after=after)
        while found.lines:
            yield found
            if found.position.line == after.line:
                return
            after = found.position
            found = self.log_lines(job_id, task, after=after)

    def log_url(self, job_id: str, task: str = "worker-0", *, download: bool = False) -> str:
        """
        Return a URL of a task's whole log in OBS (``GET …/tasks/{task}/logs/url``).

        Anyone who has the URL can read the log for 5 minutes: treat it as a secret.

        :param download: for a browser that saves the log, not one that shows it
        :raises ModelArtsBadRequestError: there is no log
        """
        query = {"Content-Type": "application/octet-stream" if download else "text/plain"}
        parse = Parse.data(lambda data: str(data["obs_url"]))
        return self._http.read(
            self._job_call(_LOG_URL, job_id, f"/tasks/{checked_task(task)}/logs/url", parse, query=query)
        )

    def events(
        self, job_id: str, *, order: Order = "asc", level: EventLevel | None = None, pattern: str | None = None
    ) -> Iterator[JobEvent]:
        """
        Yield the events of a job (``GET …/events``), fetching pages on demand.

        :param order: ``asc``, oldest first, or ``desc``
        :param level: only ``Info``, ``Warning`` or ``Error``
        :param pattern: text of the message, at most 256 characters
        """
        received = offset = 0
        while True:
            query = events_query(offset=offset, order=order, level=level, pattern=pattern)
            found = self._http.read(self._job_call(_EVENTS, job_id, "/events", Parse.data(Fields), query=query))
            page = found.objects("events")
            yield from map(JobEvent.from_api, page)
            received, offset = received + len(page), offset + 1
            total = found.whole("total")
            if len(page) < MAX_EVENTS_PER_PAGE or (total is not None and received >= total):
                return

    def metrics(self, job_id: str, task: str = "worker-0") -> dict[str, tuple[float | None, ...]]:
        """
        Return the use of resources by a task in percent (``GET …/metrics/{task}``), one mean per minute.

        Names are such as ``cpuUsage``, ``gpuUtil`` and ``npuUtil``. None stands for a missing value.
        """
        return self._read_log(_METRICS, job_id, f"/metrics/{checked_task(task)}", _metrics)

    def engines(self) -> list[Engine]:
        """Return the preset engines (``GET /v2/{project_id}/training-job-engines``)."""
        parse = Parse.data(lambda data: [Engine.from_api(entry) for entry in Fields(data).objects("items")])
        return self._http.read(self._call(_ENGINES, "training-job-engines", parse))

    def flavors(self, flavor_type: FlavorType | None = None) -> list[Flavor]:
        """
        Return the public resource flavors (``GET /v2/{project_id}/training-job-flavors``).

        :param flavor_type: only ``CPU``, ``GPU`` or ``Ascend``
        """
        query = None
        if flavor_type is not None:
            query = {"flavor_type": checks.one_of("flavor_type", flavor_type, FLAVOR_TYPES)}
        parse = Parse.data(lambda data: [Flavor.from_api(entry) for entry in Fields(data).objects("flavors")])
        return self._http.read(self._call(_FLAVORS, "training-job-flavors", parse, query=query))

    def quotas(self) -> list[Quota]:
        """Return the quotas (``GET /v2/{project_id}/training-quotas``)."""
        parse = Parse.data(lambda data: [Quota.from_api(entry) for entry in Fields(data).objects("quotas")])
        return self._http.read(self._call(_QUOTAS, "training-quotas", parse))

    def _read_log(
        self,
        operation: Operation,
        job_id: str,
        path: str,
        read: Callable[[Mapping[str, Any]], T],
        query: Mapping[str, str] | None = None,
    ) -> T:
        """Return what a job has logged. Before it runs, the API responds with 204 or a special error: no log yet."""
        parse = Parse(lambda response: read(response.data or {}), may_be_empty=True)
        try:
            return self._http.read(self._job_call(operation, job_id, path, parse, query=query))
        except ModelArtsBadRequestError as error:
            if error.error_code != _NO_LOG_YET:
                raise
            return read({})

    def _job_call(self, operation: Operation, job_id: str, path: str, parse: Parse[T], **sent: Any) -> Call[T]:
        return self._call(operation, f"training-jobs/{checked_job_id(job_id)}{path}", parse, **sent)

    def _call(self, operation: Operation, path: str, parse: Parse[T], **sent: Any) -> Call[T]:
        project_id = self._project_id()
        url = f"{self._config.endpoint}/v2/{project_id}/{path}"
        return Call(operation, url, parse, project_id=project_id, **sent)


def _is_duplicate(data: Mapping[str, Any]) -> bool:
    duplicate = Fields(data).flag("is_duplicate")
    if duplicate is None:
        raise ValueError("is_duplicate is missing")
    return duplicate


def _metrics(data: Mapping[str, Any]) -> dict[str, tuple[float | None, ...]]:
    return {
        entry.text("metric", 64) or "": tuple(
            None if value is None or value < 0 else value for value in entry.numbers("value")
        )
        for entry in Fields(data).objects("metrics")
    }
