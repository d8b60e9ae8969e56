"""How jobs move: clock, scripts, auto stop, and what may be done in which status."""

from __future__ import annotations

import pytest

from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus
from airflow_provider_modelarts.emulator.cloud import JobClock
from airflow_provider_modelarts.emulator.scripts import Scripts
from airflow_provider_modelarts.emulator.visualization_jobs.state import SCRIPTS
from tests.emulator.client import Api, ApiMaker

STATUSES = [*JobStatus, 42]
STOPPABLE = {1, 2, 4, 7, 8, 15}
RESTARTABLE = {3, 5, 10, 11, 12, 13, 14, 22}


def path(api: Api, job_id: object, seconds: int) -> list[tuple[int, int | str]]:
    """Return when the job took which status, second by second from now."""
    seen: list[tuple[int, int | str]] = []
    for second in range(seconds + 1):
        status = api.status(job_id)
        if not seen or seen[-1][1] != status:
            seen.append((second, status))
        api.emulator.advance(1)
    return seen


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("normal", [(0, 1), (2, 4), (5, 7), (15, 8)]),
        ("hangs", [(0, 1), (2, 4), (5, 7)]),
        ("fails", [(0, 1), (2, 4), (5, 7), (15, 11)]),
        ("image-fails", [(0, 1), (2, 2), (12, 3)]),
        ("submit-fails", [(0, 1), (2, 4), (5, 5)]),
        ("mount-fails", [(0, 1), (2, 4), (5, 7), (15, 22)]),
        ("canceled", [(0, 1), (2, 4), (5, 7), (15, 13)]),
        ("vanishes", [(0, 1), (2, 4), (5, 7), (15, "ModelArts.0102")]),
        ("unknown", [(0, 1), (2, 4), (5, 42), (15, 8)]),
        ("completes", [(0, 1), (2, 4), (5, 7), (15, 8), (75, 10)]),
        ("lost", [(0, 1), (2, 4), (5, 7), (15, 8), (75, 14)]),
        ("1:0,7:5,11:10", [(0, 1), (5, 7), (15, 11)]),
        ("8:0, gone:3", [(0, 8), (3, "ModelArts.0102")]),
    ],
)
def test_scripts(api: Api, script: str, expected: list[tuple[int, int | str]]) -> None:
    assert path(api, api.emulator.create_job(script=script), 80) == expected


def test_every_named_script_is_tested_above() -> None:
    (table,) = (mark for mark in test_scripts.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    assert set(SCRIPTS) <= {script for script, _ in table.args[1]}


def test_created_over_the_api(api: Api) -> None:
    assert path(api, api.create().json()["job_id"], 20) == [(0, 1), (2, 4), (5, 7), (15, 8)]


def test_several_steps_at_once(api: Api) -> None:
    job_id = api.emulator.create_job(script="completes")
    api.emulator.advance(10_000)
    assert api.status(job_id) == 10
    assert api.get(job_id).json()["duration"] == 60_000


def test_stop(api: Api) -> None:
    job_id = api.emulator.create_job(script="8:0")
    api.emulator.advance(7)
    assert api.stop(job_id).json() == {"is_success": True}
    assert path(api, job_id, 10) == [(0, 9), (5, 12)]
    assert api.get(job_id).json()["duration"] == 7000


def test_delete(api: Api) -> None:
    job_id = api.emulator.create_job(script="8:0")
    assert api.delete(job_id).json() == {"is_success": True}
    assert path(api, job_id, 10) == [(0, 9), (5, "ModelArts.0102")]
    assert api.list().json()["job_total_count"] == 0


def test_restart_shows_the_old_status_for_a_moment(api: Api) -> None:
    job_id = api.emulator.create_job(script="8:0,12:100")
    api.emulator.advance(100)
    assert api.restart(job_id).json() == {"is_success": True}
    assert path(api, job_id, 20) == [(0, 12), (2, 1), (4, 4), (7, 7), (17, 8)]
    assert api.get(job_id).json()["duration"] == 4000, "the run before does not count"


def test_stop_while_starting(api: Api) -> None:
    job_id = api.emulator.create_job()
    api.stop(job_id)
    assert path(api, job_id, 30) == [(0, 9), (5, 12)]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    ("action", "verb", "allowed"),
    [
        ("stop", "stop", STOPPABLE),
        ("restart", "resubmit", RESTARTABLE),
        ("delete", "delete", set(STATUSES) - {9}),
    ],
)
def test_state_rules(api: Api, action: str, verb: str, allowed: set[int], status: int) -> None:
    job_id = api.emulator.create_job(status=status)
    answer = getattr(api, action)(job_id)
    if status in allowed:
        assert (answer.status_code, answer.json()) == (200, {"is_success": True})
        api.emulator.advance(60)
        after = {"stop": 12, "restart": 8, "delete": "ModelArts.0102"}[action]
        assert api.status(job_id) == after
    else:
        assert answer.status_code == 400
        assert answer.json() == {
            "is_success": False,
            "error_message": f"This job can't be {verb}. job status: {int(status)}",
            "error_code": "ModelArts.0105",
        }
        api.emulator.advance(60)
        assert api.status(job_id) == status


