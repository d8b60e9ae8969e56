"""What a DAG run did, as Airflow's REST API and the log files on disk tell it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import psutil

from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.emulator.training_jobs.job import TrainingJob
from tools.local_airflow import LocalAirflow

WORKER_START = "::group::Pre Execute"
"""What every start of a worker process writes first into the log of its task."""


class ObservedRun:
    """
    A run of a DAG.

    It is started now, unless it is one that was started in another way.

    Logs are read from disk: the REST API would take seconds of CPU for what is asked here, many times a run.
    """

    def __init__(self, airflow: LocalAirflow, dag_id: str, conf: dict[str, Any], run_id: str | None = None) -> None:
        self._airflow = airflow
        self._dag_id = dag_id
        self.run_id = run_id or airflow.trigger(dag_id, conf=conf)

    @property
    def state(self) -> str:
        return self._airflow.run_state(self._dag_id, self.run_id)

    def wait(self, timeout: float = 240) -> str:
        return self._airflow.wait(self._dag_id, self.run_id, timeout)

    def instances(self, task_id: str | None = None) -> list[dict[str, Any]]:
        """Return the task instances, of one task in the order of their map index."""
        found = self._airflow.task_instances(self._dag_id, self.run_id)
        mine = [instance for instance in found if task_id in (None, instance["task_id"])]
        return sorted(mine, key=lambda instance: int(instance["map_index"]))

    def states(self, task_id: str | None = None) -> list[str | None]:
        return [instance["state"] for instance in self.instances(task_id)]

    def xcoms(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return all XComs of a task instance by key."""
        path = f"{self._path(task_id)}/xcomEntries"
        entries = self._airflow.api("GET", path, params={"map_index": map_index})["xcom_entries"]
        keys = [str(entry["key"]) for entry in entries]
        assert len(keys) == len(set(keys)), keys
        return {key: self._airflow.xcom(self._dag_id, self.run_id, task_id, key, map_index) for key in keys}

    def link(self, task_id: str, map_index: int = -1, name: str = "ModelArts visualization job") -> str | None:
        """Return where the button of the task leads."""
        answer = self._airflow.api("GET", f"{self._path(task_id)}/links", params={"map_index": map_index})
        link: str | None = answer["extra_links"][name]
        return link

    def waits(self, task_id: str) -> bool:
        """Return whether a task waits, on a worker or in the triggerer."""
        return self.states(task_id) in (["running"], ["deferred"])

    def clear(self, task_id: str) -> None:
        """Clear a task, as the button does, so that it runs again."""
        body = {"dry_run": False, "dag_run_id": self.run_id, "task_ids": [task_id], "only_failed": False}
        self._airflow.api("POST", f"dags/{self._dag_id}/clearTaskInstances", json=body)

    def set_state(self, task_id: str, state: str) -> None:
        """Mark a task, as the button does."""
        self._airflow.api("PATCH", self._path(task_id), json={"new_state": state})

    def log(self, task_id: str, map_index: int = -1) -> str:
        """Return all that was logged for a task instance by workers and triggerer so far, an event a line."""
        return "\n".join(
            _event(line) for file in self._log_files(task_id, map_index) for line in file.read_text().splitlines()
        )

    def worker_starts(self, task_id: str, map_index: int = -1) -> int:
        """Return how many worker processes were started for a task instance, in all its tries."""
        return self.log(task_id, map_index).count(WORKER_START)

    def _path(self, task_id: str) -> str:
        return f"dags/{self._dag_id}/dagRuns/{self.run_id}/taskInstances/{task_id}"

    def _log_files(self, task_id: str, map_index: int) -> list[Path]:
        folder = self._airflow.home / f"logs/dag_id={self._dag_id}/run_id={self.run_id}/task_id={task_id}"
        if map_index >= 0:
            folder /= f"map_index={map_index}"
        return sorted(folder.glob("attempt=*.log*"))


def connected_to(server: Emulator) -> list[int]:
    """Return the processes that hold a connection to an emulator, but for this one."""
    found = set()
    for connection in psutil.net_connections("tcp"):
        if connection.raddr and connection.raddr.port == server.port and connection.pid not in (None, os.getpid()):
            found.add(connection.pid)
    return sorted(found)


def training_jobs_of(server: Emulator, run: ObservedRun, task_id: str) -> list[TrainingJob]:
    """Return the training jobs that a task has created, oldest first."""
    mine = f" / {task_id} / {run.run_id}"
    jobs = server.training_jobs.all()
    return [job for job in jobs if str(job.body["metadata"].get("description")).endswith(mine)]


def _event(line: str) -> str:
    """Return the text of a line of a log file, with why it says so; a line that is being written, as it is."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    errors = [error["exc_value"] for error in entry.get("error_detail", ())]
    return " ".join(map(str, [entry["event"], entry.get("reason", ""), *errors]))
