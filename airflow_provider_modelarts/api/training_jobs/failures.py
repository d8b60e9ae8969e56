"""Explains why a training job failed, as an exception whose class says who has to act."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from airflow_provider_modelarts.api.errors import ModelArtsError
from airflow_provider_modelarts.api.training_jobs.logs import JobEvent
from airflow_provider_modelarts.api.training_jobs.models import TaskStatus, TrainingJob
from airflow_provider_modelarts.api.training_jobs.operations import TrainingJobs
from airflow_provider_modelarts.api.training_jobs.statuses import TrainingJobPhase

EVENT_COUNT: Final = 5
"""Error events, and also diagnoses, shown in a message."""

MESSAGE_LINES: Final = 30
"""Lines shown of a failed task's own message, which may be a traceback."""

LOG_LINES: Final = 20
"""Last lines shown of a failed task's log."""

LINE_LENGTH: Final = 500
"""Characters shown of each line."""

FIRST_TASK: Final = "worker-0"


class TrainingJobFailedError(Exception):
    """
    A training job ended without success. The message explains the cause; the class is one of the subclasses if the
    cause is known.

    :param message: the whole text, several lines
    :param job: the job as it ended
    """

    def __init__(self, message: str, job: TrainingJob) -> None:
        super().__init__(message)
        self.job = job


class TrainingCodeError(TrainingJobFailedError):
    """The user's code failed with an exit code. A retry without a change rarely helps."""


class TrainingInfrastructureError(TrainingJobFailedError):
    """A node or another part of the platform failed, or the job was preempted or evicted. A retry helps."""


class TrainingCapacityError(TrainingJobFailedError):
    """A quota is used up, or there are not enough resources. A later retry helps."""


class TrainingConfigurationError(TrainingJobFailedError):
    """The job cannot run as configured: image, command, path or permission. A retry does not help."""


class TrainingStoppedError(TrainingJobFailedError):
    """The job was stopped, by a user or by auto stop."""


@dataclass(frozen=True)
class Evidence:
    """
    Evidence of how a job ended.

    :param events: its last error events, oldest first
    :param log: last lines of the log of its first failed task
    :param log_problem: why there is no log
    """

    events: Sequence[JobEvent] = ()
    log: Sequence[str] = ()
    log_problem: str | None = None


_ADVICE_BY_EXIT_CODE: Final = {
    126: "The command of the job is not executable.",
    127: "The command of the job was not found: check command, boot_file and the image.",
    134: "The process aborted itself, for example on a failed assertion in native code.",
    137: "The process was killed, most often because it used more memory than the flavor has. Use less memory (batch "
    "size, data loader workers), or a larger flavor_id.",
    139: "The process crashed in native code (segmentation fault).",
    143: "The process was terminated (SIGTERM), for example because a node was drained or the job was preempted.",
}

_CONFIGURATION_CODES: Final = frozenset({126, 127})
_INFRASTRUCTURE_CODES: Final = frozenset({143})

_INFRASTRUCTURE: Final = re.compile(
    r"preempt|evict|node[ -](?:fault|failure|not ready|lost|unhealthy)|(?:chip|hardware|npu|gpu)[ -]fault|hardware"
    r"|no space left|disk (?:is )?full|heartbeat",
    re.IGNORECASE,
)
_CAPACITY: Final = re.compile(
    r"quota|insufficient (?:resource|capacity)|not enough resource|sold out|out of (?:stock|capacity)"
    r"|no available (?:resource|node)",
    re.IGNORECASE,
)
_CONFIGURATION: Final = re.compile(
    r"image|obs path|does not exist|not exist|no such|invalid|denied|unauthori[sz]ed|permission|mount|agency",
    re.IGNORECASE,
)
_AUTO_STOP: Final = re.compile(r"maximum running duration", re.IGNORECASE)


def read_failure(jobs: TrainingJobs, job: TrainingJob) -> TrainingJobFailedError:
    """
    Return why a job ended without success, using its events and the end of its log from the API.

    Evidence that the API does not return is left out: only the job itself is required.
    """
    return explain_failure(job, _gather(jobs, job))


def explain_failure(job: TrainingJob, evidence: Evidence) -> TrainingJobFailedError:
    """Return why a job ended without success, from the available evidence."""
    return _classify(job, evidence)(_describe(job, evidence), job)


def _gather(jobs: TrainingJobs, job: TrainingJob) -> Evidence:
    try:
        newest = list(islice(jobs.events(job.job_id, order="desc", level="Error"), EVENT_COUNT))
        if job.phase == TrainingJobPhase.TERMINATED:
            newest = newest or list(islice(jobs.events(job.job_id, order="desc", level="Warning"), EVENT_COUNT))
    except ModelArtsError:
        newest = []
    events = tuple(reversed(newest))
    if not job.tasks:
        return Evidence(events)
    try:
        preview = jobs.log_preview(job.job_id, _failed_task(job))
    except (ModelArtsError, ValueError) as error:
        return Evidence(events, log_problem=str(error))
    return Evidence(events, preview.lines[-LOG_LINES:])