@pytest.mark.parametrize("status", STATUSES)
def test_description_may_be_changed_in_every_status(api: Api, status: int) -> None:
    job_id = api.emulator.create_job(status=status)
    assert api.update(job_id, {"job_desc": "new"}).status_code == 200
    assert api.get(job_id).json()["job_desc"] == "new"


def test_auto_stop(api: Api) -> None:
    schedule = [{"type": "stop", "time_unit": "HOURS", "duration": 2}]
    job_id = api.create(schedule=schedule).json()["job_id"]
    api.emulator.advance(15 + 2 * 3600 - 1)
    assert path(api, job_id, 10) == [(0, 8), (1, 9), (6, 12)]
    assert api.get(job_id).json()["duration"] == 2 * 3600 * 1000
    api.restart(job_id)
    api.emulator.advance(17)
    assert path(api, job_id, 1) == [(0, 8)]
    api.emulator.advance(2 * 3600 + 5)
    assert api.status(job_id) == 12, "it stops by itself after a restart as well"


def test_no_auto_stop_after_zero_hours(api: Api) -> None:
    job_id = api.create(schedule={"type": "stop", "time_unit": "HOURS", "duration": 0}).json()["job_id"]
    api.emulator.advance(10**6)
    assert api.status(job_id) == 8


def test_auto_stop_is_off_once_the_job_has_ended(api: Api) -> None:
    job_id = api.emulator.create_job(script="8:0,10:60", auto_stop_hours=1)
    api.emulator.advance(10**6)
    assert api.status(job_id) == 10


def test_pinned_status(api: Api) -> None:
    job_id = api.emulator.create_job()
    for status in (7, 42, 0, 8):
        api.emulator.set_status(job_id, status)
        api.emulator.advance(1000)
        assert api.status(job_id) == status


def test_a_running_job_goes_on_when_it_is_told_to_run(api: Api) -> None:
    job_id = api.emulator.create_job(status=8)
    api.emulator.advance(5)
    api.emulator.set_status(job_id, 8)
    api.emulator.advance(5)
    assert api.get(job_id).json()["duration"] == 10_000


def test_list_shows_no_job_that_has_gone(api: Api) -> None:
    api.emulator.create_job(script="vanishes")
    stays = api.emulator.create_job()
    api.emulator.advance(100)
    assert [job["job_id"] for job in api.list().json()["jobs"]] == [int(stays)]
    assert list(api.emulator.jobs) == [stays]


def test_another_script_from_now_on(api: Api) -> None:
    job_id = api.emulator.create_job(script="hangs")
    api.emulator.advance(1000)
    api.emulator.set_script(job_id, "7:0,8:5")
    assert path(api, job_id, 10) == [(0, 7), (5, 8)]


def test_removed_job(api: Api) -> None:
    job_id = api.emulator.create_job("name")
    api.emulator.remove_job(job_id)
    assert api.status(job_id) == "ModelArts.0102"
    api.emulator.create_job("name")
    with pytest.raises(KeyError, match=job_id):
        api.emulator.remove_job(job_id)


def test_name_is_taken(api: Api) -> None:
    api.emulator.create_job("name")
    with pytest.raises(ValueError, match="name"):
        api.emulator.create_job("name")


def test_scripts_by_name(make_api: ApiMaker) -> None:
    api = make_api(scripts={"will-fail-not": "8:0", "will-*": "hangs", "will-fail-*": "11:0"})
    for name, status in (("will-fail-1", 11), ("will-fail-not", 8), ("will", 1), ("other", 1)):
        assert api.create(job_name=name).json()["status"] == status
    api.emulator.advance(100)
    statuses = {job.job_name: job.status for job in api.emulator.jobs.values()}
    assert statuses == {"will-fail-1": 11, "will-fail-not": 8, "will": 8, "other": 8}


def test_newest_pattern_first() -> None:
    scripts = Scripts(SCRIPTS, int)
    scripts.add_rule("*", "fails")
    scripts.add_rule("a*", "hangs")
    assert scripts.script_for("ab") == SCRIPTS["hangs"]
    scripts.add_rule("*", "lost")
    assert scripts.script_for("ab") == SCRIPTS["lost"]


@pytest.mark.parametrize(
    "text", ["", "nonsense", "1", "1:", ":1", "1:0,", "1:-1", "1:nan", "1:inf", "x:1", "1.5:1", "1:0;7:5"]
)
def test_no_script(text: str) -> None:
    with pytest.raises(ValueError, match="script"):
        Scripts(SCRIPTS, int).parse(text)


def test_bad_script_is_refused_at_once(make_api: ApiMaker) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        make_api(scripts={"x": "nonsense"})


def test_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([100.0, 100.0, 101.0, 103.5])
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    clock = JobClock(10)
    assert clock.now() == 0
    assert clock.now() == 10
    clock.advance(5)
    assert clock.now() == 40
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


def test_clock_at_another_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    clock = JobClock(10)
    now = 101.0
    clock.set_scale(2)
    assert clock.now() == 10
    now = 102.0
    assert clock.now() == 12
    with pytest.raises(ValueError, match="negative"):
        clock.set_scale(-1)
    with pytest.raises(ValueError, match="time_scale"):
        JobClock(-1)


def test_jobs_move_by_themselves(make_api: ApiMaker) -> None:
    api = make_api(time_scale=1e6)
    job_id = api.emulator.create_job()
    while api.status(job_id) != 8:
        pass
