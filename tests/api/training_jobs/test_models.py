"""Reading what the API sends of training jobs: samples of its pages, known variations, and anything at all."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_modelarts.api.fields import Fields
from airflow_provider_modelarts.api.training_jobs.logs import LOG_START, LogLines, LogPosition, LogPreview, log_lines
from airflow_provider_modelarts.api.training_jobs.models import (
    FailureAnalysis,
    RunningRecord,
    TaskStatus,
    TrainingJob,
    TrainingJobPage,
)
from airflow_provider_modelarts.api.training_jobs.resources import Engine, Flavor, Quota
from airflow_provider_modelarts.api.training_jobs.statuses import (
    ENDED,
    FAILED,
    ON_THE_WAY,
    READY,
    TERMINAL,
    TrainingJobPhase,
    checked_phase,
    to_phase,
)
from tests.api.training_jobs.samples import JOB, JOB_ID, SECRETS, job, page
from tests.hypothesis_profile import load_profile

load_profile()


def page_of(data: dict[str, Any]) -> TrainingJobPage:
    return TrainingJobPage.from_api(data, json.dumps(data).encode())


def test_the_sample_of_a_failed_job() -> None:
    assert TrainingJob.from_api(JOB) == TrainingJob(
        job_id=JOB_ID,
        phase=TrainingJobPhase.FAILED,
        job_name="trainjob--py14_mem06-byd-108",
        kind="job",
        workspace_id="0",
        description="",
        user_name="",
        create_time=pendulum.datetime(2022, 1, 11, 8, 43, 43, 262000),
        start_time=pendulum.datetime(2022, 1, 11, 9, 17, 35),
        duration=pendulum.duration(seconds=60),
        secondary_phase="Failed",
        tasks=("worker-0", "worker-1"),
        task_statuses=(TaskStatus("worker-1", 1, ("Traceback:", '  File "a.py"', "ValueError: x")),),
        running_records=(
            RunningRecord(
                start_at=pendulum.datetime(2022, 1, 11, 9, 17, 35),
                end_at=pendulum.datetime(2022, 1, 11, 9, 18, 20),
                start_type="init_or_rescheduled",
                end_reason="exit with 137",
                end_related_task="worker-1",
                end_recover="job_reschedule",
            ),
            RunningRecord(
                start_at=pendulum.datetime(2022, 1, 11, 9, 18, 30),
                end_at=pendulum.datetime(2022, 1, 11, 9, 19, 30),
                start_type="restarted",
                end_reason="exit with 1",
                end_related_task=None,
                end_recover=None,
            ),
        ),
        failure_analyses=(FailureAnalysis("out of memory", "a larger flavor"),),
        code_dir="obs://test/economic_test/py_minist/",
        boot_file="obs://test/economic_test/py_minist/minist_common.py",
        engine="pytorch-cp36-1.4.0-v2",
        outputs={"train_url": "/test/out/"},
        flavor_id="modelarts.vm.pnt1.large.eco",
        node_count=2,
        log_url="/test/log/",
    )


def test_each_field_of_a_job_is_read() -> None:
    data = {
        "kind": "k",
        "metadata": {
            "id": JOB_ID, "name": "n", "workspace_id": "w", "description": "d", "user_name": "u",
            "create_time": 1641892655000,
        },
        "status": {
            "phase": "Running", "secondary_phase": "s", "start_time": 1641892656000, "duration": 5,
            "tasks": ["worker-0"],
        },
        "algorithm": {
            "id": "ai", "name": "an", "code_dir": "c", "boot_file": "b", "engine": {"engine_name": "en"},
            "outputs": [
                {"name": "o", "remote": {"obs": {"obs_url": "/o/"}}},
                {"name": "no URL"},
                {"remote": {"obs": {"obs_url": "/no/name/"}}},
            ],
        },
        "spec": {
            "resource": {"flavor_id": "f", "pool_id": "p", "node_count": 3},
            "log_export_path": {"obs_url": "/l/"},
        },
    }  # fmt: skip
    assert TrainingJob.from_api(data, "https://console/") == TrainingJob(
        job_id=JOB_ID,
        phase=TrainingJobPhase.RUNNING,
        job_name="n",
        kind="k",
        workspace_id="w",
        description="d",
        user_name="u",
        create_time=pendulum.datetime(2022, 1, 11, 9, 17, 35),
        start_time=pendulum.datetime(2022, 1, 11, 9, 17, 36),
        duration=pendulum.duration(milliseconds=5),
        secondary_phase="s",
        tasks=("worker-0",),
        algorithm_id="ai",
        algorithm_name="an",
        code_dir="c",
        boot_file="b",
        engine="en",
        outputs={"o": "/o/"},
        flavor_id="f",
        pool_id="p",
        node_count=3,
        log_url="/l/",
        page_url=f"https://console/#/training/detail/{JOB_ID}",
    )


@pytest.mark.parametrize(
    ("engine", "shown"),
    [
        ({"image_url": "i", "engine_id": "e", "engine_name": "n"}, "i"),
        ({"engine_id": "e", "engine_name": "n"}, "e"),
        ({"engine_name": "n"}, "n"),
        ({}, None),
    ],
)
def test_an_engine_is_its_image_or_its_id_or_its_name(engine: dict[str, str], shown: str | None) -> None:
    assert TrainingJob.from_api({**job(), "algorithm": {"engine": engine}}).engine == shown


def test_no_secret_of_an_answer_is_kept() -> None:
    shown = f"{TrainingJob.from_api(JOB)!r} {TrainingJob.from_api(JOB).summary()} {page_of(page(JOB))!r}"
    assert [secret for secret in SECRETS if secret in json.dumps(JOB)] == list(SECRETS)
    assert [secret for secret in SECRETS if secret in shown] == []


def test_the_summary_has_the_same_keys_whatever_is_known() -> None:
    full, bare = TrainingJob.from_api(JOB).summary(), TrainingJob.from_api(job(phase="Mystery")).summary()
    assert full == {
        "job_id": JOB_ID,
        "job_name": "trainjob--py14_mem06-byd-108",
        "phase": "Failed",
        "create_time": "2022-01-11T08:43:43.262000Z",
        "duration_ms": 60000,
        "outputs": {"train_url": "/test/out/"},
        "link": None,
    }
    assert bare == {**dict.fromkeys(full), "job_id": JOB_ID, "phase": "Mystery", "outputs": {}}


def test_the_jobs_of_a_page_have_their_page_in_the_console() -> None:
    data = {"count": 1, "items": [JOB]}
    page = TrainingJobPage.from_api(data, json.dumps(data).encode(), "https://console.example.com/?region=cn-north-4")
    link = page.job(JOB_ID).page_url
    assert link == f"https://console.example.com/?region=cn-north-4#/training/detail/{JOB_ID}"


def test_a_summary_can_be_read_back() -> None:
    job = TrainingJob.from_api(JOB, "https://console.example.com/?region=cn-north-4")
    assert job.page_url == f"https://console.example.com/?region=cn-north-4#/training/detail/{JOB_ID}"
    assert TrainingJob.from_summary(job.summary()).summary() == job.summary()
    unknown = TrainingJob("a", "Mystery")
    assert TrainingJob.from_summary(unknown.summary()) == unknown


def test_every_phase_is_in_exactly_one_group() -> None:
    groups = [READY, ON_THE_WAY, ENDED, FAILED]
    assert sorted(phase for group in groups for phase in group) == sorted(TrainingJobPhase)
    assert {"Completed", "Terminated", "Failed", "Abnormal"} == TERMINAL
    assert {"Creating", "Pending", "Terminating"} == ON_THE_WAY


@pytest.mark.parametrize("name", ["Running", "RUNNING", "running", " running "])
def test_a_phase_is_read_in_any_case(name: str) -> None:
    assert to_phase(name) is TrainingJobPhase.RUNNING
    assert checked_phase(name) is TrainingJobPhase.RUNNING
    assert TrainingJob.from_api(job(phase=name)).phase is TrainingJobPhase.RUNNING


def test_an_unknown_phase_survives_in_an_answer_and_is_refused_as_a_parameter() -> None:
    assert TrainingJob.from_api(job(phase="Hibernating")).phase == "Hibernating"
    with pytest.raises(ValueError, match=r"'Hibernating' is not a phase\. Phases are Creating, Pending, Running"):
        checked_phase("Hibernating")
    with pytest.raises(ValueError, match="8 is not a phase"):
        checked_phase(8)


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        ({"metadata": {}, "status": {"phase": "Running"}}, "metadata.id"),
        ({"metadata": {"id": 7}, "status": {"phase": "Running"}}, "metadata.id"),
        ({"metadata": {"id": "x"}, "status": {}}, "status.phase"),
        ({"metadata": {"id": "x"}, "status": "Running"}, "status.phase"),
    ],
)
def test_a_job_without_id_or_phase_is_none(data: dict[str, Any], missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        TrainingJob.from_api(data)


def test_fields_of_wrong_types_are_left_out_and_do_not_hide_the_phase() -> None:
    odd = {
        **job(name=["x"], create_time="yesterday"),
        "algorithm": [],
        "spec": {"resource": "small", "log_export_path": None},
    }
    odd["status"] |= {"tasks": "worker-0", "task_statuses": [None, {"exit_code": 2**70}], "duration": []}
    read = TrainingJob.from_api(odd)
    assert read == TrainingJob(
        JOB_ID, TrainingJobPhase.RUNNING, kind="job", task_statuses=(TaskStatus(None, None, ()),)
    )


def test_a_page_counts_what_matches_and_leaves_out_what_cannot_be_read() -> None:
    found = page_of(page(job(job_id="a", create_time=1641890623262), {"metadata": 7}, JOB, count=120))
    assert found.job_total_count == 120
    assert found.job_ids == ("a", JOB_ID)
    assert found.row_count == 3
    assert found.statuses == {"a": "Running", JOB_ID: "Failed"}
    assert found.job(JOB_ID) == TrainingJob.from_api(JOB)
    assert list(found.jobs) == ["a", JOB_ID]


@pytest.mark.parametrize("empty", [{"count": 0, "items": []}, {"count": 0, "items": None}, {"count": 0}])
def test_an_empty_page(empty: dict[str, Any]) -> None:
    assert page_of(empty).statuses == {}
    assert page_of(empty).jobs == {}


@pytest.mark.parametrize("broken", [{}, {"items": "none"}, {"items": {}}, {"count": 3}, {"items": [{}, None]}])
def test_a_page_without_readable_jobs_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"items is not a list|no job of the page can be read"):
        page_of(broken)


def test_a_log_is_read_as_printable_lines_with_progress_folded() -> None:
    content = "first\r\n\n 1%|#  |\r 50%|## |\r100%|###|\r\n\x1b[31mred\x1b[0m\nlast\n"
    assert log_lines(content) == ("first", "", "100%|###|", "red", "last")
    assert log_lines("") == ()
    assert log_lines("no end") == ("no end",)
    assert len(log_lines("x" * 10_000)[0]) == 4096


def test_the_log_preview_is_called_content_or_context() -> None:
    assert LogPreview.from_api({"content": "a\nb", "current_size": 3, "full_size": 7}) == LogPreview(("a", "b"), 3, 7)
    assert LogPreview.from_api({"context": "a"}) == LogPreview(("a",), None, None)


@pytest.mark.parametrize(
    ("start", "content", "lines"),
    [
        # The answer begins behind the line that was asked from.
        ("1551252759254000003", "c\nd", ("c", "d")),
        # It begins with it.
        ("1551252759254000002", "b\nc\nd", ("c", "d")),
        # It only repeats its number.
        ("1551252759254000002", "c\nd", ("c", "d")),
    ],
)
def test_log_lines_go_on_behind_a_position_in_either_reading(start: str, content: str, lines: tuple[str, str]) -> None:
    after = LogPosition("1551252759254000002", "b")
    read = LogLines.from_api({"start_line": start, "end_line": 1551252759254000004, "content": content}, after)
    assert read == LogLines(lines, LogPosition("1551252759254000004", "d"))


def test_no_new_log_lines_keep_the_position() -> None:
    after = LogPosition("7", "b")
    assert LogLines.from_api({"content": "", "start_line": None, "end_line": None}, after) == LogLines((), after)
    assert LogLines.from_api({"content": "b", "start_line": "7", "end_line": "7"}, after) == LogLines((), after)
    assert LogLines.from_api({"content": "a"}, LOG_START) == LogLines(("a",), LogPosition("0", "a"))


def test_engines_flavors_and_quotas() -> None:
    engine = {"engine_id": "mpi-v2", "engine_name": "MPI", "engine_version": "mindspore_1.3.0", "v1_compatible": False}
    assert Engine.from_api(Fields(engine)) == Engine("mpi-v2", "MPI", "mindspore_1.3.0")
    flavor = {
        "flavor_id": "modelarts.vm.cpu.2u",
        "flavor_name": "Computing CPU(2U) instance",
        "flavor_type": "CPU",
        "billing": {"code": "modelarts.vm.cpu.2u", "unit_num": 1},
        "flavor_info": {"max_num": 1},
    }
    assert Flavor.from_api(Fields(flavor)) == Flavor(
        "modelarts.vm.cpu.2u", "Computing CPU(2U) instance", "CPU", 1, "modelarts.vm.cpu.2u", 1.0
    )
    assert Quota.from_api(Fields({"resource": "job-num", "quota": 10000, "used": 5})) == Quota("job-num", 10000, 5)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
PATHS = [
    (name,) if isinstance(value, str) else (name, inner)
    for name, value in JOB.items()
    for inner in (value if isinstance(value, dict) else [name])
]


@given(st.lists(st.tuples(st.sampled_from(PATHS), ANYTHING), max_size=4))
def test_whatever_is_sent_a_job_is_read_or_refused_and_its_summary_travels(changes: list[Any]) -> None:
    data = json.loads(json.dumps(JOB))
    for path, value in changes:
        if len(path) == 1:
            data[path[0]] = value
        elif isinstance(data[path[0]], dict):
            data[path[0]][path[1]] = value
    try:
        read = TrainingJob.from_api(data)
    except ValueError:
        return
    summary = read.summary()
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(summary)) == summary
    assert json.loads(json.dumps(summary)) == summary
