"""ModelArts' operations on training jobs: parameters, limits and responses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from airflow_provider_modelarts.emulator.access import authenticate, authorize
from airflow_provider_modelarts.emulator.cloud import Cloud, Route
from airflow_provider_modelarts.emulator.http import (
    ModelArtsRefusal,
    ModelArtsV2Refusal,
    Request,
    Response,
    json_response,
    not_published,
)
from airflow_provider_modelarts.emulator.training_jobs import answers, search
from airflow_provider_modelarts.emulator.training_jobs.job import TrainingJob

JOBS_PATH: Final = "/v2/{project_id}/training-jobs"
JOB_PATH: Final = f"{JOBS_PATH}/{{job_id}}"
LOG_PATH: Final = "/obs/{project_id}/{job_id}/{task}.log"

MAX_PREVIEW_BYTES: Final = 5 * 1024 * 1024
MAX_LOG_LINES: Final = 500

_JOB_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_CONTENT: Final = Response(status=204)


def create(cloud: Cloud, request: Request) -> Response:
    """POST: create a job."""
    body = _json_object(request)
    metadata = _object(body, "metadata")
    name = metadata.get("name")
    if not isinstance(name, str) or not _JOB_NAME.fullmatch(name):
        raise _invalid(f"metadata.name: {name}")
    if len(str(metadata.get("description") or "")) > 256:
        raise _invalid("metadata.description")
    _check_algorithm(body)
    if cloud.training_jobs.named(name):
        raise ModelArtsV2Refusal(400, "ModelArts.2751", f"Training job name {name} already exists.")
    _check_quotas(cloud)
    metadata.setdefault("workspace_id", "0")
    job = cloud.training_jobs.create(body=body)
    return json_response(_description(cloud, request, job), 201)


def get(cloud: Cloud, request: Request) -> Response:
    """GET: the details of a job."""
    return json_response(_description(cloud, request, _job(cloud, request)))


def find(cloud: Cloud, request: Request) -> Response:
    """POST: one page of the jobs that match."""
    jobs = cloud.training_jobs.all()
    visible = [job for job in jobs if cloud.clock.now() - job.created_at >= cloud.options.training_search_lag]
    query = search.Query.parse(_json_object(request), cloud.options.training_offset)
    matching = query.select(visible)
    page = [_description(cloud, request, job) for job in query.page(matching)]
    return json_response({**query.echo(), "total": len(jobs), "count": len(matching), "items": page})


def update(cloud: Cloud, request: Request) -> Response:
    """PUT: change the description, or the priority, of a job."""
    job, body = _job(cloud, request), _json_object(request)
    if "description" in body:
        if not isinstance(body["description"], str) or len(body["description"]) > 256:
            raise _invalid("description")
        job.body["metadata"]["description"] = body["description"]
    if "spec" in body:
        _object(job.body["spec"], "schedule_policy").update(_object(_object(body, "spec"), "schedule_policy"))
    return json_response(None)


def act(cloud: Cloud, request: Request) -> Response:
    """POST: terminate a job."""
    job, body = _job(cloud, request), _json_object(request)
    if body.get("action_type") != "terminate":
        raise _invalid("action_type must be one of [terminate restart]")
    if not job.terminate(cloud.clock.now()):
        message = f"The training job in phase {job.phase} is not allowed to be terminated."
        raise ModelArtsV2Refusal(409, "ModelArts.2796", message)
    return json_response(_description(cloud, request, job), 202)


def delete(cloud: Cloud, request: Request) -> Response:
    """DELETE: remove a job, after a while."""
    _job(cloud, request).delete(cloud.clock.now())
    return json_response("", 202)


def check_name(cloud: Cloud, request: Request) -> Response:
    """GET: whether a name is taken."""
    name = request.query_params().get("job_name", "")
    if not _JOB_NAME.fullmatch(name):
        raise _invalid("job_name")
    return json_response({"is_duplicate": cloud.training_jobs.named(name) is not None})


def log_preview(cloud: Cloud, request: Request) -> Response:
    """GET: the end of a log."""
    lines = _log(cloud, request)
    if lines is None:
        return _NO_CONTENT
    content = "".join(f"{line}\n" for line in lines).encode(errors="replace")
    tail = content[-MAX_PREVIEW_BYTES:]
    return json_response(
        {"content": tail.decode(errors="replace"), "current_size": len(tail), "full_size": len(content)}
    )


def log_url(cloud: Cloud, request: Request) -> Response:
    """GET: a signed URL of the whole log."""
    job = _job(cloud, request)
    if _log(cloud, request) is None:
        raise ModelArtsV2Refusal(400, "ModelArts.2818", "The training job log has not been generated.")
    project_id, task = request.path_params["project_id"], request.path_params["task"]
    path = LOG_PATH.format(project_id=project_id, job_id=job.job_id, task=task)
    return json_response({"obs_url": f"{request.base_url}{path}?AWSAccessKeyId=x&Signature={job.token}"})


def log_lines(cloud: Cloud, request: Request) -> Response:
    """GET: some lines of a log, from a line number on."""
    lines = _log(cloud, request)
    if lines is None:
        return _NO_CONTENT
    query = request.query_params()
    count = _integer(query, "lines", 50, 1, MAX_LOG_LINES)
    if query.get("order", "desc") not in ("asc", "desc"):
        raise _invalid("order")
    try:
        page = answers.log_page(lines, query, count, overlaps=cloud.options.training_log_overlap)
    except ValueError:
        raise _invalid("base_line") from None
    return json_response(page)


def events(cloud: Cloud, request: Request) -> Response:
    """GET: one page of the events of a job."""
    job, query = _job(cloud, request), request.query_params()
    limit, offset = _integer(query, "limit", 50, 1, 100), _integer(query, "offset", 0, 0)
    level, pattern = query.get("level"), query.get("pattern", "")
    if query.get("order", "desc") not in ("asc", "desc") or level not in (None, "Info", "Error", "Warning"):
        raise ModelArtsV2Refusal(400, "ModelArts.50004000", "Bad request.")
    found = [event for event in job.events if level in (None, event.level) and pattern in event.message]
    found = found if query.get("order") == "asc" else found[::-1]
    page = [answers.event(event) for event in found[offset * limit : (offset + 1) * limit]]
    return json_response({"total": len(found), "limit": limit, "offset": offset, "events": page})


def engines(cloud: Cloud, request: Request) -> Response:
    """GET: the preset engines."""
    return json_response({"total": len(answers.ENGINES), "items": answers.ENGINES})


def flavors(cloud: Cloud, request: Request) -> Response:
    """GET: the public resource flavors."""
    kind = request.query_params().get("flavor_type")
    found = [flavor for flavor in answers.FLAVORS if kind in (None, flavor["flavor_type"])]
    return json_response({"total_count": len(found), "flavors": found})


def metrics(cloud: Cloud, request: Request) -> Response:
    """GET: the resource usage of a task, one value per minute of running."""
    job = _job(cloud, request)
    if _log(cloud, request) is None:
        return _NO_CONTENT
    minutes = int(job.duration(cloud.clock.now()) // 60)
    return json_response(answers.metrics(job.utilization, min(minutes, 1000)))


def quotas(cloud: Cloud, request: Request) -> Response:
    """GET: how many jobs may exist, and how many do."""
    used = len(cloud.training_jobs.all())
    return json_response({"quotas": [{"resource": "job-num", "quota": cloud.options.job_quota, "used": used}]})


def log_file(cloud: Cloud, request: Request) -> Response:
    """GET: a whole log, as OBS sends it to anyone who has the signed URL."""
    job, lines = _job(cloud, request), _log(cloud, request)
    if request.query_params().get("Signature") != job.token or lines is None:
        return Response(status=403, body=b"<Error><Code>AccessDenied</Code></Error>", media_type="application/xml")
    body = "".join(f"{line}\n" for line in lines).encode(errors="replace")
    return Response(body=body, media_type="text/plain; charset=utf-8")


def _description(cloud: Cloud, request: Request, job: TrainingJob) -> dict[str, Any]:
    return answers.description(job, cloud.clock.now(), request.base_url, cloud.options.user)


def _job(cloud: Cloud, request: Request) -> TrainingJob:
    job_id = request.path_params["job_id"]
    try:
        return cloud.training_jobs.get(job_id)
    except KeyError:
        raise ModelArtsV2Refusal(400, "ModelArts.2775", f"Training job (ID: {job_id}) not found.") from None


def _log(cloud: Cloud, request: Request) -> list[str] | None:
    """Return the lines of the task's log; None if the job has not run yet."""
    job, task = _job(cloud, request), request.path_params["task"]
    if not job.tasks:
        return None
    if task not in job.tasks:
        raise ModelArtsV2Refusal(400, "ModelArts.2820", f"The log path of task {task} does not exist.")
    return job.log(task, cloud.clock.now())


