"""The operator that creates a visualization job; users import it from ``operators.visualization_job``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts.api.errors import ModelArtsConflictError, ModelArtsPermissionError
from airflow_provider_modelarts.api.visualization_jobs.parameters import checked_job_id, create_body
from airflow_provider_modelarts.api.visualization_jobs.statuses import OVER
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.links.visualization_job import LINKS_BY_JOB_TYPE
from airflow_provider_modelarts.operators.base import (
    DEFERRABLE,
    POKE_INTERVAL,
    POLL_FAILURE_TOLERANCE,
    TIMEOUT,
    VisualizationJobOperator,
)
from airflow_provider_modelarts.operators.identity import (
    airflow_id,
    own_job_desc,
    own_job_name,
    settings_in,
    settings_of,
)
from airflow_provider_modelarts.operators.starting import StartingVisualizationJobOperator
from airflow_provider_modelarts.templates import is_literal

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg
    from typing_extensions import Unpack

    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
    from airflow_provider_modelarts.operators.run import WaitingJobRun
    from airflow_provider_modelarts.task_arguments import OperatorArguments

_STORE_KEY: Final = "modelarts_visualization_job_id"


class ModelArtsCreateVisualizationJobOperator(StartingVisualizationJobOperator):
    """
    Creates a visualization job, waits until it is RUNNING, and returns it.

    A task has one job, however often it is tried or cleared. Before anything is created, the job of an earlier try is
    looked for: by the id in Airflow's task state store (3.3), then by its name. One that is on its way or runs is taken
    over, one that is over is restarted, or deleted and created again where the API refuses that. With no ``job_name``
    the name is made of the Airflow (the Airflow variable ``modelarts_airflow_id``, which the first task stores), DAG,
    run, task and map index, and a job with another ``train_url``, ``job_type``, ``flavor`` or ``auto_stop_hours`` than
    the task asks for now is replaced. With one, a job of that name is the task's own when ``train_url`` and
    ``job_desc`` are the same, too; it is kept as it is, and the log says what it was created with.

    A running job is billed until it is stopped. When the task does not come to its end (the wait fails, or somebody
    marks the task), it stops the job, in the triggerer too from Airflow 3.3 on; ``auto_stop_hours`` holds in any case.

    :param train_url: OBS directory ``/bucket/dir/`` or ``obs://bucket/dir/`` with the files to show (templated)
    :param job_name: 1 to 20 letters, digits, ``_`` or ``-``, unique in the project (templated)
    :param job_desc: at most 256 characters; by default it names the task, its run, and the settings that the API does
        not tell (templated)
    :param job_type: ``tensorboard`` or ``mindinsight`` (templated)
    :param flavor: code of the resource flavor; not needed (templated)
    :param auto_stop_hours: 1 to 24: the API stops the job when it has run for so long (templated)
    :param stop_on_failure: whether to stop the job when the wait for it fails or the task is killed
    :param kwargs: what ``BaseOperator`` takes. All else is as for :class:`.WaitingVisualizationJobOperator`
    :return: XCom of the job, as of the sensor; its id is an XCom of its own, ``job_id``, from the start
    :raises ValueError: a parameter cannot be; when the DAG is parsed if it is literal, else before the first request
    :raises ModelArtsNameTakenError: a job that is not this task's has the name
    :raises WaitError: the job did not come to run; Airflow's retries apply, and restart it
    """

    template_fields: Sequence[str] = (
        "job_name",
        "train_url",
        "job_desc",
        "job_type",
        "flavor",
        "auto_stop_hours",
        *VisualizationJobOperator.template_fields,
    )

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
        with self.hook:
            run = self._run(context)
            try:
                earlier = self._own_job(run, context)
                job = self._create(run, context) if earlier is None else self._take_over(run, context, earlier)
                xcom = run.wait(job.job_id, "RUNNING", job) if self.wait_for_completion else job.summary()
                return self._succeed(run, context, xcom)
            except Exception:
                self._stop()
                raise

    def _create(self, run: WaitingJobRun, context: Context) -> VisualizationJob:
        self._end_if_killed()
        job = run.client.visualization_jobs.create(**self._arguments)
        self.log.info("Created visualization job %s (%s)", job.job_id, job.job_name)
        self._own(context, job.job_id)
        return job

    def _take_over(self, run: WaitingJobRun, context: Context, job: VisualizationJob) -> VisualizationJob:
        """Return the job of an earlier try, on its way or RUNNING; one that cannot serve any more is replaced."""
        self._own(context, job.job_id)
        if not job.shows(self._wanted["train_url"]):
            self.log.info("Replacing visualization job %s, which shows %s", job.job_id, job.train_url)
            return self._replace(run, context, job)
        if self._has_other_settings(job):
            return self._replace(run, context, job)
        self._update_desc(run, job)
        if job.status not in OVER:
            return job
        self._restarting = True
        try:
            job = run.restart(job)
        except ModelArtsConflictError as error:
            self._restarting = False
            self.log.info("Replacing visualization job %s. %s", job.job_id, error)
            return self._replace(run, context, job)
        self._restarting = False
        self._end_if_killed()
        return job

    def _has_other_settings(self, job: VisualizationJob) -> bool:
        """Return whether a job has to be replaced to have the settings asked for now, and say what is known of them."""
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

    def _update_desc(self, run: WaitingJobRun, job: VisualizationJob) -> None:
        """Give a job the description that is asked for now, if it has another one."""
        desc = self.job_desc
        if desc is not None and job.job_desc not in (None, desc):
            run.change(
                lambda job_id: run.client.visualization_jobs.update(job_id, job_desc=str(desc)),
                job.job_id,
                lambda now: now is not None and now.job_desc == desc,
            )

    def _replace(self, run: WaitingJobRun, context: Context, job: VisualizationJob) -> VisualizationJob:
        run.remove(job)
        # From here on it is the name that leads to this task's job.
        self._job_id = None
        return self._create(run, context)

    def _own(self, context: Context, job_id: str) -> None:
        """Keep the job's id where this process and later tries find it."""
        super()._own(context, job_id)
        store = _state_store(context)
        if store is not None:
            store.set(_STORE_KEY, f"{self.hook.get_conn().project_id}/{job_id}")
        self._end_if_killed()

    @property
    def _may_have_started(self) -> bool:
        return bool(self._job_id or self._wanted)

    def _own_job(self, run: WaitingJobRun, context: Context) -> VisualizationJob | None:
        """Return the job that an earlier try made, not being stopped any more; None when there is none."""
        self._arguments = self._job_arguments(context["ti"])
        self._wanted = create_body(**self._arguments, workspace_id=None)
        job = self._remembered(run, context)
        try:
            job = job or self._find(run.client)
        except ModelArtsPermissionError as error:
            # The API takes no name twice.
            self.log.warning("Whether an earlier try has made a job cannot be looked up. %s", error)
        if job is None:
            return None
        self.log.info(
            "Taking over visualization job %s (%s), which an earlier try of this task made: it is %s",
            job.job_id,
            job.job_name,
            job.status_name,
        )
        return run.settle(job)

    def _remembered(self, run: WaitingJobRun, context: Context) -> VisualizationJob | None:
        """Return the job that an earlier try has noted in the task state store."""
        store = _state_store(context)
        project_id, _, job_id = str(None if store is None else store.get(_STORE_KEY)).rpartition("/")
        # Not in another project, as after a correction of the region: there somebody else's job may have that number.
        job = run.look(checked_job_id(job_id)) if project_id == run.client.project_id else None
        # Of a name that people have given, other runs may have made it theirs meanwhile.
        return job if job is None or self.job_name is None or job.shows(self._wanted["train_url"]) else None

    def _find(self, client: ModelArtsClient) -> VisualizationJob | None:
        """Return this task's job by its name."""
        wanted = self._wanted
        row = client.visualization_jobs.find(wanted["job_name"])
        if row is None:
            return None
        # The list need not tell of the files what the details do.
        job = client.visualization_jobs.get(row.job_id)
        if self.job_name is None or (job.shows(wanted["train_url"]) and self._has_own_desc(job)):
            return job
        self.log.warning(
            "Visualization job %s is called %s, but is not this task's: it has other files or another description",
            job.job_id,
            job.job_name,
        )
        return None

    def _has_own_desc(self, job: VisualizationJob) -> bool:
        """Return whether a job has this task's description, whatever settings that keeps."""
        own = self._wanted["job_desc"]
        return job.job_desc == own or (self.job_desc is None and settings_in(job.job_desc, own) is not None)

    def _find_id(self, client: ModelArtsClient) -> str | None:
        if self._job_id is not None:
            return self._job_id
        job = self._find(client)
        return None if job is None else job.job_id

    def _job_arguments(self, ti: Any) -> dict[str, Any]:
        """
        Return what a job is created with. ``ti`` decides on name and description where none are given.

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
        airflow = airflow_id()
        if not self.job_name:
            arguments["job_name"] = own_job_name(ti, airflow)
        if self.job_desc is None:
            arguments["job_desc"] = own_job_desc(ti, airflow, settings)
        return arguments

    def _check_literals(self) -> None:
        """Check what is known when the DAG is parsed; what is not is stood in for."""
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

    def _succeed(self, run: WaitingJobRun, context: Context, xcom: dict[str, Any]) -> dict[str, Any]:
        store = _state_store(context)
        if store is not None:
            # Entries outlive their task by a month.
            store.delete(_STORE_KEY)
        return super()._succeed(run, context, xcom)


def _auto_stop(hours: int | str | None) -> dict[str, Any] | None:
    """Return the API's schedule for an auto stop; a template renders hours as text."""
    if hours in (None, ""):
        return None
    whole = int(hours) if isinstance(hours, str) and hours.isascii() and hours.strip().isdigit() else hours
    if isinstance(whole, bool) or not isinstance(whole, int) or not 1 <= whole <= 24:
        raise ValueError(f"auto_stop_hours: {hours!r} is not a whole number from 1 to 24")
    return {"type": "stop", "time_unit": "HOURS", "duration": whole}


def _state_store(context: Context) -> Any:
    """Return Airflow's task state store; None below Airflow 3.3."""
    return context.get("task_state_store")
