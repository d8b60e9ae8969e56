"""ModelArts' seven operations on visualization jobs: parameters, limits, answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from airflow_provider_modelarts.emulator.access import authenticate, authorize
from airflow_provider_modelarts.emulator.cloud import Cloud
from airflow_provider_modelarts.emulator.errors import ModelArtsRefusal, invalid, not_published
from airflow_provider_modelarts.emulator.exchange import Answer, Call, json_answer
from airflow_provider_modelarts.emulator.jobs import Job, StateConflict, select

JOBS_PATH: Final = "/v1/{project_id}/visualization-jobs"
JOB_PATH: Final = f"{JOBS_PATH}/{{job_id}}"
PAGE_PATH: Final = "/modelarts2/tensorboard/{project_id}/{job_id}/"

MAX_PAGE: Final = 65535
SORT_FIELDS: Final = ("job_id", "job_name", "job_desc", "create_time", "status")

_JOB_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,20}")
_TRAIN_URL: Final = re.compile(r"/[^/\s]+/\S+")
_JOB_ID: Final = re.compile(r"[0-9]{1,19}")

Operation = Callable[[Cloud, Call], dict[str, Any]]


def perform(cloud: Cloud, name: str, operation: Operation, call: Call) -> Answer:
    """Answer a request: credentials first, then project and policy, then the operation itself."""
    if cloud.retired:
        raise not_published()
    authorize(cloud, call, authenticate(cloud, call), name)
    try:
        content = operation(cloud, call)
    except ModelArtsRefusal as refusal:
        answer = refusal.body(call.request_id)
        if name == "get" and cloud.shape == "2025":
            del answer["is_success"]
        return json_answer(answer, 200 if cloud.failures_as_200 else refusal.status)
    return json_answer(content)


def create(cloud: Cloud, call: Call) -> dict[str, Any]:
    """POST: make a job."""
    fields = _create_fields(_json_object(call))
    now = cloud.clock.now()
    if cloud.job_store.named(fields["job_name"], now):
        raise ModelArtsRefusal(400, "ModelArts.0103", f"The job name {fields['job_name']} already exists.")
    jobs = cloud.job_store.all(now)
    if len(jobs) >= cloud.job_quota:
        raise _quota_exceeded("visualization jobs", cloud.job_quota)
    _check_running_quota(cloud, jobs)
    job = _job(cloud, cloud.create_job(**fields))
    number = str if cloud.string_numbers else int
    return {
        "is_success": True,
        "job_id": number(job.job_id),
        "job_name": job.job_name,
        "status": number(job.status),
        "create_time": number(_milliseconds(job.create_time)),
        "service_url": _service_url(cloud, call, job),
    }


def list_jobs(cloud: Cloud, call: Call) -> dict[str, Any]:
    """GET: one page of the jobs that fit."""
    params = call.query_params()
    per_page = _integer(params, "per_page", 10, cloud.per_page_limit)
    page = _integer(params, "page", 1, MAX_PAGE)
    jobs = cloud.job_store.all(cloud.clock.now())
    fitting = select(
        jobs,
        workspace_id=params.get("workspace_id", "0"),
        statuses=_statuses(params),
        search_content=_search_content(params),
        sort_by=_choice(params, "sortBy" if "sortBy" in params else "sort_by", SORT_FIELDS),
        descending=_choice(params, "order", ("asc", "desc")) == "desc",
    )
    return {
        "quotas": cloud.running_quota,
        "is_success": True,
        "job_total_count": len(fitting),
        "job_count_limit": max(0, cloud.job_quota - len(jobs)),
        "jobs": [_list_item(cloud, call, job) for job in fitting[(page - 1) * per_page : page * per_page]],
    }


def get(cloud: Cloud, call: Call) -> dict[str, Any]:
    """GET: the details of a job."""
    job = _job(cloud, call.path_params["job_id"])
    details = _description(cloud, call, job)
    if cloud.shape == "2021":
        details |= {"remaining_duration": _remaining(cloud, job), "is_success": True}
    return details


def update(cloud: Cloud, call: Call) -> dict[str, Any]:
    """PUT: change the description of a job."""
    job = _job(cloud, call.path_params["job_id"])
    body = _json_object(call)
    if "job_desc" not in body:
        raise invalid("job_desc is mandatory")
    job.job_desc = _text(body, "job_desc", 256)
    return {"is_success": True}


def stop(cloud: Cloud, call: Call) -> dict[str, Any]:
    """POST: stop a job."""
    return _change(cloud, call, Job.stop)


def restart(cloud: Cloud, call: Call) -> dict[str, Any]:
    """POST: start a job again."""
    job = _job(cloud, call.path_params["job_id"])
    if not job.active:
        _check_running_quota(cloud, cloud.job_store.all(cloud.clock.now()))
    return _change(cloud, call, Job.restart)


def delete(cloud: Cloud, call: Call) -> dict[str, Any]:
    """DELETE: remove a job."""
    return _change(cloud, call, Job.delete)


ROUTES: Final[tuple[tuple[str, str, str, Operation], ...]] = (
    ("create", "POST", JOBS_PATH, create),
    ("list", "GET", JOBS_PATH, list_jobs),
    ("get", "GET", JOB_PATH, get),
    ("update", "PUT", JOB_PATH, update),
    ("delete", "DELETE", JOB_PATH, delete),
    ("stop", "POST", f"{JOB_PATH}/stop", stop),
    ("restart", "POST", f"{JOB_PATH}/restart", restart),
)
"""Name, method, path and function of every operation."""


def _change(cloud: Cloud, call: Call, change: Callable[[Job, float], None]) -> dict[str, Any]:
    try:
        change(_job(cloud, call.path_params["job_id"]), cloud.clock.now())
    except StateConflict as conflict:
        raise ModelArtsRefusal(400, "ModelArts.0105", str(conflict)) from None
    return {"is_success": True}


def _job(cloud: Cloud, job_id: str) -> Job:
    if not _JOB_ID.fullmatch(job_id):
        raise invalid(f"Illegal job_id: {job_id}")
    job = cloud.job_store.get(job_id, cloud.clock.now())
    if job is None:
        raise ModelArtsRefusal(404, "ModelArts.0102", f"The visualization job {job_id} does not exist.")
    return job


def _quota_exceeded(what: str, limit: int) -> ModelArtsRefusal:
    return ModelArtsRefusal(400, "ModelArts.0106", f"The number of {what} exceeds the limit {limit}.")


def _check_running_quota(cloud: Cloud, jobs: list[Job]) -> None:
    if sum(job.active for job in jobs) >= cloud.running_quota:
        raise _quota_exceeded("running visualization jobs", cloud.running_quota)


def _json_object(call: Call) -> dict[str, Any]:
    try:
        return call.json_object()
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
    """Read the schedule: documented as an object, shown as a list of one; both are taken."""
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


def _statuses(params: dict[str, str]) -> frozenset[int]:
    """Read the status filter; several values, which the API reference hints at, are taken as well."""
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


def _service_url(cloud: Cloud, call: Call, job: Job) -> str | None:
    if not job.has_service_url:
        return None
    return call.base_url + PAGE_PATH.format(project_id=cloud.project_id, job_id=job.job_id)


def _remaining(cloud: Cloud, job: Job) -> int | None:
    seconds = job.remaining(cloud.clock.now())
    return None if seconds is None else _milliseconds(seconds)


def _description(cloud: Cloud, call: Call, job: Job) -> dict[str, Any]:
    return {
        "duration": _milliseconds(job.duration(cloud.clock.now())),
        "service_url": _service_url(cloud, call, job),
        "job_name": job.job_name,
        "create_time": _milliseconds(job.create_time),
        "train_url": job.train_url,
        "job_id": job.job_id,
        "job_desc": job.job_desc,
        "resource_id": job.resource_id,
        "status": job.status,
    }


def _list_item(cloud: Cloud, call: Call, job: Job) -> dict[str, Any]:
    item = _description(cloud, call, job)
    if cloud.shape == "2021":
        item["schedule"] = _schedule(job)
        item["remaining_duration"] = _remaining(cloud, job)
    return item


def _schedule(job: Job) -> list[dict[str, Any]] | None:
    if not job.auto_stop_hours:
        return None
    return [{"type": "stop", "timeUnit": "HOURS", "duration": job.auto_stop_hours}]
