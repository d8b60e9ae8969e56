"""The operator that creates a training job; users import it from ``operators.training_job``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts._compat import AirflowFailException, mask_secret
from airflow_provider_modelarts.api.errors import ModelArtsBadRequestError
from airflow_provider_modelarts.api.training_jobs.body import create_body, environment_secrets
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from airflow_provider_modelarts.links.base import publish_link
from airflow_provider_modelarts.operators.base import DEFERRABLE, OVER_OR_GONE, POLL_FAILURE_TOLERANCE, JobOperator
from airflow_provider_modelarts.operators.identity import airflow_id
from airflow_provider_modelarts.operators.own_training_jobs import OwnTrainingJobs, needs_another
from airflow_provider_modelarts.operators.training_job_names import TrainingJobNames, checked_name_prefix
from airflow_provider_modelarts.operators.waiting_training_job import WaitingTrainingJobOperator
from airflow_provider_modelarts.templates import is_literal

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.api.training_jobs.models import TrainingJob
    from airflow_provider_modelarts.api.training_jobs.operations import TrainingJobs
    from airflow_provider_modelarts.task_arguments import OperatorArguments

TRAINING_TIMEOUT: Final = 7 * 24 * 3600.0
TRAINING_POKE_INTERVAL: Final = 30.0

_BODY_FIELDS: Final = (
    "description", "algorithm_id", "engine_id", "engine_name", "engine_version", "code_dir", "boot_file",
    "image_url", "command", "parameters", "inputs", "outputs", "environments", "flavor_id", "pool_id", "node_count",
    "log_url", "auto_stop_hours", "annotations", "body",
)  # fmt: skip
"""Arguments that :func:`.create_body` takes under the same names."""

_SERVER_KIND: Final = "visualization_job"


class ModelArtsCreateTrainingJobOperator(WaitingTrainingJobOperator):
    """
    Creates a training job, waits until it is Completed, and returns it. One of ``job_kind="visualization_job"`` is
    waited for until it is Running.

    One of three sets of parameters, all templated, says what runs: ``algorithm_id``; ``code_dir``, ``boot_file`` and a
    preset engine (``engine_id``, or ``engine_name`` and ``engine_version``); ``image_url`` and ``command``.

    A task has one job at a time. Its name is unique in ModelArts, and made of the DAG, the task, and a digest that only
    this task instance has. A retry takes over the job that an earlier try has created, unless that has failed. Clearing
    the task starts over: it stops a job that still runs, and creates another.

    If the task fails, times out, or is ended by a user, it stops the job. If retries are left, the job goes on for the
    next try when its state is unknown, or when Airflow has ended the worker's process but not the task. Below Airflow
    3.3, nothing tells a deferred task that a user has ended it: ``auto_stop_hours`` bounds the cost then.

    :param name_prefix: what the job's name begins with, at most 32 letters, digits, ``_`` or ``-`` (templated)
    :param job_kind: ``job``, or another ``kind`` of the API (templated)
    :param description: at most 256 characters; by default DAG, task and run (templated)
    :param code_dir: OBS directory with the code, ``obs://bucket/dir/`` or ``/bucket/dir/`` (templated)
    :param boot_file: file in ``code_dir`` that is started; a path relative to it will do (templated)
    :param image_url: image in SWR, ``organization/image:tag`` (templated)
    :param parameters: hyperparameters, passed as ``--name=value`` (templated)
    :param inputs: OBS URL of each input, by name (templated)
    :param outputs: OBS directory of each output, by name (templated)
    :param environments: environment variables, at most 100; their values are masked in logs (templated)
    :param flavor_id: resource flavor; needed unless there is a ``pool_id`` (templated)
    :param pool_id: dedicated resource pool (templated)
    :param node_count: 1 by default (templated)
    :param log_url: OBS directory to keep the logs in; ModelArts itself keeps them for 30 days (templated)
    :param auto_stop_hours: hours of running after which ModelArts itself stops the job; by default a little more than
        ``timeout``, 0 for never (templated)
    :param annotations: such as ``{"fault-tolerance/job-retry-num": "3"}`` (templated)
    :param body: any part of the API's body; the other parameters override it (templated)
    :param timeout: seconds, or a timedelta, from the creation of the job to its end
    :param max_pending: seconds, or a timedelta, until the job must run for the first time. A job that a quota refuses
        is submitted again for as long. By default a quota fails the try, and queueing has no limit but ``timeout``
    :param get_logs: copy the logs of the job's tasks into the task's log: as they come while a worker waits, and their
        end after a wait in the triggerer
    :param cancel_on_kill: stop the job if the task fails, times out, or is ended by a user
    :param kwargs: what ``BaseOperator`` takes. The other parameters are those of :class:`.WaitingJobOperator`
    :return: ``job_id``, ``job_name``, ``phase``, ``create_time``, ``duration_ms``, ``outputs`` and ``link``; each is an
        XCom of its own, and ``job_id`` is one as soon as there is a job
    :raises ValueError: a parameter is invalid, and all are literal: when the DAG is parsed
    :raises TrainingJobFailedError: the job has ended without success; the subclass says why
    :raises AirflowFailException: no retry would help: a rendered parameter, the request or the job's configuration is
        wrong
    :raises WaitError: the wait timed out, or the job's state is unknown
    """

    custom_operator_name = "Create training job"
    template_fields: Sequence[str] = ("name_prefix", "job_kind", *_BODY_FIELDS, *JobOperator.template_fields)

    def __init__(
        self,
        *,
        name_prefix: str = "",
        job_kind: str | None = None,
        description: str | None = None,
        algorithm_id: str | None = None,
        engine_id: str | None = None,
        engine_name: str | None = None,
        engine_version: str | None = None,
        code_dir: str | None = None,
        boot_file: str | None = None,
        image_url: str | None = None,
        command: str | None = None,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        inputs: Mapping[str, str] | Sequence[Mapping[str, Any]] | None = None,
        outputs: Mapping[str, str] | Sequence[Mapping[str, Any]] | None = None,
        environments: Mapping[str, Any] | None = None,
        flavor_id: str | None = None,
        pool_id: str | None = None,
        node_count: int | str | None = None,
        log_url: str | None = None,
        auto_stop_hours: int | str | None = None,
        annotations: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        max_pending: float | timedelta | None = None,
        get_logs: bool = True,
        cancel_on_kill: bool = True,
        wait_for_completion: bool = True,
        deferrable: bool = DEFERRABLE,
        poke_interval: float | timedelta = TRAINING_POKE_INTERVAL,
        timeout: float | timedelta = TRAINING_TIMEOUT,
        poll_failure_tolerance: float | timedelta = POLL_FAILURE_TOLERANCE,
        modelarts_conn_id: str = ModelArtsHook.default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(
            max_pending=max_pending,
            get_logs=get_logs,
            stop_on_failure=cancel_on_kill,
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
        self.name_prefix = name_prefix
        self.job_kind = job_kind
        self.description = description
        self.algorithm_id = algorithm_id
        self.engine_id = engine_id
        self.engine_name = engine_name
        self.engine_version = engine_version
        self.code_dir = code_dir
        self.boot_file = boot_file
        self.image_url = image_url
        self.command = command
        self.parameters = parameters
        self.inputs = inputs
        self.outputs = outputs
        self.environments = environments
        self.flavor_id = flavor_id
        self.pool_id = pool_id
        self.node_count = node_count
        self.log_url = log_url
        self.auto_stop_hours = auto_stop_hours
        self.annotations = annotations
        self.body = body
        self.cancel_on_kill = cancel_on_kill
        self._names: TrainingJobNames | None = None
        """Names of this task's jobs, once one of them may exist."""
        if is_literal([getattr(self, name) for name in self.template_fields]):
            self._create_body(f"{checked_name_prefix(name_prefix)}job")

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render the templates, and have the values of ``environments`` masked in all logs from now on."""
        super().render_template_fields(context, jinja_env)
        for environments in (self.environments, self._in_body("algorithm", "environments")):
            for secret in environment_secrets(environments):
                mask_secret(secret)

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the job, or take over the one of an earlier try, and wait."""
        with self.hook, self._ending(context):
            job = self._start(context)
            return self._wait_and_succeed(context, job)

    def _start(self, context: Context) -> TrainingJob:
        """Return the job to wait for: that of an earlier try of this round, else another."""
        ti = context["ti"]
        description = self.description or f"Airflow: {ti.dag_id} / {ti.task_id} / {ti.run_id}"[:256]
        airflow = airflow_id(self.clock)
        try:
            names = TrainingJobNames.of(ti, airflow=airflow, prefix=checked_name_prefix(self.name_prefix))
            self._create_body(names.name(1), description)
        except ValueError as error:
            raise AirflowFailException(str(error)) from error
        self._names = names
        own = self._own_jobs(self._training_jobs, names)
        for earlier in own.find():
            self.log.info("Training job %s (%s) of an earlier round must end first", earlier.job_id, earlier.job_name)
            self._stop_job(earlier.job_id)
            self._wait_on_worker(context, earlier.job_id, OVER_OR_GONE)
        job = own.latest()
        if job is None:
            job = self._create(own, description)
        else:
            self.log.info("Taking over training job %s (%s), which is %s", job.job_id, job.job_name, job.phase)
        self._store_job_id(context, job.job_id)
        publish_link(self, context, job.page_url)
        self._end_if_killed()
        return job

    def _create(self, own: OwnTrainingJobs, description: str) -> TrainingJob:
        try:
            return own.create(
                lambda name: self._create_body(name, description),
                max_pending=self.max_pending,
                check=self._end_if_killed,
            )
        except ModelArtsBadRequestError as error:
            raise AirflowFailException(str(error)) from error

    def _create_body(self, job_name: str, description: str | None = None) -> dict[str, Any]:
        """
        Return the body of the create request.

        :raises ValueError: a parameter is invalid
        """
        if self._in_body("metadata", "name") is not None:
            raise ValueError(
                "body: metadata.name is made by the operator, so that retries find the job; use name_prefix"
            )
        fields = {name: getattr(self, name) for name in _BODY_FIELDS}
        fields |= {"description": description or self.description, "auto_stop_hours": self._auto_stop()}
        return create_body(job_name=job_name, kind=self.job_kind, **fields)

    def _auto_stop(self) -> int | str | None:
        if str(self.auto_stop_hours) == "0":
            return None
        if self.auto_stop_hours not in (None, ""):
            return self.auto_stop_hours
        if self._is_server or self._in_body("spec", "auto_stop"):
            return None
        return math.floor(self.timeout / 3600) + 1

    def _in_body(self, *path: str) -> Any:
        """Return what ``body`` has at a path; None if there is nothing."""
        found: Any = self.body
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    @property
    def _is_server(self) -> bool:
        """Whether the job serves until it is stopped, so that Running is what the task waits for."""
        return (self.job_kind or self._in_body("kind")) == _SERVER_KIND

    def _own_jobs(self, jobs: TrainingJobs, names: TrainingJobNames) -> OwnTrainingJobs:
        is_server = self._is_server
        return OwnTrainingJobs(
            jobs,
            names,
            self.log,
            is_wanted=lambda job: not needs_another(job.phase, is_server=is_server),
            clock=self.clock,
        )

    @property
    def _may_have_started(self) -> bool:
        return bool(self._job_id or self._names)

    def _find_started_job(self, client: ModelArtsClient) -> str | None:
        if self._job_id is not None or self._names is None:
            return self._job_id
        own = self._own_jobs(client.training_jobs, self._names)
        own.find()
        job = own.latest()
        return None if job is None else job.job_id
