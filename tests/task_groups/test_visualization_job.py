"""The structure of a task group: what waits for what, and which tasks decide on the state of a run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

try:
    from airflow.sdk import DAG, task, task_group
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task, task_group  # type: ignore[attr-defined, no-redef]

from airflow_provider_modelarts.choices import GroupEnd
from airflow_provider_modelarts.task_groups.visualization_job import visualization_job

BOARD: dict[str, Any] = {"group_id": "board", "train_url": "/bucket/logs/"}


@task
def use(job: Any = None, x: int = 0) -> int:
    return x


@pytest.fixture
def dag() -> Iterator[Any]:
    with DAG("dag", schedule=None) as dag:
        yield dag
    dag.validate_setup_teardown()  # type: ignore[no-untyped-call]


def upstream(dag: DAG, task_id: str) -> set[str]:
    return {task.removeprefix("board.") for task in dag.get_task(task_id).upstream_task_ids}


def all_upstream(dag: DAG, task_id: str) -> set[str]:
    return {task.task_id.removeprefix("board.") for task in dag.get_task(task_id).get_flat_relatives(upstream=True)}


def decides(dag: DAG) -> set[str]:
    """Return the tasks whose states make the state of a run, by the rule of Airflow's ``DagRun``."""

    def is_ignored(task: Any) -> bool:
        return task.is_teardown and not task.on_failure_fail_dagrun

    return {task.task_id for task in dag.tasks if not is_ignored(task) and all(map(is_ignored, task.downstream_list))}


def test_a_task_of_the_block_and_the_end_of_the_job_decide_on_the_run(dag: Any) -> None:
    with visualization_job(**BOARD) as board:
        use(board.output)
    assert upstream(dag, "board.use") == {"create"}
    assert upstream(dag, "board.stop") == {"create", "use"}
    assert decides(dag) == {"board.use", "board_is_over"}
    assert upstream(dag, "board_is_over") == {"stop"}
    assert dag.get_task("board.create").is_setup
    assert dag.get_task("board.stop").is_teardown


@pytest.mark.parametrize("with_output", [True, False])
def test_mapped_tasks_are_waited_for(with_output: bool, dag: Any) -> None:
    with visualization_job(**BOARD) as board:
        (use.partial(job=board.output) if with_output else use).expand(x=[1, 2])
    assert upstream(dag, "board.use") == {"create"}
    assert upstream(dag, "board.stop") == {"create", "use"}


def test_mapped_task_groups_are_waited_for(dag: Any) -> None:
    @task_group
    def pair(x: int) -> None:
        use.override(task_id="second")(use.override(task_id="first")(x=x))

    with visualization_job(**BOARD):
        pair.expand(x=[1, 2])
    assert upstream(dag, "board.pair.first") == {"create"}
    assert upstream(dag, "board.stop") == {"create", "pair.first", "pair.second"}


def test_a_group_can_be_mapped(dag: Any) -> None:
    @task_group
    def each(train_url: str) -> None:
        with visualization_job("board", train_url=train_url) as board:
            use(board.output)

    each.expand(train_url=["/bucket/a/", "/bucket/b/"])
    assert all_upstream(dag, "each.board.stop") == {"each.board.create", "each.board.use"}


def test_edges_to_and_from_outside_take_no_edge_away(dag: Any) -> None:
    before, after = use.override(task_id="before")(), use.override(task_id="after")()
    with visualization_job(**BOARD):
        first, last = use.override(task_id="first")(), use.override(task_id="last")()
    before >> first
    with visualization_job("other", train_url="/bucket/logs/"):
        between = use.override(task_id="between")()
        before >> between >> after
    last >> after
    assert upstream(dag, "board.first") == {"create", "before"}
    assert upstream(dag, "board.stop") == {"create", "first", "last"}
    assert upstream(dag, "other.between") == {"other.create", "before"}
    assert upstream(dag, "other.stop") == {"other.create", "other.between"}


def test_a_way_out_of_the_block_and_back_takes_no_edge_away(dag: Any) -> None:
    with visualization_job(**BOARD):
        first, last = use.override(task_id="first")(), use.override(task_id="last")()
        outside = use.override(task_id="outside", task_group=dag.task_group)()
        first >> outside >> last
    assert upstream(dag, "board.last") == {"create", "outside"}
    assert upstream(dag, "board.stop") == {"create", "first", "last"}


def test_the_job_outlives_every_task_although_a_later_one_is_done_earlier(dag: Any) -> None:
    """A task is upstream_failed as soon as one task before it has failed: the others may still run."""
    with visualization_job(**BOARD):
        [use.override(task_id="slow")(), use.override(task_id="fails")()] >> use.override(task_id="last")()
    assert upstream(dag, "board.stop") == {"create", "slow", "fails", "last"}


def test_blocks_can_be_nested(dag: Any) -> None:
    with visualization_job(**BOARD) as board:
        use.override(task_id="outer")(board.output)
        with visualization_job("inner", train_url="/bucket/inner/", end="delete") as inner:
            use.override(task_id="both")([board.output, inner.output])
    assert upstream(dag, "board.inner.create") == {"create"}
    assert upstream(dag, "board.inner.both") == {"create", "inner.create"}
    assert upstream(dag, "board.inner.delete") == {"inner.create", "inner.both"}
    assert upstream(dag, "board.stop") == {"create", "outer", "inner.create", "inner.both", "inner.delete"}
    assert decides(dag) == {"board.outer", "board.inner.both", "board.inner_is_over", "board_is_over"}


