"""The JSON of training jobs, their logs, events, metrics and resources."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final

from airflow_provider_modelarts.emulator.training_jobs.job import Event, Run, TrainingJob

ENGINES: Final[list[dict[str, Any]]] = [
    {
        "engine_id": "pytorch_1.8.0-cuda_10.2-py_3.7-ubuntu_18.04-x86_64",
        "engine_name": "PyTorch",
        "engine_version": "pytorch_1.8.0-cuda_10.2-py_3.7-ubuntu_18.04-x86_64",
        "v1_compatible": False,
        "run_user": "1102",
        "image_info": {"cpu_image_url": "aip/pytorch_1_8:train", "gpu_image_url": "aip/pytorch_1_8:train"},
    },
    {
        "engine_id": "mindspore_1.7.0-cann_5.1.0-py_3.7-euler_2.8.3-aarch64",
        "engine_name": "Ascend-Powered-Engine",
        "engine_version": "mindspore_1.7.0-cann_5.1.0-py_3.7-euler_2.8.3-aarch64",
        "v1_compatible": False,
        "run_user": "1000",
        "image_info": {"cpu_image_url": "", "gpu_image_url": "aip/mindspore_1_7:train"},
    },
]

_SECONDARY_PHASES: Final = {"Pending": "Queuing", "Abnormal": "CreateFailed"}
_FIRST_LINE: Final = 1551252759254000001
"""Number of a log's first line. Line numbers of the real service look like this."""


def _flavor(kind: str, flavor_id: str, name: str, nodes: int, **info: Any) -> dict[str, Any]:
    return {
        "flavor_id": flavor_id,
        "flavor_name": name,
        "flavor_type": kind,
        "billing": {"code": flavor_id, "unit_num": 1},
        "flavor_info": {"max_num": nodes, "memory": {"size": 8, "unit": "GB"}, **info},
    }


FLAVORS: Final[list[dict[str, Any]]] = [
    _flavor("CPU", "modelarts.vm.cpu.2u", "Computing CPU(2U) instance", 1, cpu={"arch": "x86", "core_num": 2}),
    _flavor("GPU", "modelarts.p3.large.public", "Computing GPU(Vnt1) instance", 8, gpu={"unit_num": 1}),
    _flavor("Ascend", "modelarts.kat1.xlarge.public", "Computing Ascend(1*) instance", 8, npu={"unit_num": 1}),
]


def description(job: TrainingJob, now: float, base_url: str, user: str) -> dict[str, Any]:
    """Return a job as in responses to create, get, search and terminate, including secrets as in the real service."""
    body = job.body
    return {
        "kind": body.get("kind", "job"),
        "metadata": {
            "description": "",
            "annotations": {},
            **body["metadata"],
            "id": job.job_id,
            "create_time": _milliseconds(job.create_time),
            "user_name": user,
            "ai_project": "default-ai-project",
            "training_experiment_reference": body["metadata"].get("training_experiment_reference", {}),
        },
        "status": _status(job, now),
        "algorithm": body.get("algorithm", {}),
        "spec": body["spec"],
        "endpoints": _endpoints(job, base_url),
    }


def event(event: Event) -> dict[str, Any]:
    """Return an event."""
    time = datetime.fromtimestamp(event.time, timezone.utc)
    return {
        "time": f"{time:%Y-%m-%dT%H:%M:%S.%fZ}",
        "level": event.level,
        "message": event.message,
        "source": event.source,
    }


def log_page(lines: list[str], query: Mapping[str, str], count: int, *, overlaps: bool) -> dict[str, Any]:
    """
    Return some lines of a log.

    :param overlaps: whether the line at the requested position is included
    :raises ValueError: the line number is not one
    """
    base = query.get("base_line")
    index = None if base is None else int(base) - _FIRST_LINE
    if query.get("order") == "asc":
        begin = max(0, len(lines) - count) if index is None else max(0, index + (0 if overlaps else 1))
        indexes = list(range(len(lines)))[begin : begin + count]
    else:
        end = len(lines) if index is None else max(0, index + (1 if overlaps else 0))
        indexes = list(range(len(lines)))[:end][-count:][::-1]
    numbers = [str(_FIRST_LINE + position) for position in indexes]
    return {
        "start_line": numbers[0] if numbers else base,
        "end_line": numbers[-1] if numbers else base,
        "lines": len(indexes),
        "content": "".join(f"{lines[position]}\n" for position in indexes),
    }


def metrics(utilization: float, minutes: int) -> dict[str, Any]:
    """Return the use of resources in percent; -1 for a resource that the task does not have."""
    used, none = [utilization] * minutes, [-1.0] * minutes
    values = {"cpuUsage": used, "memUsage": used, "gpuUtil": used, "gpuMemUsage": used}
    return {
        "metrics": [{"metric": name, "value": values.get(name, none)} for name in (*values, "npuUtil", "npuMemUsage")]
    }


def _status(job: TrainingJob, now: float) -> dict[str, Any]:
    return {
        "phase": job.phase,
        "secondary_phase": _SECONDARY_PHASES.get(job.phase, job.phase),
        "duration": round(job.duration(now) * 1000),
        "start_time": _milliseconds(job.runs[0].start) if job.runs else 0,
        "node_count_metrics": None,
        "tasks": job.tasks,
        "task_statuses": [{"task": "worker-0", "exit_code": job.exit_code, "message": job.failure_message}]
        if job.exit_code is not None
        else None,
        "running_records": [_running_record(run) for run in job.runs],
    }


def _running_record(run: Run) -> dict[str, Any]:
    return {
        "start_at": int(run.start),
        "end_at": 0 if run.end is None else int(run.end),
        "start_type": run.start_type,
        "end_reason": run.end_reason,
        "end_related_task": "worker-0" if run.end_reason.startswith("exit with") else "",
        "end_recover": run.end_recover,
    }


def _endpoints(job: TrainingJob, base_url: str) -> dict[str, Any]:
    if job.phase != "Running":
        return {}
    url = f"{base_url}/notebook/{job.job_id}"
    return {name: {"url": f"{url}?token={job.token}", "token": job.token} for name in ("jupyter_lab", "tensorboard")}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
