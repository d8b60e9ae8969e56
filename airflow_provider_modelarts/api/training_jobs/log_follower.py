"""Copies the logs of a training job's tasks, line by line, into another log, within limits."""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from airflow_provider_modelarts.api.errors import ModelArtsError
from airflow_provider_modelarts.api.training_jobs.logs import LOG_START, LogPosition
from airflow_provider_modelarts.api.training_jobs.operations import TrainingJobs

MAX_TASKS: Final = 4
"""Tasks of a job whose logs are copied. The workers of a distributed training log much the same."""

LINES_PER_POLL: Final = 500
"""Lines of a task's log that are copied per poll."""

LINES_IN_TOTAL: Final = 20_000
"""Lines of a task's log that are copied while the job runs. Airflow's UI handles larger logs badly."""

LINES_AT_END: Final = 1_000
"""Lines of a task's log that are copied after the job has ended."""

REQUESTS_PER_POLL: Final = 4
REQUESTS_AT_END: Final = 40

MAX_FAILURES: Final = 3
"""Consecutive failed reads after which the log is no longer read."""

_PAUSES: Final = (2.0, 2.0, 4.0)
"""Seconds between the final reads of a log, because its last lines may arrive late."""

_LEVEL: Final = re.compile(r"\b(DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b")
_LEVEL_WITHIN: Final = 100
_ERROR: Final = re.compile(r"Traceback \(most recent call last\)|[\w.]*(?:Error|Exception)\b")
_LEVELS: Final = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "CRITICAL": logging.CRITICAL,
    "FATAL": logging.CRITICAL,
}


class Log(Protocol):
    """The part of a logger that is used. Airflow 2's are the standard library's, Airflow 3's are structlog's."""

    def log(self, level: int, message: Any, /, *args: Any) -> Any: ...


@dataclass
class _TaskLog:
    """How far the log of a task has been copied."""

    position: LogPosition = LOG_START
    written: int = 0
    skipped: int = 0
    level: int = logging.INFO


