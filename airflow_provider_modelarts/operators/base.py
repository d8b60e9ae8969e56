"""Base classes for operators. They serve any kind of job: the kind is a class attribute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow_provider_modelarts._compat import AirflowFailException, BaseOperator, conf, metrics
from airflow_provider_modelarts.api.clock import HasClock
from airflow_provider_modelarts.api.errors import ModelArtsConflictError, ModelArtsError, ModelArtsNotFoundError
from airflow_provider_modelarts.assets.base import add_to_outlet_events
from airflow_provider_modelarts.deferral import defer, resume, resumes_another_try
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.links.base import publish_link
from airflow_provider_modelarts.templates import seconds
from airflow_provider_modelarts.ui.shown_jobs import publish_shown_jobs
from airflow_provider_modelarts.waiting.blocking import poll, wait_on_thread
from airflow_provider_modelarts.waiting.jobs import JobsWait
from airflow_provider_modelarts.waiting.request import WaitRequest
from airflow_provider_modelarts.xcoms import push_fields

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_modelarts.waiting.fetch import JobFetcher
    from airflow_provider_modelarts.waiting.kind import Jobs, Kind

DEFERRABLE: Final = conf.getboolean("operators", "default_deferrable", fallback=False)
POKE_INTERVAL: Final = 10.0
TIMEOUT: Final = 3600.0
POLL_FAILURE_TOLERANCE: Final = 600.0

OVER_OR_GONE: Final = ("ENDED", "GONE")
"""Target of a wait for a job that is being stopped."""


class JobOperator(HasClock, BaseOperator):
    """
    Base class for operators on jobs of one kind.

    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud`` (templated)
    :param region: overrides the connection's (templated)
    :param project_id: overrides the connection's (templated)
    :param workspace_id: overrides the connection's (templated)
    """

    kind: ClassVar[Kind[Any]]
    template_fields: Sequence[str] = ("modelarts_conn_id", "region", "project_id", "workspace_id")
    ui_color = "#f5e0df"

    def __init__(
        self,
        *,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.modelarts_conn_id = modelarts_conn_id
        self.region = region
        self.project_id = project_id
        self.workspace_id = workspace_id
        self.link: str | None = ""

    @property
    def output(self) -> Any:
        """The XCom, for other tasks. (Airflow's own type of it fits no argument of a ``@task`` function.)"""
        return super().output

    @cached_property
    def hook(self) -> ModelArtsHook:
        """The hook that the operator works through."""
        return ModelArtsHook(
            self.modelarts_conn_id,
            region=self.region,
            project_id=self.project_id,
            workspace_id=self.workspace_id,
        )

    @property
    def _jobs(self) -> Jobs[Any]:
        """The operations on jobs of this kind, through the hook's present client."""
        return self.kind.jobs(self.hook.get_conn())

    def _get_job(self, context: Context, job_id: str) -> Any:
        """Return a job, None if there is none, and publish the link to it."""
        try:
            job = self._jobs.get(job_id)
        except ModelArtsNotFoundError:
            return None
        publish_link(self, context, self.kind.page_url(job))
        return job

    def _require_job(self, context: Context, job_id: str) -> Any:
        """
        Return a job.

        :raises AirflowFailException: the job does not exist; a retry would not find it either
        """
        job = self._get_job(context, job_id)
        if job is None:
            raise AirflowFailException(f"There is no {self.kind.noun} {job_id}. {ModelArtsNotFoundError.hint}")
        return job

    def _is_over(self, job: Any) -> bool:
        return self.kind.status_of(job) in self.kind.terminal

    def _is_being_stopped(self, job: Any) -> bool:
        return self.kind.status_of(job) in self.kind.stopping

    def _change(
        self, context: Context, call: Callable[[str], None], job_id: str, is_done: Callable[[Any], bool]
    ) -> None:
        """
        Change a job. If the response is lost or is a refusal, the job's present state decides.

        :param call: requests the change
        :param is_done: whether a job, None if it is gone, is as the change makes it
        :raises AirflowFailException: the job does not exist, although the change does not delete it
        :raises ModelArtsError: the change failed
        """
        try:
            call(job_id)
        except ModelArtsError as error:
            is_refused = isinstance(error, (ModelArtsConflictError, ModelArtsNotFoundError))
            if not (is_refused or error.may_have_happened) or not is_done(self._get_job(context, job_id)):
                if isinstance(error, ModelArtsNotFoundError):
                    raise AirflowFailException(str(error)) from error
                raise
            self.log.info("Continuing with %s %s as it is. %s", self.kind.noun, job_id, error)

    def _finish(self, context: Context, summary: dict[str, Any]) -> dict[str, Any]:
        """Return the XCom of the task, after adding it to the events of the task's outlets."""
        add_to_outlet_events(self, context, summary)
        push_fields(self, context, summary)
        return summary


class WaitingJobOperator(JobOperator):
    """
    Base class for operators that start a long-running operation on a job, and wait for its end.

    :param wait_for_completion: whether the task waits until the operation is complete
    :param deferrable: wait in the triggerer; by default as ``[operators] default_deferrable`` says
    :param poke_interval: seconds, or a timedelta, between two polls
    :param timeout: seconds, or a timedelta, that the task waits at most for the operation
    :param poll_failure_tolerance: seconds, or a timedelta, for which polls may fail
    :param kwargs: as for all operators (:class:`JobOperator`)
    """

    trigger_path: ClassVar[str]
    """The trigger's class, which is imported only when the task defers."""

    try_started_at: float | None = None
    """Start of this try, from the event of a resumed task; seconds since the epoch."""

    shown_jobs: Mapping[str, Any] | None = None
    """What was last pushed for the pages in Airflow's UI."""

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        deferrable: bool = DEFERRABLE,
        poke_interval: float | timedelta = POKE_INTERVAL,
        timeout: float | timedelta = TIMEOUT,
        poll_failure_tolerance: float | timedelta = POLL_FAILURE_TOLERANCE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poke_interval = seconds("poke_interval", poke_interval, may_be_zero=False)
        self.timeout = seconds("timeout", timeout)
        self.poll_failure_tolerance = seconds("poll_failure_tolerance", poll_failure_tolerance)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        End the task as the trigger's event says.

        :raises WaitError: the operation did not complete; Airflow's retries apply
        :raises ValueError: the event is missing or not understood
        """
        return self._finish(context, self._resume(context, event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume from the triggerer, or start over if the event belongs to an earlier try (Airflow 3.0)."""
        if resumes_another_try(context, next_kwargs):
            self.log.info("This event belongs to an earlier try; starting over")
            return self.execute(context)
        self.link = None
        return super().resume_execution(next_method, next_kwargs, context)

    @property
    def _stops_job(self) -> bool:
        """Whether the job is stopped if the task does not succeed."""
        return False

    @cached_property
    def _fetcher(self) -> JobFetcher:
        return self.hook.fetcher(self.kind)

    def _request(self, job_id: str, target_status: Any, failure_statuses: Any = None) -> WaitRequest:
        return WaitRequest(
            job_id=job_id,
            target_status=target_status,
            failure_statuses=failure_statuses,
            modelarts_conn_id=self.modelarts_conn_id,
            region=self.region,
            project_id=self.project_id,
            workspace_id=self.workspace_id,
            poke_interval=self.poke_interval,
            poll_failure_tolerance=self.poll_failure_tolerance,
            timeout=self.timeout,
        )

    def _begin_wait(self, request: WaitRequest) -> JobsWait:
        return JobsWait.begin(self.kind, request, log=self.log, was_observed=True, metrics=metrics())

    def _wait(self, context: Context, job_id: str, target_status: Any, job: Any = None) -> dict[str, Any]:
        """
        Wait for a job, in the triggerer if the operator is deferrable, and return its summary.

        :param job: the job, if it was observed just now
        :raises WaitError: the wait ended without its target
        """
        if not self.deferrable:
            return self._wait_on_worker(context, job_id, target_status)
        request = self._request(job_id, target_status)
        jobs = self._begin_wait(request)
        if not (jobs.observe({job_id: job}, self.clock.time()) if job else poll(jobs, self._fetcher, self.clock)):
            defer(self, context, request, jobs, stop_on_kill=self._stops_job)
        return jobs.summaries()[job_id]

    def _wait_on_worker(self, context: Context, job_id: str, target_status: Any) -> dict[str, Any]:
        """Wait for a job on this worker, even if the operator is deferrable, and return its summary."""
        jobs = self._begin_wait(self._request(job_id, target_status))
        wait_on_thread(
            jobs,
            self._fetcher,
            poke_interval=self.poke_interval,
            timeout=self.timeout,
            clock=self.clock,
            after_poll=lambda: self._publish(context, jobs),
        )
        return jobs.summaries()[job_id]

    def _publish(self, context: Context, jobs: JobsWait) -> None:
        publish_link(self, context, jobs.page_url)
        publish_shown_jobs(self, context, jobs)

    def _resume(self, context: Context, event: Any) -> dict[str, Any]:
        """
        Return the summary of the job after a wait in the triggerer.

        :raises WaitError: the wait ended without its target
        :raises ValueError: the event is missing or not understood
        """
        result = resume(self, context, event)
        result.raise_error()
        return dict(next(iter(result.jobs.values())))

    def _stop_job(self, job_id: str) -> None:
        """Stop a job, unless it has just ended by itself."""
        self.log.info("Stopping %s %s", self.kind.noun, job_id)
        unnecessary = self._jobs.ensure_stopped(job_id)
        if unnecessary:
            self.log.info("%s %s %s", self.kind.noun.capitalize(), job_id, unnecessary)

    def _delete_job(self, context: Context, job_id: str) -> None:
        """Delete a job, unless it is gone already."""
        self.log.info("Deleting %s %s", self.kind.noun, job_id)
        try:
            self._change(context, self._jobs.delete, job_id, lambda job: job is None)
        except ModelArtsConflictError as error:
            if not error.may_have_happened:
                raise
            self.log.info("Assuming that %s %s is being deleted. %s", self.kind.noun, job_id, error)
