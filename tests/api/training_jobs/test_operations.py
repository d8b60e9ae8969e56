"""The operations on training jobs, against the emulator and against a server that misbehaves."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_modelarts.api import errors
from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.training_jobs.body import create_body
from airflow_provider_modelarts.api.training_jobs.logs import LOG_START
from airflow_provider_modelarts.api.training_jobs.operations import TrainingJobs
from airflow_provider_modelarts.api.training_jobs.parameters import Filter
from airflow_provider_modelarts.api.training_jobs.resources import Quota
from airflow_provider_modelarts.emulator import Emulator, Fault
from tests.api.training_jobs.samples import CREATE_FAILURE, JOB, JOB_ID, SECRETS, job, page
from tests.conftest import Reply, ScriptedServer

PROJECT = "0123456789abcdef0123456789abcdef"
WORKSPACE = "w" * 32
BODY = create_body(
    job_name="train-1", image_url="org/img:1", command="python train.py", flavor_id="modelarts.vm.cpu.2u"
)

Started = tuple[Emulator, TrainingJobs]


def client_for(url: str, sleep: Callable[[float], None] = lambda seconds: None, **config: Any) -> ModelArtsClient:
    fields = {"endpoint": url, "project_id": PROJECT, "login": "AK", "password": "SK", "read_timeout": 5, **config}
    return ModelArtsClient(ModelArtsConfig(**fields), sleep=sleep)


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def start(slept: list[float]) -> Iterator[Callable[..., Started]]:
    """Start an emulator with these options; its job clock moves only when a test or a pause of the client moves it."""
    with ExitStack() as stack:

        def start(workspace_id: str | None = None, **options: Any) -> Started:
            emulator = stack.enter_context(Emulator(time_scale=0, **options))

            def sleep(seconds: float) -> None:
                slept.append(seconds)
                emulator.advance(seconds)

            client = client_for(emulator.url, sleep, login=emulator.ak, password=emulator.sk, workspace_id=workspace_id)
            return emulator, stack.enter_context(client).training_jobs

        yield start


@pytest.fixture
def started(start: Callable[..., Started]) -> Started:
    return start()


@pytest.fixture
def jobs(server: ScriptedServer, slept: list[float]) -> Iterator[TrainingJobs]:
    """The operations, of a client of the scripted server."""
    with client_for(server.url, slept.append) as client:
        yield client.training_jobs


def now_ms(**ago: int) -> int:
    return int((datetime.now(timezone.utc) - timedelta(**ago)).timestamp() * 1000)


def test_the_life_of_a_job(started: Started) -> None:
    emulator, jobs = started
    created = jobs.create(BODY)
    assert (created.job_name, created.phase, created.workspace_id) == ("train-1", "Creating", "0")
    jobs.update(created.job_id, description="new")
    assert jobs.get(created.job_id).description == "new"
    emulator.advance(10)
    running = jobs.get(created.job_id.upper())
    assert running.duration is not None
    assert (running.phase, running.tasks, running.duration.total_seconds()) == ("Running", ("worker-0",), 5)
    jobs.terminate(created.job_id)
    assert jobs.get(created.job_id).phase == "Terminating"
    with pytest.raises(errors.ModelArtsConflictError, match=r"ModelArts\.2796") as refused:
        jobs.terminate(created.job_id)
    assert refused.value.status_code == 409
    assert jobs.ensure_stopped(created.job_id) == "is Terminating already"
    emulator.advance(5)
    assert jobs.get(created.job_id).phase == "Terminated"
    assert jobs.ensure_stopped(created.job_id) == "is Terminated already"
    jobs.delete(created.job_id)
    assert jobs.is_name_taken("train-1")
    emulator.advance(5)
    with pytest.raises(errors.ModelArtsNotFoundError, match=r"HTTP 400, ModelArts\.2775"):
        jobs.get(created.job_id)
    with pytest.raises(errors.ModelArtsNotFoundError):
        jobs.delete(created.job_id)
    assert jobs.ensure_stopped(created.job_id) == "is gone"
    assert not jobs.is_name_taken("train-1")
    assert jobs.ensure_stopped(jobs.create(BODY).job_id) is None


def test_each_operation_sends_what_the_api_documents(server: ScriptedServer, jobs: TrainingJobs) -> None:
    server.answer(Reply(201, JOB), Reply(200, JOB), Reply(200, b"null"), Reply(202, JOB), Reply(202, b'""'), Reply())
    jobs.create(BODY)
    jobs.get(JOB_ID)
    jobs.update(JOB_ID, description="描述")
    jobs.terminate(JOB_ID)
    jobs.delete(JOB_ID)
    server.answer(Reply(200, page()), Reply(200, {"is_duplicate": True}), Reply(204), Reply(204))
    assert list(jobs.search(filters=[Filter("name", "like", ("x",))])) == []
    assert jobs.is_name_taken("x", workspace_id=WORKSPACE)
    jobs.log_preview(JOB_ID, "worker-1")
    jobs.log_lines(JOB_ID, lines=3)
    jobs.metrics(JOB_ID)
    server.answer(Reply(200, {"obs_url": "https://obs/x"}), Reply(200, {"events": []}))
    assert jobs.log_url(JOB_ID, download=True) == "https://obs/x"
    assert list(jobs.events(JOB_ID, level="Error", pattern="a b")) == []
    server.answer(Reply(200, {}))
    assert (jobs.engines(), jobs.flavors("GPU"), jobs.quotas()) == ([], [], [])
    at, one = f"/v2/{PROJECT}", f"/v2/{PROJECT}/training-jobs/{JOB_ID}"
    assert [(request.method, request.target) for request in server.received] == [
        ("POST", f"{at}/training-jobs"),
        ("GET", one),
        ("PUT", one),
        ("POST", f"{one}/actions"),
        ("DELETE", one),
        ("POST", f"{at}/training-job-searches"),
        ("GET", f"{at}/training-job-names?job_name=x&workspace_id={WORKSPACE}"),
        ("GET", f"{one}/tasks/worker-1/logs/preview"),
        ("GET", f"{one}/logs/worker-0?base_line=0&lines=3&order=asc"),
        ("GET", f"{one}/metrics/worker-0"),
        ("GET", f"{one}/tasks/worker-0/logs/url?Content-Type=application%2Foctet-stream"),
        ("GET", f"{one}/events?level=Error&limit=100&offset=0&order=asc&pattern=a%20b"),
        ("GET", f"{at}/training-job-engines"),
        ("GET", f"{at}/training-job-flavors?flavor_type=GPU"),
        ("GET", f"{at}/training-quotas"),
    ]
    create, _, update, terminate, _, search, *_ = server.received
    assert json.loads(create.body) == BODY
    assert update.body == '{"description":"描述"}'.encode()
    assert terminate.body == b'{"action_type":"terminate"}'
    assert json.loads(search.body) == {
        "limit": 50,
        "offset": 0,
        "sort_by": "create_time",
        "order": "desc",
        "filters": [{"key": "name", "operator": "like", "value": ["x"]}],
    }
    assert create.headers["X-Project-Id"] == PROJECT


@pytest.mark.parametrize(
    "call",
    [
        lambda jobs: jobs.get("../x"),
        lambda jobs: jobs.terminate("a b"),
        lambda jobs: jobs.update(JOB_ID),
        lambda jobs: jobs.log_preview(JOB_ID, "a/b"),
        lambda jobs: jobs.log_lines(JOB_ID, lines=501),
        lambda jobs: list(jobs.search(limit=51)),
        lambda jobs: list(jobs.events(JOB_ID, level="error")),
        lambda jobs: jobs.search_by_ids([]),
        lambda jobs: jobs.flavors("TPU"),
        lambda jobs: jobs.is_name_taken("a b"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    server: ScriptedServer, jobs: TrainingJobs, call: Callable[..., Any]
) -> None:
    with pytest.raises(ValueError, match=r"job_id|description|task|lines|limit|level|flavor_type|job_name"):
        call(jobs)
    assert server.received == []


@pytest.mark.parametrize("operation", ["update", "terminate", "delete"])
@pytest.mark.parametrize("body", [b"<html>", b"{", b"[]", b'"x"'])
def test_a_page_of_a_proxy_is_not_a_change(
    server: ScriptedServer, jobs: TrainingJobs, operation: str, body: bytes
) -> None:
    server.answer(Reply(200, body))
    arguments = {"description": "x"} if operation == "update" else {}
    with pytest.raises(errors.ModelArtsMalformedResponseError, match="the body is no JSON object"):
        getattr(jobs, operation)(JOB_ID, **arguments)


@pytest.mark.parametrize("offset_counts", ["pages", "jobs"])
@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 101, 130])
def test_a_search_yields_each_job_once_whatever_offsets_count(
    start: Callable[..., Any], offset_counts: str, count: int
) -> None:
    emulator, jobs = start(training_offset=offset_counts)
    created = [emulator.training_jobs.create(f"job-{number}").job_id for number in range(count)]
    found = [job.job_id for job in jobs.search()]
    assert found == created[::-1]
    requests = emulator.request_counts()["training.search"]
    assert requests == max(1, -(-count // 50)) + (1 if offset_counts == "jobs" and count > 50 else 0)


@pytest.mark.parametrize("offset_counts", ["pages", "jobs"])
def test_jobs_that_are_created_during_a_search_hide_none(start: Callable[..., Any], offset_counts: str) -> None:
    emulator, jobs = start(training_offset=offset_counts)
    created = {emulator.training_jobs.create(f"job-{number}").job_id for number in range(120)}
    found = []
    for number, found_job in enumerate(jobs.search()):
        found.append(found_job.job_id)
        if number % 40 == 0:
            emulator.training_jobs.create(f"new-{number}")
    assert len(found) == len(set(found))
    assert created <= set(found)


def test_a_search_that_ignores_the_offset_ends(server: ScriptedServer, jobs: TrainingJobs) -> None:
    rows = [job(job_id=f"job-{number}") for number in range(50)]
    server.answer(Reply(200, page(*rows, count=5000)))
    assert len(list(jobs.search())) == 50
    assert len(server.received) < 10


def test_a_search_is_lazy(start: Callable[..., Any]) -> None:
    emulator, jobs = start()
    for number in range(120):
        emulator.training_jobs.create(f"job-{number}")
    found = jobs.search()
    assert emulator.request_counts() == {}
    next(found)
    assert emulator.request_counts() == {"training.search": 1}


def test_searches_are_by_workspace(start: Callable[..., Any]) -> None:
    emulator, jobs = start(workspace_id=WORKSPACE)
    default = emulator.training_jobs.create("default").job_id
    other = emulator.training_jobs.create("other", workspace_id=WORKSPACE).job_id
    assert [job.job_id for job in jobs.search()] == [other]
    assert [job.job_id for job in jobs.search(workspace_id="0")] == [default]
    assert list(jobs.search_by_ids([default, other])) == [other]
    assert jobs.create(BODY).workspace_id == WORKSPACE
    assert jobs.create(create_body(job_name="explicit", workspace_id="0", body=BODY)).workspace_id == "0"


def test_jobs_by_ids_take_one_request_for_ten(start: Callable[..., Any]) -> None:
    emulator, jobs = start()
    ids = [emulator.training_jobs.create(f"job-{number}").job_id for number in range(25)]
    found = jobs.search_by_ids([*ids, JOB_ID, ids[0]])
    assert list(found) == ids
    assert emulator.request_counts() == {"training.search": 3}


def test_a_job_is_found_by_its_exact_name(started: Started) -> None:
    emulator, jobs = started
    for name in ("train-1", "train-10", "x-train-1"):
        emulator.training_jobs.create(name)
    found = jobs.find("train-1")
    assert found is not None
    assert found.job_name == "train-1"
    assert jobs.find("train") is None


def test_unreadable_rows_are_left_out_and_logged(
    server: ScriptedServer, jobs: TrainingJobs, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer(Reply(200, page(job(job_id="a"), {"metadata": None}, job(job_id="b"))))
    assert [found.job_id for found in jobs.search()] == ["a", "b"]
    assert "1 of 3 jobs on a page of training jobs cannot be read" in caplog.text


def test_a_search_that_fails_leaves_no_doubt_and_is_sent_again(server: ScriptedServer, jobs: TrainingJobs) -> None:
    for reply in (Reply(503), Reply(cut=True), Reply(200, b"<html>")):
        server.answer(reply)
        with pytest.raises(errors.ModelArtsError) as failed:
            jobs.search_page()
        assert "not known" not in str(failed.value)
        assert len(server.received) == 4
        server.received.clear()


@pytest.mark.parametrize(
    "loss", [{"kind": "cut_after"}, {"kind": "truncated"}, {"kind": "empty"}, {"kind": "wrong_types"}]
)
def test_a_lost_answer_to_create_makes_one_job(started: Started, loss: dict[str, Any]) -> None:
    emulator, jobs = started
    emulator.inject(Fault(operation="training.create", times=1, **loss))
    created = jobs.create(BODY)
    assert [one.job_id for one in emulator.training_jobs.all()] == [created.job_id]
    assert emulator.request_counts() == {"training.create": 1, "training.search": 1}


def test_a_lost_answer_to_create_makes_one_job_although_searches_lag(
    start: Callable[..., Any], slept: list[Any]
) -> None:
    emulator, jobs = start(training_search_lag=20)
    emulator.inject(Fault("cut_after", "training.create", times=1))
    created = jobs.create(BODY)
    assert [one.job_id for one in emulator.training_jobs.all()] == [created.job_id]
    assert sum(slept) < 40


def test_a_lost_answer_does_not_take_an_older_job_of_the_name(
    server: ScriptedServer, jobs: TrainingJobs, slept: list[Any]
) -> None:
    taken = Reply(400, {"error_code": "ModelArts.2751", "error_msg": "exists", "error_solution": ""})
    old = Reply(200, page(job(name="train-1", create_time=now_ms(minutes=20))))
    server.answer(Reply(503), old, taken, old)
    with pytest.raises(errors.ModelArtsNameTakenError):
        jobs.create(BODY)
    assert len(server.received) == 4
    assert sum(slept) < 5


def test_create_sends_again_when_nothing_was_made(started: Started) -> None:
    emulator, jobs = started
    emulator.inject(Fault("status", "training.create", times=2, status=503))
    assert jobs.create(BODY).job_name == "train-1"
    assert emulator.request_counts() == {"training.create": 3, "training.search": 2}


def test_a_taken_name_and_a_used_up_quota_are_errors_of_their_own(start: Callable[..., Any]) -> None:
    emulator, jobs = start(running_quota=1)
    jobs.create(BODY)
    with pytest.raises(errors.ModelArtsNameTakenError, match="train-1 already exists"):
        jobs.create(BODY)
    with pytest.raises(
        errors.ModelArtsQuotaError, match=r"ModelArts advises: Wait until other jobs are complete"
    ) as full:
        jobs.create(create_body(job_name="train-2", body=BODY | {"metadata": {}}))
    assert (full.value.part, full.value.retryable) == ("quota", False)
    assert emulator.request_counts() == {"training.create": 3}


def test_delete_after_a_lost_answer_is_done(started: Started) -> None:
    emulator, jobs = started
    job_id = emulator.training_jobs.create(phase="Failed").job_id
    emulator.inject(Fault("cut_after", "training.delete", times=1))
    emulator.training_jobs.set_script(job_id, "vanishes")
    jobs.delete(job_id)
    assert emulator.request_counts()["training.delete"] == 2


def test_a_status_that_changes_meanwhile_is_asked_again(started: Started) -> None:
    emulator, jobs = started
    job_id = emulator.training_jobs.create(phase="Running").job_id
    emulator.inject(Fault("status", "training.terminate", times=1, status=409, error_code="ModelArts.2878"))
    jobs.terminate(job_id)
    assert jobs.get(job_id).phase == "Terminating"
    assert emulator.request_counts()["training.terminate"] == 2


def test_a_log_is_read_as_it_grows_and_no_line_comes_twice(start: Callable[..., Any]) -> None:
    for overlap in (False, True):
        emulator, jobs = start(training_log_overlap=overlap)
        job_id = emulator.training_jobs.create(script="fails", node_count=2).job_id
        assert jobs.log_preview(job_id).lines == ()
        assert jobs.log_lines(job_id).lines == ()
        assert jobs.metrics(job_id) == {}
        position, lines = LOG_START, []
        for _ in range(30):
            emulator.advance(1)
            for found in jobs.read_log(job_id, "worker-1", after=position):
                lines += found.lines
                position = found.position
        assert lines == list(jobs.log_preview(job_id, "worker-1").lines)
        assert lines[-2] == "INFO step 10: loss 0.1000"


def test_a_long_log_comes_in_pages(started: Started) -> None:
    emulator, jobs = started
    job_id = emulator.training_jobs.create(phase="Running").job_id
    emulator.training_jobs.write_log(job_id, "\n".join(f"line {number}" for number in range(1200)))
    pages = [len(found.lines) for found in jobs.read_log(job_id)]
    assert pages == [500, 500, 201]


def test_a_log_without_line_numbers_ends(server: ScriptedServer, jobs: TrainingJobs) -> None:
    server.answer(Reply(200, {"content": "a\nb"}))
    assert [found.lines for found in jobs.read_log(JOB_ID)] == [("a", "b")]


def test_a_log_that_is_not_there_yet_is_empty_and_one_that_is_gone_is_an_error(
    server: ScriptedServer, jobs: TrainingJobs
) -> None:
    for code in ("ModelArts.2818", "ModelArts.2819"):
        server.answer(Reply(400, {"error_code": code, "error_msg": "no log", "error_solution": ""}))
        if code == "ModelArts.2818":
            assert jobs.log_preview(JOB_ID).lines == ()
        else:
            with pytest.raises(errors.ModelArtsBadRequestError, match=code):
                jobs.log_preview(JOB_ID)


def test_events_metrics_and_what_jobs_can_run_on(started: Started) -> None:
    emulator, jobs = started
    job_id = emulator.training_jobs.create(script="fails").job_id
    emulator.advance(200)
    assert [event.message for event in jobs.events(job_id, level="Error")] == [
        "Training finished. Exit code 1.",
        "Training job failed.",
    ]
    assert jobs.metrics(job_id)["npuUtil"] == ()
    job_id = emulator.training_jobs.create(script="runs").job_id
    emulator.advance(125)
    assert jobs.metrics(job_id)["gpuUtil"] == (75.0, 75.0)
    assert jobs.metrics(job_id)["npuUtil"] == (None, None)
    assert [engine.engine_name for engine in jobs.engines()] == ["PyTorch", "Ascend-Powered-Engine"]
    assert [flavor.flavor_id for flavor in jobs.flavors("Ascend")] == ["modelarts.kat1.xlarge.public"]
    assert jobs.quotas() == [Quota("job-num", 1000, 2)]


def test_many_events_come_in_pages(server: ScriptedServer, jobs: TrainingJobs) -> None:
    full = [{"message": str(number), "level": "Info"} for number in range(100)]
    server.answer(Reply(200, {"total": 101, "events": full}), Reply(200, {"total": 101, "events": full[:1]}))
    assert len(list(jobs.events(JOB_ID))) == 101
    assert ["offset=0" in server.received[0].target, "offset=1" in server.received[1].target] == [True, True]


def test_no_secret_of_an_answer_is_logged_or_shown(
    server: ScriptedServer, jobs: TrainingJobs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer(Reply(200, JOB), Reply(200, page(JOB)), Reply(200, page(JOB)))
    shown = [repr(jobs.get(JOB_ID)), repr(list(jobs.search())), repr(jobs.search_page()), caplog.text]
    assert [secret for secret in SECRETS if secret in "".join(shown)] == []


def test_the_failure_sample(server: ScriptedServer, jobs: TrainingJobs) -> None:
    server.answer(Reply(400, CREATE_FAILURE))
    with pytest.raises(errors.ModelArtsBadRequestError) as failed:
        jobs.create(BODY)
    assert "algorithm not found. ModelArts advises: Check whether the algorithm exists. Correct what" in str(
        failed.value
    )
    assert failed.value.error_code == "ModelArts.2755"
