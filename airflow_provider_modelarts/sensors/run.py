"""What a sensor does on a worker. Imported there, not when a DAG file is parsed, which has to be cheap."""

from __future__ import annotations

import time
from collections.abc import Mapping
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
from airflow_provider_modelarts.waiting import event as events
from airflow_provider_modelarts.waiting.blocking import poll
from airflow_provider_modelarts.waiting.fetch import JobFetcher
from airflow_provider_modelarts.waiting.jobs import JobsWait
from airflow_provider_modelarts.waiting.wait import (
    JobCannotArriveError,
    JobStateUnknownError,
    WaitError,
    WaitTimeoutError,
    duration,
)
from airflow_provider_modelarts.worker import error_of, give_to_triggerer, push_fields, show, take_back, tell_consumers

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor


class SensorRun:
    """
    One run of a sensor on a worker: the whole wait in poke mode, one look in the others.

    :param sensor: its parameters are rendered
    :raises ValueError: a parameter cannot be; nothing has been sent
    """

    def __init__(self, sensor: ModelArtsVisualizationJobSensor, context: Context) -> None:
        self._sensor = sensor
        self._context = context
        first_run = first_reschedule_date(context) if sensor.reschedule else None
        self._started_at = first_run.timestamp() if first_run else time.time()
        self._jobs = JobsWait.begin(
            VISUALIZATION_JOBS,
            job_id=sensor.job_id,
            job_name=sensor.job_name,
            job_ids=sensor.job_ids,
            wait_for=sensor.wait_for,
            target_status=sensor.target_status,
            failure_statuses=sensor.failure_statuses,
            poll_failure_tolerance=sensor.poll_failure_tolerance,
            log=sensor.log,
            # The first run polls strictly: had it not seen the jobs, only a silent sensor would have a later one.
            seen=first_run is not None,
            metrics=metrics(),
        )
        self._fetcher = JobFetcher(sensor.hook.get_conn(), VISUALIZATION_JOBS, renew=sensor.hook.renew_conn)

    def close(self) -> None:
        """Let go of what polls needed."""
        self._fetcher.close()

    def poke(self) -> PokeReturnValue:
        """Look at the jobs; in reschedule mode again and again while the API cannot be reached."""
        sensor = self._sensor
        while True:
            try:
                arrived = self._look()
            except WaitError as error:
                _fail(sensor, error)
            if not (sensor.reschedule and self._jobs.failing) or time.time() > self._started_at + sensor.timeout:
                return PokeReturnValue(arrived, self._xcom() if arrived else None)
            time.sleep(sensor.poke_interval)

    def look_and_defer(self) -> Any:
        """Look once, strictly, so that an arrived job needs no triggerer and a wrong id fails at once, and defer."""
        sensor = self._sensor
        if sensor.skip_worker:
            sensor.log.info("skip_worker: polling once on a worker; this task cannot start in the triggerer here")
        try:
            if self._look():
                return self._xcom()
        except (JobStateUnknownError, ValueError) as error:
            if not sensor.silent_fail:
                _fail(sensor, error)
            sensor.log.error("Poll failed, silently: %s", error)
        except WaitError as error:
            _fail(sensor, error)
        return give_to_triggerer(sensor, self._jobs, sensor.trigger_arguments(), started_at=self._started_at)

    def _look(self) -> bool:
        """
        Look at the jobs once, and return whether the wait is over.

        :raises WaitError: it is over without its target
        :raises ValueError: the project cannot be told by the region
        """
        try:
            return poll(self._jobs, self._fetcher)
        finally:
            show(self._sensor, self._context, self._jobs.page_url)

    def _xcom(self) -> Any:
        return _xcom(self._sensor, self._context, self._jobs.summaries())


def complete(sensor: ModelArtsVisualizationJobSensor, context: Context, event: Any) -> Any:
    """
    Return the XCom of a wait that ended in the triggerer, or raise what Airflow is to make of it.

    :raises ValueError: the event is missing or not understood, or a rendered parameter cannot be
    """
    result = take_back(sensor, context, event)
    if result.outcome == events.INVALID:
        # The triggerer renders less than a worker does; what is wrong here, too, is refused here.
        sensor.log.info("The triggerer gives the task to a worker: %s", result.message)
        return sensor.execute(context)
    if result.outcome == events.ARRIVED:
        return _xcom(sensor, context, result.jobs)
    return _fail(sensor, error_of(result))


def time_out(sensor: ModelArtsVisualizationJobSensor, message: str) -> NoReturn:
    """Raise what Airflow is to make of a wait whose time is up."""
    _fail(sensor, WaitTimeoutError(message))


def _fail(sensor: ModelArtsVisualizationJobSensor, error: WaitError | ValueError) -> NoReturn:
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
    tell_consumers(sensor, context, xcom)
    if sensor.job_ids is None:
        push_fields(sensor, context, xcom)
    return xcom
