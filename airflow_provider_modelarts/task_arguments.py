"""The keyword arguments that Airflow's base classes take, for editors and type checkers: ``Unpack[...]`` them."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_modelarts.choices import SensorMode

if TYPE_CHECKING:
    from airflow.sdk import DAG, TaskGroup


class TaskArguments(TypedDict, total=False):
    """Arguments that several tasks can share. Older releases of Airflow refuse some of them."""

    owner: str
    email: str | Sequence[str] | None
    email_on_retry: bool
    email_on_failure: bool
    retries: int | None
    retry_delay: timedelta | float
    retry_exponential_backoff: float
    max_retry_delay: timedelta | float | None
    retry_policy: Any
    start_date: datetime | None
    end_date: datetime | None
    depends_on_past: bool
    ignore_first_depends_on_past: bool
    wait_for_past_depends_before_skipping: bool
    wait_for_downstream: bool
    params: MutableMapping[str, Any] | None
    priority_weight: int
    weight_rule: Any
    queue: str
    pool: str | None
    pool_slots: int
    sla: timedelta | None
    execution_timeout: timedelta | None
    on_execute_callback: Any
    on_failure_callback: Any
    on_success_callback: Any
    on_retry_callback: Any
    on_skipped_callback: Any
    pre_execute: Any
    post_execute: Any
    trigger_rule: str
    resources: dict[str, Any] | None
    run_as_user: str | None
    map_index_template: str | None
    max_active_tis_per_dag: int | None
    max_active_tis_per_dagrun: int | None
    executor: str | None
    executor_config: dict[str, Any] | None
    do_xcom_push: bool
    multiple_outputs: bool
    doc: str | None
    doc_md: str | None
    doc_json: str | None
    doc_yaml: str | None
    doc_rst: str | None
    logger_name: str | None
    allow_nested_operators: bool
    render_template_as_native_obj: bool | None


class _OneTaskArguments(TaskArguments, total=False):
    default_args: dict[str, Any] | None
    dag: DAG | None
    task_group: TaskGroup | None
    task_display_name: str | None
    inlets: Any
    outlets: Any


class OperatorArguments(_OneTaskArguments):
    """Arguments of one task."""

    task_id: str


class _SensorArguments(_OneTaskArguments, total=False):
    poke_interval: timedelta | float
    timeout: timedelta | float | None
    soft_fail: bool
    mode: SensorMode
    exponential_backoff: bool
    max_wait: timedelta | float | None
    silent_fail: bool
    never_fail: bool


class SensorArguments(_SensorArguments):
    """Arguments of one sensor."""

    task_id: str
