"""
Waits in every mode, with the whole path of a job around one of each, and operators on a worker and deferred.

Imports on Airflow 2.11 and on 3.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2.11
    from airflow.decorators import dag, task  # type: ignore[attr-defined, no-redef]

from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.links.base import XCOM_KEY
from airflow_provider_modelarts.operators.training_job import ModelArtsCreateTrainingJobOperator
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsCreateVisualizationJobOperator,
    ModelArtsDeleteVisualizationJobOperator,
    ModelArtsRestartVisualizationJobOperator,
    ModelArtsUpdateVisualizationJobOperator,
)
from airflow_provider_modelarts.sensors.training_job import ModelArtsTrainingJobSensor
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.task_groups.visualization_job import visualization_job

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
    "skip_worker": {"skip_worker": True},
}

ALGORITHM_ID = "01c399ae-8593-4ef5-9e4d-085950aacde1"
FLAVOR_ID = "modelarts.vm.cpu.2u"

WAYS: dict[str, dict[str, Any]] = {"on_worker": {"deferrable": False}, "deferred": {"deferrable": True}}


@task
def create(job_name: str) -> str:
    with ModelArtsHook() as hook:
        return hook.create_visualization_job(
            job_name=job_name, train_url="/bucket/logs/", job_type="tensorboard"
        ).job_id


@task
def check(job: Any, job_id: str, link_of: str, ti: Any = None) -> None:
    """Fail unless the sensor's XCom is a dict of the job, and its button leads to the job."""
    if not isinstance(job, dict) or (job["job_id"], job["status_name"]) != (job_id, "RUNNING"):
        raise ValueError(f"not the XCom of job {job_id}: {job!r}")
    link = ti.xcom_pull(task_ids=link_of, key=XCOM_KEY)
    if f"/{job_id}/" not in (link or ""):
        raise ValueError(f"not the link to job {job_id}: {link!r}")


@task
def stop(job_id: str) -> None:
    with ModelArtsHook() as hook:
        hook.stop_visualization_job(job_id)


@task
def delete(job_id: str) -> None:
    with ModelArtsHook() as hook:
        hook.delete_visualization_job(job_id)


def wait(task_id: str, mode: str, **arguments: Any) -> Any:
    return ModelArtsVisualizationJobSensor(
        task_id=f"{task_id}-{mode}", poke_interval=5, **{"timeout": 300, **MODES[mode], **arguments}
    )


def life_cycle(mode: str) -> None:
    """Create a job, wait until it runs, look at what the wait returned, stop the job, wait for its end, delete it."""

    def named(function: Any) -> Any:
        return function.override(task_id=f"{function.function.__name__}-{mode}")

    job_id = named(create)(job_name=f"matrix-{mode}")
    running = wait("running", mode, job_id=job_id)
    checked = named(check)(running.output, job_id, link_of=running.task_id)
    over = wait(
        "over",
        mode,
        job_id=f"{{{{ ti.xcom_pull(task_ids='create-{mode}') }}}}",
        target_status=["KILLED", "CANCELED", "COMPLETED"],
    )
    checked >> named(stop)(job_id) >> over >> named(delete)(job_id)


def bad_ends(mode: str, failing_job_id: Any) -> None:
    """Wait for a job that fails meanwhile, and softly for one that never gets anywhere."""
    wait("fails", mode, job_id=failing_job_id)
    wait("hangs", mode, job_id="{{ dag_run.conf.hanging_job_id }}", timeout=20, soft_fail=True)


def operators(way: str) -> None:
    """Have a job run around a task, start it again after that, and delete it."""
    options: dict[str, Any] = {"poke_interval": 5, **WAYS[way]}
    with visualization_job(f"board_{way}", train_url="/bucket/logs/", **options) as board:
        job_id: Any = board.output["job_id"]
        describe = ModelArtsUpdateVisualizationJobOperator(task_id="describe", job_id=job_id, job_desc="described")
        check.override(task_id="check")(board.output, job_id, link_of=board.create.task_id) >> describe
    restart = ModelArtsRestartVisualizationJobOperator(task_id=f"restart-{way}", job_id=job_id, **options)
    delete = ModelArtsDeleteVisualizationJobOperator(task_id=f"delete_again-{way}", job_id=job_id, **options)
    # Behind the stop itself: a group's teardown is not what tasks behind the group wait for.
    restart.set_upstream(restart.dag.get_task(f"board_{way}.stop"))
    restart >> delete


@task
def check_training(job: Any) -> None:
    """Fail unless the XCom is a dict of a completed training job."""
    if not isinstance(job, dict) or job["phase"] != "Completed" or not job["duration_ms"]:
        raise ValueError(f"not the XCom of a completed training job: {job!r}")


def train(task_id: str, **arguments: Any) -> Any:
    return ModelArtsCreateTrainingJobOperator(
        task_id=task_id, name_prefix="matrix", algorithm_id=ALGORITHM_ID, flavor_id=FLAVOR_ID, **arguments
    )


def training(mode: str) -> None:
    """Create a training job, and wait for its end by a sensor."""
    created = train(f"train-{mode}", wait_for_completion=False)
    trained = ModelArtsTrainingJobSensor(
        task_id=f"trained-{mode}", job_id=created.output["job_id"], poke_interval=5, timeout=300, **MODES[mode]
    )
    check_training.override(task_id=f"check_trained-{mode}")(trained.output)


def training_in_one_task(way: str) -> None:
    """Create a training job, and wait for its end in the same task."""
    trained = train(f"train-{way}", poke_interval=5, **WAYS[way])
    check_training.override(task_id=f"check_trained-{way}")(trained.output)


def retry() -> None:
    """Create a job that fails once: the retry has to start it again, and to wait for it."""
    create = ModelArtsCreateVisualizationJobOperator(
        task_id="retried",
        job_name="matrix-fails-once",
        train_url="/bucket/logs/",
        deferrable=True,
        poke_interval=5,
        retries=1,
        retry_delay=timedelta(seconds=1),
    )
    output: Any = create.output
    job_id = output["job_id"]
    check.override(task_id="check_retried")(output, job_id, link_of=create.task_id) >> (
        ModelArtsDeleteVisualizationJobOperator(task_id="delete_retried", job_id=job_id, poke_interval=5)
    )


@dag(schedule=None, max_active_tasks=64)
def every_mode() -> None:
    failing_job_id = create.override(task_id="create_failing")(job_name="matrix-fails")
    for mode in MODES:
        life_cycle(mode)
        bad_ends(mode, failing_job_id)
        training(mode)
    for way in WAYS:
        operators(way)
        training_in_one_task(way)
    retry()


every_mode()
