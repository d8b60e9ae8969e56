"""
The emulator's own endpoints, which control it over HTTP: JSON in and out, no credentials.

=========  ============================  ==========================================================================
method     path                          meaning
=========  ============================  ==========================================================================
GET        /_emulator/                   health: time of the job clock in seconds, number of jobs
GET        /_emulator/jobs               all jobs
POST       /_emulator/jobs               create a job: any of job_name, train_url, job_desc, job_type,
                                         workspace_id, auto_stop_hours, script, status
PUT        /_emulator/jobs/{job_id}      ``{"status": 11}`` or ``{"script": "fails"}``, from now on
DELETE     /_emulator/jobs/{job_id}      the job vanishes
GET        /_emulator/scripts            scripts by job name
POST       /_emulator/scripts            add: ``{"will-fail-*": "fails", "slow": "1:0,7:5,8:300"}``
DELETE     /_emulator/scripts            remove all
GET        /_emulator/training-jobs      all training jobs
POST       /_emulator/training-jobs      create a training job: any of job_name, script, phase, workspace_id,
                                         node_count, auto_stop_hours, body
PUT        .../training-jobs/{job_id}    ``{"phase": "Failed=137"}`` or ``{"script": "fails"}``, from now on
DELETE     .../training-jobs/{job_id}    the training job vanishes
GET        /_emulator/training-scripts   scripts of training jobs by job name
POST       /_emulator/training-scripts   add: ``{"will-fail-*": "fails", "slow": "Pending:0,Running:300"}``
DELETE     /_emulator/training-scripts   remove all
GET        /_emulator/faults             faults that can still happen
POST       /_emulator/faults             add a fault: the fields of :class:`.Fault`
DELETE     /_emulator/faults             remove all
GET        /_emulator/requests           ``counts`` by operation, ``requests``: the newest ones
DELETE     /_emulator/requests           clear the log and the counts
POST       /_emulator/clock              ``{"advance": 60}``: move the job clock forward, seconds
DELETE     /_emulator/tokens             expire all tokens issued so far
=========  ============================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from airflow_provider_modelarts.emulator.cloud import Cloud, Route
from airflow_provider_modelarts.emulator.faults import Fault
from airflow_provider_modelarts.emulator.http import Request, Response, json_response
from airflow_provider_modelarts.emulator.scripts import Scripts
from airflow_provider_modelarts.emulator.training_jobs.job import TrainingJob
from airflow_provider_modelarts.emulator.visualization_jobs.state import Job


def overview(cloud: Cloud, request: Request) -> Any:
    return {"time": cloud.clock.now(), "jobs": len(cloud.visualization_jobs.all())}


def list_jobs(cloud: Cloud, request: Request) -> Any:
    return {"jobs": [_describe(job) for job in cloud.visualization_jobs.all()]}


def create_job(cloud: Cloud, request: Request) -> Any:
    return _describe(cloud.visualization_jobs.create(**_fields(request, _JOB_FIELDS)))


def change_job(cloud: Cloud, request: Request) -> Any:
    job_id, change = request.path_params["job_id"], _fields(request, {"status": (int,), "script": (str,)})
    if len(change) != 1:
        raise ValueError("either status or script")
    if "status" in change:
        cloud.visualization_jobs.set_status(job_id, change["status"])
    else:
        cloud.visualization_jobs.set_script(job_id, change["script"])
    return _describe(cloud.visualization_jobs.get(job_id))


def remove_job(cloud: Cloud, request: Request) -> Any:
    cloud.visualization_jobs.remove(request.path_params["job_id"])
    return {}


def list_training_jobs(cloud: Cloud, request: Request) -> Any:
    return {"jobs": [_describe_training(job) for job in cloud.training_jobs.all()]}


def create_training_job(cloud: Cloud, request: Request) -> Any:
    return _describe_training(cloud.training_jobs.create(**_fields(request, _TRAINING_JOB_FIELDS)))


def change_training_job(cloud: Cloud, request: Request) -> Any:
    job_id, change = request.path_params["job_id"], _fields(request, {"phase": (str,), "script": (str,)})
    if len(change) != 1:
        raise ValueError("either phase or script")
    if "phase" in change:
        cloud.training_jobs.set_phase(job_id, change["phase"])
    else:
        cloud.training_jobs.set_script(job_id, change["script"])
    return _describe_training(cloud.training_jobs.get(job_id))


def remove_training_job(cloud: Cloud, request: Request) -> Any:
    cloud.training_jobs.remove(request.path_params["job_id"])
    return {}


def list_faults(cloud: Cloud, request: Request) -> Any:
    return {"faults": [fault.as_dict() for fault in cloud.fault_plan.pending()]}


def add_fault(cloud: Cloud, request: Request) -> Any:
    cloud.fault_plan.add(Fault(**{"kind": "", **_fields(request, _FAULT_FIELDS)}))
    return list_faults(cloud, request)


def clear_faults(cloud: Cloud, request: Request) -> Any:
    cloud.fault_plan.clear()
    return {}


def list_requests(cloud: Cloud, request: Request) -> Any:
    return {
        "counts": cloud.request_log.counts,
        "requests": [asdict(record) for record in cloud.request_log.records],
    }


def clear_requests(cloud: Cloud, request: Request) -> Any:
    cloud.request_log.clear()
    return {}


def advance_clock(cloud: Cloud, request: Request) -> Any:
    fields = _fields(request, {"advance": (int, float)})
    if not fields:
        raise ValueError("advance is missing")
    cloud.clock.advance(fields["advance"])
    return overview(cloud, request)


def expire_tokens(cloud: Cloud, request: Request) -> Any:
    cloud.iam.tokens.expire_all(cloud.now())
    return {}


_TRAINING_JOB_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "job_name": (str,),
    "script": (str,),
    "phase": (str,),
    "workspace_id": (str,),
    "node_count": (int,),
    "auto_stop_hours": (int,),
    "body": (dict,),
}
_JOB_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "job_name": (str,),
    "train_url": (str,),
    "job_desc": (str,),
    "job_type": (str,),
    "workspace_id": (str,),
    "auto_stop_hours": (int,),
    "script": (str,),
    "status": (int,),
}
_FAULT_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "kind": (str,),
    "operation": (str,),
    "times": (int,),
    "seconds": (int, float),
    "after": (int,),
    "status": (int,),
    "error_code": (str,),
    "message": (str,),
    "body": (str,),
    "retry_after": (int, float, str),
    "headers": (dict,),
    "delay": (int, float),
}


def _fields(request: Request, types: dict[str, tuple[type, ...]]) -> dict[str, Any]:
    """
    Return the body's fields that are not null.

    :raises ValueError: a field is unknown, or of a wrong type
    """
    fields = {name: value for name, value in request.json_object().items() if value is not None}
    for name, value in fields.items():
        if name not in types:
            raise ValueError(f"no such field: {name}; there are {', '.join(types)}")
        if type(value) not in types[name]:
            raise ValueError(
                f"{name} should be of type {' or '.join(kind.__name__ for kind in types[name])}: {value!r}"
            )
    return fields


def _describe(job: Job) -> dict[str, Any]:
    return {name: value for name, value in asdict(job).items() if not name.startswith("_")}


def _describe_training(job: TrainingJob) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "job_name": job.job_name,
        "workspace_id": job.workspace_id,
        "phase": job.phase,
        "exit_code": job.exit_code,
        "create_time": job.create_time,
    }


def _script_routes(path: str, scripts: Callable[[Cloud], Scripts[Any]]) -> tuple[Route, ...]:
    """Return the routes that show, add and remove the scripts of one kind of job."""

    def show(cloud: Cloud, request: Request) -> Any:
        return {"scripts": scripts(cloud).rules}

    def add(cloud: Cloud, request: Request) -> Any:
        for name, script in request.json_object().items():
            scripts(cloud).add_rule(name, str(script))
        return show(cloud, request)

    def clear(cloud: Cloud, request: Request) -> Any:
        scripts(cloud).rules.clear()
        return {}

    return _route("GET", path, show), _route("POST", path, add), _route("DELETE", path, clear)


def _route(method: str, path: str, operation: Callable[[Cloud, Request], Any]) -> Route:
    """Return a route that sends the result of the operation, or the reason for a refusal: 400 or 404."""

    def handler(cloud: Cloud, request: Request) -> Response:
        try:
            return json_response(operation(cloud, request))
        except KeyError as error:
            return json_response({"error": str(error.args[0])}, 404)
        except ValueError as error:
            return json_response({"error": str(error)}, 400)

    return Route(None, method, path, handler)


ROUTES: Final = (
    _route("GET", "/_emulator/", overview),
    _route("GET", "/_emulator/jobs", list_jobs),
    _route("POST", "/_emulator/jobs", create_job),
    _route("PUT", "/_emulator/jobs/{job_id}", change_job),
    _route("DELETE", "/_emulator/jobs/{job_id}", remove_job),
    *_script_routes("/_emulator/scripts", lambda cloud: cloud.visualization_jobs.scripts),
    _route("GET", "/_emulator/training-jobs", list_training_jobs),
    _route("POST", "/_emulator/training-jobs", create_training_job),
    _route("PUT", "/_emulator/training-jobs/{job_id}", change_training_job),
    _route("DELETE", "/_emulator/training-jobs/{job_id}", remove_training_job),
    *_script_routes("/_emulator/training-scripts", lambda cloud: cloud.training_jobs.scripts),
    _route("GET", "/_emulator/faults", list_faults),
    _route("POST", "/_emulator/faults", add_fault),
    _route("DELETE", "/_emulator/faults", clear_faults),
    _route("GET", "/_emulator/requests", list_requests),
    _route("DELETE", "/_emulator/requests", clear_requests),
    _route("POST", "/_emulator/clock", advance_clock),
    _route("DELETE", "/_emulator/tokens", expire_tokens),
)