class LogFollower:
    """
    Copies the logs of a job's tasks: new lines at each poll, each line at most once.

    If a log cannot be read, one warning is logged and nothing is raised.

    :param jobs: the operations on training jobs
    :param log: receives the lines, each at the level that it names
    :param more: tells users where to find skipped lines
    :param sleep: sleeps for some seconds
    """

    def __init__(
        self,
        jobs: TrainingJobs,
        job_id: str,
        log: Log,
        *,
        more: str = "the console",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._jobs = jobs
        self._job_id = job_id
        self._log = log
        self._more = more
        self._sleep = sleep
        self._logs: dict[str, _TaskLog] = {}
        self._warned = False
        self._failures = 0
        self._refused = False
        """Whether the log is no longer read line by line; its end may still be available as a preview."""

    def poll(self, tasks: Sequence[str]) -> None:
        """Write the lines that are new since the last poll."""
        for task in self._followed(tasks):
            max_lines = min(LINES_PER_POLL, max(0, LINES_IN_TOTAL - self._logs[task].written))
            self._copy(task, requests=REQUESTS_PER_POLL, max_lines=max_lines)

    def finish(self, tasks: Sequence[str]) -> None:
        """Write the rest of the logs of a job that has ended, once they no longer grow."""
        followed = self._followed(tasks)
        self._copy_rest(followed)
        for pause in _PAUSES:
            self._sleep(pause)
            if not self._copy_rest(followed):
                break
        else:
            self._log.log(logging.WARNING, "The logs still grow; for the rest, see %s", self._more)
        if self._refused:
            self.tail(tasks)
        for task in followed:
            self._report_skipped(task)

    def tail(self, tasks: Sequence[str]) -> None:
        """Write the end of the logs of a job that has ended and was not followed, once they no longer grow."""
        for task in self._chosen(tasks):
            try:
                preview = self._jobs.log_preview(self._job_id, task)
                for pause in _PAUSES:
                    self._sleep(pause)
                    before, preview = preview, self._jobs.log_preview(self._job_id, task)
                    if preview.full_size == before.full_size:
                        break
            except (ModelArtsError, ValueError) as error:
                if not self._warned:
                    self._log.log(logging.WARNING, "The log of %s cannot be read. %s", task, error)
                self._warned = True
                continue
            state = self._logs.setdefault(task, _TaskLog())
            state.skipped = max(0, len(preview.lines) - LINES_AT_END)
            self._log.log(logging.INFO, "::group::Log of %s", task)
            self._write(task, preview.lines[-LINES_AT_END:], prefix="")
            self._log.log(logging.INFO, "::endgroup::")

    def _followed(self, tasks: Sequence[str]) -> Sequence[str]:
        """Return the tasks to follow; none if their logs cannot be read."""
        chosen = self._chosen(tasks)
        for task in chosen:
            self._logs.setdefault(task, _TaskLog())
        return () if self._refused else chosen

    def _chosen(self, tasks: Sequence[str]) -> Sequence[str]:
        if len(tasks) > MAX_TASKS and not self._logs:
            self._log.log(logging.INFO, "Showing the logs of %d of %d tasks; see %s", MAX_TASKS, len(tasks), self._more)
        return tasks[:MAX_TASKS]

    def _copy_rest(self, tasks: Sequence[str]) -> bool:
        """Write the new lines of the logs, and return whether there were any."""
        grew = [self._copy(task, requests=REQUESTS_AT_END, max_lines=LINES_AT_END) for task in tasks]
        return any(grew)

    def _copy(self, task: str, *, requests: int, max_lines: int) -> bool:
        """
        Read new lines of a log and write the last of them. Return whether there were any.

        :param requests: the most requests to send; the remaining lines are read the next time
        :param max_lines: how many lines to write at most; the others are skipped
        """
        state, begin = self._logs[task], self._logs[task].position
        lines: deque[str] = deque(maxlen=max_lines)
        try:
            for _ in range(requests):
                batch = self._jobs.log_lines(self._job_id, task, after=state.position)
                if not batch.lines:
                    break
                if batch.position.line == state.position.line:
                    raise ValueError("The API does not number its lines.")
                state.skipped += max(0, len(lines) + len(batch.lines) - max_lines)
                lines.extend(batch.lines)
                state.position = batch.position
        except (ModelArtsError, ValueError) as error:
            self._note_failure(task, error)
        else:
            self._failures = 0
        self._write(task, lines, prefix=f"[{task}] " if len(self._logs) > 1 else "")
        return state.position.line != begin.line

    def _write(self, task: str, lines: Sequence[str] | deque[str], *, prefix: str) -> None:
        if lines:
            self._report_skipped(task)
        state = self._logs[task]
        for line in lines:
            state.level = level_of(line, state.level)
            self._log.log(state.level, "%s%s", prefix, line)
        state.written += len(lines)

    def _report_skipped(self, task: str) -> None:
        state = self._logs[task]
        if state.skipped:
            self._log.log(logging.WARNING, "%d lines of %s skipped, see %s", state.skipped, task, self._more)
            state.skipped = 0

    def _note_failure(self, task: str, error: Exception) -> None:
        """Warn once that a log cannot be read. Temporary failures are retried at the next polls."""
        if not self._warned:
            self._log.log(logging.WARNING, "The log of %s cannot be read now. %s", task, error)
        self._warned = True
        self._failures += 1
        if not getattr(error, "retryable", False) or self._failures >= MAX_FAILURES:
            self._refused = True


def level_of(line: str, before: int = logging.INFO) -> int:
    """
    Return the level of a log line: the one that it names, ERROR for an exception, else INFO.
    :param before: level of the previous line, which an indented line continues
    """
    if named := _LEVEL.search(line[:_LEVEL_WITHIN]):
        return _LEVELS[named[1]]
    if _ERROR.match(line):
        return logging.ERROR
    return before if line[:1].isspace() else logging.INFO
