"""Why a training job ended: the class of the failure, and its text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_modelarts.api.training_jobs import failures
from airflow_provider_modelarts.api.training_jobs.failures import Evidence, explain_failure, read_failure
from airflow_provider_modelarts.api.training_jobs.logs import JobEvent
from airflow_provider_modelarts.api.training_jobs.models import TrainingJob
from airflow_provider_modelarts.api.training_jobs.operations import TrainingJobs
from airflow_provider_modelarts.emulator import Emulator, Fault
from tests.api.training_jobs.samples import JOB, JOB_ID, SECRETS
from tests.api.training_jobs.test_operations import client_for
from tests.conftest import Reply, ScriptedServer


def ended(phase: str = "Failed", **status: Any) -> TrainingJob:
    return TrainingJob.from_api({"metadata": {"id": JOB_ID}, "status": {"phase": phase, **status}})


def said(*messages: str) -> Evidence:
    return Evidence([JobEvent("2026-01-01T00:00:00Z", "Error", message, "Job") for message in messages])


def exited(code: int) -> dict[str, Any]:
    return {"start_time": 1641892655000, "task_statuses": [{"task": "worker-0", "exit_code": code, "message": "x"}]}


@pytest.mark.parametrize(
    ("job", "evidence", "expected"),
    [
        (ended(**exited(1)), said("Training finished. Exit code 1."), failures.TrainingCodeError),
        (ended(**exited(137)), said(), failures.TrainingCodeError),
        (ended(**exited(137)), said("The pod was evicted."), failures.TrainingInfrastructureError),
        (ended(**exited(143)), said(), failures.TrainingInfrastructureError),
        (ended(**exited(126)), said(), failures.TrainingConfigurationError),
        (ended(**exited(127)), said(), failures.TrainingConfigurationError),
        (ended(**exited(128)), said(), failures.TrainingCodeError),
        (ended(running_records=[{"end_reason": "exit with 0"}]), said(), failures.TrainingJobFailedError),
        (ended(task_statuses=[{"message": "No available node."}]), said(), failures.TrainingCapacityError),
        (ended(running_records=[{"end_reason": "exit with 3"}]), said(), failures.TrainingCodeError),
        (ended(running_records=[{"end_reason": "node fault"}]), said(), failures.TrainingInfrastructureError),
        (ended(start_time=1641892655000), said(), failures.TrainingInfrastructureError),
        (ended("Abnormal"), said("Failed to pull the image swr/x:1."), failures.TrainingConfigurationError),
        (ended("Abnormal"), said("Insufficient resources in the pool."), failures.TrainingCapacityError),
        (ended("Abnormal"), said("Failed to create the training job."), failures.TrainingJobFailedError),
        (ended("Terminated"), said(), failures.TrainingStoppedError),
        (ended("Terminated"), said("The job has been preempted."), failures.TrainingInfrastructureError),
        (
            ended("Abnormal", failureAnalysisResult={"analysis_results": [{"description": "quota exceeded"}]}),
            said(),
            failures.TrainingCapacityError,
        ),
    ],
)
def test_the_class_of_a_failure(job: TrainingJob, evidence: Evidence, expected: type) -> None:
    assert type(explain_failure(job, evidence)) is expected


def test_the_text_of_a_program_decides_nothing() -> None:
    job = ended(start_time=1641892655000, task_statuses=[{"exit_code": 1, "message": "quota: node fault, preempted"}])
    assert type(explain_failure(job, Evidence(log=("sold out",)))) is failures.TrainingCodeError


def test_the_text_of_a_failure() -> None:
    error = explain_failure(
        TrainingJob.from_api(JOB, "https://console/"),
        Evidence([JobEvent("10:00", "Error", "Training job failed.", "Job")], ("step 1", "ValueError: x")),
    )
    assert str(error).split("\n") == [
        f"Training job {JOB_ID} (trainjob--py14_mem06-byd-108) is Failed after 60 s of running: "
        "worker-1 ended with exit code 1",
        "Message of worker-1:",
        "  Traceback:",
        '    File "a.py"',
        "  ValueError: x",
        "Last error events:",
        "  10:00: Training job failed.",
        "Diagnosis by ModelArts:",
        "  out of memory a larger flavor",
        "Last lines of the log of worker-1:",
        "  step 1",
        "  ValueError: x",
        f"More: https://console/#/training/detail/{JOB_ID}",
        "worker-1 ended with exit code 1",
    ]
    assert not any(secret in str(error) for secret in SECRETS)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (126, "The command of the job is not executable."),
        (127, "The command of the job was not found: check command, boot_file and the image."),
        (134, "The process aborted itself, for example on a failed assertion in native code."),
        (137, "The process was killed, most often because it used more memory than the flavor has. Use less memory "
              "(batch size, data loader workers), or a larger flavor_id."),
        (139, "The process crashed in native code (segmentation fault)."),
        (143, "The process was terminated (SIGTERM), for example because a node was drained or the job was preempted."),
    ],
)  # fmt: skip
def test_advice_on_an_exit_code(code: int, advice: str) -> None:
    lines = str(explain_failure(ended(**exited(code)), Evidence())).split("\n")
    assert lines[-2:] == [advice, f"worker-0 ended with exit code {code}"]


@pytest.mark.parametrize(
    ("job", "headline"),
    [
        (ended("Abnormal"), " is Abnormal; it never ran"),
        (ended(start_time=1641892655000), " is Failed"),
        (ended("Terminated", duration=90_000), " is Terminated after 90 s of running: it was stopped"),
        (ended(running_records=[{"end_reason": "exit with 3"}]), " is Failed: worker-0 ended with exit code 3"),
        (
            ended(
                running_records=[
                    {"end_reason": "exit with 2", "end_related_task": "worker-2"},
                    {"end_reason": "exit with 3", "end_related_task": "worker-3"},
                    {"end_reason": "exit with 4"},
                ]
            ),
            " is Failed: worker-3 ended with exit code 4",
        ),
    ],
)
def test_the_first_line_says_how_far_the_job_came(job: TrainingJob, headline: str) -> None:
    assert str(explain_failure(job, Evidence())).split("\n")[0] == f"Training job {JOB_ID}{headline}"


@pytest.mark.parametrize(
    ("statuses", "lines"),
    [
        ([{"task": "worker-0"}, {"task": "worker-1", "message": "why"}], ["Message of worker-1:", "  why"]),
        (
            [{"task": "worker-0", "exit_code": 0}, {"task": "worker-1", "exit_code": 3}, {"task": "x", "exit_code": 4}],
            ["worker-1 ended with exit code 3"],
        ),
        ([{"task": "worker-0"}], []),
    ],
)
def test_the_first_task_that_failed_is_shown(statuses: list[dict[str, Any]], lines: list[str]) -> None:
    assert str(explain_failure(ended(task_statuses=statuses), Evidence())).split("\n")[1:] == lines


def test_the_last_lines_are_shown_up_to_their_limits() -> None:
    message = [f"m{number}" for number in range(failures.MESSAGE_LINES + 1)]
    job = ended(
        task_statuses=[{"exit_code": 1, "message": "\n".join(message)}],
        failureAnalysisResult={"analysis_results": [{"description": f"d{number}"} for number in range(6)]},
    )
    long = ["x" * failures.LINE_LENGTH, "y" * (failures.LINE_LENGTH + 1)]
    assert str(explain_failure(job, Evidence(log=long))).split("\n")[1:-1] == [
        "Message of worker-0:",
        *(f"  {line}" for line in message[1:]),
        "Diagnosis by ModelArts:",
        *(f"  d{number}" for number in range(5)),
        "Last lines of the log of worker-0:",
        f"  {long[0]}",
        f"  {long[1][: failures.LINE_LENGTH - 1]}…",
    ]


def test_the_text_is_bounded() -> None:
    status = {
        "phase": "Failed",
        "task_statuses": [{"exit_code": 1, "message": "m\n" * 9999}],
        "failureAnalysisResult": {"analysis_results": [{"description": "d" * 9999}] * 999},
    }
    job = TrainingJob.from_api({"metadata": {"id": JOB_ID}, "status": status})
    text = str(explain_failure(job, Evidence(log=["x" * 4096] * failures.LOG_LINES)))
    assert len(text) < 20_000
    assert len(text.split("\n")) < 80


@pytest.fixture
def started() -> Iterator[tuple[Emulator, TrainingJobs]]:
    with (
        Emulator(time_scale=0) as emulator,
        client_for(emulator.url, login=emulator.ak, password=emulator.sk) as client,
    ):
        yield emulator, client.training_jobs


def test_a_failure_that_the_emulator_makes(started: tuple[Emulator, TrainingJobs]) -> None:
    emulator, jobs = started
    job_id = emulator.cloud.training_jobs.create("train", script="fails").job_id
    emulator.advance(60)
    error = read_failure(jobs, jobs.get(job_id))
    assert type(error) is failures.TrainingCodeError
    assert "RuntimeError: the emulated training failed with exit code 1" in str(error)
    assert "training end: exit with 1" in str(error)
    assert "Training job failed." in str(error)
    assert str(error).endswith("worker-0 ended with exit code 1")


def test_auto_stop_is_named(started: tuple[Emulator, TrainingJobs]) -> None:
    emulator, jobs = started
    job_id = emulator.cloud.training_jobs.create("train", script="runs", auto_stop_hours=1).job_id
    emulator.advance(2 * 3600)
    error = read_failure(jobs, jobs.get(job_id))
    assert type(error) is failures.TrainingStoppedError
    assert "Terminated after 3600 s of running: auto stop ended it" in str(error)


EVENTS = Reply(
    200,
    {"events": [{"message": f"event {number}", "time": f"10:0{number}"} for number in (7, 6, 5, 4, 3, 2)], "total": 6},
)
NO_EVENTS = Reply(200, {"events": [], "total": 0})
LOG = Reply(200, {"content": "\n".join(f"line {number}" for number in range(30))})


@pytest.mark.parametrize(
    ("job", "replies", "asked"),
    [
        (ended(tasks=["worker-0"]), [EVENTS, LOG], ["Error", "log"]),
        (ended(tasks=["worker-0"]), [NO_EVENTS, LOG], ["Error", "log"]),
        (ended("Terminated", tasks=["worker-0"]), [EVENTS, LOG], ["Error", "log"]),
        (ended("Terminated", tasks=["worker-0"]), [NO_EVENTS, EVENTS, LOG], ["Error", "Warning", "log"]),
        (ended(), [EVENTS], ["Error"]),
    ],
)
def test_the_last_events_and_the_end_of_the_log_are_asked_for(
    job: TrainingJob, replies: list[Reply], asked: list[str], server: ScriptedServer
) -> None:
    server.answer(*replies)
    with client_for(server.url) as client:
        text = str(read_failure(client.training_jobs, job))
    targets = {
        "Error": "events?level=Error&limit=100&offset=0&order=desc",
        "Warning": "events?level=Warning&limit=100&offset=0&order=desc",
        "log": "tasks/worker-0/logs/preview",
    }
    assert [received.target.partition(f"{JOB_ID}/")[2] for received in server.received] == [
        targets[each] for each in asked
    ]
    shown = [f"  10:0{number}: event {number}" for number in (3, 4, 5, 6, 7)] if EVENTS in replies else []
    assert [line for line in text.split("\n") if ": event" in line] == shown
    lines = [f"  line {number}" for number in range(10, 30)] if LOG in replies else []
    assert [line for line in text.split("\n") if line.startswith("  line")] == lines


def test_a_task_that_cannot_be_asked_for_has_no_log(server: ScriptedServer) -> None:
    server.answer(NO_EVENTS)
    with client_for(server.url) as client:
        text = str(read_failure(client.training_jobs, ended(tasks=["../x"])))
    assert "The log of ../x cannot be read. task: '../x' is not the name of a task" in text
    assert len(server.received) == 1


@pytest.mark.parametrize("operation", ["events", "log_preview"])
def test_a_bug_is_not_taken_for_evidence_that_is_missing(
    operation: str, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer(NO_EVENTS, LOG)
    monkeypatch.setattr(TrainingJobs, operation, lambda jobs, *args, **options: 1 / 0)
    with client_for(server.url) as client, pytest.raises(ZeroDivisionError):
        read_failure(client.training_jobs, ended(tasks=["worker-0"]))


@pytest.mark.parametrize("operation", ["training.events", "training.log_preview"])
def test_what_the_api_does_not_tell_is_left_out(started: tuple[Emulator, TrainingJobs], operation: str) -> None:
    emulator, jobs = started
    job_id = emulator.cloud.training_jobs.create("train", script="fails").job_id
    emulator.advance(60)
    emulator.inject(Fault("status", operation, status=403))
    error = read_failure(jobs, jobs.get(job_id))
    assert type(error) is failures.TrainingCodeError
    assert "RuntimeError: the emulated training failed with exit code 1" in str(error)
    assert ("cannot be read" in str(error)) == (operation == "training.log_preview")
