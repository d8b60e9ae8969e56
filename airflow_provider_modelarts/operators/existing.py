"""Base classes for operators on a job that exists: stop and delete, for any kind of job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, get_args

from airflow_provider_modelarts._compat import AirflowFailException
from airflow_provider_modelarts.api.checks import job_id_in
from airflow_provider_modelarts.api.errors import ModelArtsAmbiguousNameError, ModelArtsNotFoundError
from airflow_provider_modelarts.choices import IfAlready
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.operators.base import (
    DEFERRABLE,
    OVER_OR_GONE,
    POKE_INTERVAL,
    POLL_FAILURE_TOLERANCE,
    TIMEOUT,
    JobOperator,
    WaitingJobOperator,
)
from airflow_provider_modelarts.templates import is_literal

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg
    from typing_extensions import Unpack

    from airflow_provider_modelarts.task_arguments import OperatorArguments

IF_ALREADY: Final[tuple[IfAlready, ...]] = get_args(IfAlready)


class ExistingJobOperator(JobOperator):
    """
    Base class for operators on one job that exists.

    :param job_id: ID of the job, or the output of a task that created, changed or waited for it (templated)
    :param job_name: name of the job instead; it is an error if no job or several have it (templated)
    :param kwargs: as for all operators (:class:`.JobOperator`)
    """

    template_fields: Sequence[str] = ("job_id", "job_name", *JobOperator.template_fields)

    def __init__(
        self,
        *,
        job_id: str | int | XComArg | None = None,
        job_name: str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.job_name = job_name
        if (job_id is None) == (job_name is None):
            raise ValueError("job_id: give either job_id or job_name")
        if job_id is not None and is_literal(job_id):
            self.kind.parse_job_id(job_id_in(job_id))
        if job_name is not None and is_literal(job_name):
            self.kind.parse_job_name(job_name)

    def _find_job_id(self) -> str | None:
        """
        Return the ID of the job; None if no job has the name.

        :raises ValueError: the ID or the name is invalid; nothing has been sent
        :raises AirflowFailException: several jobs have the name
        """
        if self.job_name is None:
            return self.kind.parse_job_id(job_id_in(self.job_id))
        try:
            job_id: str = self._jobs.get_by_name(self.kind.parse_job_name(self.job_name)).job_id
        except ModelArtsNotFoundError:
            return None
        except ModelArtsAmbiguousNameError as error:
            raise AirflowFailException(str(error)) from error
        return job_id

    def _require_job_id(self) -> str:
        """
        Return the ID of the job, as :meth:`_find_job_id` does.

        :raises AirflowFailException: no job or several have the name
        """
        job_id = self._find_job_id()
        if job_id is None:
            raise AirflowFailException(
                f"There is no {self.kind.noun} with the name {self.job_name}. {ModelArtsNotFoundError.hint}"
            )
        return job_id


class RepeatableJobOperator(ExistingJobOperator, WaitingJobOperator):
    """
    Base class for operators that take a job to a state in which it may already be.

    :param if_already: what to do if there is nothing to do: ``"skip"`` the operation and succeed, or ``"fail"``. Only
        the first try fails: at a later one, an earlier try may have done it
    :param kwargs: as for :class:`ExistingJobOperator` and :class:`.WaitingJobOperator`
    """

    def __init__(self, *, if_already: IfAlready = "skip", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.if_already = if_already
        if if_already not in IF_ALREADY:
            raise ValueError(f"if_already: {if_already!r} is not one of {', '.join(IF_ALREADY)}")

    def _skip_or_fail(self, context: Context, message: str) -> None:
        """Log that there is nothing to do, or fail the task if ``if_already`` says so."""
        if self.if_already == "fail" and context["ti"].try_number <= 1:
            raise AirflowFailException(message)
        self.log.info("%s", message)


class StopJobOperator(RepeatableJobOperator):
    """Stops a job, waits until it is over, and returns it. Arguments: see the operator of each kind."""

    def __init__(
        self,
        *,
        job_id: str | int | XComArg | None = None,
        job_name: str | XComArg | None = None,
        if_already: IfAlready = "skip",
        wait_for_completion: bool = True,
        deferrable: bool = DEFERRABLE,
        poke_interval: float | timedelta = POKE_INTERVAL,
        timeout: float | timedelta = TIMEOUT,
        poll_failure_tolerance: float | timedelta = POLL_FAILURE_TOLERANCE,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(
            job_id=job_id,
            job_name=job_name,
            if_already=if_already,
            wait_for_completion=wait_for_completion,
            deferrable=deferrable,
            poke_interval=poke_interval,
            timeout=timeout,
            poll_failure_tolerance=poll_failure_tolerance,
            modelarts_conn_id=modelarts_conn_id,
            region=region,
            project_id=project_id,
            workspace_id=workspace_id,
            **kwargs,
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Stop the job and wait, unless it is over."""
        with self.hook:
            job_id = self._require_job_id()
            job = self._require_job(context, job_id)
            if self._is_over(job):
                status = self.kind.status_name(self.kind.status_of(job))
                nothing = f"{self.kind.noun.capitalize()} {job_id} is {status}: there is nothing to stop"
                self._skip_or_fail(context, nothing)
                return self._finish(context, self.kind.summary(job))
            if not self._is_being_stopped(job):
                self._stop_job(job_id)
            if self.wait_for_completion:
                return self._finish(context, self._wait(context, job_id, OVER_OR_GONE))
            return self._finish(context, self.kind.summary(self._require_job(context, job_id)))


