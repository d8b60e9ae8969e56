"""A real Airflow of any version that is supported, driven by its command line, which all of them have in common."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from airflow_provider_modelarts._compat import airflow_version
from tools.local_airflow import COMPONENTS, LocalAirflow, LocalAirflowError, poll_until

COMPONENTS_OF_2 = ("scheduler", "triggerer")  # the scheduler parses the DAG files, workers use the database
POLL_INTERVAL = 5.0  # seconds; a command takes some, too
LOAD_TIMEOUT = 180.0  # seconds from the start of the components until the DAG can be run


class CommandLineAirflow(LocalAirflow):
    """As :class:`LocalAirflow`, for Airflow 2.11, too. Connections come by ``AIRFLOW_CONN_...`` in ``env``."""

    def __init__(self, dags_folder: Path, *, env: Mapping[str, str]) -> None:
        settings = {
            "AIRFLOW__API__WORKERS": "1",
            # Airflow 2 would have no LocalExecutor on SQLite, for want of row locks. All that needs them here is that
            # workers schedule tasks, too: some would be scheduled twice.
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
            "AIRFLOW__SCHEDULER__SCHEDULE_AFTER_TASK_EXECUTION": "False",
            **env,
        }
        components = COMPONENTS if airflow_version() >= (3, 0) else COMPONENTS_OF_2
        super().__init__(dags_folder, env=settings, components=components)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """
        Start a run of the DAG once it is loaded, and return the run id.

        :raises TimeoutError: it is not loaded in time; with what Airflow says of the DAG files
        """
        run_id = "run"
        refusal = ""

        def triggered() -> bool:
            nonlocal refusal
            self._check_alive()
            try:
                self._run("dags", "trigger", dag_id, "--run-id", run_id, "--conf", json.dumps(dict(conf or {})))
            except LocalAirflowError as error:
                refusal = str(error)
                return False
            return True

        poll_until(
            triggered, LOAD_TIMEOUT, lambda: f"{refusal}\n{self._run('dags', 'list-import-errors')}", POLL_INTERVAL
        )
        return run_id

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """State of each task of a run without mapped tasks."""
        self._check_alive()
        output = self._run("tasks", "states-for-dag-run", dag_id, run_id, "--output", "json")
        rows = json.loads(output[output.index("[{") :])  # below what the command logs
        return {row["task_id"]: row["state"] or None for row in rows}

    def wait_for_tasks(self, dag_id: str, run_id: str, final: Collection[str], timeout: float) -> dict[str, str | None]:
        """
        Return the states of the tasks of a run once all are final.

        :param timeout: seconds
        :raises TimeoutError: they are not in time; with their states
        """
        states: dict[str, str | None] = {}

        def all_final() -> bool:
            states.update(self.task_states(dag_id, run_id))
            return all(state in final for state in states.values())

        poll_until(all_final, timeout, lambda: f"run {run_id} of {dag_id} goes on: {states}", POLL_INTERVAL)
        return states

    def task_log_text(self, dag_id: str, run_id: str, task_id: str) -> str:
        """All that workers and triggerer have written into the log of a task, as it is on disk."""
        folder = self.home / f"logs/dag_id={dag_id}/run_id={run_id}/task_id={task_id}"
        return "\n".join(file.read_text(errors="replace") for file in sorted(folder.glob("attempt=*.log*")))

    def _wait_until_ready(self) -> None:
        """Wait as for any Airflow 3, whose workers need the API server; those of 2 need nothing but the database."""
        if "api-server" in self.components:
            super()._wait_until_ready()
