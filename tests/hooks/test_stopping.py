"""How the job of a failed or killed task is stopped, and what is said of it, against a real server."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.errors import ModelArtsConflictError, ModelArtsPermissionError
from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.emulator.faults import FaultKind
from airflow_provider_modelarts.hooks import stopping


class Lines:
    """A logger that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def log(self, level: int, message: str, /, *args: Any) -> None:
        self.lines.append((level, message % args))


def stop_or_log(*arguments: Any) -> None:
    stopping.stop_or_log("visualization job", *arguments)


def stop_with_deadline(*arguments: Any) -> None:
    stopping.stop_with_deadline("visualization job", *arguments)


def ensure_stopped(client: ModelArtsClient, job_id: bool | str) -> str | None:
    return client.visualization_jobs.ensure_stopped(job_id)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(time_scale=0) as running:
        yield running


@pytest.fixture
def make_client(emulator: Emulator) -> Callable[..., Any]:
    def make() -> ModelArtsClient:
        config = ModelArtsConfig(
            endpoint=emulator.url, project_id=emulator.project_id, login=emulator.ak, password=emulator.sk
        )
        return ModelArtsClient(config, sleep=lambda seconds: None)

    return make


@pytest.fixture
def log() -> Lines:
    return Lines()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (8, "is being stopped"),
        (7, "is being stopped"),
        (9, "is KILLING already"),
        (12, "is KILLED already"),
        (11, "is FAILED already"),
    ],
)
def test_what_becomes_of_a_job(
    status: int, said: str, emulator: Emulator, make_client: Callable[..., Any], log: Lines
) -> None:
    job_id = emulator.create_job(status=status)
    stop_or_log(make_client, lambda client: job_id, ensure_stopped, log)
    assert log.lines == [(logging.INFO, f"Visualization job {job_id} {said}, as its task ended early")]
    emulator.advance(10)
    assert emulator.job(job_id).status in (9, 11, 12)


def test_a_job_that_is_gone(make_client: Callable[..., Any], log: Lines) -> None:
    stop_or_log(make_client, lambda client: "4711", ensure_stopped, log)
    assert log.lines == [(logging.INFO, "Visualization job 4711 is gone, as its task ended early")]


def test_a_lost_request_is_sent_again(emulator: Emulator, make_client: Callable[..., Any], log: Lines) -> None:
    emulator.inject(Fault("cut", operation="stop", times=2))
    job_id = emulator.create_job(status=8)
    stop_or_log(make_client, lambda client: job_id, ensure_stopped, log)
    assert emulator.job(job_id).status == 9


def test_a_lost_answer_is_no_trouble(emulator: Emulator, make_client: Callable[..., Any], log: Lines) -> None:
    emulator.inject(Fault("cut_after", operation="stop", times=1))
    job_id = emulator.create_job(status=8)
    stop_or_log(make_client, lambda client: job_id, ensure_stopped, log)
    assert [line[1].partition(" is ")[2] for line in log.lines] == ["KILLING already, as its task ended early"]


@pytest.mark.parametrize(("status", "fault"), [(18, None), (8, "status"), (8, "cut")])
def test_a_job_that_may_run_on_is_an_error_in_the_log(
    status: int, fault: FaultKind | None, emulator: Emulator, make_client: Callable[..., Any], log: Lines
) -> None:
    if fault:
        emulator.inject(Fault(fault, operation="stop"))
    job_id = emulator.create_job(status=status)
    stop_or_log(make_client, lambda client: job_id, ensure_stopped, log)
    [(level, line)] = log.lines
    assert level == logging.ERROR
    assert "could not be stopped and may run on, billed. POST http://127.0.0.1:" in line


def test_a_job_that_cannot_be_looked_up_may_run_on(make_client: Callable[..., Any], log: Lines) -> None:
    def find(client: ModelArtsClient) -> None:
        raise ValueError("no list")

    stop_or_log(make_client, find, ensure_stopped, log)
    assert log.lines == [
        (
            logging.ERROR,
            "The visualization job of this task, if there is one, could not be stopped and may run on, billed. no list",
        )
    ]


def test_a_kill_does_not_wait_for_ever(
    emulator: Emulator, make_client: Callable[..., Any], log: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "KILL_GRACE", 0.1)
    monkeypatch.setattr(stopping, "STOP_TIMEOUT", 0.2)
    emulator.inject(Fault("delay", operation="stop", delay=3))
    begin = time.monotonic()
    job_id = emulator.create_job(status=8)
    stop_with_deadline(make_client, lambda client: job_id, ensure_stopped, log)
    assert time.monotonic() - begin < 2
    said = "The visualization job of this task could not be stopped within 0 s and may run on, billed"
    assert log.lines == [(logging.ERROR, said)]


def test_a_slow_stop_is_said_before_airflow_kills_the_process(
    emulator: Emulator, make_client: Callable[..., Any], log: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "KILL_GRACE", 0.1)
    emulator.inject(Fault("delay", operation="stop", delay=1))
    job_id = emulator.create_job(status=8)
    stop_with_deadline(make_client, lambda client: job_id, ensure_stopped, log)
    assert [level for level, _ in log.lines] == [logging.ERROR, logging.INFO]
    assert log.lines[1][1] == f"Visualization job {job_id} is being stopped, as its task ended early"


def test_a_refused_stop_is_repeated_only_after_a_restart(emulator: Emulator, make_client: Callable[..., Any]) -> None:
    job_id = emulator.create_job(status=8)
    emulator.inject(Fault("status", operation="stop", status=409))
    with make_client() as client:
        with pytest.raises(ModelArtsConflictError):
            client.visualization_jobs.ensure_stopped(job_id)
        assert emulator.request_counts()["stop"] == 1


def test_after_a_restart_only_a_refused_stop_is_repeated(emulator: Emulator, make_client: Callable[..., Any]) -> None:
    job_id = emulator.create_job(status=12)
    emulator.inject(Fault("status", operation="stop", status=403))
    with make_client() as client:
        with pytest.raises(ModelArtsPermissionError):
            client.visualization_jobs.ensure_stopped(job_id, restarted=True)
        assert emulator.request_counts()["stop"] == 1


def test_a_stop_that_hangs_is_not_waited_for_any_longer(
    make_client: Callable[..., Any], log: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "KILL_GRACE", 0.4)
    monkeypatch.setattr(stopping, "STOP_TIMEOUT", 0.5)
    hangs = threading.Event()
    began = time.monotonic()
    stop_with_deadline(make_client, lambda client: hangs.wait(60), ensure_stopped, log)
    waited = time.monotonic() - began
    hangs.set()
    assert 0.5 <= waited < 1.2, waited


def test_a_kill_stops_the_job_on_a_client_of_its_own(
    emulator: Emulator, make_client: Callable[..., Any], log: Lines
) -> None:
    job_id = emulator.create_job("board", status=8)
    stop_with_deadline(make_client, lambda client: client.visualization_jobs.find("board").job_id, ensure_stopped, log)
    assert emulator.job(job_id).status == 9


def test_a_kill_before_there_is_a_job(emulator: Emulator, make_client: Callable[..., Any], log: Lines) -> None:
    stop_with_deadline(make_client, lambda client: None, ensure_stopped, log)
    assert log.lines == []


def test_a_kill_without_a_connection_is_told_of(log: Lines) -> None:
    def fail() -> None:
        raise ValueError("no connection")

    stop_with_deadline(fail, lambda client: "10", ensure_stopped, log)
    assert [level for level, _ in log.lines] == [logging.ERROR]
    assert log.lines[0][1].endswith("may run on, billed. no connection")