class DeleteJobOperator(RepeatableJobOperator):
    """Deletes a job, waits until it is gone, and returns its last known state. See the operator of each kind."""

    def __init__(
        self,
        *,
        job_id: str | int | XComArg | None = None,
        job_name: str | XComArg | None = None,
        stop_first: bool = True,
        if_already: IfAlready = "skip",
        wait_for_completion: bool = True,
        deferrable: bool = DEFERRABLE,
        poke_interval: float | timedelta = POKE_INTERVAL,
        timeout: float | timedelta = TIMEOUT,
        poll_failure_tolerance: float | timedelta = POLL_FAILURE_TOLERANCE,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(
            job_id=job_id,
            job_name=job_name,
            if_already=if_already,
            wait_for_completion=wait_for_completion,
            deferrable=deferrable,
            poke_interval=poke_interval,
            timeout=timeout,
            poll_failure_tolerance=poll_failure_tolerance,
            modelarts_conn_id=modelarts_conn_id,
            region=region,
            project_id=project_id,
            workspace_id=workspace_id,
            **kwargs,
        )
        self.stop_first = stop_first

    def execute(self, context: Context) -> dict[str, Any]:
        """Delete the job and wait, unless it is gone."""
        with self.hook:
            job_id = self._find_job_id()
            job = None if job_id is None else self._get_job(context, job_id)
            if job is None:
                which = job_id or f"with the name {self.job_name}"
                self._skip_or_fail(context, f"There is no {self.kind.noun} {which}: there is nothing to delete")
                gone = self._summarize_gone(job_id or "")
                return self._finish(context, {**gone, "job_id": job_id, "job_name": self.job_name})
            return self._finish(context, self._delete(context, job))

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        Delete the job if the wait for its stop has ended; end the task if the wait for its deletion has.

        :raises WaitError: the job was not stopped or not deleted; Airflow's retries apply
        :raises ValueError: the event is missing or not understood
        """
        with self.hook:
            summary = self._resume(context, event)
            job = None if self._is_gone(summary) else self._get_job(context, summary["job_id"])
            return self._finish(context, self._delete(context, job) if job else summary)

    def _delete(self, context: Context, job: Any) -> dict[str, Any]:
        """Delete a job in as many of the steps as it still needs. After a deferral, this runs again."""
        job_id: str = job.job_id
        stop = self.stop_first and not self._is_over(job) and not self._is_being_stopped(job)
        if stop:
            self._stop_job(job_id)
        if stop or self._is_being_stopped(job):
            summary = self._wait(context, job_id, OVER_OR_GONE)
            if self._is_gone(summary):
                return summary
        self._delete_job(context, job_id)
        if self.wait_for_completion:
            return self._wait(context, job_id, "GONE")
        left = self._get_job(context, job_id)
        return self.kind.summary(left) if left else self._summarize_gone(job_id)

    def _summarize_gone(self, job_id: str) -> dict[str, Any]:
        return self.kind.summary(self.kind.unobserved(job_id, None), gone=True)

    def _is_gone(self, summary: dict[str, Any]) -> bool:
        return summary == self.kind.summary(self.kind.from_summary(summary), gone=True)
