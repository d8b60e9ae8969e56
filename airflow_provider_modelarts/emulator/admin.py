"""
The emulator's own endpoints, to control it from outside. JSON in and out, no credentials.

=========  ============================  ==========================================================================
method     path                          meaning
=========  ============================  ==========================================================================
GET        /_emulator/                   time of the job clock (seconds), number of jobs; a sign of life
GET        /_emulator/jobs               all jobs
POST       /_emulator/jobs               put a job in place: any of job_name, train_url, job_desc, job_type,
                                         workspace_id, auto_stop_hours, script, status
PUT        /_emulator/jobs/{job_id}      ``{"status": 11}`` or ``{"script": "fails"}``: from now on
DELETE     /_emulator/jobs/{job_id}      the job vanishes
GET        /_emulator/scripts            rules of scripts by job name
POST       /_emulator/scripts            ``{"will-fail-*": "fails", "slow": "1:0,7:5,8:300"}``: more rules
DELETE     /_emulator/scripts            no rules any more
GET        /_emulator/faults             faults that can still happen
POST       /_emulator/faults             a fault: the fields of :class:`.Fault`
DELETE     /_emulator/faults             no faults any more
GET        /_emulator/requests           ``counts`` by operation, ``requests``: the newest ones
DELETE     /_emulator/requests           count anew
POST       /_emulator/clock              ``{"advance": 60}``: move the job clock forward, seconds
DELETE     /_emulator/tokens             tokens that were issued so far are refused from now on
=========  ============================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from airflow_provider_modelarts.emulator.cloud import Cloud
from airflow_provider_modelarts.emulator.exchange import Answer, Call, json_answer
from airflow_provider_modelarts.emulator.faults import Fault
from airflow_provider_modelarts.emulator.jobs import Job

Operation = Callable[[Cloud, Call], Any]


def perform(cloud: Cloud, operation: Operation, call: Call) -> Answer:
    """Answer a request: what the operation returns, or 400 or 404 with the reason."""
    try:
        return json_answer(operation(cloud, call))
    except KeyError as error:
        return json_answer({"error": str(error.args[0])}, 404)
    except ValueError as error:
        return json_answer({"error": str(error)}, 400)


def overview(cloud: Cloud, call: Call) -> Any:
    return {"time": cloud.clock.now(), "jobs": len(cloud.jobs)}


def list_jobs(cloud: Cloud, call: Call) -> Any:
    return {"jobs": [_describe(job) for job in cloud.jobs.values()]}


def create_job(cloud: Cloud, call: Call) -> Any:
    return _describe(cloud.job(cloud.create_job(**_fields(call, _JOB_FIELDS))))


def change_job(cloud: Cloud, call: Call) -> Any:
    job_id, change = call.path_params["job_id"], _fields(call, {"status": (int,), "script": (str,)})
    if len(change) != 1:
        raise ValueError("either status or script")
    if "status" in change:
        cloud.set_status(job_id, change["status"])
    else:
        cloud.set_script(job_id, change["script"])
    return _describe(cloud.job(job_id))


def remove_job(cloud: Cloud, call: Call) -> Any:
    cloud.remove_job(call.path_params["job_id"])
    return {}


def list_scripts(cloud: Cloud, call: Call) -> Any:
    return {"scripts": cloud.script_rules()}


def add_scripts(cloud: Cloud, call: Call) -> Any:
    for name, script in call.json_object().items():
        cloud.add_script_rule(name, str(script))
    return list_scripts(cloud, call)


def clear_scripts(cloud: Cloud, call: Call) -> Any:
    cloud.clear_script_rules()
    return {}


def list_faults(cloud: Cloud, call: Call) -> Any:
    return {"faults": [fault.as_dict() for fault in cloud.faults()]}


def add_fault(cloud: Cloud, call: Call) -> Any:
    cloud.inject(Fault(**{"kind": "", **_fields(call, _FAULT_FIELDS)}))
    return list_faults(cloud, call)


def clear_faults(cloud: Cloud, call: Call) -> Any:
    cloud.clear_faults()
    return {}


def list_requests(cloud: Cloud, call: Call) -> Any:
    return {"counts": cloud.request_counts(), "requests": [asdict(record) for record in cloud.requests()]}


def clear_requests(cloud: Cloud, call: Call) -> Any:
    cloud.clear_requests()
    return {}


def advance_clock(cloud: Cloud, call: Call) -> Any:
    fields = _fields(call, {"advance": (int, float)})
    if not fields:
        raise ValueError("advance is missing")
    cloud.advance(fields["advance"])
    return overview(cloud, call)


def expire_tokens(cloud: Cloud, call: Call) -> Any:
    cloud.expire_tokens()
    return {}


ROUTES: Final[tuple[tuple[str, str, Operation], ...]] = (
    ("GET", "/_emulator/", overview),
    ("GET", "/_emulator/jobs", list_jobs),
    ("POST", "/_emulator/jobs", create_job),
    ("PUT", "/_emulator/jobs/{job_id}", change_job),
    ("DELETE", "/_emulator/jobs/{job_id}", remove_job),
    ("GET", "/_emulator/scripts", list_scripts),
    ("POST", "/_emulator/scripts", add_scripts),
    ("DELETE", "/_emulator/scripts", clear_scripts),
    ("GET", "/_emulator/faults", list_faults),
    ("POST", "/_emulator/faults", add_fault),
    ("DELETE", "/_emulator/faults", clear_faults),
    ("GET", "/_emulator/requests", list_requests),
    ("DELETE", "/_emulator/requests", clear_requests),
    ("POST", "/_emulator/clock", advance_clock),
    ("DELETE", "/_emulator/tokens", expire_tokens),
)
"""Method, path and function of every endpoint."""


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


def _fields(call: Call, types: dict[str, tuple[type, ...]]) -> dict[str, Any]:
    """Return the body's fields that are not null; ValueError when one is not known, or of another type."""
    fields = {name: value for name, value in call.json_object().items() if value is not None}
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
