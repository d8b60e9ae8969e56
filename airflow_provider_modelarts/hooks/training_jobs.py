"""The hook's methods for training jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_modelarts.choices import EventLevel, FlavorType, Order

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.api.training_jobs.body import Channels
    from airflow_provider_modelarts.api.training_jobs.logs import JobEvent, LogLines, LogPosition, LogPreview
    from airflow_provider_modelarts.api.training_jobs.models import TrainingJob
    from airflow_provider_modelarts.api.training_jobs.parameters import FilterLike
    from airflow_provider_modelarts.api.training_jobs.resources import Engine, Flavor
    from airflow_provider_modelarts.waiting.kind import Kind


class TrainingJobMethods:
    """Methods of :class:`~.modelarts.ModelArtsHook` for training jobs, REST v2."""

    def get_conn(self) -> ModelArtsClient:
        """Return the client."""
        raise NotImplementedError

    def wait_for_job(
        self, kind: Kind[Any], job_id: Any, target_status: Any, failure_statuses: Any, **limits: float | timedelta
    ) -> Any:
        """Wait for a job of any kind."""
        raise NotImplementedError

    def get_training_job(self, job_id: str) -> TrainingJob:
        """
        Return a job (``GET /v2/{project_id}/training-jobs/{training_job_id}``).

        :raises ModelArtsNotFoundError: the job does not exist
        """
        return self.get_conn().training_jobs.get(job_id)

    def list_training_jobs(
        self,
        *,
        name: str | None = None,
        phase: str | Iterable[str] | None = None,
        kind: str | Iterable[str] | None = None,
        filters: Iterable[FilterLike] = (),
        order: Order = "desc",
        workspace_id: str | None = None,
    ) -> Iterator[TrainingJob]:
        """
        Yield the jobs of a workspace from all pages, fetching each page on demand.

        :param name: text that the job's name contains
        :param phase: only jobs in this phase, or in one of several
        :param kind: only jobs of this kind, such as ``job`` or ``visualization_job``, or of one of several
        :param filters: more conditions, in the form of the API:
            ``{"key": "algorithm_name", "operator": "like", "value": ["resnet"]}``
        :param order: ``desc``, newest first, or ``asc``
        :param workspace_id: by default that of the hook or the connection, else the default workspace
        """
        from airflow_provider_modelarts.api.training_jobs.parameters import Filter
        from airflow_provider_modelarts.api.training_jobs.statuses import checked_phase

        conditions = list(filters)
        if name is not None:
            conditions.append(Filter("name", "like", (name,)))
        if phase is not None:
            conditions.append(Filter("phase", "in", tuple(str(checked_phase(one)) for one in _several(phase))))
        if kind is not None:
            conditions.append(Filter("kind", "in", tuple(_several(kind))))
        return self.get_conn().training_jobs.search(filters=conditions, order=order, workspace_id=workspace_id)

    def create_training_job(
        self,
        *,
        job_name: str | None = None,
        kind: str | None = None,
        description: str | None = None,
        workspace_id: str | None = None,
        algorithm_id: str | None = None,
        engine_id: str | None = None,
        engine_name: str | None = None,
        engine_version: str | None = None,
        code_dir: str | None = None,
        boot_file: str | None = None,
        image_url: str | None = None,
        command: str | None = None,
        parameters: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None = None,
        inputs: Channels | None = None,
        outputs: Channels | None = None,
        environments: Mapping[str, Any] | None = None,
        flavor_id: str | None = None,
        pool_id: str | None = None,
        node_count: int | None = None,
        log_url: str | None = None,
        auto_stop_hours: int | None = None,
        annotations: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> TrainingJob:
        """
        Create a job, and return it in its first phase. A job is billed until it is over.

        One of three sets of parameters says what runs: ``algorithm_id``; ``code_dir``, ``boot_file`` and a preset
        engine (``engine_id``, or ``engine_name`` and ``engine_version``); ``image_url`` and ``command``.

        :param job_name: 1 to 64 letters, digits, ``_`` or ``-``; not that of another job
        :param kind: ``job`` by default
        :param description: at most 256 characters
        :param workspace_id: by default that of the hook or the connection, else the default workspace
        :param code_dir: OBS directory with the code, ``obs://bucket/dir/`` or ``/bucket/dir/``
        :param boot_file: file in ``code_dir`` that is started; a path relative to it will do
        :param image_url: image in SWR, ``organization/image:tag``
        :param parameters: hyperparameters, passed as ``--name=value``
        :param inputs: OBS URL of each input, by name
        :param outputs: OBS directory of each output, by name
        :param environments: environment variables, at most 100; ``$NAME`` in a value is not replaced
        :param flavor_id: resource flavor (see :meth:`list_training_job_flavors`); needed unless there is a ``pool_id``
        :param pool_id: dedicated resource pool
        :param node_count: 1 by default
        :param log_url: OBS directory to keep the logs in; ModelArts itself keeps them for 30 days
        :param auto_stop_hours: hours of running after which ModelArts stops the job, 1 or more
        :param annotations: such as ``{"fault-tolerance/job-retry-num": "3"}``
        :param body: any part of the API's body; the other parameters override it
        :raises ModelArtsNameTakenError: another job has the name
        :raises ModelArtsQuotaError: a quota is used up; trying again later may help
        """
        from airflow_provider_modelarts.api.training_jobs.body import create_body

        content = create_body(
            job_name=job_name,
            kind=kind,
            description=description,
            workspace_id=workspace_id,
            algorithm_id=algorithm_id,
            engine_id=engine_id,
            engine_name=engine_name,
            engine_version=engine_version,
            code_dir=code_dir,
            boot_file=boot_file,
            image_url=image_url,
            command=command,
            parameters=parameters,
            inputs=inputs,
            outputs=outputs,
            environments=environments,
            flavor_id=flavor_id,
            pool_id=pool_id,
            node_count=node_count,
            log_url=log_url,
            auto_stop_hours=auto_stop_hours,
            annotations=annotations,
            body=body,
        )
        return self.get_conn().training_jobs.create(content)

    def update_training_job(
        self, job_id: str, *, description: str | None = None, body: Mapping[str, Any] | None = None
    ) -> None:
        """
        Change a job.

        :param description: at most 256 characters
        :param body: other fields of the API, such as ``{"spec": {"schedule_policy": {"priority": 3}}}``
        """
        self.get_conn().training_jobs.update(job_id, description=description, body=body)

    def stop_training_job(self, job_id: str) -> None:
        """
        Request that a job is terminated. It is over when its phase is Terminated, Completed, Failed or Abnormal.

        :raises ModelArtsConflictError: its phase does not allow it; it may be over already
        """
        self.get_conn().training_jobs.terminate(job_id)

    def delete_training_job(self, job_id: str) -> None:
        """
        Request that a job is deleted. It is gone when it is not found any more. This cannot be undone.

        :raises ModelArtsNotFoundError: the job does not exist
        """
        self.get_conn().training_jobs.delete(job_id)

    def get_training_job_log(self, job_id: str, task: str = "worker-0") -> LogPreview:
        """
        Return the end of a task's log, at most 5 MB; without lines before the job runs.

        :param task: ``worker-0`` for the first node; the job's ``tasks`` names all
        """
        return self.get_conn().training_jobs.log_preview(job_id, task)

    def iter_training_job_logs(
        self, job_id: str, task: str = "worker-0", *, after: LogPosition | None = None
    ) -> Iterator[LogLines]:
        """
        Yield the present lines of a task's log, up to 500 at a time.

        :param after: ``position`` of the last lines, to continue there; by default the start of the log
        """
        from airflow_provider_modelarts.api.training_jobs.logs import LOG_START

        return self.get_conn().training_jobs.read_log(job_id, task, after=after or LOG_START)

    def list_training_job_events(
        self, job_id: str, *, order: Order = "asc", level: EventLevel | None = None
    ) -> Iterator[JobEvent]:
        """
        Yield the events of a job from all pages, fetching each page on demand.

        :param order: ``asc``, oldest first, or ``desc``
        :param level: only ``Info``, ``Warning`` or ``Error``
        """
        return self.get_conn().training_jobs.events(job_id, order=order, level=level)

    def list_training_job_engines(self) -> list[Engine]:
        """Return the preset engines."""
        return self.get_conn().training_jobs.engines()

    def list_training_job_flavors(self, flavor_type: FlavorType | None = None) -> list[Flavor]:
        """
        Return the public resource flavors.

        :param flavor_type: only ``CPU``, ``GPU`` or ``Ascend``
        """
        return self.get_conn().training_jobs.flavors(flavor_type)

    def wait_for_training_job(
        self,
        job_id: str,
        target_status: Any = "Completed",
        *,
        failure_statuses: Any = None,
        poke_interval: float | timedelta = 60,
        timeout: float | timedelta = 7 * 24 * 3600,
        poll_failure_tolerance: float | timedelta = 600,
    ) -> TrainingJob | None:
        """
        Wait for a job in this process, by the same rules as the sensor, and return it as last observed.

        :param target_status: a phase in any case, or several; ``"ENDED"`` is any end, ``"GONE"`` waits for the deletion
        :param failure_statuses: what ends the wait; by default every end that is not waited for
        :param poke_interval: seconds, or a timedelta, between two polls
        :param timeout: seconds, or a timedelta, until the wait times out
        :param poll_failure_tolerance: seconds, or a timedelta, for which polls may fail once the job has been observed
        :return: the job; None after a wait for its deletion
        :raises ValueError: a parameter is invalid; nothing has been sent
        :raises JobCannotArriveError: the job has failed, ended, or does not exist
        :raises JobStateUnknownError: the API refuses, or could not be reached for too long
        :raises WaitTimeoutError: the wait timed out
        """
        from airflow_provider_modelarts.api.training_jobs.kind import TRAINING_JOBS

        job: TrainingJob | None = self.wait_for_job(
            TRAINING_JOBS,
            job_id,
            target_status,
            failure_statuses,
            poke_interval=poke_interval,
            timeout=timeout,
            poll_failure_tolerance=poll_failure_tolerance,
        )
        return job


def _several(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
