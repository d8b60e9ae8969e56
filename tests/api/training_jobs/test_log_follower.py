"""Copying the logs of a training job: each line once, within limits, whatever the API does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_modelarts.api.training_jobs import log_follower
from airflow_provider_modelarts.api.training_jobs.log_follower import MAX_FAILURES, LogFollower, level_of
from airflow_provider_modelarts.api.training_jobs.operations import TrainingJobs
from airflow_provider_modelarts.emulator import Emulator, Fault
from tests.api.training_jobs.samples import JOB_ID
from tests.api.training_jobs.test_operations import client_for
from tests.conftest import Reply, ScriptedServer


@dataclass
class Copied:
    """A log that keeps what is written into it."""

    entries: list[tuple[int, str]] = field(default_factory=list)

    def log(self, level: int, message: Any, /, *args: Any) -> None:
        self.entries.append((level, message % args))

    @property
    def lines(self) -> list[str]:
        return [line for _, line in self.entries]

    def count(self, text: str) -> int:
        return sum(text in line for line in self.lines)


@dataclass
class Rig:
    emulator: Emulator
    jobs: TrainingJobs
    log: Copied = field(default_factory=Copied)

    def start(self, **job: Any) -> LogFollower:
        self.job_id = self.emulator.cloud.training_jobs.create("train", script="runs", **job).job_id
        self.emulator.advance(5)
        return LogFollower(self.jobs, self.job_id, self.log, more="the page", sleep=self.emulator.advance)

    def write(self, *lines: str, task: str = "worker-0") -> None:
        self.emulator.cloud.training_jobs.write_log(self.job_id, "\n".join(lines), task)

    def end(self) -> None:
        self.emulator.cloud.training_jobs.set_phase(self.job_id, "Completed")


@pytest.fixture(params=[False, True], ids=["after", "from"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """An emulator whose answers begin with the line after the one that is asked from, or with that line."""
    with (
        Emulator(time_scale=0, training_log_overlap=request.param) as emulator,
        client_for(emulator.url, login=emulator.ak, password=emulator.sk) as client,
    ):
        yield Rig(emulator, client.training_jobs)


def test_each_line_is_written_once(rig: Rig) -> None:
    follower = rig.start()
    for number in range(4):
        rig.write(f"line {number}", "the same")
        follower.poll(["worker-0"])
        follower.poll(["worker-0"])
    rig.end()
    rig.write("after the end")
    follower.finish(["worker-0"])
    assert [rig.log.count(f"line {number}") for number in range(4)] == [1, 1, 1, 1]
    assert rig.log.count("the same") == 4
    assert rig.log.count("after the end") == 1
    assert "training end" in rig.log.lines[-2]


def test_lines_that_come_late_are_written(rig: Rig) -> None:
    follower = rig.start()
    rig.end()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) < 3:
            rig.write(f"late {len(slept)}")

    follower._sleep = sleep
    follower.finish(["worker-0"])
    assert (rig.log.count("late 1"), rig.log.count("late 2"), len(slept)) == (1, 1, 3)
    assert rig.log.count("still grow") == 0


def test_a_log_that_does_not_stop_growing_is_left_and_said_to_be(rig: Rig) -> None:
    follower = rig.start()
    rig.end()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        rig.write("one more")

    follower._sleep = sleep
    follower.finish(["worker-0"])
    assert slept == [2.0, 2.0, 4.0]
    assert rig.log.entries[-1] == (logging.WARNING, "The logs still grow; for the rest, see the page")


def test_a_large_log_is_cut_and_said_to_be(rig: Rig) -> None:
    follower = rig.start()
    follower.poll(["worker-0"])
    rig.log.entries.clear()
    rig.write(*(f"line {number}." for number in range(1500)))
    follower.poll(["worker-0"])
    assert rig.log.lines[0] == "1000 lines of worker-0 skipped, see the page"
    assert rig.log.lines[1:] == [f"line {number}." for number in range(1000, 1500)]


def test_the_total_is_limited_and_the_end_is_written(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_follower, "LINES_IN_TOTAL", 10)
    follower = rig.start()
    for number in range(20):
        rig.write(f"line {number}.")
        follower.poll(["worker-0"])
    assert len(rig.log.lines) == 10
    rig.end()
    follower.finish(["worker-0"])
    skipped = next(line for line in rig.log.lines if "skipped" in line)
    written = len(rig.log.lines) - 1
    assert int(skipped.split()[0]) + written == len(rig.emulator.cloud.training_jobs.get(rig.job_id).log("worker-0", 0))
    assert "training end" in rig.log.lines[-1]


def test_several_tasks_are_told_apart(rig: Rig) -> None:
    follower = rig.start(node_count=2)
    rig.write("one", task="worker-0")
    rig.write("two", task="worker-1")
    follower.poll(["worker-0", "worker-1"])
    assert "[worker-0] one" in rig.log.lines
    assert "[worker-1] two" in rig.log.lines


def test_some_tasks_of_many_are_followed(rig: Rig) -> None:
    follower = rig.start(node_count=8)
    tasks = [f"worker-{number}" for number in range(8)]
    for _ in range(2):
        follower.poll(tasks)
    assert rig.log.count("Showing the logs of 4 of 8 tasks; see the page") == 1
    assert rig.log.count("[worker-3]") > 0
    assert rig.log.count("[worker-4]") == 0


def test_a_log_that_is_refused_is_one_warning_and_its_end_comes_from_the_preview(rig: Rig) -> None:
    follower = rig.start()
    rig.emulator.inject(Fault("status", "training.log_lines", status=404, error_code="APIGW.0101"))
    for _ in range(3):
        follower.poll(["worker-0"])
    assert [level for level, _ in rig.log.entries] == [logging.WARNING]
    assert rig.emulator.request_counts()["training.log_lines"] == 1
    rig.write("the last line")
    rig.end()
    follower.finish(["worker-0"])
    assert rig.log.lines[1] == "::group::Log of worker-0"
    assert rig.log.count("the last line") == 1
    assert rig.log.lines[-1] == "::endgroup::"


def test_no_log_at_all_is_one_warning(rig: Rig) -> None:
    follower = rig.start()
    for operation in ("training.log_lines", "training.log_preview"):
        rig.emulator.inject(Fault("status", operation, status=403))
    for _ in range(3):
        follower.poll(["worker-0"])
    follower.finish(["worker-0"])
    assert [level for level, _ in rig.log.entries] == [logging.WARNING]
    fresh = Copied()
    LogFollower(rig.jobs, rig.job_id, fresh, sleep=rig.emulator.advance).tail(["worker-0", "worker-1"])
    assert len(fresh.lines) == 1
    assert fresh.lines[0].startswith("The log of worker-0 cannot be read. GET ")


def test_trouble_that_passes_loses_no_line(rig: Rig) -> None:
    follower = rig.start()
    rig.write("before")
    rig.emulator.inject(Fault("status", "training.log_lines", status=500, times=8))
    for _ in range(4):
        follower.poll(["worker-0"])
    assert rig.log.count("before") == 1
    assert rig.log.count("cannot be read now") == 1


def test_a_log_that_keeps_failing_is_read_no_more(rig: Rig) -> None:
    follower = rig.start()
    rig.emulator.inject(Fault("status", "training.log_lines", status=500, retry_after=3600))
    for _ in range(MAX_FAILURES + 3):
        follower.poll(["worker-0"])
    assert rig.emulator.request_counts()["training.log_lines"] == MAX_FAILURES
    assert rig.log.count("cannot be read now") == 1


def test_lines_without_numbers_are_not_repeated(server: ScriptedServer) -> None:
    log = Copied()
    server.answer(Reply(200, {"content": "one\ntwo\n"}))
    with client_for(server.url) as client:
        follower = LogFollower(client.training_jobs, JOB_ID, log)
        for _ in range(3):
            follower.poll(["worker-0"])
    assert log.lines == ["The log of worker-0 cannot be read now. The API does not number its lines."]


def test_the_tail_of_a_log(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_follower, "LINES_AT_END", 3)
    follower = rig.start()
    rig.end()
    rig.write("one", "two", "three", "four")
    follower.tail(["worker-0"])
    assert rig.log.lines[0] == "::group::Log of worker-0"
    assert "skipped, see the page" in rig.log.lines[1]
    assert rig.log.lines[2:] == ["two", "three", "four", "::endgroup::"]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("2026-01-01 10:00:00,000 - root - WARNING - careful", logging.WARNING),
        ("[ERROR] no", logging.ERROR),
        ("FATAL: x", logging.CRITICAL),
        ("Traceback (most recent call last):", logging.ERROR),
        ("torch.cuda.OutOfMemoryError: x", logging.ERROR),
        ("the error is INFORMATION", logging.INFO),
        ("x" * 200 + " ERROR", logging.INFO),
        ("", logging.INFO),
    ],
)
def test_levels(line: str, level: int) -> None:
    assert level_of(line) == level


def test_an_indented_line_has_the_level_of_the_one_before() -> None:
    assert level_of('  File "train.py"', logging.ERROR) == logging.ERROR
    assert level_of("done", logging.ERROR) == logging.INFO