def _check_algorithm(body: dict[str, Any]) -> None:
    """Check node count, auto stop, and the required fields of a ``job``. Those of other kinds are hardly documented."""
    spec, algorithm = _object(body, "spec"), _object(body, "algorithm")
    resource, engine = _object(spec, "resource"), _object(algorithm, "engine")
    count, hours = resource.get("node_count", 1), _object(spec, "auto_stop").get("duration", 1)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ModelArtsV2Refusal(400, "ModelArts.2793", "Invalid node count.")
    if not isinstance(hours, int) or isinstance(hours, bool) or hours < 1:
        raise _invalid("spec.auto_stop.duration")
    if body.get("kind") != "job":
        return
    if algorithm.get("id") == "missing":
        raise ModelArtsV2Refusal(400, "ModelArts.2755", "algorithm not found.", "Check whether the algorithm exists.")
    if engine.get("image_url") and not (algorithm.get("command") or algorithm.get("boot_file")):
        raise ModelArtsV2Refusal(400, "ModelArts.2806", "The command or the image of the job is missing.")
    if not (algorithm.get("id") or algorithm.get("subscription_id") or engine):
        raise _invalid("algorithm")
    if not (resource.get("flavor_id") or resource.get("pool_id")):
        raise ModelArtsV2Refusal(400, "ModelArts.2763", "The flavor of the job is missing.")


