"""The jobs of the benchmarks, as the two APIs describe them."""

from __future__ import annotations

from typing import Any, Final

STARTED: Final = "started"
CHANGED: Final = "changed"
ARRIVED: Final = "arrived"
MOMENTS: Final = (STARTED, CHANGED, ARRIVED)

TRAINING_PHASES: Final = {STARTED: "Running", CHANGED: "Pending", ARRIVED: "Completed"}
"""A job that has changed is being rescheduled."""

_VISUALIZATION_STATUSES: Final = {STARTED: 1, CHANGED: 7, ARRIVED: 8}
_ID_PREFIX: Final = "00000000-0000-4000-8000-"


def visualization(number: int, moment: str) -> dict[str, Any]:
    """Return a visualization job."""
    return {
        "job_id": number,
        "job_name": f"visualization-job-{number}",
        "status": _VISUALIZATION_STATUSES[moment],
        "create_time": 1_700_000_000_000 + number,
        "duration": 60_000,
        "job_desc": "",
        "service_url": f"https://authoring.example.com/{number}/tensorboard",
        "train_url": f"/bucket/training/{number}/",
        "resource_id": f"{number:032x}",
    }


def training(number: int, moment: str) -> dict[str, Any]:
    """Return a training job."""
    phase = TRAINING_PHASES[moment]
    return {
        "kind": "job",
        "metadata": {
            "id": training_id(number),
            "name": f"training-job-{number}",
            "workspace_id": "0",
            "create_time": 1_700_000_000_000 + number,
            "user_name": "trainer",
            "annotations": {"job_template": "Template DL", "key_task": "worker"},
        },
        "status": {
            "phase": phase,
            "secondary_phase": phase,
            "duration": 60_000,
            "start_time": 1_700_000_001_000 + number,
            "tasks": ["worker-0"],
        },
        "algorithm": {
            "code_dir": "/bucket/code/",
            "boot_file": "/bucket/code/train.py",
            "parameters": [{"name": "epochs", "value": "10"}],
            "engine": {"engine_id": "pytorch_1.8.0-cuda_10.2-py_3.7-ubuntu_18.04-x86_64"},
            "inputs": [{"name": "data_url", "remote": {"obs": {"obs_url": "/bucket/data/"}}}],
            "outputs": [{"name": "train_url", "remote": {"obs": {"obs_url": f"/bucket/models/{number}/"}}}],
        },
        "spec": {"resource": {"flavor_id": "modelarts.p3.large.public", "node_count": 1}},
    }


def training_id(number: int) -> str:
    """Return the ID of a training job."""
    return f"{_ID_PREFIX}{number:012x}"


def training_number(job_id: str) -> int:
    """Return the number of a training job."""
    return int(job_id.removeprefix(_ID_PREFIX), 16)