def test_a_teardown_of_the_block_is_waited_for_and_decides_only_if_it_is_meant_to(dag: Any) -> None:
    with visualization_job(**BOARD):
        for name in ("ignored", "decides"):
            clean_up = use.override(task_id=f"{name}_teardown")()
            make: Any
            make, work = use.override(task_id=f"{name}_setup")(), use.override(task_id=f"{name}_work")()
            make >> work >> clean_up.as_teardown(setups=make, on_failure_fail_dagrun=name == "decides")
    assert {"ignored_teardown", "decides_teardown"} < upstream(dag, "board.stop")
    assert decides(dag) == {"board.ignored_work", "board.decides_teardown", "board_is_over"}


def test_a_block_may_be_empty(dag: Any) -> None:
    with visualization_job(**BOARD):
        pass
    assert upstream(dag, "board.stop") == {"create"}
    assert decides(dag) == {"board.create", "board_is_over"}


def test_what_is_behind_the_group_waits_for_its_tasks_but_not_for_the_end_of_the_job(dag: Any) -> None:
    with visualization_job(**BOARD) as board:
        use(board.output)
    board >> use.override(task_id="next")()
    assert upstream(dag, "next") == {"use"}
    assert decides(dag) == {"next", "board_is_over"}


def test_what_is_behind_a_group_around_the_block_waits_for_the_tasks_of_the_block(dag: Any) -> None:
    @task_group
    def around() -> None:
        with visualization_job("board", train_url="/bucket/logs/") as board:
            use(board.output)

    around() >> use.override(task_id="next")()
    assert upstream(dag, "next") == {"around.board.use"}


def test_what_is_before_the_group_is_before_its_job(dag: Any) -> None:
    with visualization_job(**BOARD) as board:
        use(board.output)
    use.override(task_id="before")() >> board
    assert upstream(dag, "board.create") == {"before"}


SHARED: dict[str, Any] = {
    "owner": "somebody",
    "queue": "small",
    "pool": "few",
    "pool_slots": 2,
    "priority_weight": 7,
    "retries": 5,
    "execution_timeout": timedelta(hours=1),
    "executor_config": {"memory": "1G"},
    "on_failure_callback": print,
    "on_retry_callback": print,
    "run_as_user": "airflow",
    "doc_md": "A board",
    "modelarts_conn_id": "other",
    "region": "eu-de",
    "project_id": "p",
    "workspace_id": "w",
    "deferrable": True,
    "poke_interval": 5.0,
    "timeout": 60.0,
    "poll_failure_tolerance": 30.0,
}


def attributes(dag: DAG, task_id: str) -> dict[str, Any]:
    found = {name: getattr(dag.get_task(task_id), name) for name in SHARED}
    # Airflow keeps callbacks in lists, Airflow 2.11 one that is alone as it is.
    return {
        name: value[0] if "callback" in name and isinstance(value, list) else value for name, value in found.items()
    }


@pytest.mark.parametrize("end", ["stop", "delete"])
@pytest.mark.parametrize("by_default_args", [False, True], ids=["arguments", "default_args"])
def test_both_tasks_are_alike(end: GroupEnd, by_default_args: bool, dag: Any) -> None:
    with visualization_job(**BOARD, end=end, **({"default_args": SHARED} if by_default_args else SHARED)):
        pass
    assert attributes(dag, "board.create") == SHARED
    assert attributes(dag, f"board.{end}") == SHARED


def test_default_args_of_the_group_are_for_the_block_as_in_any_group(dag: Any) -> None:
    with visualization_job(**BOARD, default_args={"retries": 4}, retries=6) as board:
        use(board.output)
    assert [dag.get_task(f"board.{name}").retries for name in ("create", "use", "stop")] == [6, 4, 6]


def test_default_args_of_the_dag_hold_where_the_group_says_nothing() -> None:
    default_args = {"modelarts_conn_id": "other", "deferrable": True}
    with DAG("dag", schedule=None, default_args=default_args) as dag, visualization_job(**BOARD):
        pass
    for name in ("board.create", "board.stop"):
        member: Any = dag.get_task(name)
        assert (member.modelarts_conn_id, member.deferrable) == ("other", True)


def test_the_job_is_as_the_arguments_say_and_its_end_is_tried_at_least_four_times(dag: Any) -> None:
    job: dict[str, Any] = {
        "job_name": "board", "job_desc": "text", "job_type": "mindinsight", "flavor": "f",
        "auto_stop_hours": 4, "stop_on_failure": False,
    }  # fmt: skip
    with visualization_job(**BOARD, **job, retries=1, outlets=["an-asset"], inlets=["another"]):
        pass
    create = dag.get_task("board.create")
    assert {name: getattr(create, name) for name in job} == job
    assert (create.retries, dag.get_task("board.stop").retries) == (1, 3)
    assert (create.outlets, create.inlets) == (["an-asset"], ["another"])
    assert dag.get_task("board.stop").outlets == []


def test_an_argument_that_nobody_knows_and_an_end_that_there_is_not_are_refused(dag: Any) -> None:
    with (
        pytest.raises(ValueError, match="end: 'keep' is not one of stop, delete"),
        visualization_job(**{**BOARD, "end": "keep"}),
    ):
        pass
    with pytest.raises(Exception, match="polk_interval"), visualization_job(**{**BOARD, "polk_interval": 1}):
        pass
    assert dag.task_ids == []
