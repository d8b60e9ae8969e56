"""Answers as the API's pages print them, and what else deployments are known to send."""

from __future__ import annotations

from typing import Any

JOB_ID = "425b7087-83de-49b4-9b65-6e2b91e4a5fe"

JOB: dict[str, Any] = {
    "kind": "job",
    "metadata": {
        "id": JOB_ID,
        "name": "trainjob--py14_mem06-byd-108",
        "description": "",
        "create_time": 1641890623262,
        "workspace_id": "0",
        "ai_project": "default-ai-project",
        "user_name": "",
        "annotations": {"job_template": "Template DL", "key_task": "worker"},
    },
    "status": {
        "phase": "Failed",
        "secondary_phase": "Failed",
        "duration": 60000,
        "start_time": 1641892655000,
        "node_count_metrics": [[1641892655000, 1]],
        "tasks": ["worker-0", "worker-1"],
        "task_statuses": [
            {"task": "worker-1", "exit_code": 1, "message": 'Traceback:\n  File "a.py"\r\nValueError: x\n'},
        ],
        "running_records": [
            {
                "start_at": 1641892655,
                "end_at": 1641892700,
                "start_type": "init_or_rescheduled",
                "end_reason": "exit with 137",
                "end_related_task": "worker-1",
                "end_recover": "job_reschedule",
                "recover_records": [{"recover": "job_reschedule", "recover_result": "success"}],
            },
            {"start_at": 1641892710, "end_at": 1641892770, "start_type": "restarted", "end_reason": "exit with 1"},
        ],
        "failureAnalysisResult": {
            "analysis_results": [{"description": "out of memory", "solution": "a larger flavor", "document_link": "x"}]
        },
    },
    "algorithm": {
        "code_dir": "obs://test/economic_test/py_minist/",
        "boot_file": "obs://test/economic_test/py_minist/minist_common.py",
        "parameters": [{"name": "password", "value": "PARAMETER-SECRET"}],
        "command": "python train.py --key=COMMAND-SECRET",
        "environments": [{"AK": "ENVIRONMENT-SECRET"}],
        "inputs": [{"name": "data_url", "remote": {"obs": {"obs_url": "/test/data/"}}}],
        "outputs": [
            {"name": "train_url", "remote": {"obs": {"obs_url": "/test/out/"}}},
            {"name": "nothing"},
        ],
        "engine": {
            "engine_id": "pytorch-cp36-1.4.0-v2",
            "engine_name": "PyTorch",
            "engine_version": "PyTorch-1.4.0-python3.6-v2",
        },
    },
    "spec": {
        "resource": {"policy": "regular", "flavor_id": "modelarts.vm.pnt1.large.eco", "node_count": 2},
        "log_export_path": {"obs_url": "/test/log/"},
    },
    "endpoints": {
        "jupyter_lab": {"url": "https://x", "token": "ENDPOINT-SECRET"},
        "tensorboard": {"url": "https://y?token=ENDPOINT-SECRET", "token": "ENDPOINT-SECRET"},
    },
}

SECRETS = ("PARAMETER-SECRET", "COMMAND-SECRET", "ENVIRONMENT-SECRET", "ENDPOINT-SECRET")

CREATE_FAILURE: dict[str, Any] = {
    "error_msg": "algorithm not found.",
    "error_code": "ModelArts.2755",
    "error_solution": "Check whether the algorithm exists.",
}


def job(*, job_id: str = JOB_ID, phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    """Return a small answer about a job."""
    return {"kind": "job", "metadata": {"id": job_id, **metadata}, "status": {"phase": phase}}


def page(*jobs: Any, count: int | None = None, **fields: Any) -> dict[str, Any]:
    """Return an answer to a search."""
    return {"total": 5059, "count": len(jobs) if count is None else count, "items": list(jobs), **fields}