def _check_quotas(cloud: Cloud) -> None:
    jobs = cloud.training_jobs.all()
    if len(jobs) >= cloud.options.job_quota:
        raise ModelArtsV2Refusal(400, "ModelArts.0118", "The number of training jobs exceeds the quota.")
    if sum(job.active for job in jobs) >= cloud.options.running_quota:
        solution = "Wait until other jobs are complete, or apply for a higher quota."
        raise ModelArtsV2Refusal(400, "ModelArts.2815", "Insufficient quota of the resource.", solution)


def _json_object(request: Request) -> dict[str, Any]:
    try:
        return request.json_object()
    except ValueError as error:
        raise ModelArtsV2Refusal(400, "ModelArts.2787", str(error)) from None


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object of the body, which is empty if it was left out."""
    value = parent.setdefault(name, {})
    if not isinstance(value, dict):
        raise ModelArtsV2Refusal(400, "ModelArts.2787", f"{name} is not an object.")
    return value


def _integer(query: dict[str, str], name: str, default: int, low: int, high: int = 10**9) -> int:
    text = query.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise _invalid(f"{name} should be in [{low},{high}]")
    return int(text)


def _invalid(what: str) -> ModelArtsV2Refusal:
    return ModelArtsV2Refusal(400, "ModelArts.2788", f"Invalid parameter({what}).")


def _route(name: str, method: str, path: str, action: str, operation: Callable[[Cloud, Request], Response]) -> Route:
    """Return a route that checks credentials first, then project and policy, and then runs the operation."""

    def handler(cloud: Cloud, request: Request) -> Response:
        if cloud.options.training_retired:
            raise not_published()
        try:
            authorize(cloud, request, authenticate(cloud, request), f"training.{name}", f"modelarts:trainJob:{action}")
        except ModelArtsRefusal as refusal:
            raise ModelArtsV2Refusal(refusal.status, refusal.code, refusal.message) from None
        return operation(cloud, request)

    return Route(f"training.{name}", method, path, handler)


_TASK_LOGS: Final = f"{JOB_PATH}/tasks/{{task}}/logs"

ROUTES: Final = (
    _route("create", "POST", JOBS_PATH, "create", create),
    _route("search", "POST", "/v2/{project_id}/training-job-searches", "list", find),
    _route("get", "GET", JOB_PATH, "get", get),
    _route("update", "PUT", JOB_PATH, "update", update),
    _route("delete", "DELETE", JOB_PATH, "delete", delete),
    _route("terminate", "POST", f"{JOB_PATH}/actions", "create", act),
    _route("check_name", "GET", "/v2/{project_id}/training-job-names", "get", check_name),
    _route("log_preview", "GET", f"{_TASK_LOGS}/preview", "previewLog", log_preview),
    _route("log_url", "GET", f"{_TASK_LOGS}/url", "logExport", log_url),
    _route("log_lines", "GET", f"{JOB_PATH}/logs/{{task}}", "getLogs", log_lines),
    _route("events", "GET", f"{JOB_PATH}/events", "get", events),
    _route("metrics", "GET", f"{JOB_PATH}/metrics/{{task}}", "get", metrics),
    _route("engines", "GET", "/v2/{project_id}/training-job-engines", "list", engines),
    _route("flavors", "GET", "/v2/{project_id}/training-job-flavors", "list", flavors),
    _route("quotas", "GET", "/v2/{project_id}/training-quotas", "getQuotas", quotas),
    Route("page", "GET", LOG_PATH, log_file),
)
