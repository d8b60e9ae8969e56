"""Runs one wait against a fault, on simulated time, and says what happened."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from airflow_provider_modelarts.api import http, transport
from airflow_provider_modelarts.api.transport import Session
from airflow_provider_modelarts.sensors.training_job import ModelArtsTrainingJobSensor
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.waiting.wait import JobCannotArriveError, JobStateUnknownError, WaitTimeoutError
from tests.faults.certificates import Authority
from tests.faults.servers import PROJECT_ID, FaultyServer
from tests.simulated_tasks import Outcome, run_to_its_end, simulate

if TYPE_CHECKING:
    from tests.faults.table import Row

MODES: Final = ("poke", "reschedule", "deferrable", "deferrable, 3 jobs")
SCENARIOS: Final = ("from the first poll", "in mid-wait, heals", "in mid-wait, stays")

ARRIVES = "succeeds"
CANNOT_ARRIVE = "fails: cannot arrive"
UNKNOWN = "retries: state unknown"
TIMES_OUT = "times out"

POKE_INTERVAL: Final = 30.0
TOLERANCE: Final = 45.0
TIMEOUT: Final = 600.0
BEGINS_AT: Final = 10.0
HEALS_AT: Final = 50.0
"""Simulated seconds. The jobs are RUNNING from then on, too, whether the fault is over or not."""

NAME: Final = "modelarts.test"
"""Resolves while the server says so."""


@dataclass
class Observed:
    """
    What a wait came to.

    :param end: one of the words above, or the exception that should not have come
    :param message: what it said
    :param seconds: simulated time of the end
    :param requests: requests that were tried; what is refused never gets to a server
    :param arrived: those of them that a server got
    :param real_seconds: real time that it took
    :param blocked: longest real time for which the trigger's event loop could not turn
    """

    end: str
    message: str
    seconds: float
    requests: int
    arrived: int
    real_seconds: float
    blocked: float


def modes_of(row: Row) -> tuple[str, ...]:
    """Return the modes that a row is run in; what waits for three jobs in every mode needs no mode for that."""
    return MODES[:3] if row.several else MODES


def observe(row: Row, scenario: str, mode: str, authorities: tuple[Authority, Authority]) -> Observed:
    """Run a wait to its end."""
    with pytest.MonkeyPatch.context() as patches, _server(row, authorities[0]) as server:
        clock = simulate(patches, server)
        _patch_resolver(server, patches)
        tried = _count_requests(patches)
        if row.slow:
            patches.setattr(http, "MAX_ATTEMPTS", 1)
            patches.setattr(transport, "MAX_ANSWER_TIME", 2)
        patches.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(_connection(row, server, authorities[0])))
        fault = row.fault(authorities)
        clock.at(0 if scenario == SCENARIOS[0] else BEGINS_AT, lambda: fault.begin(server))
        if scenario == SCENARIOS[1]:
            clock.at(HEALS_AT, lambda: fault.end(server))
        clock.at(HEALS_AT, server.arrive)
        clock.sleep(0)
        several = row.several or mode == MODES[3]
        job_ids = list(server.phases if row.training else server.statuses)
        started = time.monotonic()
        outcome = run_to_its_end(
            mode.partition(",")[0],
            clock,
            patches,
            ModelArtsTrainingJobSensor if row.training else ModelArtsVisualizationJobSensor,
            job_id=None if several else job_ids[0],
            job_ids=job_ids if several else None,
            target_status=row.target,
            poke_interval=POKE_INTERVAL,
            poll_failure_tolerance=TOLERANCE,
            timeout=TIMEOUT,
        )
        real_seconds = time.monotonic() - started
        arrived = server.counts.total() - server.counts["connect"]
    return Observed(
        _end(outcome),
        str(outcome.error or ""),
        outcome.seconds,
        len(tried),
        arrived,
        real_seconds,
        clock.worst_pass,
    )


def most_requests(row: Row, mode: str, seconds: float) -> float:
    """Return how many requests a wait may make in this time: polls, times attempts, times requests a poll takes."""
    polls = seconds / POKE_INTERVAL + 3
    attempts = 1 if row.slow else http.MAX_ATTEMPTS
    several = row.several or mode == MODES[3]
    # Of several jobs: two sizes of the list's page and each job; a job: itself. A refused token is renewed once.
    return polls * attempts * (5 if several else 1) * (3 if row.with_token else 1)


def _server(row: Row, authority: Authority) -> FaultyServer:
    return FaultyServer(authority.server() if row.tls else None, proxy=row.proxied)


def _connection(row: Row, server: FaultyServer, authority: Authority) -> dict[str, Any]:
    extra: dict[str, Any] = {"project_id": PROJECT_ID, "region": "cn-north-4"}
    extra |= {"connect_timeout": row.read_timeout, "read_timeout": row.read_timeout}
    if row.with_token:
        extra |= {"domain_name": "account", "iam_endpoint": server.url}
    if row.tls:
        extra["verify"] = str(authority.bundle)
    if row.proxied:
        extra["proxies"] = {"http": server.url, "https": server.url}
    host = row.host.format(url=server.url, port=server.port)
    return {"conn_type": "modelarts", "login": "AK-or-user", "password": "SK-or-password", "host": host, "extra": extra}


def _count_requests(patches: pytest.MonkeyPatch) -> list[str]:
    tried = []
    request = Session.request

    def counted(session: Session, method: str, url: str, *args: Any, **options: Any) -> Any:
        tried.append(f"{method} {url}")
        return request(session, method, url, *args, **options)

    patches.setattr(Session, "request", counted)
    return tried


def _patch_resolver(server: FaultyServer, patches: pytest.MonkeyPatch) -> None:
    """Let a name resolve to the server, and not at all while the fault says so; a real resolver may take seconds."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        if host == NAME and not server.resolves:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve("127.0.0.1" if host == NAME else host, *args, **options)

    patches.setattr(socket, "getaddrinfo", getaddrinfo)


def _end(outcome: Outcome) -> str:
    cause = outcome.error.__cause__ if outcome.error is not None else None
    if outcome.state == "success":
        return ARRIVES
    if outcome.state == "failed" and isinstance(cause, JobCannotArriveError):
        return CANNOT_ARRIVE
    if outcome.state == "failed" and isinstance(cause, WaitTimeoutError):
        return TIMES_OUT
    # Airflow's own sensor raises for the time that is up in poke and reschedule mode.
    if outcome.state == "failed" and type(outcome.error).__name__ == "AirflowSensorTimeout":
        return TIMES_OUT
    if outcome.state == "up_for_retry" and isinstance(outcome.error, JobStateUnknownError):
        return UNKNOWN
    return f"{outcome.state}: {type(outcome.error).__name__}"
