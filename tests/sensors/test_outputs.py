"""Outputs of tasks as arguments of others: the job of a sensor, and the fields that a sensor leaves."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts import xcoms
from airflow_provider_modelarts.api.checks import job_id_in, job_ids_in
from airflow_provider_modelarts.emulator import Emulator
from tests.sensors.test_wait_table import MODES

FIELDS = ["job_id", "job_name", "status", "status_name", "service_url", "train_url", "create_time", "duration_ms"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", [dict, str, json.dumps], ids=["dict", "text", "json"])
def test_a_job_is_the_output_of_another_task(
    form: Callable[..., Any] | type[Any], mode: str, emulator: Emulator, run: Callable[..., Any]
) -> None:
    upstream = run("poke", job_id=emulator.create_job("it's {one}", status=8)).xcom
    upstream["service_url"] = None
    emulator.set_script(upstream["job_id"], "9:0,12:40")
    outcome = run(mode, job_id=form(upstream), target_status="KILLED", poke_interval=30)
    assert (outcome.state, outcome.xcom["job_id"]) == ("success", upstream["job_id"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", [lambda value: value, str], ids=["value", "text"])
@pytest.mark.parametrize("of", ["mapped", "several"])
def test_several_jobs_are_the_output_of_a_mapped_task_or_of_a_sensor(
    of: str, form: Callable[..., Any] | type[Any], mode: str, emulator: Emulator, run: Callable[..., Any]
) -> None:
    job_ids = [emulator.create_job(status=8) for _ in range(2)]
    several = run("poke", job_ids=job_ids).xcom
    for job_id in job_ids:
        emulator.set_script(job_id, "9:0,12:40")
    given = several if of == "several" else list(several.values())
    outcome = run(mode, job_ids=form(given), target_status="KILLED", poke_interval=30)
    assert (outcome.state, list(outcome.xcom)) == ("success", job_ids)


@pytest.mark.parametrize(
    "hostile",
    ["{" * 100_000, "{'job_id': " * 1000, "{'job_id': __import__('os').getpid()}", "{x}", "{1: " * 500],
    ids=lambda text: text[:20],
)
def test_text_that_only_looks_like_an_output_is_left_alone(hostile: str) -> None:
    assert job_id_in(hostile) == hostile
    assert all(isinstance(item, str) for item in job_ids_in(hostile))


@pytest.mark.parametrize("mode", MODES)
def test_each_field_of_a_job_is_an_xcom_of_its_own(mode: str, emulator: Emulator, run: Callable[..., Any]) -> None:
    outcome = run(mode, job_id=emulator.create_job("board", script="7:0,8:40"), poke_interval=30)
    assert {key: outcome.xcoms[key] for key in FIELDS} == outcome.xcom
    assert outcome.xcoms["service_url"].startswith("http")


@pytest.mark.parametrize(("version", "pushed"), [((3, 0), False), ((2, 11), True), ((3, 3), True)])
def test_a_field_that_is_none_is_pushed_where_airflow_takes_it(
    version: tuple[int, int], pushed: bool, emulator: Emulator, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xcoms, "airflow_version", lambda: version)
    job_id = emulator.create_job(script="12:0,gone:40")
    outcome = run("poke", job_id=job_id, target_status="GONE", poke_interval=30)
    assert (outcome.state, outcome.xcom["status"]) == ("success", None)
    assert ("status" in outcome.xcoms, outcome.xcoms["job_id"]) == (pushed, job_id)


@pytest.mark.parametrize("mode", MODES)
def test_a_sensor_that_pushes_no_xcom_pushes_no_fields(mode: str, emulator: Emulator, run: Callable[..., Any]) -> None:
    outcome = run(mode, job_id=emulator.create_job(script="7:0,8:40"), poke_interval=30, do_xcom_push=False)
    assert outcome.state == "success"
    assert not outcome.xcoms.keys() & set(FIELDS)


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Return what was logged, once: Airflow 2.11 writes what caplog catches to the standard output as well."""
    caplog.set_level(logging.INFO)
    return lambda: capsys.readouterr().out or caplog.text


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])
def test_the_log_begins_with_the_limits_and_ends_with_the_page(
    mode: str, emulator: Emulator, run: Callable[..., Any], written: Callable[..., Any]
) -> None:
    job_id = emulator.create_job("board", script="7:0,8:40")
    run(mode, job_id=job_id, poke_interval=30, timeout=600)
    log = written()
    assert log.count("Polling every 30 s, until 20") == 1
    assert log.count(f"Page of visualization job {job_id}: http") == 1


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_each_of_several_jobs_has_its_page_in_the_log(
    mode: str, emulator: Emulator, run: Callable[..., Any], written: Callable[..., Any]
) -> None:
    job_ids = [emulator.create_job(status=8) for _ in range(2)]
    run(mode, job_ids=job_ids)
    log = written()
    assert [log.count(f"Page of visualization job {job_id}: http") for job_id in job_ids] == [1, 1]


def test_the_history_of_a_deferred_wait_is_one_group(
    emulator: Emulator, run: Callable[..., Any], written: Callable[..., Any]
) -> None:
    run("deferrable", job_id=emulator.create_job("board", script="7:0,8:40"), poke_interval=30)
    _, _, rest = written().partition("::group::History of the wait")
    group, _, _ = rest.partition("::endgroup::")
    assert "went from WAITING (7) to RUNNING (8)" in group
