"""One DAG a mode of the sensor, each with waits side by side; notes every start of a worker."""

import os
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_parsing_context

from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
    "skip_worker": {"skip_worker": True},
}

# A worker parses this file for one task each time it starts, and says for which.
context = get_parsing_context()
if context.task_id is not None:
    with Path(os.environ["BENCHMARK_WORKER_STARTS"]).open("a") as starts:
        starts.write(f"{context.dag_id}\n")

waits = int(os.environ["BENCHMARK_WAITS"])
for mode, arguments in MODES.items():
    with DAG(mode, schedule=None, max_active_tasks=waits):
        for number in range(waits):
            ModelArtsVisualizationJobSensor(
                task_id=f"wait_{number}",
                job_id=f"{{{{ dag_run.conf['job_ids'][{number}] }}}}",
                poke_interval=5,
                **arguments,
            )
