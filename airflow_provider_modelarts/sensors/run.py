"""What a sensor does on a worker. Imported there, not when a DAG file is parsed, which has to be cheap."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_modelarts._compat import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    PokeReturnValue,
    first_reschedule_date,
    metrics,
)
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.assets.base import add_to_outlet_events
from airflow_provider_modelarts.deferral import defer, resume, when_try_started
from airflow_provider_modelarts.links.base import publish_link
from airflow_provider_modelarts.waiting.blocking import poll
from airflow_provider_modelarts.waiting.fetch import JobFetcher
from airflow_provider_modelarts.waiting.jobs import JobsWait
from airflow_provider_modelarts.waiting.request import WaitRequest
from airflow_provider_modelarts.waiting.wait import (
    InvalidWaitError,
    JobCannotArriveError,
    WaitError,
    WaitTimeoutError,
    duration,
)
from airflow_provider_modelarts.xcoms import push_fields

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor


class SensorRun:
    """
    One run of a sensor on a worker: the whole wait in poke mode, one poll in the others, none with ``skip_worker``.

    Nothing of the connection is needed before the first poll.

    :param sensor: its parameters are rendered
    :raises ValueError: a parameter is invalid; nothing has been sent
    """

    def __init__(self, sensor: ModelArtsVisualizationJobSensor, context: Context) -> None:
        self._sensor = sensor
        self._context = context
        first_run = first_reschedule_date(context) if sensor.reschedule else None
        self._started_at = first_run.timestamp() if first_run else when_try_started(sensor, context)
        self._jobs = JobsWait.begin(
            VISUALIZATION_JOBS,
            WaitRequest.of(sensor),
            log=sensor.log,
            # The first run polls strictly: had it not seen the jobs, only a silent sensor would have a later one.
            seen=first_run is not None,
            metrics=metrics(),
        )

    @cached_property
    def _fetcher(self) -> JobFetcher:
        hook = self._sensor.hook
        hook.get_conn()  # what is wrong with the connection is raised as it is
        return JobFetcher(hook.client_owner, VISUALIZATION_JOBS)

    def close(self) -> None:
        """Let go of what polls needed."""
        if "_fetcher" in self.__dict__:
            self._fetcher.close()

    def poke(self) -> PokeReturnValue:
        """Poll the jobs; in reschedule mode again and again while the API cannot be reached."""
        sensor = self._sensor
        while True:
            try:
                arrived = self._poll()
            except WaitError as error:
                _fail(sensor, error)
            if not (sensor.reschedule and self._jobs.failing) or self._time_is_up():
                return PokeReturnValue(arrived, self._xcom() if arrived else None)
            time.sleep(sensor.poke_interval)

    def check_time(self) -> None:
        """Fail a sensor that is about to be rescheduled although its time is up: Airflow would go on."""
        if self._time_is_up():
            time_out(self._sensor, f"Timed out waiting for {self._jobs.describe()}")

    def poke_and_defer(self) -> Any:
        """Poll once, strictly, so that an arrived job needs no triggerer and a wrong id fails at once, and defer."""
        sensor = self._sensor
        try:
            if self._poll():
                return self._xcom()
        except JobCannotArriveError as error:
            _fail(sensor, error)
        except Exception as error:  # noqa: BLE001 - as Airflow's own loop does in poke mode
            if not sensor.silent_fail:
                _fail(sensor, error)
            sensor.log.error("Poll failed, silently: %s", error)
        return self._defer()

    def defer(self) -> NoReturn:
        """Defer at once: with ``skip_worker`` a worker does nothing that the triggerer can do."""
        sensor = self._sensor
        reason = sensor.why_on_worker()
        sensor.log.info("skip_worker: deferring from a worker%s", f", because {reason}" if reason else "")
        self._defer()

    def _defer(self) -> NoReturn:
        sensor = self._sensor
        defer(sensor, self._context, sensor.wait_request(), self._jobs, started_at=self._started_at)

    def _poll(self) -> bool:
        """
        Poll the jobs once, and return whether the wait is over.

        :raises WaitError: it is over without its target
        :raises Exception: there is no such connection, or it is not complete
        """
        try:
            return poll(self._jobs, self._fetcher)
        finally:
            publish_link(self._sensor, self._context, self._jobs.page_url)

    def _time_is_up(self) -> bool:
        return time.time() > self._started_at + self._sensor.time_to_wait()

    def _xcom(self) -> Any:
        return _xcom(self._sensor, self._context, self._jobs.summaries())


def complete(sensor: ModelArtsVisualizationJobSensor, context: Context, event: Any) -> Any:
    """
    Return the XCom of a wait that ended in the triggerer, or raise what Airflow is to make of it.

    :raises ValueError: the event is missing or not understood, or a rendered parameter cannot be
    """
    result = resume(sensor, context, event)
    try:
        result.raise_error()
    except InvalidWaitError as error:
        # The triggerer renders less than a worker does; what is wrong here, too, is refused here.
        sensor.log.info("The triggerer gives the task to a worker: %s", error)
        return sensor.execute(context)
    except WaitError as error:
        _fail(sensor, error)
    return _xcom(sensor, context, result.jobs)


def time_out(sensor: ModelArtsVisualizationJobSensor, message: str) -> NoReturn:
    """Raise what Airflow is to make of a wait whose time is up."""
    _fail(sensor, WaitTimeoutError(message))


def _fail(sensor: ModelArtsVisualizationJobSensor, error: Exception) -> NoReturn:
    """Raise what Airflow is to make of a wait that ended without its target, the same in every mode."""
    failure: BaseException = error
    skip = sensor.never_fail
    if isinstance(error, JobCannotArriveError):
        failure, skip = AirflowFailException(str(error)), sensor.soft_fail or sensor.never_fail
    elif isinstance(error, WaitTimeoutError):
        by_timeout = sensor.timeout <= sensor.time_to_wait()
        kind = AirflowSensorTimeout if by_timeout else AirflowTaskTimeout
        limit = "timeout" if by_timeout else "execution_timeout"
        failure = kind(f"{error} ({limit} {duration(sensor.time_to_wait())})")
        skip = sensor.soft_fail and by_timeout
    if skip:
        raise AirflowSkipException(f"Skipped, as the sensor's soft_fail or never_fail says: {error}") from error
    if failure is error:
        raise error
    raise failure from error


def _xcom(sensor: ModelArtsVisualizationJobSensor, context: Context, jobs: Mapping[str, Mapping[str, Any]]) -> Any:
    xcom = next(iter(jobs.values())) if sensor.job_ids is None else dict(jobs)
    add_to_outlet_events(sensor, context, xcom)
    if sensor.job_ids is None:
        push_fields(sensor, context, xcom)
    return xcom