def _failed_task(job: TrainingJob) -> str:
    """Return the name of the first task that failed, if the job names one."""
    status = _failed_status(job)
    if status is not None and status.task:
        return status.task
    ended = next((record.end_related_task for record in reversed(job.running_records) if record.end_related_task), None)
    return ended or next(iter(job.tasks), FIRST_TASK)


def _failed_status(job: TrainingJob) -> TaskStatus | None:
    return next((status for status in job.task_statuses if status.exit_code or status.message), None)


def _exit_code(job: TrainingJob) -> int | None:
    """Return the exit code of the first failed task, or None, for example if the job never ran."""
    status = _failed_status(job)
    if status is not None and status.exit_code:
        return status.exit_code
    last = job.running_records[-1].end_reason if job.running_records else None
    found = re.fullmatch(r"exit with (\d{1,3})", last or "")
    return int(found[1]) or None if found else None


def _classify(job: TrainingJob, evidence: Evidence) -> type[TrainingJobFailedError]:
    """Return the class that says who has to act. Trust the platform's messages, but not a program's output."""
    platform = "\n".join(_platform_texts(job, evidence))
    code = _exit_code(job)
    if _INFRASTRUCTURE.search(platform):
        return TrainingInfrastructureError
    if job.phase == TrainingJobPhase.TERMINATED:
        return TrainingStoppedError
    if _CAPACITY.search(platform):
        return TrainingCapacityError
    if code in _CONFIGURATION_CODES:
        return TrainingConfigurationError
    if code in _INFRASTRUCTURE_CODES:
        return TrainingInfrastructureError
    if code is not None:
        return TrainingCodeError
    if _CONFIGURATION.search(platform):
        return TrainingConfigurationError
    if job.start_time is not None:
        # It ran, and was not ended by the user's program.
        return TrainingInfrastructureError
    return TrainingJobFailedError


def _platform_texts(job: TrainingJob, evidence: Evidence) -> Iterable[str]:
    yield from (event.message or "" for event in evidence.events)
    yield from (analysis.description or "" for analysis in job.failure_analyses)
    if job.running_records:
        yield job.running_records[-1].end_reason or ""
    if _exit_code(job) is None:
        # If no program failed, the message is the platform's.
        yield from (line for status in job.task_statuses for line in status.message)


def _describe(job: TrainingJob, evidence: Evidence) -> str:
    code, status = _exit_code(job), _failed_status(job)
    lines = [_headline(job, evidence, code)]
    if status is not None:
        lines += _section(f"Message of {_failed_task(job)}:", status.message[-MESSAGE_LINES:])
    lines += _section("Last error events:", [f"{event.time}: {event.message}" for event in evidence.events])
    lines += _section(
        "Diagnosis by ModelArts:",
        [f"{found.description or ''} {found.solution or ''}".strip() for found in job.failure_analyses[:EVENT_COUNT]],
    )
    lines += _section(f"Last lines of the log of {_failed_task(job)}:", evidence.log)
    if evidence.log_problem:
        lines.append(_short(f"The log of {_failed_task(job)} cannot be read. {evidence.log_problem}"))
    if code in _ADVICE_BY_EXIT_CODE:
        lines.append(_ADVICE_BY_EXIT_CODE[code])
    if job.page_url:
        lines.append(f"More: {job.page_url}")
    if code is not None:
        lines.append(f"{_failed_task(job)} ended with exit code {code}")
    return "\n".join(lines)


def _headline(job: TrainingJob, evidence: Evidence, code: int | None) -> str:
    name = f"{job.job_id} ({job.job_name})" if job.job_name else job.job_id
    ran = f" after {round(job.duration.total_seconds())} s of running" if job.duration else ""
    if any(_AUTO_STOP.search(event.message or "") for event in evidence.events):
        cause = ": auto stop ended it"
    elif job.phase == TrainingJobPhase.TERMINATED:
        cause = ": it was stopped"
    elif code is not None:
        cause = f": {_failed_task(job)} ended with exit code {code}"
    else:
        cause = "" if job.start_time is not None else "; it never ran"
    return f"Training job {name} is {job.phase}{ran}{cause}"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    shown = [f"  {_short(line)}" for line in lines]
    return [title, *shown] if shown else []


def _short(line: str) -> str:
    return line if len(line) <= LINE_LENGTH else f"{line[: LINE_LENGTH - 1]}…"
