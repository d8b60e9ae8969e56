"""Waits in every mode on jobs of the run's own, and a task behind each that must run as often as its job arrives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.operators.training_job import ModelArtsCreateTrainingJobOperator
from airflow_provider_modelarts.sensors.training_job import ModelArtsTrainingJobSensor
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor

TRAINING: dict[str, Any] = {"algorithm_id": "an-algorithm", "flavor_id": "modelarts.vm.cpu.2u"}
FATES: dict[str, tuple[str, bool]] = {
    "arrives_meanwhile": ("meanwhile", True),
    "fails_meanwhile": ("meanwhile", False),
    "arrives_afterwards": ("afterwards", True),
    "fails_afterwards": ("afterwards", False),
}
"""The waits of each mode: when a job moves, while things are broken or when they are mended, and whether it arrives."""

# What Airflow loses with a worker is a try, of any task. How many were used is part of what is reported.
RETRY: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(seconds=1)}


@dataclass(frozen=True)
class Mode:
    """
    How tasks wait.

    :param title: what the table calls it
    :param options: arguments of the task
    :param operator: its class; an operator that creates its job, or a sensor
    :param state: of a task that waits
    """

    title: str
    options: dict[str, Any]
    operator: type[Any] = ModelArtsVisualizationJobSensor
    state: str = "deferred"

    @property
    def creates(self) -> bool:
        """Whether each task creates the job that it waits for."""
        return self.operator is ModelArtsCreateTrainingJobOperator

    @property
    def is_training(self) -> bool:
        """Whether it waits for training jobs."""
        return self.operator is not ModelArtsVisualizationJobSensor

    @property
    def fates(self) -> dict[str, tuple[str, bool]]:
        """The fates of its jobs. A retry of a task whose own job has failed creates another: that is no wait."""
        return {name: fate for name, fate in FATES.items() if fate[1] or not self.creates}


MODES: dict[str, Mode] = {
    "poke": Mode("sensor: poke", {"mode": "poke"}, state="running"),
    "reschedule": Mode(
        "sensor: reschedule",
        # It starts on a worker all the time. While there is no API server each start fails: a retry must come later.
        # And Airflow fails a try that starts again before the scheduler has noticed the end of its last process.
        {"mode": "reschedule", "poke_interval": 10, "retry_delay": timedelta(seconds=20)},
        state="up_for_reschedule",
    ),
    "deferrable": Mode("sensor: deferrable", {"deferrable": True}),
    "skip_worker": Mode("sensor: skip_worker", {"skip_worker": True}),
    "training_deferrable": Mode(
        "sensor of training jobs: deferrable", {"deferrable": True}, ModelArtsTrainingJobSensor
    ),
    "training_skip_worker": Mode(
        "sensor of training jobs: skip_worker", {"skip_worker": True}, ModelArtsTrainingJobSensor
    ),
    "create_on_worker": Mode(
        "create training job: on a worker",
        {**TRAINING, "deferrable": False},
        ModelArtsCreateTrainingJobOperator,
        "running",
    ),
    "create_deferrable": Mode(
        "create training job: deferrable", {**TRAINING, "deferrable": True}, ModelArtsCreateTrainingJobOperator
    ),
}
"""How the waits of each mode are made. What is added here is killed, judged and reported with the others."""

ON_WORKERS = ("poke", "reschedule", "create_on_worker")
"""The modes that hold a worker, at least now and then."""

POKE_INTERVAL = 4  # seconds


def task_id_of(mode: str, fate: str) -> str:
    """Return the id of the task that waits."""
    return f"{mode}.{fate}"


with DAG(
    "waits_to_be_killed",
    schedule=None,
    max_active_tasks=64,
    params={"connection": "modelarts_default"},
    default_args=RETRY,
):

    @task
    def create(params: Any = None) -> dict[str, str]:
        """Create a job for each wait of a sensor."""
        with ModelArtsHook(params["connection"]) as hook:

            def create_job(name: str, mode: Mode) -> str:
                if mode.is_training:
                    return hook.create_training_job(job_name=name, **TRAINING).job_id
                return hook.create_visualization_job(job_name=name, train_url="/bucket/logs/").job_id

            return {
                task_id_of(name, fate): create_job(f"{name}-{number}", mode)
                for name, mode in MODES.items()
                if not mode.creates
                for number, fate in enumerate(mode.fates)
            }

    created = create()
    for name, mode in MODES.items():
        for fate in mode.fates:
            task_id = task_id_of(name, fate)
            awaited = {} if mode.creates else {"job_id": f"{{{{ ti.xcom_pull(task_ids='create')['{task_id}'] }}}}"}
            wait = mode.operator(
                task_id=task_id,
                modelarts_conn_id="{{ params.connection }}",
                poll_failure_tolerance=120,
                **{"poke_interval": POKE_INTERVAL, **awaited, **mode.options},
            )

            @task(task_id=f"{task_id}.use")
            def use(job: Any) -> str:
                """Say which job it was given."""
                print("using job", job["job_id"])
                return str(job["job_id"])

            created >> wait
            use(wait.output)
