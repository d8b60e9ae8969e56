"""What a wait ends in, as a table and as a DAG: one task a row and mode, its jobs by the configuration of the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow.sdk import DAG

from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
    "skip_worker": {"skip_worker": True},
}

GONE = -1


@dataclass(frozen=True)
class Row:
    """
    One kind of wait, and what it ends in.

    :param paths: for each job, the statuses that it takes, each once the wait has noticed the one before
    :param server: which emulator the jobs are in, and the connection to it; one breaks down between the statuses
    :param says: what the log of the task says
    :param status_name: of the last job in the XCom, for a wait that succeeds
    """

    name: str
    state: str
    paths: tuple[tuple[int, ...], ...]
    arguments: dict[str, Any] = field(default_factory=dict)
    server: str = "waits"
    says: tuple[str, ...] = ()
    status_name: str | None = None

    def task_id(self, mode: str) -> str:
        """Return the id of the task that waits this way."""
        return f"{self.name}-{mode}"


TABLE = [
    Row("arrives", "success", ((7, 8),), status_name="RUNNING",
        says=("is WAITING (7); waiting for RUNNING (8)",)),
    Row("has_arrived", "success", ((8,),), status_name="RUNNING", says=("is RUNNING (8)",)),
    Row("unknown_status", "success", ((7, 42, 8),), status_name="RUNNING",
        says=("undocumented status 42",)),
    Row("deletion", "success", ((12, GONE),), {"target_status": "GONE"}, status_name="GONE"),
    Row("outage", "success", ((7, 8),), server="breaks_down", status_name="RUNNING",
        says=("failed, for 0 s now (tolerated: 10 min 0 s); last seen: ", "The API answers again, after ")),
    Row("all_of_several", "success", ((8,), (7, 8)), status_name="RUNNING"),
    Row("any_of_several", "success", ((7,), (7, 8)), {"wait_for": "any"}, status_name="RUNNING"),

    Row("fails", "failed", ((7, 11),), says=("is FAILED (11) and cannot become RUNNING (8) any more",)),
    Row("vanishes", "failed", ((7, GONE),), says=("is not there and cannot become RUNNING (8); last seen: ",)),
    Row("one_of_several_fails", "failed", ((8,), (7, 11), (7,)),
        says=("is FAILED (11) and cannot become RUNNING (8) any more",)),
    Row("hangs", "failed", ((7,),), {"timeout": 15}, says=("imed out",)),
    Row("wrong_secret_key", "failed", ((7,),), server="wrong_key",
        says=("is unknown; last seen: never", "APIGW.0301")),

    Row("fails_softly", "skipped", ((7, 11),), {"soft_fail": True}, says=("is FAILED (11)",)),
    Row("hangs_softly", "skipped", ((7,),), {"timeout": 15, "soft_fail": True}, says=("imed out",)),
]  # fmt: skip

with DAG("wait_table", schedule=None, max_active_tasks=64, default_args={"poke_interval": 5}):
    for row in TABLE:
        for mode, options in MODES.items():
            task_id = row.task_id(mode)
            jobs = f"dag_run.conf['{task_id}']"
            which: dict[str, Any] = (
                {"job_id": f"{{{{ {jobs}[0] }}}}"} if len(row.paths) == 1 else {"job_ids": f"{{{{ {jobs} }}}}"}
            )
            ModelArtsVisualizationJobSensor(
                task_id=task_id, modelarts_conn_id=row.server, **which, **row.arguments, **options
            )
