"""ModelArts' operations on visualization jobs: parameters, limits, responses, and the page behind a job's URL."""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from airflow_provider_modelarts.emulator.access import authenticate, authorize
from airflow_provider_modelarts.emulator.cloud import Cloud, Route
from airflow_provider_modelarts.emulator.http import (
    ModelArtsRefusal,
    Request,
    Response,
    invalid,
    json_response,
    not_published,
)
from airflow_provider_modelarts.emulator.visualization_jobs.state import Job, StateConflict

JOBS_PATH: Final = "/v1/{project_id}/visualization-jobs"
JOB_PATH: Final = f"{JOBS_PATH}/{{job_id}}"
PAGE_PATH: Final = "/modelarts2/tensorboard/{project_id}/{job_id}/"

MAX_PAGE: Final = 65535
SORT_FIELDS: Final = ("job_id", "job_name", "job_desc", "create_time", "status")

_JOB_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,20}")
_TRAIN_URL: Final = re.compile(r"/[^/\s]+/\S+")
_JOB_ID: Final = re.compile(r"[0-9]{1,19}")


def create(cloud: Cloud, request: Request) -> dict[str, Any]:
    """POST: create a job."""
    fields = _create_fields(_json_object(request))
    if cloud.visualization_jobs.named(fields["job_name"]):
        raise ModelArtsRefusal(400, "ModelArts.0103", f"The job name {fields['job_name']} already exists.")
    jobs = cloud.visualization_jobs.all()
    if len(jobs) >= cloud.options.job_quota:
        raise _quota_exceeded("visualization jobs", cloud.options.job_quota)
    _check_running_quota(cloud, jobs)
    job = cloud.visualization_jobs.create(**fields)
    number = str if cloud.options.string_numbers else int
    return {
        "is_success": True,
        "job_id": number(job.job_id),
        "job_name": job.job_name,
        "status": number(job.status),
        "create_time": number(_milliseconds(job.create_time)),
        "service_url": _service_url(cloud, request, job),
    }


def list_jobs(cloud: Cloud, request: Request) -> dict[str, Any]:
    """GET: one page of the jobs that match."""
    params = request.query_params()
    per_page = _integer(params, "per_page", 10, cloud.options.per_page_limit)
    page = _integer(params, "page", 1, MAX_PAGE)
    jobs = cloud.visualization_jobs.all()
    fitting = _select(jobs, params)
    return {
        "quotas": cloud.options.running_quota,
        "is_success": True,
        "job_total_count": len(fitting),
        "job_count_limit": max(0, cloud.options.job_quota - len(jobs)),
        "jobs": [_list_item(cloud, request, job) for job in fitting[(page - 1) * per_page : page * per_page]],
    }


def get(cloud: Cloud, request: Request) -> dict[str, Any]:
    """GET: the details of a job."""
    job = _job(cloud, request.path_params["job_id"])
    details = _description(cloud, request, job)
    if cloud.options.shape == "2021":
        details |= {"remaining_duration": _remaining(cloud, job), "is_success": True}
    return details


def update(cloud: Cloud, request: Request) -> dict[str, Any]:
    """PUT: change the description of a job."""
    job = _job(cloud, request.path_params["job_id"])
    body = _json_object(request)
    if "job_desc" not in body:
        raise invalid("job_desc is mandatory")
    job.job_desc = _text(body, "job_desc", 256)
    return {"is_success": True}


def stop(cloud: Cloud, request: Request) -> dict[str, Any]:
    """POST: stop a job."""
    return _change(cloud, request, Job.stop)


def restart(cloud: Cloud, request: Request) -> dict[str, Any]:
    """POST: start a job again."""
    job = _job(cloud, request.path_params["job_id"])
    if not job.active:
        _check_running_quota(cloud, cloud.visualization_jobs.all())
    return _change(cloud, request, Job.restart)


def delete(cloud: Cloud, request: Request) -> dict[str, Any]:
    """DELETE: remove a job."""
    return _change(cloud, request, Job.delete)


