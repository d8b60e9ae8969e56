"""Base class for operators that start a job, which is billed from then on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts._compat import (
    FINAL_TASK_STATES,
    AirflowTaskTimeout,
    airflow_version,
    current_context,
    task_state,
)
from airflow_provider_modelarts.hooks.stopping import stop_or_log, stop_with_deadline
from airflow_provider_modelarts.links.base import log_pages
from airflow_provider_modelarts.operators.base import WaitingJobOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_modelarts.api.client import ModelArtsClient

JOB_ID_KEY: Final = "job_id"
"""Key of the XCom that holds the ID of a job that a try has started, even if the task fails after that."""

ENDED_BY_USER: Final = (*FINAL_TASK_STATES, "restarting", None)
"""States of a task that a user has marked or cleared. A cleared task starts over."""

STATE_TIMEOUT: Final = 2.0
"""Seconds that a killed worker waits for the state of its task. Airflow 3 kills the process after about 5."""


class StartingJobOperator(WaitingJobOperator):
    """
    Starts a job, and stops it if the task does not succeed: if the wait fails, or somebody ends the task.

    The ID of the job is an XCom, for the later phases of this try, and an entry in Airflow's task state store (3.3),
    for later tries.

    :param stop_on_failure: whether to stop the job then
    :param kwargs: as for all operators that wait (:class:`.WaitingJobOperator`)
    """

    def __init__(self, *, stop_on_failure: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stop_on_failure = stop_on_failure
        self._job_id: str | None = None
        """The job that this task has started, or is about to start."""
        self._killed = False
        self._left_to_next_try = False

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        End the task as the trigger's event says, and stop the job if the wait failed.

        :raises WaitError: the job did not reach its target; Airflow's retries apply
        :raises ValueError: the event is missing or not understood
        """
        with self.hook, self._stop_on_error():
            return self._succeed(context, self._resume(context, event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume from the triggerer. If Airflow itself ended the wait, stop the job."""
        self._job_id = _pushed_job_id(context)
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except Exception:
            if next_method == "__fail__":
                with self.hook:
                    self._stop()
            raise

    def on_kill(self) -> None:
        """
        Stop the job when a worker is told to end the task, even if the request that starts it is under way.

        A job that the next try takes over is not stopped: Airflow also ends the process of a task that goes on, when
        its machine shuts down, when the process has lost the API server, or when another try runs in its place.
        """
        self._killed = True
        context = current_context()
        if airflow_version() < (3, 0) and not self._may_have_started:
            # Airflow 2.11 can time a task out before it resumes.
            self._job_id = None if context is None else _pushed_job_id(context)
        if self._stops_job and context is not None and self._has_next_try(context["ti"]):
            self._left_to_next_try = True
            self.log.warning("Not stopping the %s of this task: it goes on for the next try", self.kind.noun)
        if self._stops_job:
            stop_with_deadline(
                self.kind.noun, self.hook.new_client, self._find_started_job, self._ensure_stopped, self.log
            )

    @property
    def _stops_job(self) -> bool:
        return self.stop_on_failure and self._may_have_started and not self._left_to_next_try

    @property
    def _may_have_started(self) -> bool:
        return self._job_id is not None

    def _has_next_try(self, ti: Any) -> bool:
        """Return whether Airflow ends this process, but will try, or tries, the task again."""
        # For its own execution_timeout, Airflow kills a task whose state is still "running".
        is_timeout = isinstance(sys.exc_info()[1], AirflowTaskTimeout)
        if airflow_version() < (3, 0) or is_timeout or ti.try_number > ti.max_tries:
            return False
        try:
            state = task_state(ti, STATE_TIMEOUT)
        except LookupError:
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody has ended the task as far as this process knows
            self.log.warning("The state of this task is unknown: Airflow has not answered. %r", error)
            return True
        return state not in ENDED_BY_USER

    @property
    def _store_key(self) -> str:
        return f"modelarts_{self.kind.noun.replace(' ', '_')}_id"

    def _store_job_id(self, context: Context, job_id: str) -> None:
        """Store the ID of the job that this try starts, for the later phases of this try and for later tries."""
        self._job_id = job_id
        context["ti"].xcom_push(key=JOB_ID_KEY, value=job_id)
        store = _state_store(context)
        if store is not None:
            store.set(self._store_key, f"{self.hook.get_conn().project_id}/{job_id}")

    def _stored_job_id(self, context: Context) -> str | None:
        """
        Return the ID of the job that an earlier try has started (Airflow 3.3).

        None if that was in another project, for example because the region was corrected: another job has the ID there.
        """
        store = _state_store(context)
        entry = None if store is None else store.get(self._store_key)
        project_id, _, job_id = str(entry or "").rpartition("/")
        return job_id if project_id and project_id == self.hook.get_conn().project_id else None

    def _clear_stored_job_id(self, context: Context) -> None:
        """Delete the entry in the task state store, which would outlive its task by a month."""
        store = _state_store(context)
        if store is not None:
            store.delete(self._store_key)

    def _end_if_killed(self) -> None:
        """
        End the task after a kill: Airflow 3 lets the process go on for some seconds.

        :raises RuntimeError: the task was killed; retries apply, because a machine that shuts down kills its tasks too
        """
        if self._killed:
            raise RuntimeError("The task was killed while it started its job")

    def _find_started_job(self, client: ModelArtsClient) -> str | None:
        return self._job_id

    def _ensure_stopped(self, client: ModelArtsClient, job_id: str) -> str | None:
        return self.kind.jobs(client).ensure_stopped(job_id)

    @contextmanager
    def _stop_on_error(self) -> Iterator[None]:
        """Stop the job if the block raises an error."""
        try:
            yield
        except Exception:
            self._stop()
            raise

    def _stop(self) -> None:
        if self._stops_job:
            stop_or_log(self.kind.noun, self.hook.get_conn, self._find_started_job, self._ensure_stopped, self.log)

    def _succeed(self, context: Context, summary: dict[str, Any]) -> dict[str, Any]:
        log_pages(self, {summary["job_id"]: summary})
        xcom = self._finish(context, summary)
        self._clear_stored_job_id(context)
        return xcom


def _pushed_job_id(context: Context) -> str | None:
    """Return the ID of the job that an earlier phase of this try has started."""
    ti: Any = context["ti"]
    job_id: str | None = ti.xcom_pull(task_ids=ti.task_id, key=JOB_ID_KEY, map_indexes=ti.map_index)
    return job_id


def _state_store(context: Context) -> Any:
    """Return Airflow's task state store; None below Airflow 3.3."""
    return context.get("task_state_store")
