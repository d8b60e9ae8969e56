"""
Models of training jobs: frozen and typed.

Responses contain secrets: ``endpoints`` holds tokens, and users put keys into ``environments``, ``command`` and
``parameters``. The models list every field that they keep, and keep none of these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, cast
from urllib.parse import quote

import pendulum

from airflow_provider_modelarts.api.fields import Fields
from airflow_provider_modelarts.api.training_jobs.logs import log_lines
from airflow_provider_modelarts.api.training_jobs.statuses import TERMINAL, TrainingJobPhase, to_phase

MESSAGE_LIMIT: Final = 8192
"""Characters of a failed task's message, which may be a traceback."""


@dataclass(frozen=True)
class TaskStatus:
    """
    How a task of a job ended, ``status.task_statuses``. The API returns it for the first task that failed.

    :param message: the cause, often the traceback itself, as lines
    """

    task: str | None
    exit_code: int | None
    message: tuple[str, ...]


@dataclass(frozen=True)
class RunningRecord:
    """
    One run of a job, ``status.running_records``. A job that is rescheduled or restarted has several.

    :param start_type: ``init_or_rescheduled`` or ``restarted``
    :param end_reason: such as ``exit with 127``
    :param end_related_task: the task that ended the run
    :param end_recover: how ModelArts recovered from the end, such as ``job_reschedule``
    """

    start_at: pendulum.DateTime | None
    end_at: pendulum.DateTime | None
    start_type: str | None
    end_reason: str | None
    end_related_task: str | None
    end_recover: str | None


@dataclass(frozen=True)
class FailureAnalysis:
    """ModelArts' own diagnosis of a failure, which the API reference does not document."""

    description: str | None
    solution: str | None


@dataclass(frozen=True)
class TrainingJob:
    """
    A training job as the API describes it. A field that the response leaves out is None, or empty.

    :param job_id: ``metadata.id``, a UUID
    :param phase: a :class:`~.statuses.TrainingJobPhase`, or the plain text if it is not documented
    :param secondary_phase: internal to ModelArts and not stable; for messages only
    :param duration: how long the job has run
    :param tasks: names of its tasks, ``worker-0`` and so on; empty before it runs
    :param outputs: OBS URL of each output, by name
    :param engine: image, or id or name of the preset engine
    :param page_url: the job's page in the console, if its URL is known
    """

    job_id: str
    phase: TrainingJobPhase | str
    job_name: str | None = None
    kind: str | None = None
    workspace_id: str | None = None
    description: str | None = None
    user_name: str | None = None
    create_time: pendulum.DateTime | None = None
    start_time: pendulum.DateTime | None = None
    duration: pendulum.Duration | None = None
    secondary_phase: str | None = None
    tasks: tuple[str, ...] = ()
    task_statuses: tuple[TaskStatus, ...] = ()
    running_records: tuple[RunningRecord, ...] = ()
    failure_analyses: tuple[FailureAnalysis, ...] = ()
    algorithm_id: str | None = None
    algorithm_name: str | None = None
    code_dir: str | None = None
    boot_file: str | None = None
    engine: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    flavor_id: str | None = None
    pool_id: str | None = None
    node_count: int | None = None
    log_url: str | None = None
    page_url: str | None = None

    @classmethod
    def from_api(cls, data: Mapping[str, Any], console_url: str | None = None) -> TrainingJob:
        """
        Read a job from a decoded response.

        :param console_url: base URL of the console, if known
        :raises ValueError: it has no id or no phase
        """
        job_id, phase = _id_and_phase(data)
        answer = Fields(data)
        metadata, status = answer.object("metadata"), answer.object("status")
        algorithm, spec = answer.object("algorithm"), answer.object("spec")
        engine, resource = algorithm.object("engine"), spec.object("resource")
        return cls(
            job_id=job_id,
            phase=phase,
            job_name=metadata.text("name"),
            kind=answer.text("kind"),
            workspace_id=metadata.text("workspace_id"),
            description=metadata.text("description"),
            user_name=metadata.text("user_name"),
            create_time=metadata.timestamp("create_time"),
            start_time=status.timestamp("start_time"),
            duration=status.duration("duration"),
            secondary_phase=status.text("secondary_phase"),
            tasks=status.texts("tasks"),
            task_statuses=tuple(map(_task_status, status.objects("task_statuses"))),
            running_records=tuple(map(_running_record, status.objects("running_records"))),
            failure_analyses=tuple(
                FailureAnalysis(entry.text("description"), entry.text("solution"))
                for entry in status.object("failureAnalysisResult").objects("analysis_results")
            ),
            algorithm_id=algorithm.text("id"),
            algorithm_name=algorithm.text("name"),
            code_dir=algorithm.text("code_dir"),
            boot_file=algorithm.text("boot_file"),
            engine=engine.text("image_url") or engine.text("engine_id") or engine.text("engine_name"),
            outputs=_outputs(algorithm),
            flavor_id=resource.text("flavor_id"),
            pool_id=resource.text("pool_id"),
            node_count=resource.whole("node_count"),
            log_url=spec.object("log_export_path").text("obs_url"),
            page_url=None if console_url is None else f"{console_url}#/training/detail/{quote(job_id, safe='')}",
        )

    @classmethod
    def from_summary(cls, summary: Mapping[str, Any]) -> TrainingJob:
        """Return a job made from its :meth:`summary`."""
        created, duration_ms = summary["create_time"], summary["duration_ms"]
        return cls(
            job_id=summary["job_id"],
            phase=to_phase(summary["phase"]),
            job_name=summary["job_name"],
            create_time=None if created is None else cast("pendulum.DateTime", pendulum.parse(created)),
            duration=None if duration_ms is None else pendulum.duration(milliseconds=duration_ms),
            outputs=summary["outputs"],
            page_url=summary["link"],
        )

    @property
    def end(self) -> str | None:
        """The phase of a job that has ended or is being terminated; None for other jobs."""
        return str(self.phase) if self.phase in TERMINAL or self.phase == TrainingJobPhase.TERMINATING else None

    def summary(self) -> dict[str, Any]:
        """Return the job as the small dict for XComs and events: JSON types only, and always the same keys."""
        return {
            "job_id": self.job_id,
            "job_name": self.job_name,
            "phase": str(self.phase),
            "create_time": None if self.create_time is None else self.create_time.to_iso8601_string(),
            "duration_ms": None if self.duration is None else round(self.duration.total_seconds() * 1000),
            "outputs": dict(self.outputs),
            "link": self.page_url,
        }