def _change(cloud: Cloud, request: Request, change: Callable[[Job, float], None]) -> dict[str, Any]:
    try:
        change(_job(cloud, request.path_params["job_id"]), cloud.clock.now())
    except StateConflict as conflict:
        raise ModelArtsRefusal(400, "ModelArts.0105", str(conflict)) from None
    return {"is_success": True}


def _job(cloud: Cloud, job_id: str) -> Job:
    if not _JOB_ID.fullmatch(job_id):
        raise invalid(f"Illegal job_id: {job_id}")
    try:
        return cloud.visualization_jobs.get(job_id)
    except KeyError:
        raise ModelArtsRefusal(404, "ModelArts.0102", f"The visualization job {job_id} does not exist.") from None


def _quota_exceeded(what: str, limit: int) -> ModelArtsRefusal:
    return ModelArtsRefusal(400, "ModelArts.0106", f"The number of {what} exceeds the limit {limit}.")


def _check_running_quota(cloud: Cloud, jobs: list[Job]) -> None:
    if sum(job.active for job in jobs) >= cloud.options.running_quota:
        raise _quota_exceeded("running visualization jobs", cloud.options.running_quota)


def _json_object(request: Request) -> dict[str, Any]:
    try:
        return request.json_object()
    except ValueError as error:
        raise invalid(str(error)) from None


def _create_fields(body: dict[str, Any]) -> dict[str, Any]:
    name, train_url = body.get("job_name"), body.get("train_url")
    if not isinstance(name, str) or not _JOB_NAME.fullmatch(name):
        raise invalid(f"Illegal job_name: {name}")
    if not isinstance(train_url, str) or not _TRAIN_URL.fullmatch(train_url):
        raise invalid(f"Illegal train_url: {train_url}")
    job_type = "tensorboard" if body.get("job_type") is None else body["job_type"]
    if job_type not in ("tensorboard", "mindinsight"):
        raise invalid(f"job_type should be tensorboard or mindinsight: {job_type}")
    _check_flavor(body.get("flavor"))
    return {
        "job_name": name,
        "job_desc": _text(body, "job_desc", 256),
        "train_url": train_url,
        "job_type": job_type,
        "auto_stop_hours": _auto_stop_hours(body.get("schedule")),
        "workspace_id": _text(body, "workspace_id", 64) or "0",
    }


def _text(body: dict[str, Any], name: str, limit: int) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit:
        raise invalid(f"The length of {name} should be in [0,{limit}]")
    return value


def _check_flavor(flavor: Any) -> None:
    if flavor is not None and not (isinstance(flavor, dict) and isinstance(flavor.get("code"), str)):
        raise invalid("flavor should be an object with a code")


def _auto_stop_hours(schedule: Any) -> int:
    """Parse the schedule. The API reference calls it an object and shows a list of one: both are accepted."""
    if schedule is None or schedule == []:
        return 0
    entry = schedule[0] if isinstance(schedule, list) and len(schedule) == 1 else schedule
    if not isinstance(entry, dict):
        raise invalid("schedule should be an object or a list of one")
    if entry.get("type") != "stop":
        raise invalid("schedule: type should be stop")
    if entry.get("time_unit") != "HOURS":
        raise invalid("schedule: time_unit should be HOURS")
    hours = entry.get("duration")
    if not isinstance(hours, int) or isinstance(hours, bool) or not 0 <= hours <= 24:
        raise invalid("schedule: duration should be in [0,24]")
    return hours


def _integer(params: dict[str, str], name: str, default: int, limit: int) -> int:
    text = params.get(name, str(default))
    value = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if not 1 <= value <= limit:
        raise invalid(f"{name} should be in [1,{limit}]: {text}")
    return value


