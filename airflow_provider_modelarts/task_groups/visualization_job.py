"""A task group in which a visualization job runs: created as its setup, and ended as its teardown whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from airflow_provider_modelarts._compat import TaskGroup
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsCreateVisualizationJobOperator,
    ModelArtsDeleteVisualizationJobOperator,
    ModelArtsStopVisualizationJobOperator,
)

_ENDS: Final[dict[str, Any]] = {
    "stop": ModelArtsStopVisualizationJobOperator,
    "delete": ModelArtsDeleteVisualizationJobOperator,
}
_SHARED: Final = (
    *("modelarts_conn_id", "region", "project_id", "workspace_id"),
    *("deferrable", "poke_interval", "timeout", "poll_failure_tolerance"),
    *("queue", "pool", "executor", "retries", "retry_delay"),
)
_TEARDOWN_RETRIES: Final = 3
"""At least: one lost answer must not leave a job behind that is billed."""


@contextmanager
def visualization_job(
    group_id: str = "visualization_job", *, end: str = "stop", **create: Any
) -> Iterator[ModelArtsCreateVisualizationJobOperator]:
    """
    Let a visualization job run around the tasks that are made inside the ``with`` block::

        with visualization_job(train_url="/bucket/logs/") as job:
            look_at(job.output)

    The job is created and RUNNING before the first of them, and ended after the last, also when one of them fails; the
    run fails with them, and it fails when the job cannot be ended, which is tried at least four times. Tasks behind the
    group do not wait for the end.

    :param group_id: id of the task group; its own tasks are ``create`` and ``stop`` or ``delete``
    :param end: ``"stop"`` keeps the job, ``"delete"`` does not
    :param create: as for :class:`.ModelArtsCreateVisualizationJobOperator`, but for ``task_id``
    :return: the task that creates the job; its output is the job
    :raises ValueError: ``end`` is neither, or a parameter cannot be
    """
    if end not in _ENDS:
        raise ValueError(f"end: {end!r} is not one of {', '.join(_ENDS)}")
    with TaskGroup(group_id):
        setup = ModelArtsCreateVisualizationJobOperator(task_id="create", **create)
        shared = {name: create[name] for name in _SHARED if name in create}
        job: Any = setup.output
        teardown = _ENDS[end](task_id=end, job_id=job["job_id"], **shared)
        teardown.retries = max(teardown.retries or 0, _TEARDOWN_RETRIES)
        # Not the state of the run but the job's bill is at stake: a job that goes on must be seen.
        with teardown.as_teardown(setups=setup, on_failure_fail_dagrun=True):
            yield setup
