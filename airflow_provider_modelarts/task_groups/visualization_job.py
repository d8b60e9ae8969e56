"""A task group with a visualization job: its setup creates the job, and its teardown always ends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts._compat import TaskGroup
from airflow_provider_modelarts.choices import GroupEnd
from airflow_provider_modelarts.operators.visualization_job import (
    ModelArtsCreateVisualizationJobOperator,
    ModelArtsDeleteVisualizationJobOperator,
    ModelArtsStopVisualizationJobOperator,
)

# Not in _compat, because parsing every DAG file would pay for it.
try:
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:  # Airflow 2.11
    from airflow.operators.empty import EmptyOperator  # type: ignore[import-not-found, no-redef]

if TYPE_CHECKING:
    from airflow.sdk import XComArg
    from typing_extensions import Unpack

    from airflow_provider_modelarts.task_arguments import TaskArguments

_ENDS: Final[dict[GroupEnd, Any]] = {
    "stop": ModelArtsStopVisualizationJobOperator,
    "delete": ModelArtsDeleteVisualizationJobOperator,
}
_TEARDOWN_RETRIES: Final = 3
"""The fewest retries of the teardown, because one lost response must not leave a billed job behind."""


class VisualizationJobGroup(TaskGroup):
    """
    The result of :func:`visualization_job`. ``group >> task`` runs a task after those of the block.

    :ivar create: the task that creates the job
    """

    create: ModelArtsCreateVisualizationJobOperator

    @property
    def output(self) -> Any:
        """The job, as the XCom of :attr:`create`."""
        return self.create.output


@contextmanager
def visualization_job(
    group_id: str = "visualization_job",
    *,
    train_url: str | XComArg,
    job_name: str | XComArg | None = None,
    job_desc: str | XComArg | None = None,
    job_type: str | None = None,
    flavor: str | None = None,
    auto_stop_hours: int | str | None = None,
    stop_on_failure: bool | None = None,
    end: GroupEnd = "stop",
    modelarts_conn_id: str | None = None,
    region: str | None = None,
    project_id: str | None = None,
    workspace_id: str | None = None,
    deferrable: bool | None = None,
    poke_interval: float | timedelta | None = None,
    timeout: float | timedelta | None = None,
    poll_failure_tolerance: float | timedelta | None = None,
    inlets: Any = None,
    outlets: Any = None,
    default_args: dict[str, Any] | None = None,
    **kwargs: Unpack[TaskArguments],
) -> Iterator[VisualizationJobGroup]:
    """
    Run a visualization job around the tasks of a ``with`` block::

        with visualization_job(train_url="/bucket/logs/") as board:
            evaluate(board.output)

        board >> publish()

    The job is RUNNING before the first task of the block starts. It is ended after all of them are done, even if some
    fail. Failed tasks fail the run as they would without the group. If the job cannot be ended in at least four tries,
    that fails the run as well. Tasks behind the group wait for the tasks of the block, not for the end of the job.

    Airflow runs no teardown after ``dagrun_timeout``, or while the DAG is paused. Then the job stays RUNNING, and is
    billed. Set ``auto_stop_hours``; the log of ``create`` warns if it is not set.

    Arguments that are left out come from ``default_args``, or have the operator's default.

    :param group_id: ID of the task group. Its own tasks are ``create``, and ``stop`` or ``delete``. Behind the group
        there is a task ``<group_id>_is_over``, which fails the run if the job cannot be ended; no worker runs it
    :param train_url: as for :class:`.ModelArtsCreateVisualizationJobOperator`, as all up to ``stop_on_failure``
    :param end: ``"stop"`` keeps the job, ``"delete"`` does not
    :param modelarts_conn_id: of both tasks, as all up to ``poll_failure_tolerance``
    :param inlets: of ``create``
    :param outlets: of ``create``: their events say that the job runs
    :param default_args: as for any ``TaskGroup``: for all its tasks, those of the block included
    :param kwargs: for both tasks, what ``BaseOperator`` takes, as ``pool``, ``retries`` and ``on_failure_callback``
    :return: the group; its ``output`` is the job
    :raises ValueError: ``end`` is neither, or a parameter is invalid
    """
    if end not in _ENDS:
        raise ValueError(f"end: {end!r} is not one of {', '.join(_ENDS)}")
    both = _given(
        modelarts_conn_id=modelarts_conn_id,
        region=region,
        project_id=project_id,
        workspace_id=workspace_id,
        deferrable=deferrable,
        poke_interval=poke_interval,
        timeout=timeout,
        poll_failure_tolerance=poll_failure_tolerance,
    )
    create = _given(
        job_name=job_name,
        job_desc=job_desc,
        job_type=job_type,
        flavor=flavor,
        auto_stop_hours=auto_stop_hours,
        stop_on_failure=stop_on_failure,
        inlets=inlets,
        outlets=outlets,
    )
    group = VisualizationJobGroup(group_id, default_args=default_args or {})  # type: ignore[arg-type] # of attrs' converter
    with group:
        group.create = ModelArtsCreateVisualizationJobOperator(
            task_id="create", train_url=train_url, **create, **both, **kwargs
        )
        yield group
        tasks = [task for task in group if task is not group.create]
        teardown = _ENDS[end](task_id=end, job_id=group.output["job_id"], **both, **kwargs)
        teardown.retries = max(teardown.retries or 0, _TEARDOWN_RETRIES)
        teardown.as_teardown(setups=group.create)
    _surround(group.create, tasks, teardown)
    # A failed teardown does not fail the run. With `on_failure_fail_dagrun` it would, but failed tasks before it would
    # not. This task fails the run if the job may still run. It is outside the group, because tasks behind the group
    # would wait for it.
    teardown.set_downstream(EmptyOperator(task_id=f"{group.group_id}_is_over", task_group=group.dag.task_group))


def _surround(setup: Any, tasks: Sequence[Any], teardown: Any) -> None:
    """Put all tasks of a block between its setup and its teardown."""
    ids = {task.task_id for task in tasks}
    setup.set_downstream([task for task in tasks if task.upstream_task_ids.isdisjoint(ids)])
    # Not only the last tasks: a task is done as soon as one before it has failed, while others may still run.
    teardown.set_upstream(tasks)


def _given(**arguments: Any) -> dict[str, Any]:
    """Return the arguments that are not None."""
    return {name: value for name, value in arguments.items() if value is not None}