def _choice(params: dict[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = params.get(name, choices[0])
    if value not in choices:
        raise invalid(f"{name} should be one of {', '.join(choices)}: {value}")
    return value


def _select(jobs: list[Job], params: dict[str, str]) -> list[Job]:
    """Return the jobs that match the query, in a stable order."""
    workspace_id, statuses, text = params.get("workspace_id", "0"), _statuses(params), _search_content(params)
    fitting = [
        job
        for job in jobs
        if job.workspace_id == workspace_id
        and (not statuses or job.status in statuses)
        and (text in job.job_name or text in job.job_desc)
    ]
    sort_by = _choice(params, "sortBy" if "sortBy" in params else "sort_by", SORT_FIELDS)
    fitting.sort(key=attrgetter(sort_by), reverse=_choice(params, "order", ("asc", "desc")) == "desc")
    return fitting


def _statuses(params: dict[str, str]) -> frozenset[int]:
    """Parse the status filter. Several values, at which the API reference hints, are accepted."""
    text = params.get("status", "")
    values = re.split(r"[|,]", text) if text else []
    if not all(re.fullmatch(r"[0-9]{1,9}", value) for value in values):
        raise invalid(f"Illegal status: {text}")
    return frozenset(int(value) for value in values)


def _search_content(params: dict[str, str]) -> str:
    text = params.get("search_content", "")
    if len(text) > 64:
        raise invalid("The length of search_content should be in [0,64]")
    return text


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _service_url(cloud: Cloud, request: Request, job: Job) -> str | None:
    if not job.has_service_url:
        return None
    return request.base_url + PAGE_PATH.format(project_id=cloud.options.project_id, job_id=job.job_id)


def _remaining(cloud: Cloud, job: Job) -> int | None:
    seconds = job.remaining(cloud.clock.now())
    return None if seconds is None else _milliseconds(seconds)


def _description(cloud: Cloud, request: Request, job: Job) -> dict[str, Any]:
    return {
        "duration": _milliseconds(job.duration(cloud.clock.now())),
        "service_url": _service_url(cloud, request, job),
        "job_name": job.job_name,
        "create_time": _milliseconds(job.create_time),
        "train_url": job.train_url,
        "job_id": job.job_id,
        "job_desc": job.job_desc,
        "resource_id": job.resource_id,
        "status": job.status,
    }


def _list_item(cloud: Cloud, request: Request, job: Job) -> dict[str, Any]:
    item = _description(cloud, request, job)
    if cloud.options.shape == "2021":
        item["schedule"] = _schedule(job)
        item["remaining_duration"] = _remaining(cloud, job)
    return item


def _schedule(job: Job) -> list[dict[str, Any]] | None:
    if not job.auto_stop_hours:
        return None
    return [{"type": "stop", "timeUnit": "HOURS", "duration": job.auto_stop_hours}]


def _route(name: str, method: str, path: str, operation: Callable[[Cloud, Request], dict[str, Any]]) -> Route:
    """Return a route that checks credentials first, then project and policy, and then runs the operation."""

    def handler(cloud: Cloud, request: Request) -> Response:
        if cloud.options.retired:
            raise not_published()
        authorize(cloud, request, authenticate(cloud, request), name, f"modelarts:tensorboard:{name}")
        try:
            return json_response(operation(cloud, request))
        except ModelArtsRefusal as refusal:
            content = refusal.content(request.request_id)
            if name == "get" and cloud.options.shape == "2025":
                del content["is_success"]
            return json_response(content, 200 if cloud.options.failures_as_200 else refusal.status)

    return Route(name, method, path, handler)


ROUTES: Final = (
    _route("create", "POST", JOBS_PATH, create),
    _route("list", "GET", JOBS_PATH, list_jobs),
    _route("get", "GET", JOB_PATH, get),
    _route("update", "PUT", JOB_PATH, update),
    _route("delete", "DELETE", JOB_PATH, delete),
    _route("stop", "POST", f"{JOB_PATH}/stop", stop),
    _route("restart", "POST", f"{JOB_PATH}/restart", restart),
)
