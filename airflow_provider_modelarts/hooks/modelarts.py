"""The hook: ModelArts' visualization and training jobs through an Airflow connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_provider_modelarts._compat import (
    BaseHook,
    aget_connection,
    aget_extra,
    amask_secret,
    mask_secret,
    metrics,
)
from airflow_provider_modelarts.api.checks import to_text
from airflow_provider_modelarts.api.client_owner import ClientOwner, Connect, Sleep
from airflow_provider_modelarts.api.clock import HasClock
from airflow_provider_modelarts.choices import JobType, Order, SortField
from airflow_provider_modelarts.hooks.connection import (
    config_from_connection,
    describe_jobs,
    field_behaviour,
    form_widgets,
)
from airflow_provider_modelarts.hooks.training_jobs import TrainingJobMethods
from airflow_provider_modelarts.templates import seconds

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.api.config import ModelArtsConfig
    from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
    from airflow_provider_modelarts.api.visualization_jobs.parameters import ScheduleLike, StatusLike
    from airflow_provider_modelarts.waiting.fetch import JobFetcher
    from airflow_provider_modelarts.waiting.kind import Kind

T = TypeVar("T")

_LOOP_TIMEOUT: Final = 60.0
"""Seconds within which the event loop of a triggerer must read a connection or mask a secret."""

_READ_AGAIN_AFTER: Final = (3.0, 6.0)
"""Seconds until a triggerer reads a connection again after Airflow has failed to return it."""


class ModelArtsHook(HasClock, TrainingJobMethods, BaseHook):
    """
    Calls ModelArts' APIs of visualization jobs, REST v1, and training jobs, REST v2.

    The first call reads the connection and opens an HTTP session. Close the hook, or use it as a context manager. All
    operations raise `ValueError` for an invalid parameter before they send anything, and
    :class:`~airflow_provider_modelarts.api.errors.ModelArtsError` for failures after that.

    :param modelarts_conn_id: Airflow connection of type ``modelarts``, or ``huaweicloud``
    :param region: overrides the connection's
    :param project_id: overrides the connection's
    :param workspace_id: overrides the connection's
    :param logger_name: as for every hook of Airflow
    """

    conn_name_attr = "modelarts_conn_id"
    default_conn_name = "modelarts_default"
    conn_type = "modelarts"
    hook_name = "Huawei Cloud ModelArts"

    def __init__(
        self,
        modelarts_conn_id: str = default_conn_name,
        region: str | None = None,
        project_id: str | None = None,
        workspace_id: str | None = None,
        logger_name: str | None = None,
    ) -> None:
        super().__init__(logger_name=logger_name)
        self.modelarts_conn_id: str = to_text(modelarts_conn_id)
        self.region = region
        self.project_id = project_id
        self.workspace_id = workspace_id
        self._config: ModelArtsConfig | None = None

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's own fields (Airflow below 3.2)."""
        return form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the form shows the other fields (Airflow below 3.2)."""
        return field_behaviour()

    @cached_property
    def client_owner(self) -> ClientOwner:
        """The owner of the hook's client. (Made at first use, because Airflow copies the attributes of tasks.)"""
        return ClientOwner(self._connect, self.clock)

    def get_conn(self) -> ModelArtsClient:
        """
        Return the client. The first call makes it.

        :raises ValueError: a field of the connection is invalid
        """
        return self.client_owner.client()

    def fetcher(self, kind: Kind[Any]) -> JobFetcher:
        """
        Return a fetcher for jobs of one kind, which uses this hook. The caller closes it.

        :raises ValueError: a field of the connection is invalid
        """
        from airflow_provider_modelarts.waiting.fetch import JobFetcher

        self.get_conn()  # raises errors of the connection as they are
        return JobFetcher(self.client_owner, kind, clock=self.clock.monotonic)

    def new_client(self) -> ModelArtsClient:
        """
        Return another client. The caller closes it.

        After :meth:`get_conn` has read the connection, this method does not call Airflow and needs no lock of the first
        client. It therefore works while a task is being killed.
        """
        from airflow_provider_modelarts.api.client import ModelArtsClient

        if self._config is None:
            self.get_conn()
        config: Any = self._config
        return ModelArtsClient(config, sleep=self.clock.sleep)

    def connect_in_triggerer(self) -> Connect:
        """
        Return a function that makes a client in a triggerer, for a :class:`.ClientOwner`. Call this on the event loop.

        Call the function on another thread, because it imports large modules. It reads the connection on the event
        loop, because other threads of a triggerer must not ask Airflow for it.
        """
        loop = asyncio.get_running_loop()

        def on_loop(call: Coroutine[Any, Any, T]) -> T:
            future = asyncio.run_coroutine_threadsafe(call, loop)
            try:
                return future.result(_LOOP_TIMEOUT)
            finally:
                future.cancel()

        def connect(sleep: Sleep) -> ModelArtsClient:
            from airflow_provider_modelarts.api.client import ModelArtsClient

            config = self._read_config(lambda: on_loop(self._aread_config()), sleep)
            # A secret must not be used before it is masked.
            return ModelArtsClient(
                config, on_secret=lambda secret: on_loop(amask_secret(secret)), sleep=sleep, metrics=metrics()
            )

        return connect

    def _connect(self, sleep: Sleep) -> ModelArtsClient:
        from airflow_provider_modelarts.api.client import ModelArtsClient

        connection = self.get_connection(self.modelarts_conn_id)
        config = self._config_of(connection, connection.extra_dejson)
        for secret in config.secrets:
            mask_secret(secret)
        # Only now, because unmasked secrets must not be used.
        self._config = config
        return ModelArtsClient(config, on_secret=mask_secret, sleep=sleep, metrics=metrics())

    def _read_config(self, read: Callable[[], ModelArtsConfig], sleep: Sleep) -> ModelArtsConfig:
        """Read the connection. Try again if Airflow fails, because a short failure must not fail all waits at once."""
        for pause in _READ_AGAIN_AFTER:
            try:
                return read()
            except ValueError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever Airflow raises
                conn_id = self.modelarts_conn_id
                self.log.warning("Connection %s cannot be read. Next try in %.0f s. %s", conn_id, pause, error)
                sleep(pause)
        return read()

    async def _aread_config(self) -> ModelArtsConfig:
        connection = await aget_connection(self.modelarts_conn_id)
        config = self._config_of(connection, await aget_extra(connection))
        for secret in config.secrets:
            await amask_secret(secret)
        return config

    def _config_of(self, connection: Any, extra: Mapping[str, Any]) -> ModelArtsConfig:
        from airflow_provider_modelarts.api.errors import ModelArtsConfigurationError

        try:
            return config_from_connection(
                connection,
                extra=extra,
                region=self.region,
                project_id=self.project_id,
                workspace_id=self.workspace_id,
            )
        except ValueError as error:
            raise ModelArtsConfigurationError(f"Connection {self.modelarts_conn_id}: {error}") from None

    def close(self) -> None:
        """Close the HTTP session. The next call opens a new one."""
        self.client_owner.close()

    def __enter__(self) -> ModelArtsHook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def test_connection(self) -> tuple[bool, str]:
        """
        Test the connection by listing one job of each kind (the Test button of the UI).

        :return: whether it works, and a message with the APIs that answer. If it fails, the message begins with the
            part that failed: configuration, DNS, TLS, proxy, connection, endpoint, clock, credentials, project,
            permission, ...
        """
        from airflow_provider_modelarts.api.config import ignored_text
        from airflow_provider_modelarts.api.errors import ModelArtsError

        try:
            with self:
                client = self.get_conn()
                config: Any = self._config
                jobs = describe_jobs(client)
        except ValueError as error:
            return False, f"configuration: {error}"
        except ModelArtsError as error:
            return False, f"{error.part}: {error}"
        except Exception as error:  # noqa: BLE001 - whatever Airflow raises for an unknown connection
            return False, f"configuration: {type(error).__name__}: {error}"
        answer = f"ModelArts answers; project {client.project_id} has {jobs}"
        return True, f"{answer}. {ignored_text(config.ignored)}" if config.ignored else answer

    def get_visualization_job(self, job_id: str | int) -> VisualizationJob:
        """
        Return a job (``GET /v1/{project_id}/visualization-jobs/{job_id}``).

        :raises ModelArtsNotFoundError: the job does not exist
        """
        return self.get_conn().visualization_jobs.get(job_id)

    def list_visualization_jobs(
        self,
        *,
        status: StatusLike | None = None,
        search_content: str | None = None,
        sort_by: SortField = "job_id",
        order: Order = "asc",
        per_page: int = 100,
    ) -> Iterator[VisualizationJob]:
        """
        Yield the jobs from all pages, fetching each page on demand.

        :param status: only jobs in this status, a code or a name
        :param search_content: text to search for, at most 64 characters; the API does not document in which fields
        :param sort_by: ``job_id``, ``job_name``, ``job_desc``, ``create_time`` or ``status``
        :param order: ``asc`` or ``desc``
        :param per_page: jobs per request, 1 to 1000; old deployments refuse more than 100
        """
        return self.get_conn().visualization_jobs.list_all(
            status=status, search_content=search_content, sort_by=sort_by, order=order, per_page=per_page
        )

    def create_visualization_job(
        self,
        *,
        job_name: str,
        train_url: str,
        job_desc: str | None = None,
        job_type: JobType = "tensorboard",
        flavor: str | None = None,
        schedule: ScheduleLike | None = None,
    ) -> VisualizationJob:
        """
        Create a job, and return it in its first status. It can be used once its status is RUNNING (8).

        A running job is billed until it is stopped.

        :param job_name: 1 to 20 letters, digits, ``_`` or ``-``; not that of another job
        :param train_url: OBS directory ``/bucket/dir/`` or ``obs://bucket/dir/`` with the files to show
        :param job_desc: at most 256 characters
        :param job_type: ``tensorboard`` or ``mindinsight``
        :param flavor: code of the resource flavor; not needed
        :param schedule: auto stop: ``{"type": "stop", "time_unit": "HOURS", "duration": 1}``, 1 to 24 hours
        :raises ModelArtsNameTakenError: another job has the name
        """
        return self.get_conn().visualization_jobs.create(
            job_name=job_name,
            train_url=train_url,
            job_desc=job_desc,
            job_type=job_type,
            flavor=flavor,
            schedule=schedule,
        )

    def update_visualization_job(self, job_id: str | int, *, job_desc: str) -> None:
        """
        Change the description of a job. The API cannot change anything else.

        :param job_desc: at most 256 characters
        """
        self.get_conn().visualization_jobs.update(job_id, job_desc=job_desc)

    def stop_visualization_job(self, job_id: str | int) -> None:
        """
        Request that a job is stopped. It is over when its status is KILLED (12), CANCELED (13) or COMPLETED (10).

        :raises ModelArtsConflictError: its status does not allow it
        """
        self.get_conn().visualization_jobs.stop(job_id)

    def restart_visualization_job(self, job_id: str | int) -> None:
        """
        Request that a stopped job is started again. It keeps its ID, and shows its old status for a moment.

        :raises ModelArtsConflictError: its status does not allow it
        """
        self.get_conn().visualization_jobs.restart(job_id)

    def delete_visualization_job(self, job_id: str | int) -> None:
        """
        Request that a job is deleted. It is gone when it is not found any more. This cannot be undone.

        :raises ModelArtsConflictError: its status does not allow it
        :raises ModelArtsNotFoundError: the job does not exist
        """
        self.get_conn().visualization_jobs.delete(job_id)

    def wait_for_visualization_job(
        self,
        job_id: str | int,
        target_status: Any = "RUNNING",
        *,
        failure_statuses: Any = None,
        poke_interval: float | timedelta = 60,
        timeout: float | timedelta = 7 * 24 * 3600,
        poll_failure_tolerance: float | timedelta = 600,
    ) -> VisualizationJob | None:
        """
        Wait for a job in this process, by the same rules as the sensor, and return it as last observed.

        :param target_status: a code, a name or a `JobStatus`, or several; ``"GONE"`` waits for the deletion
        :param failure_statuses: what ends the wait; by default every ended and failed status that is not waited for
        :param poke_interval: seconds, or a timedelta, between two polls
        :param timeout: seconds, or a timedelta, until the wait times out
        :param poll_failure_tolerance: seconds, or a timedelta, for which polls may fail once the job has been observed
        :return: the job; None after a wait for its deletion
        :raises ValueError: a parameter is invalid; nothing has been sent
        :raises JobCannotArriveError: the job has failed, ended, or does not exist
        :raises JobStateUnknownError: the API refuses, or could not be reached for too long
        :raises WaitTimeoutError: the wait timed out
        """
        from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS

        job: VisualizationJob | None = self.wait_for_job(
            VISUALIZATION_JOBS,
            job_id,
            target_status,
            failure_statuses,
            poke_interval=poke_interval,
            timeout=timeout,
            poll_failure_tolerance=poll_failure_tolerance,
        )
        return job

    def wait_for_job(
        self, kind: Kind[Any], job_id: Any, target_status: Any, failure_statuses: Any, **limits: float | timedelta
    ) -> Any:
        """
        Wait for a job of any kind; see the method of each kind.

        :param limits: ``poke_interval``, ``timeout`` and ``poll_failure_tolerance``
        """
        from airflow_provider_modelarts.waiting.blocking import wait_on_thread
        from airflow_provider_modelarts.waiting.jobs import JobsWait
        from airflow_provider_modelarts.waiting.kind import GONE
        from airflow_provider_modelarts.waiting.request import WaitRequest

        times: dict[str, Any] = {
            name: seconds(name, limit, may_be_zero=name != "poke_interval") for name, limit in limits.items()
        }
        request = WaitRequest(job_id=job_id, target_status=target_status, failure_statuses=failure_statuses, **times)
        jobs = JobsWait.begin(kind, request, log=self.log, metrics=metrics())
        with closing(self.fetcher(kind)) as fetcher:
            wait_on_thread(
                jobs, fetcher, poke_interval=request.poke_interval, timeout=request.timeout, clock=self.clock
            )
        wait = jobs.first()
        return None if wait.status == GONE else wait.last
