"""The operator that creates a visualization job; users import it from ``operators.visualization_job``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_modelarts.api.errors import ModelArtsConflictError, ModelArtsPermissionError
from airflow_provider_modelarts.api.visualization_jobs.parameters import create_body
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.links.base import clear_link
from airflow_provider_modelarts.links.visualization_job import LINKS_BY_JOB_TYPE, ModelArtsVisualizationJobLink
from airflow_provider_modelarts.operators.base import (
    DEFERRABLE,
    OVER_OR_GONE,
    POKE_INTERVAL,
    POLL_FAILURE_TOLERANCE,
    TIMEOUT,
    JobOperator,
)
from airflow_provider_modelarts.operators.identity import (
    airflow_id,
    own_job_desc,
    own_job_name,
    settings_in,
    settings_of,
)
from airflow_provider_modelarts.operators.restarting import RestartingJobOperator
from airflow_provider_modelarts.templates import is_literal

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg
    from typing_extensions import Unpack

    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
    from airflow_provider_modelarts.task_arguments import OperatorArguments


class ModelArtsCreateVisualizationJobOperator(RestartingJobOperator):
    """
    Creates a visualization job, waits until it is RUNNING, and returns it.

    A task has one job, however often it is tried or cleared. Before the task creates a job, it looks for the job of an
    earlier try: by the ID in Airflow's task state store (3.3), then by name. If that job runs or is starting, the task
    takes it over. If it is over, the task restarts it; if the API refuses that, the task deletes it and creates it
    again. Without a ``job_name``, the name is made of the Airflow (the Airflow variable ``modelarts_airflow_id``, which
    the first task stores), DAG, run, task and map index; a job with another ``train_url``, ``job_type``, ``flavor`` or
    ``auto_stop_hours`` than the task now asks for is replaced. With a ``job_name``, a job of that name is the task's
    own if it also has the same ``train_url`` and ``job_desc``. It is kept as it is, and the log says what it was
    created with.

    A running job is billed until it is stopped. If the task does not succeed (the wait fails, or somebody marks the
    task), it stops the job, from Airflow 3.3 on in the triggerer too. ``auto_stop_hours`` applies in any case.

    :param train_url: OBS directory ``/bucket/dir/`` or ``obs://bucket/dir/`` with the files to show (templated)
    :param job_name: 1 to 20 letters, digits, ``_`` or ``-``, unique in the project (templated)
    :param job_desc: at most 256 characters; by default it names the task, its run, and the settings that the API does
        not return (templated)
    :param job_type: ``tensorboard`` or ``mindinsight`` (templated)
    :param flavor: code of the resource flavor; optional (templated)
    :param auto_stop_hours: 1 to 24: the API stops the job after it has run for this long (templated)
    :param stop_on_failure: whether to stop the job if the wait for it fails or the task is killed
    :param kwargs: arguments of ``BaseOperator``. All others are as for :class:`.WaitingJobOperator`
    :return: XCom of the job, as of the sensor; its ID is an XCom of its own, ``job_id``, from the start
    :raises ValueError: a parameter is invalid; when the DAG is parsed if it is literal, else before the first request
    :raises ModelArtsNameTakenError: a job that is not this task's has the name
    :raises WaitError: the job did not reach RUNNING; Airflow's retries apply, and restart it
    """

    custom_operator_name = "Create visualization job"
    template_fields: Sequence[str] = (
        "job_name",
        "train_url",
        "job_desc",
        "job_type",
        "flavor",
        "auto_stop_hours",
        *JobOperator.template_fields,
    )
    operator_extra_links: Any = (ModelArtsVisualizationJobLink(),)

    def __init__(
        self,
        *,
        train_url: str | XComArg,
        job_name: str | XComArg | None = None,
        job_desc: str | XComArg | None = None,
        job_type: str = "tensorboard",
        flavor: str | None = None,
        auto_stop_hours: int | str | None = None,
        stop_on_failure: bool = True,
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
            stop_on_failure=stop_on_failure,
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
        self.train_url = train_url
        self.job_name = job_name
        self.job_desc = job_desc
        self.job_type = job_type
        self.flavor = flavor
        self.auto_stop_hours = auto_stop_hours
        self._arguments: dict[str, Any] = {}
        self._wanted: dict[str, Any] = {}
        self._check_literals()
        if isinstance(job_type, str) and job_type in LINKS_BY_JOB_TYPE:
            self.operator_extra_links = (LINKS_BY_JOB_TYPE[job_type],)

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the job or take over the one of an earlier try, and wait."""
        if self.is_setup and self.auto_stop_hours in (None, ""):
            self.log.warning(
                "No auto_stop_hours is set. Airflow runs no teardown after dagrun_timeout and while the DAG is paused: "
                "the job then runs on, billed"
            )
        with self.hook, self._stop_on_error():
            earlier = self._find_earlier_job(context)
            job = self._create(context) if earlier is None else self._take_over(context, earlier)
            if self.wait_for_completion:
                return self._succeed(context, self._wait(context, job.job_id, "RUNNING", job))
            return self._succeed(context, job.summary())

    def _create(self, context: Context) -> VisualizationJob:
        self._end_if_killed()
        job = self.hook.get_conn().visualization_jobs.create(**self._arguments)
        self.log.info("Created visualization job %s (%s)", job.job_id, job.job_name)
        self._store_job_id(context, job.job_id)
        return job

    def _take_over(self, context: Context, job: VisualizationJob) -> VisualizationJob:
        """Return the job of an earlier try, starting or RUNNING. Replace it if it cannot be used any more."""
        self._store_job_id(context, job.job_id)
        if not job.shows(self._wanted["train_url"]):
            self.log.info("Replacing visualization job %s, which shows %s", job.job_id, job.train_url)
            return self._replace(context, job)
        if self._has_other_settings(job):
            return self._replace(context, job)
        self._update_desc(context, job)
        if not self._is_over(job):
            return job
        try:
            return self._restart_job(context, job)
        except ModelArtsConflictError as error:
            self._restarting = False
            self.log.info("Replacing visualization job %s. %s", job.job_id, error)
            return self._replace(context, job)

    def _has_other_settings(self, job: VisualizationJob) -> bool:
        """Return whether a job must be replaced to get the settings that the task now asks for, and log the reason."""
        wanted = settings_of(self._wanted)
        settings = settings_in(job.job_desc, self._wanted["job_desc"]) if self.job_desc is None else None
        if settings == wanted:
            return False
        if settings is None:
            self.log.info(
                "Whether visualization job %s was created as this task asks for now (%s) is not known: the API does "
                "not tell, and the job has another description. It is kept as it is",
                job.job_id,
                wanted,
            )
            return False
        if self.job_name is None:
            self.log.info("Replacing visualization job %s: it was created as %s, not %s", job.job_id, settings, wanted)
            return True
        self.log.warning(
            "Visualization job %s was created as %s, not as %s. It is kept as it is, because others may know it by its "
            "job_name. Delete it to have it created again",
            job.job_id,
            settings,
            wanted,
        )
        return False

    def _update_desc(self, context: Context, job: VisualizationJob) -> None:
        """Give a job the description that the task now asks for, if it has another one."""
        desc = self.job_desc
        if desc is not None and job.job_desc not in (None, desc):
            self._change(
                context,
                lambda job_id: self.hook.update_visualization_job(job_id, job_desc=str(desc)),
                job.job_id,
                lambda updated: updated is not None and updated.job_desc == desc,
            )

    def _replace(self, context: Context, job: VisualizationJob) -> VisualizationJob:
        """Delete a job, after stopping it if necessary, and create it again."""
        if not self._is_over(job):
            self._stop_job(job.job_id)
            self._wait_on_worker(context, job.job_id, OVER_OR_GONE)
        self._delete_job(context, job.job_id)
        self._wait_on_worker(context, job.job_id, "GONE")
        clear_link(self, context)
        # Now only the name leads to this task's job.
        self._job_id = None
        return self._create(context)

    def _store_job_id(self, context: Context, job_id: str) -> None:
        super()._store_job_id(context, job_id)
        self._end_if_killed()

    @property
    def _may_have_started(self) -> bool:
        return bool(self._job_id or self._wanted)

    def _find_earlier_job(self, context: Context) -> VisualizationJob | None:
        """Return the job that an earlier try created, once it is not being stopped any more; None if there is none."""
        self._arguments = self._job_arguments(context["ti"])
        self._wanted = create_body(**self._arguments, workspace_id=None)
        job = self._find_by_stored_id(context)
        try:
            job = job or self._find_by_name(self.hook.get_conn())
        except ModelArtsPermissionError as error:
            # The API takes no name twice.
            self.log.warning("Cannot look up whether an earlier try has created a job. %s", error)
        if job is None:
            return None
        self.log.info(
            "Taking over visualization job %s (%s), which an earlier try of this task created: it is %s",
            job.job_id,
            job.job_name,
            job.status_name,
        )
        return self._wait_until_stopped(context, job)

    def _find_by_stored_id(self, context: Context) -> VisualizationJob | None:
        """Return the job whose ID an earlier try has stored in the task state store."""
        job_id = self._stored_job_id(context)
        job: VisualizationJob | None = None if job_id is None else self._get_job(context, job_id)
        # A job with a name that people have given may belong to another run by now.
        return job if job is None or self.job_name is None or job.shows(self._wanted["train_url"]) else None

    def _find_by_name(self, client: ModelArtsClient) -> VisualizationJob | None:
        """Return this task's job by its name."""
        wanted = self._wanted
        row = client.visualization_jobs.find(wanted["job_name"])
        if row is None:
            return None
        # The list may show other files than the details.
        job = client.visualization_jobs.get(row.job_id)
        if self.job_name is None or (job.shows(wanted["train_url"]) and self._has_own_desc(job)):
            return job
        self.log.warning(
            "Visualization job %s has the name %s, but is not this task's: it has other files or another description",
            job.job_id,
            job.job_name,
        )
        return None

    def _has_own_desc(self, job: VisualizationJob) -> bool:
        """Return whether a job has this task's description, with any settings in it."""
        own = self._wanted["job_desc"]
        return job.job_desc == own or (self.job_desc is None and settings_in(job.job_desc, own) is not None)

    def _find_started_job(self, client: ModelArtsClient) -> str | None:
        if self._job_id is not None:
            return self._job_id
        job = self._find_by_name(client)
        return None if job is None else job.job_id

    def _job_arguments(self, ti: Any) -> dict[str, Any]:
        """
        Return what the job is created with. Name and description are made of ``ti`` if none are given.

        :raises ValueError: a parameter is invalid
        :raises RuntimeError: this Airflow cannot be told from others
        """
        arguments: dict[str, Any] = {
            "job_name": self.job_name or "job",
            "train_url": self.train_url,
            "job_desc": self.job_desc,
            "job_type": self.job_type,
            "flavor": self.flavor,
            "schedule": _auto_stop(self.auto_stop_hours),
        }
        settings = settings_of(create_body(**arguments, workspace_id=None))
        if self.job_name and self.job_desc is not None:
            return arguments
        airflow = airflow_id(self.clock)
        if not self.job_name:
            arguments["job_name"] = own_job_name(ti, airflow)
        if self.job_desc is None:
            arguments["job_desc"] = own_job_desc(ti, airflow, settings)
        return arguments

    def _check_literals(self) -> None:
        """Check the arguments that are known when the DAG is parsed, with stand-ins for the others."""
        fields: dict[str, Any] = {
            "job_name": self.job_name or "job",
            "train_url": self.train_url,
            "job_desc": self.job_desc,
            "job_type": self.job_type,
            "flavor": self.flavor,
        }
        stand_ins = {"job_name": "job", "train_url": "/bucket/dir/", "job_type": "tensorboard"}
        known: dict[str, Any] = {
            name: value if is_literal(value) else stand_ins.get(name) for name, value in fields.items()
        }
        hours = self.auto_stop_hours if is_literal(self.auto_stop_hours) else None
        create_body(**known, schedule=_auto_stop(hours), workspace_id=None)


def _auto_stop(hours: int | str | None) -> dict[str, Any] | None:
    """Return the API's schedule for an auto stop; a template renders hours as text."""
    if hours in (None, ""):
        return None
    whole = int(hours) if isinstance(hours, str) and hours.isascii() and hours.strip().isdigit() else hours
    if isinstance(whole, bool) or not isinstance(whole, int) or not 1 <= whole <= 24:
        raise ValueError(f"auto_stop_hours: {hours!r} is not a whole number from 1 to 24")
    return {"type": "stop", "time_unit": "HOURS", "duration": whole}
