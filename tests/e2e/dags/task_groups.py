"""Task groups around a job, whose tasks say whether the job runs while they do."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task, task_group

from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.task_groups.visualization_job import visualization_job

URL = "/bucket/logs/"
COMMON: dict[str, Any] = {"modelarts_conn_id": "task_groups", "poke_interval": 1, "auto_stop_hours": 4}


@task
def use(job: Any = None, group: str = "board", x: int = 0, seconds: float = 0, ti: Any = None) -> None:
    """Fail unless the job of a group runs at the beginning and the end of a task."""
    job = job or ti.xcom_pull(task_ids=f"{group}.create")
    with ModelArtsHook("task_groups") as hook:
        for pause in (seconds, 0):
            status = hook.get_visualization_job(job["job_id"]).status_name
            if status != "RUNNING":
                raise ValueError(f"job {job['job_id']} is {status}")
            time.sleep(pause)


@task
def nothing() -> None:
    pass


@task
def fail(job: Any = None) -> None:
    raise RuntimeError("as asked for")


@dag(schedule=None)
def group_fails() -> None:
    """Nothing follows the task that fails."""
    with visualization_job("board", train_url=URL, **COMMON) as board:
        fail(board.output)


@dag(schedule=None)
def group_end_fails() -> None:
    options = {**COMMON, "retry_delay": timedelta(0)}
    with visualization_job("board", train_url=URL, **options) as board:
        use(board.output)


@dag(schedule=None)
def group_empty() -> None:
    with visualization_job("board", train_url=URL, **COMMON):
        pass


@dag(schedule=None)
def group_mapped() -> None:
    """Mapped tasks, with the job and without, in a mapped group, and some that no edge leads to."""

    @task_group
    def pair(x: int) -> None:
        use.override(task_id="first")(x=x) >> use.override(task_id="second")(x=x, seconds=3)

    with visualization_job("board", train_url=URL, **COMMON) as board:
        use.override(task_id="with_output").partial(job=board.output, seconds=3).expand(x=[1, 2])
        use.override(task_id="without").partial(seconds=3).expand(x=[1, 2])
        pair.expand(x=[1, 2])
        [use.override(task_id="slow")(seconds=10), fail()] >> use.override(task_id="never")()


@dag(schedule=None)
def group_of_mapped() -> None:
    """A job for each index of a mapped task group."""

    @task_group
    def each(train_url: str) -> None:
        with visualization_job("board", train_url=train_url, **COMMON) as board:
            use(board.output)

    each.expand(train_url=["/bucket/a/", "/bucket/b/"])


@dag(schedule=None)
def group_nested() -> None:
    """A block in a block, edges to and from outside, and a task behind the group."""
    with visualization_job("board", train_url=URL, **COMMON) as board:
        outer = use.override(task_id="outer")(board.output, seconds=3)
        with visualization_job("inner", train_url="/bucket/inner/", end="delete", **COMMON) as inner:
            use.override(task_id="both")(inner.output, seconds=3)
    nothing.override(task_id="before")() >> outer >> nothing.override(task_id="after_outer")()
    board >> nothing.override(task_id="next")()


group_fails()
group_end_fails()
group_empty()
group_mapped()
group_of_mapped()
group_nested()
