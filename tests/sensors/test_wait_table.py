"""What a wait ends in, in every mode and for both kinds of jobs: one table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from airflow_provider_modelarts._compat import airflow_version
from airflow_provider_modelarts.api.errors import ModelArtsConfigurationError
from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.sensors.training_job import ModelArtsTrainingJobSensor
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from tests.phases import PHASES, text_in_phases
from tests.simulated_clock import SimulatedClock

MODES = ("poke", "reschedule", "deferrable", *(["skip_worker"] if airflow_version() >= (3, 3) else []))
OUTAGE = Fault(kind="status", status=503)


@dataclass
class Row:
    """One kind of wait, polled every 30 s unless it says otherwise, and what it ends in."""

    name: str
    state: str
    script: str = "1:0,7:60,8:120"
    arguments: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    connection: dict[str, Any] = field(default_factory=dict)
    faults: list[tuple[float, Fault | None]] = field(default_factory=list)
    """At which second what goes wrong; None ends all that went wrong."""
    between: tuple[float, float] = (0, 0)
    """Between which seconds the wait ends: requests that are repeated take some."""
    says: tuple[str, ...] = ()
    status_name: str | None = None


TABLE = [
    Row("arrives", "success", between=(180, 180), status_name="RUNNING"),
    Row("has arrived", "success", script="8:0", between=(0, 0), status_name="RUNNING"),
    Row("numbers are strings", "success", options={"string_numbers": True}, between=(180, 180), status_name="RUNNING"),
    Row("2025 shape", "success", options={"shape": "2025"}, between=(180, 180), status_name="RUNNING"),
    Row("one of several", "success", script="8:0,9:60,12:10", between=(90, 90), status_name="KILLED",
        arguments={"target_status": ["KILLED", "CANCELED", 10]}),
    Row("a transitional status", "success", between=(60, 60), status_name="WAITING",
        arguments={"target_status": "WAITING"}),
    Row("a failure that is waited for", "success", script="7:0,11:60", between=(60, 60), status_name="FAILED",
        arguments={"target_status": 11}),
    Row("deletion", "success", script="9:0,gone:60", between=(60, 60), status_name="GONE",
        arguments={"target_status": "GONE"}),
    Row("unknown status, then arrives", "success", script="7:0,42:30,8:90", between=(120, 120), status_name="RUNNING"),

    Row("fails", "failed", script="7:0,11:70", between=(90, 90),
        says=("is FAILED (11)", "cannot become RUNNING (8)")),
    Row("has failed", "failed", script="11:0", between=(0, 0), says=("is FAILED (11)",)),
    Row("is stopped by somebody", "failed", script="7:0,12:70", between=(90, 90), says=("is KILLED (12)",)),
    Row("vanishes", "failed", script="7:0,gone:70", between=(90, 90),
        says=("was not found", "cannot become RUNNING (8)", "last seen: ", "ModelArts.0102")),
    Row("was never there", "failed", arguments={"job_id": 999}, between=(0, 0),
        says=("was not found", "last seen: never", "ModelArts.0102")),
    Row("failure_statuses", "failed", between=(60, 60), arguments={"failure_statuses": ["WAITING"]},
        says=("is WAITING (7)",)),
    Row("hangs", "failed", script="7:0", arguments={"timeout": 600}, between=(601, 661), says=("imed out",)),
    Row("unknown status for good", "failed", script="42:0", arguments={"timeout": 600}, between=(601, 661),
        says=("imed out",)),
    Row("hangs in an outage", "failed", script="7:0", faults=[(100, OUTAGE)], between=(601, 675),
        arguments={"timeout": 600, "poll_failure_tolerance": 3600}, says=("imed out",)),

    Row("fails softly", "skipped", script="7:0,11:70", arguments={"soft_fail": True}, between=(90, 90)),
    Row("hangs softly", "skipped", script="7:0", arguments={"soft_fail": True, "timeout": 600}, between=(601, 661)),
    Row("never fails", "skipped", script="7:0,11:70", arguments={"never_fail": True}, between=(90, 90)),
    Row("never fails, forbidden", "skipped", options={"deny": ["get"]}, arguments={"never_fail": True},
        between=(0, 0)),

    Row("two minutes of outage", "success", faults=[(80, OUTAGE), (200, None)], between=(200, 240),
        status_name="RUNNING"),
    Row("throttled", "success", faults=[(80, Fault(kind="status", status=429, retry_after=300)), (150, None)],
        between=(360, 420), status_name="RUNNING"),
    Row("cut connections", "success", faults=[(80, Fault(kind="cut")), (200, None)], between=(200, 240),
        status_name="RUNNING"),
    Row("half of an answer", "success", faults=[(80, Fault(kind="truncated")), (200, None)], between=(200, 240),
        status_name="RUNNING"),
    Row("HTML", "success", faults=[(80, Fault(kind="html")), (200, None)], between=(200, 240), status_name="RUNNING"),
    Row("wrong types", "success", faults=[(80, Fault(kind="wrong_types")), (200, None)], between=(200, 240),
        status_name="RUNNING"),
    Row("is_success false", "success", faults=[(80, Fault(kind="is_success_false")), (200, None)],
        between=(200, 240), status_name="RUNNING"),
    Row("outage at the first poll, silently", "success", faults=[(0, OUTAGE), (200, None)],
        arguments={"silent_fail": True}, between=(200, 240), status_name="RUNNING"),

    Row("no such connection", "up_for_retry", arguments={"modelarts_conn_id": "none"}, between=(0, 10),
        says=("none",)),
    Row("no such connection, never fails", "skipped", between=(0, 10),
        arguments={"modelarts_conn_id": "none", "never_fail": True}, says=("Skipped, as the sensor",)),
    Row("no such connection, silently", "failed", between=(601, 661), says=("imed out",),
        arguments={"modelarts_conn_id": "none", "silent_fail": True, "timeout": 600}),
    Row("outage at the first poll", "up_for_retry", faults=[(0, OUTAGE)], between=(1, 20),
        says=("is unknown", "last seen: never", "503")),
    Row("an outage too long", "up_for_retry", faults=[(80, OUTAGE)], between=(680, 760),
        says=("is unknown", "Polls have failed for", "503")),
    Row("an outage too long, softly", "up_for_retry", faults=[(80, OUTAGE)], arguments={"soft_fail": True},
        between=(680, 760), says=("is unknown",)),
    Row("less tolerance", "up_for_retry", faults=[(80, OUTAGE)], arguments={"poll_failure_tolerance": 60},
        between=(140, 200), says=("is unknown",)),
    Row("forbidden", "up_for_retry", options={"deny": ["get"]}, between=(0, 0),
        says=("is unknown", "modelarts:tensorboard:get")),
    Row("retired", "up_for_retry", options={"retired": True}, between=(0, 0), says=("is unknown", "2023-06-30")),
    Row("wrong secret key", "up_for_retry", connection={"password": "wrong"}, between=(0, 0),
        says=("is unknown", "APIGW.0301", "Check login and password")),
    Row("forbidden in mid-wait", "up_for_retry", faults=[(80, Fault(kind="status", status=403))], between=(90, 90),
        says=("is unknown", "APIGW.0302")),
]  # fmt: skip


@dataclass
class TestedKind:
    """A kind of job that the table is tested with."""

    sensor_class: type
    create: Callable[[Emulator, str], str]
    status_field: str
    translate: Callable[[Row], Row] = lambda row: row

    __test__ = False


TEXTS = {
    "ModelArts.0102": "ModelArts.2775",
    "tensorboard": "trainJob",
    "2023-06-30": "APIGW.0101",
}


def in_phases(row: Row) -> Row:
    """Return a row of the table for training jobs."""

    def translate(value: Any) -> Any:
        if isinstance(value, list):
            return [translate(one) for one in value]
        return PHASES.get(str(value), value)

    def text(part: str) -> str:
        for visualization, training in TEXTS.items():
            part = part.replace(visualization, training)
        return text_in_phases(part)

    # A completed job goes nowhere from there.
    script = re.sub("^8:0,", "7:0,", row.script)
    steps = (step.split(":") for step in script.split(","))
    arguments = {
        name: translate(value) if name in ("target_status", "failure_statuses", "job_id") else value
        for name, value in row.arguments.items()
    }
    options = {"deny": ["training.get"]} if "deny" in row.options else {}
    return replace(
        row,
        script=",".join(f"{PHASES.get(status, status)}:{delay}" for status, delay in steps),
        arguments=arguments,
        options={"training_retired": True} if "retired" in row.options else options,
        says=tuple(map(text, row.says)),
        status_name=PHASES.get(str(row.status_name), row.status_name),
    )


KINDS = {
    "visualization": TestedKind(
        ModelArtsVisualizationJobSensor,
        lambda emulator, script: emulator.create_job(job_name="board", script=script),
        "status_name",
    ),
    "training": TestedKind(
        ModelArtsTrainingJobSensor,
        lambda emulator, script: emulator.cloud.training_jobs.create("board", script=script).job_id,
        "phase",
        in_phases,
    ),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
@pytest.mark.parametrize("mode", MODES)
def test_the_table(
    row: Row,
    mode: str,
    kind: TestedKind,
    emulator: Emulator,
    clock: SimulatedClock,
    connection: Callable[..., Any],
    run: Callable[..., Any],
) -> None:
    row = kind.translate(row)
    for option, value in row.options.items():
        setattr(emulator, option, value)
    connection(**row.connection)
    job_id = kind.create(emulator, row.script)
    for moment, fault in row.faults:
        clock.at(moment, emulator.clear_faults if fault is None else partial(emulator.inject, fault))
    clock.sleep(0)

    outcome = run(mode, sensor_class=kind.sensor_class, **{"job_id": job_id, "poke_interval": 30, **row.arguments})

    assert outcome.state == row.state, outcome.error
    # A wait in the triggerer polls half a second later, and ends with its time, not at the next poll after it.
    late = 1.5 if mode in ("deferrable", "skip_worker") else 0
    assert row.between[0] - late <= outcome.seconds <= row.between[1] + late, outcome
    for part in row.says:
        assert part in str(outcome.error)
    assert outcome.error is None or outcome.error.__cause__ is not outcome.error
    if row.state == "success":
        assert outcome.xcom[kind.status_field] == row.status_name
        assert outcome.xcom["job_id"] == job_id


@pytest.mark.parametrize("mode", MODES)
def test_the_xcom(mode: str, emulator: Emulator, run: Callable[..., Any]) -> None:
    job_id = emulator.create_job(job_name="board", train_url="/bucket/dir/", status=8)
    xcom = run(mode, job_id=job_id).xcom
    assert list(xcom) == [
        "job_id", "job_name", "status", "status_name", "service_url", "train_url", "create_time", "duration_ms",
    ]  # fmt: skip
    assert (xcom["job_id"], xcom["status"], xcom["train_url"]) == (job_id, 8, "/bucket/dir/")
    assert xcom["service_url"].startswith("http")


@pytest.mark.parametrize("mode", MODES)
def test_the_xcom_of_a_job_that_is_deleted(mode: str, emulator: Emulator, run: Callable[..., Any]) -> None:
    job_id = emulator.create_job("board", train_url="/bucket/dir/", script="9:0,gone:60")
    xcom = run(mode, job_id=job_id, target_status="GONE", poke_interval=30).xcom
    known = ("board", "/bucket/dir/") if mode != "reschedule" else (None, None)
    assert (xcom["status"], xcom["job_name"], xcom["train_url"]) == (None, *known)


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_what_was_seen_of_a_job_before_an_outage_is_kept(
    mode: str, emulator: Emulator, clock: SimulatedClock, run: Callable[..., Any]
) -> None:
    job_ids = [emulator.create_job("board", status=8), emulator.create_job(script="7:0,8:300")]
    clock.at(1, lambda: emulator.inject(OUTAGE))
    clock.at(100, emulator.clear_faults)
    outcome = run(mode, job_ids=job_ids, poke_interval=30)
    assert outcome.state == "success"
    assert outcome.xcom[job_ids[0]]["job_name"] == "board"


@pytest.mark.parametrize("mode", MODES)
def test_a_silent_sensor_outlives_an_outage_that_is_there_from_the_start(
    mode: str, emulator: Emulator, clock: SimulatedClock, run: Callable[..., Any], written: Callable[[], str]
) -> None:
    job_id = emulator.create_job(script="7:0,8:120")
    emulator.inject(OUTAGE)
    clock.at(1000, emulator.clear_faults)
    outcome = run(mode, job_id=job_id, poke_interval=300, silent_fail=True)
    assert (outcome.state, outcome.xcom["status_name"]) == ("success", "RUNNING")
    if mode in ("deferrable", "skip_worker"):
        assert written().count("Poll failed, silently: The state of visualization job") >= 3


@pytest.mark.parametrize("mode", MODES)
def test_a_project_that_cannot_be_told_is_skipped_by_a_sensor_that_never_fails(
    mode: str, emulator: Emulator, connection: Callable[..., Any], run: Callable[..., Any]
) -> None:
    connection(extra={**emulator.connection()["extra"], "project_id": None, "region": "elsewhere"})
    assert run(mode, job_id=1, never_fail=True).state == "skipped"
    outcome = run(mode, job_id=1)
    assert outcome.state == "up_for_retry"
    assert mode == "skip_worker" or isinstance(outcome.error.__cause__, ModelArtsConfigurationError)
    assert "project_id: needed" in str(outcome.error)


@pytest.mark.parametrize("mode", MODES[1:])
def test_execution_timeout_counts_from_the_start_of_the_try(
    mode: str, emulator: Emulator, run: Callable[..., Any]
) -> None:
    """In poke mode Airflow itself sees to it."""
    limit = timedelta(seconds=100)
    outcome = run(mode, job_id=emulator.create_job(script="7:0"), poke_interval=30, execution_timeout=limit)
    assert (outcome.state, type(outcome.error).__name__) == ("up_for_retry", "AirflowTaskTimeout")
    assert 98 <= outcome.seconds <= 130
    assert "last seen: WAITING (7)" in str(outcome.error)
    assert "execution_timeout 1 min 40 s" in str(outcome.error)


@pytest.mark.parametrize("mode", MODES)
def test_one_request_a_poll(mode: str, emulator: Emulator, run: Callable[..., Any]) -> None:
    run(mode, job_id=emulator.create_job(script="7:0,8:120"), poke_interval=30)
    assert emulator.request_counts() == {"get": 5}


def test_an_arrived_job_never_defers(emulator: Emulator, run: Callable[..., Any]) -> None:
    assert run("deferrable", job_id=emulator.create_job(status=8)).starts == 1


def test_a_deferrable_wait_takes_two_starts(emulator: Emulator, run: Callable[..., Any]) -> None:
    assert run("deferrable", job_id=emulator.create_job(script="7:0,8:120"), poke_interval=30).starts == 2


def test_a_rescheduling_sensor_stays_on_its_worker_during_an_outage(
    emulator: Emulator, clock: SimulatedClock, run: Callable[..., Any]
) -> None:
    job_id = emulator.create_job(script="7:0,8:300")
    clock.at(80, lambda: emulator.inject(OUTAGE))
    clock.at(200, emulator.clear_faults)
    outcome = run("reschedule", job_id=job_id, poke_interval=30)
    assert outcome.state == "success"
    # Polls every 30 s until 300 s would be 11 starts; about 4 fall into the outage.
    assert 6 <= outcome.starts <= 8


@pytest.mark.parametrize("mode", MODES)
def test_a_wait_outlives_a_change_of_the_secret(
    mode: str, emulator: Emulator, clock: SimulatedClock, connection: Callable[..., Any], run: Callable[..., Any]
) -> None:
    def rotate() -> None:
        emulator.ak, emulator.sk = "ANOTHERAK00000000000", "AnotherSecretKey"
        connection()

    clock.at(80, rotate)
    outcome = run(mode, job_id=emulator.create_job(script="7:0,8:120"), poke_interval=30)
    assert (outcome.state, outcome.xcom["status_name"]) == ("success", "RUNNING")
