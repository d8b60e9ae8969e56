"""What a wait ends in, as a table and as a DAG: one task a row and mode, its jobs by the configuration of the run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, dag, task

from airflow_provider_modelarts.sensors.base import JobSensor
from airflow_provider_modelarts.sensors.training_job import ModelArtsTrainingJobSensor
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor

# On a busy machine, Airflow fails a try that starts before the scheduler has noticed the end of its last process.
RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=1)}
MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule", "poke_interval": 10, **RETRIES},
    "deferrable": {"deferrable": True, **RETRIES},
    "skip_worker": {"skip_worker": True, **RETRIES},
}

GONE = -1


class OwnSteps(ModelArtsVisualizationJobSensor):
    """A sensor with one more template field, and steps of its own."""

    template_fields = (*ModelArtsVisualizationJobSensor.template_fields, "topic")

    def __init__(self, *, topic: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.topic = topic

    def execute_complete(self, context: Any, event: Any = None) -> Any:
        """Say so."""
        print("resumed for", self.topic)
        return super().execute_complete(context, event)

    def post_execute(self, context: Any, result: Any = None) -> None:
        """Say so."""
        print("executed for", self.topic)


@dataclass(frozen=True)
class Row:
    """
    One kind of wait, and what it ends in.

    :param paths: for each job, the statuses that it takes, each once the wait has noticed the one before
    :param server: which emulator the jobs are in, and the connection to it; one breaks down between the statuses
    :param says: what the log of the task says
    :param status_name: of the last job in the XCom, for a wait that succeeds
    :param sensor: the class of the sensor
    :param mapped_over: whether a task downstream is mapped over the XCom
    """

    name: str
    state: str
    paths: tuple[tuple[int | str, ...], ...]
    arguments: dict[str, Any] = field(default_factory=dict)
    server: str = "waits"
    says: tuple[str, ...] = ()
    status_name: str | None = None
    sensor: type[JobSensor] = ModelArtsVisualizationJobSensor
    mapped_over: bool = False

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
        says=(" have failed for ", " (tolerated: 10 min 0 s); last seen: ", "The API answers again, after ")),
    Row("all_of_several", "success", ((8,), (7, 8)), status_name="RUNNING"),
    Row("any_of_several", "success", ((7,), (7, 8)), {"wait_for": "any"}, status_name="RUNNING"),

    Row("mapped_over", "success", ((8,), (7, 8)), status_name="RUNNING", mapped_over=True),
    Row("own_steps", "success", ((7, 8),), {"topic": "{{ run_id }}"}, status_name="RUNNING",
        sensor=OwnSteps, says=("executed for manual__",)),

    Row("fails", "failed", ((7, 11),), says=("is FAILED (11) and cannot become RUNNING (8) any more",)),
    Row("vanishes", "failed", ((7, GONE),), says=("was not found and cannot become RUNNING (8); last seen: ",)),
    Row("one_of_several_fails", "failed", ((8,), (7, 11), (7,)),
        says=("is FAILED (11) and cannot become RUNNING (8) any more",)),
    Row("hangs", "failed", ((7,),), {"timeout": 15}, says=("imed out",)),
    Row("wrong_secret_key", "failed", ((7,),), server="wrong_key",
        says=("is unknown; last seen: never", "APIGW.0301")),
    Row("undefined_variable", "failed", ((8,),), {"region": "{{ params.typo }}"}, says=("has no attribute 'typo'",)),
    Row("no_connection", "failed", ((8,),), {"modelarts_conn_id": "no_such_connection"},
        says=("no_such_connection",)),
    Row("no_connection_silently", "failed", ((8,),),
        {"modelarts_conn_id": "no_such_connection", "silent_fail": True, "timeout": 15},
        says=("no_such_connection", "imed out")),

    Row("fails_softly", "skipped", ((7, 11),), {"soft_fail": True}, says=("is FAILED (11)",)),
    Row("hangs_softly", "skipped", ((7,),), {"timeout": 15, "soft_fail": True}, says=("imed out",)),
    Row("no_connection_never_fails", "skipped", ((8,),),
        {"modelarts_conn_id": "no_such_connection", "never_fail": True}, says=("no_such_connection",)),
]  # fmt: skip

TABLE += [
    replace(row, name=f"training_{row.name}", sensor=ModelArtsTrainingJobSensor)
    for row in TABLE
    if row.name in ("arrives", "deletion", "fails", "vanishes", "hangs")
]

with DAG("wait_table", schedule=None, max_active_tasks=64, default_args={"poke_interval": 5}):

    @task
    def echo(item: list[Any]) -> str:
        """Return the id of a job, of one entry of the XCom of several."""
        return str(item[0])

    for row in TABLE:
        for mode, options in MODES.items():
            task_id = row.task_id(mode)
            jobs = f"dag_run.conf['{task_id}']"
            which: dict[str, Any] = (
                {"job_id": f"{{{{ {jobs}[0] }}}}"} if len(row.paths) == 1 else {"job_ids": f"{{{{ {jobs} }}}}"}
            )
            wait = row.sensor(task_id=task_id, **{"modelarts_conn_id": row.server, **which, **row.arguments, **options})
            if row.mapped_over:
                echo.override(task_id=f"{task_id}.echo").expand(item=wait.output)


def make_dag_that_returns_a_wait(mode: str) -> None:
    """Make the DAG of one mode; a DAG has one result."""

    @dag(dag_id=f"returns_wait_{mode}", schedule=None)
    def returns_wait() -> Any:
        return ModelArtsVisualizationJobSensor(
            task_id="wait",
            job_id="{{ params.job_id }}",
            modelarts_conn_id="waits",
            **{"poke_interval": 5, **MODES[mode]},
        ).output

    returns_wait()


for mode in MODES:
    make_dag_that_returns_a_wait(mode)