@dataclass(frozen=True)
class TrainingJobPage:
    """
    One page of a search. Only what a poll of many jobs needs is read at once; the jobs are read on demand.

    :param statuses: phases by job ID, of the jobs that can be read: one bad row does not hide the others
    :param row_count: how many jobs are on the page
    :param job_total_count: how many jobs match, over all pages; None if the response leaves it out
    :param body: the page as received
    :param console_url: base URL of the console, if known
    """

    statuses: Mapping[str, str]
    row_count: int
    job_total_count: int | None
    body: bytes = field(repr=False)
    console_url: str | None = None

    @classmethod
    def from_api(cls, data: Mapping[str, Any], body: bytes, console_url: str | None = None) -> TrainingJobPage:
        """
        Read a page.

        :param data: the decoded body
        :raises ValueError: there is no list of jobs, or none of its jobs can be read
        """
        items, count = data.get("items"), Fields(data).whole("count")
        if items is None and count == 0:
            items = []
        if not isinstance(items, list):
            raise ValueError("items is not a list")
        statuses = dict(row for row in map(_status_row, items) if row is not None)
        if items and not statuses:
            raise ValueError("no job of the page can be read")
        return cls(statuses, row_count=len(items), job_total_count=count, body=body, console_url=console_url)

    @property
    def job_ids(self) -> tuple[str, ...]:
        """IDs of the jobs of the page that can be read."""
        return tuple(self.statuses)

    def fingerprint(self, job_id: str) -> str:
        """Return what polls compare to detect a change of a job."""
        return self.statuses[job_id]

    def job(self, job_id: str) -> TrainingJob:
        """Return a job of this page."""
        return self.jobs[job_id]

    @cached_property
    def jobs(self) -> dict[str, TrainingJob]:
        """The jobs of the page that can be read, by id."""
        items = json.loads(self.body).get("items") or []
        jobs = (TrainingJob.from_api(item, self.console_url) for item in items if _status_row(item) is not None)
        return {job.job_id: job for job in jobs}


def _id_and_phase(data: Mapping[str, Any]) -> tuple[str, TrainingJobPhase | str]:
    answer = Fields(data)
    job_id = answer.object("metadata").text("id", 64)
    phase = answer.object("status").text("phase", 64)
    if not job_id:
        raise ValueError("metadata.id is missing")
    if not phase:
        raise ValueError("status.phase is missing")
    return job_id, to_phase(phase)


def _status_row(row: Any) -> tuple[str, str] | None:
    try:
        job_id, phase = _id_and_phase(row)
    except ValueError:
        return None
    return job_id, str(phase)


def _task_status(task: Fields) -> TaskStatus:
    message = task.raw_text("message") or ""
    # The last lines of a traceback say what happened.
    return TaskStatus(task.text("task", 64), task.whole("exit_code"), log_lines(message[-MESSAGE_LIMIT:]))


def _running_record(record: Fields) -> RunningRecord:
    return RunningRecord(
        start_at=record.timestamp("start_at"),
        end_at=record.timestamp("end_at"),
        start_type=record.text("start_type"),
        end_reason=record.text("end_reason"),
        end_related_task=record.text("end_related_task"),
        end_recover=record.text("end_recover"),
    )


def _outputs(algorithm: Fields) -> dict[str, str]:
    urls = {
        output.text("name", 64): output.object("remote").object("obs").text("obs_url")
        for output in algorithm.objects("outputs")
    }
    return {name: url for name, url in urls.items() if name and url}
