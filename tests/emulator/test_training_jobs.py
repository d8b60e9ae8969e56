"""The emulated training-jobs API: operations, limits and errors, and the life of a job."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_modelarts.emulator import Fault
from airflow_provider_modelarts.emulator.training_jobs.job import SCRIPTS
from tests.emulator.client import Api, ApiMaker
from tests.hypothesis_profile import load_profile

load_profile()

BODY: dict[str, Any] = {
    "kind": "job",
    "metadata": {"name": "train-1"},
    "algorithm": {"engine": {"image_url": "org/img:1"}, "command": "python train.py", "environments": {"AK": "s3cret"}},
    "spec": {"resource": {"flavor_id": "modelarts.vm.cpu.2u", "node_count": 1}},
}


def call(api: Api, method: str, path: str, body: Any = None, **query: object) -> requests.Response:
    """Call an operation; the path begins behind the project."""
    return api.send(method, f"/v2/{api.emulator.project_id}/{path}", query, body)


def create(api: Api, name: str = "train-1", **changes: Any) -> requests.Response:
    return call(api, "POST", "training-jobs", {**BODY, "metadata": {"name": name}, **changes})


def search(api: Api, *filters: tuple[str, str, list[str]], **fields: Any) -> requests.Response:
    conditions = [dict(zip(("key", "operator", "value"), entry, strict=True)) for entry in filters]
    return call(api, "POST", "training-job-searches", {"filters": conditions, **fields})


def names(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["metadata"]["name"] for item in answer.json()["items"]]


def phase(api: Api, job_id: str) -> str:
    """Return the phase of a job, or the error code."""
    answer = call(api, "GET", f"training-jobs/{job_id}").json()
    return str(answer["status"]["phase"] if "status" in answer else answer["error_code"])


def refusal(answer: requests.Response) -> tuple[int, str]:
    content = answer.json()
    assert content.keys() == {"error_msg", "error_code", "error_solution"}
    return answer.status_code, content["error_code"]


def test_create_answers_the_whole_job_secrets_included(api: Api) -> None:
    answer = create(api)
    job = answer.json()
    assert answer.status_code == 201
    assert job["metadata"]["name"] == "train-1"
    assert job["metadata"]["workspace_id"] == "0"
    assert job["status"]["phase"] == "Creating"
    assert job["algorithm"]["environments"] == {"AK": "s3cret"}
    assert call(api, "GET", f"training-jobs/{job['metadata']['id']}").json() == job


def test_a_running_job_answers_tokens_in_details_and_in_lists(api: Api) -> None:
    job_id = api.emulator.training_jobs.create(script="runs").job_id
    api.emulator.advance(5)
    token = api.emulator.training_jobs.get(job_id).token
    (item,) = search(api).json()["items"]
    for job in (call(api, "GET", f"training-jobs/{job_id}").json(), item):
        assert job["endpoints"]["tensorboard"]["token"] == token
        assert token in job["endpoints"]["jupyter_lab"]["url"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"metadata": {"name": "has blank"}}, "ModelArts.2788"),
        ({"metadata": {"name": "x" * 65}}, "ModelArts.2788"),
        ({"metadata": {"name": "x", "description": "x" * 257}}, "ModelArts.2788"),
        ({"metadata": []}, "ModelArts.2787"),
        ({"algorithm": 7}, "ModelArts.2787"),
        ({"spec": {"resource": None}}, "ModelArts.2787"),
        ({"spec": {"resource": {"flavor_id": "f"}, "auto_stop": [1]}}, "ModelArts.2787"),
        ({"algorithm": {"id": "missing"}}, "ModelArts.2755"),
        ({"algorithm": {"engine": {"image_url": "org/img:1"}}}, "ModelArts.2806"),
        ({"algorithm": {}}, "ModelArts.2788"),
        ({"spec": {"resource": {"node_count": 1}}}, "ModelArts.2763"),
        ({"spec": {"resource": {"flavor_id": "f", "node_count": 0}}}, "ModelArts.2793"),
        ({"spec": {"resource": {"flavor_id": "f"}, "auto_stop": {"duration": 0}}}, "ModelArts.2788"),
    ],
)
def test_a_bad_body_is_refused(api: Api, changes: dict[str, Any], code: str) -> None:
    assert refusal(create(api, **changes)) == (400, code)
    assert refusal(call(api, "POST", "training-jobs", b"no json")) == (400, "ModelArts.2787")
    assert api.emulator.training_jobs.all() == []


def test_names_are_unique_until_the_job_is_gone(api: Api) -> None:
    job_id = create(api).json()["metadata"]["id"]
    assert refusal(create(api)) == (400, "ModelArts.2751")
    assert call(api, "GET", "training-job-names", job_name="train-1").json() == {"is_duplicate": True}
    assert call(api, "GET", "training-job-names", job_name="train-2").json() == {"is_duplicate": False}
    call(api, "DELETE", f"training-jobs/{job_id}")
    assert refusal(create(api)) == (400, "ModelArts.2751")
    api.emulator.advance(5)
    assert create(api).status_code == 201


def test_quotas(make_api: ApiMaker) -> None:
    api = make_api(job_quota=2, running_quota=1)
    assert create(api, "a").status_code == 201
    assert refusal(create(api, "b")) == (400, "ModelArts.2815")
    api.emulator.advance(100)
    assert create(api, "b").status_code == 201
    assert refusal(create(api, "c")) == (400, "ModelArts.0118")
    assert call(api, "GET", "training-quotas").json() == {"quotas": [{"resource": "job-num", "quota": 2, "used": 2}]}


def test_an_unknown_job_is_400_2775_for_every_operation(api: Api) -> None:
    path = "training-jobs/425b7087-83de-49b4-9b65-6e2b91e4a5fe"
    for method, below, body in (
        ("GET", "", None),
        ("PUT", "", {"description": "x"}),
        ("DELETE", "", None),
        ("POST", "/actions", {"action_type": "terminate"}),
        ("GET", "/tasks/worker-0/logs/preview", None),
        ("GET", "/tasks/worker-0/logs/url", None),
        ("GET", "/logs/worker-0", None),
        ("GET", "/events", None),
        ("GET", "/metrics/worker-0", None),
    ):
        answer = call(api, method, path + below, body)
        assert refusal(answer) == (400, "ModelArts.2775"), (method, below)
        assert answer.json()["error_msg"].endswith("not found.")


def test_update(api: Api) -> None:
    job_id = create(api).json()["metadata"]["id"]
    changes = {"description": "new", "spec": {"schedule_policy": {"priority": 3}}}
    answer = call(api, "PUT", f"training-jobs/{job_id}", changes)
    assert (answer.status_code, answer.json()) == (200, None)
    job = call(api, "GET", f"training-jobs/{job_id}").json()
    assert job["metadata"]["description"] == "new"
    assert job["spec"]["schedule_policy"] == {"priority": 3}
    assert refusal(call(api, "PUT", f"training-jobs/{job_id}", {"description": "x" * 257})) == (400, "ModelArts.2788")


def test_terminate_is_allowed_before_the_end_only(api: Api) -> None:
    job_id = create(api).json()["metadata"]["id"]
    path = f"training-jobs/{job_id}/actions"
    assert refusal(call(api, "POST", path, {"action_type": "restart"})) == (400, "ModelArts.2788")
    answer = call(api, "POST", path, {"action_type": "terminate"})
    assert (answer.status_code, answer.json()["status"]["phase"]) == (202, "Terminating")
    assert refusal(call(api, "POST", path, {"action_type": "terminate"})) == (409, "ModelArts.2796")
    api.emulator.advance(5)
    assert phase(api, job_id) == "Terminated"
    assert refusal(call(api, "POST", path, {"action_type": "terminate"})) == (409, "ModelArts.2796")


@pytest.mark.parametrize(("now", "meanwhile"), [("Running", "Terminating"), ("Failed", "Failed")])
def test_delete_takes_a_while_in_any_phase(api: Api, now: str, meanwhile: str) -> None:
    job_id = api.emulator.training_jobs.create(phase=now).job_id
    answer = call(api, "DELETE", f"training-jobs/{job_id}")
    assert (answer.status_code, answer.json()) == (202, "")
    assert phase(api, job_id) == meanwhile
    api.emulator.advance(5)
    assert phase(api, job_id) == "ModelArts.2775"


def test_search_filters(api: Api) -> None:
    jobs = api.emulator.training_jobs
    ids = [
        jobs.create(name, phase=state).job_id for name, state in (("ab", "Running"), ("b", "Failed"), ("c", "Pending"))
    ]
    assert names(search(api)) == ["c", "b", "ab"]
    assert names(search(api, order="asc")) == ["ab", "b", "c"]
    assert names(search(api, ("id", "in", [ids[0], ids[2]]))) == ["c", "ab"]
    assert names(search(api, ("name", "like", ["b"]))) == ["b", "ab"]
    assert names(search(api, ("phase", "in", ["Running", "Pending"]), ("name", "not", ["c"]))) == ["ab"]
    assert names(search(api, ("kind", "in", ["visualization_job"]))) == []
    window = ["2020-01-01T00:00:00Z", "2020-01-31T00:00:00+00:00"]
    assert names(search(api, ("create_time", "between", window))) == []


@pytest.mark.parametrize(
    ("request_body", "code"),
    [
        ({"limit": 51}, "ModelArts.2788"),
        ({"limit": 0}, "ModelArts.2788"),
        ({"offset": -1}, "ModelArts.2788"),
        ({"sort_by": "name"}, "ModelArts.2790"),
        ({"filters": [{"key": "id", "operator": "in", "value": ["x"]}] * 21}, "ModelArts.2789"),
        ({"filters": [{"key": "color", "operator": "in", "value": ["x"]}]}, "ModelArts.2807"),
        ({"filters": [{"key": "id", "operator": "equals", "value": ["x"]}]}, "ModelArts.2808"),
        ({"filters": [{"key": "id", "operator": "in", "value": ["x"] * 11}]}, "ModelArts.2809"),
        ({"filters": [{"key": "id", "operator": "in", "value": "x"}]}, "ModelArts.2809"),
        ({"filters": [{"key": "id", "operator": "like", "value": [7]}]}, "ModelArts.2809"),
        ({"filters": [{"key": "id", "operator": "between", "value": ["a", "b"]}]}, "ModelArts.2808"),
        ({"filters": [{"key": ["id"], "operator": "in", "value": ["x"]}]}, "ModelArts.2807"),
        ({"filters": ["id"]}, "ModelArts.2789"),
        (
            {"filters": [{"key": "create_time", "operator": "between", "value": ["2026-01-01", "2026-01-02"]}]},
            "ModelArts.2809",
        ),
        (
            {
                "filters": [
                    {
                        "key": "create_time",
                        "operator": "between",
                        "value": ["2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"],
                    }
                ]
            },
            "ModelArts.2809",
        ),
    ],
)
def test_a_search_outside_the_limits_is_refused(api: Api, request_body: dict[str, Any], code: str) -> None:
    assert refusal(call(api, "POST", "training-job-searches", request_body)) == (400, code)


@pytest.mark.parametrize(("offset_counts", "first"), [("pages", "job-1"), ("jobs", "job-3")])
def test_the_offset_counts_pages_or_jobs(make_api: ApiMaker, offset_counts: str, first: str) -> None:
    api = make_api(training_offset=offset_counts)
    for number in range(5):
        api.emulator.training_jobs.create(f"job-{number}", workspace_id="0")
    api.emulator.training_jobs.create("elsewhere", workspace_id="w" * 32)
    page = search(api, limit=3, offset=1)
    assert names(page)[0] == first
    assert (page.json()["count"], page.json()["total"]) == (5, 6)


def test_a_search_shows_one_workspace(api: Api) -> None:
    api.emulator.training_jobs.create("default")
    api.emulator.training_jobs.create("other", workspace_id="w" * 32)
    assert names(search(api)) == ["default"]
    assert names(search(api, workspace_id="w" * 32)) == ["other"]


def test_a_new_job_may_be_missing_from_searches_for_a_while(make_api: ApiMaker) -> None:
    api = make_api(training_search_lag=10)
    job_id = create(api).json()["metadata"]["id"]
    assert names(search(api)) == []
    assert phase(api, job_id) == "Creating"
    api.emulator.advance(10)
    assert names(search(api)) == ["train-1"]


LIVES = {
    "normal": ["Creating", "Pending", "Running", "Completed"],
    "runs": ["Creating", "Pending", "Running"],
    "hangs": ["Creating", "Pending"],
    "fails": ["Creating", "Pending", "Running", "Failed"],
    "killed": ["Creating", "Pending", "Running", "Failed"],
    "abnormal": ["Creating", "Abnormal"],
    "terminated": ["Creating", "Pending", "Running", "Terminating", "Terminated"],
    "rescheduled": ["Creating", "Pending", "Running", "Pending", "Running", "Completed"],
    "restarts": ["Creating", "Pending", "Running", "Completed"],
    "vanishes": ["Creating", "Pending", "Running", "ModelArts.2775"],
    "unknown": ["Creating", "Pending", "Hibernating", "Running", "Completed"],
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_job_follows_its_script(api: Api, script: str) -> None:
    job_id = api.emulator.training_jobs.create(script=script).job_id
    seen = [phase(api, job_id)]
    for _ in range(110):
        api.emulator.advance(1)
        now = phase(api, job_id)
        if now != seen[-1]:
            seen.append(now)
    assert seen == LIVES[script]


def test_scripts_by_name_and_by_text(make_api: ApiMaker) -> None:
    api = make_api(training_scripts={"will-fail-*": "fails", "x": "running:1,Failed=3:1"})
    for name in ("will-fail-1", "x", "other"):
        create(api, name)
    api.emulator.advance(20)
    jobs = {job.job_name: job for job in api.emulator.training_jobs.all()}
    assert {name: (job.phase, job.exit_code) for name, job in jobs.items()} == {
        "will-fail-1": ("Failed", 1),
        "x": ("Failed", 3),
        "other": ("Running", None),
    }
    api.emulator.training_jobs.set_phase(jobs["other"].job_id, "abnormal")
    assert phase(api, jobs["other"].job_id) == "Abnormal"
    api.emulator.training_jobs.remove(jobs["x"].job_id)
    assert phase(api, jobs["x"].job_id) == "ModelArts.2775"
    for wrong in ("nonsense", "Running", "Running:x", "Running=1:5", "8:1"):
        with pytest.raises(ValueError, match="script"):
            api.emulator.training_jobs.create(script=wrong)


def test_a_failed_job_says_why(api: Api) -> None:
    job_id = api.emulator.training_jobs.create(script="killed").job_id
    api.emulator.advance(60)
    status = call(api, "GET", f"training-jobs/{job_id}").json()["status"]
    (task,) = status["task_statuses"]
    (run,) = status["running_records"]
    assert (task["task"], task["exit_code"]) == ("worker-0", 137)
    assert "exit code 137" in task["message"]
    assert (run["end_reason"], run["end_related_task"]) == ("exit with 137", "worker-0")
    assert status["duration"] == 10_000


def test_a_rescheduled_and_a_restarted_job_have_two_runs(api: Api) -> None:
    for script, end_recover, start_type in (
        ("rescheduled", "job_reschedule", "init_or_rescheduled"),
        ("restarts", "proc_restart", "restarted"),
    ):
        job_id = api.emulator.training_jobs.create(script=script).job_id
        api.emulator.advance(200)
        first, second = call(api, "GET", f"training-jobs/{job_id}").json()["status"]["running_records"]
        assert (first["end_recover"], second["start_type"]) == (end_recover, start_type)
        assert second["end_reason"] == "job completed"


def test_auto_stop_terminates_a_job_that_runs_too_long(api: Api) -> None:
    job_id = api.emulator.training_jobs.create(script="runs", auto_stop_hours=2).job_id
    api.emulator.advance(7204)
    assert phase(api, job_id) == "Running"
    api.emulator.advance(2)
    assert phase(api, job_id) == "Terminating"
    api.emulator.advance(5)
    assert phase(api, job_id) == "Terminated"
    messages = [event["message"] for event in call(api, "GET", f"training-jobs/{job_id}/events").json()["events"]]
    assert "The training job has been stopped. (Maximum running duration: 2 hours)" in messages


def test_a_log_grows_and_ends_in_the_cause(api: Api) -> None:
    job_id = api.emulator.training_jobs.create(script="fails", node_count=2).job_id
    preview = f"training-jobs/{job_id}/tasks/worker-0/logs/preview"
    assert call(api, "GET", preview).status_code == 204
    assert call(api, "GET", f"training-jobs/{job_id}/logs/worker-0").status_code == 204
    assert refusal(call(api, "GET", f"training-jobs/{job_id}/tasks/worker-0/logs/url")) == (400, "ModelArts.2818")
    api.emulator.advance(8)
    assert call(api, "GET", preview).json()["content"].splitlines()[1:] == [
        "INFO step 1: loss 1.0000",
        "INFO step 2: loss 0.5000",
        "INFO step 3: loss 0.3333",
    ]
    api.emulator.training_jobs.write_log(job_id, "mine")
    api.emulator.advance(60)
    content = call(api, "GET", preview).json()
    lines = content["content"].splitlines()
    assert lines[4:6] == ["mine", "INFO step 4: loss 0.2500"]
    assert lines[-2] == "RuntimeError: the emulated training failed with exit code 1"
    assert content["full_size"] == content["current_size"] == len(content["content"])
    other = call(api, "GET", f"training-jobs/{job_id}/tasks/worker-1/logs/preview").json()["content"]
    assert "RuntimeError" not in other
    assert refusal(call(api, "GET", f"training-jobs/{job_id}/logs/worker-2")) == (400, "ModelArts.2820")


def test_the_log_url_leads_to_the_whole_log_for_whoever_has_it(api: Api) -> None:
    job_id = api.emulator.training_jobs.create(script="fails").job_id
    api.emulator.advance(60)
    url = call(api, "GET", f"training-jobs/{job_id}/tasks/worker-0/logs/url").json()["obs_url"]
    assert requests.get(url, timeout=10).text.splitlines()[-2].startswith("RuntimeError")
    assert requests.get(url.partition("?")[0], timeout=10).status_code == 403


@pytest.mark.parametrize(("overlaps", "second"), [(False, ["c", "d"]), (True, ["b", "c"])])
def test_log_lines_go_on_from_a_line_number(make_api: ApiMaker, overlaps: bool, second: list[str]) -> None:
    api = make_api(training_log_overlap=overlaps)
    job_id = api.emulator.training_jobs.create(phase="Running").job_id
    api.emulator.training_jobs.write_log(job_id, "a\nb\nc\nd")
    path = f"training-jobs/{job_id}/logs/worker-0"

    def lines(**query: object) -> dict[str, Any]:
        content: dict[str, Any] = call(api, "GET", path, None, **query).json()
        return content

    first = lines(base_line="0", lines=3, order="asc")
    assert first["content"].splitlines()[1:] == ["a", "b"]
    assert lines(base_line=first["end_line"], lines=2, order="asc")["content"].splitlines() == second
    assert lines(lines=2)["content"].splitlines() == ["d", "c"]
    assert lines(base_line="1551252759254000009", order="asc")["content"] == ""
    for wrong in ({"lines": 501}, {"lines": 0}, {"order": "up"}, {"base_line": "x"}):
        assert refusal(call(api, "GET", path, None, **wrong)) == (400, "ModelArts.2788")


def test_events_come_in_pages(api: Api) -> None:
    job_id = api.emulator.training_jobs.create(script="fails").job_id
    api.emulator.advance(60)
    path = f"training-jobs/{job_id}/events"
    answer = call(api, "GET", path, limit=2, order="asc").json()
    assert answer["total"] == 5
    assert [event["message"] for event in answer["events"]] == ["Training job created.", "Training job is queuing."]
    (last,) = call(api, "GET", path, limit=2, offset=2, order="asc").json()["events"]
    assert (last["level"], last["message"], last["source"]) == ("Error", "Training job failed.", "Job")
    errors = call(api, "GET", path, level="Error", pattern="Exit code").json()["events"]
    assert [event["message"] for event in errors] == ["Training finished. Exit code 1."]
    assert refusal(call(api, "GET", path, level="error")) == (400, "ModelArts.50004000")
    assert refusal(call(api, "GET", path, limit=101)) == (400, "ModelArts.2788")


def test_metrics_show_how_much_is_used(api: Api) -> None:
    job = api.emulator.training_jobs.create(script="runs")
    assert call(api, "GET", f"training-jobs/{job.job_id}/metrics/worker-0").status_code == 204
    api.emulator.advance(5 + 180)
    job.utilization = 3.5
    found = call(api, "GET", f"training-jobs/{job.job_id}/metrics/worker-0").json()["metrics"]
    values = {entry["metric"]: entry["value"] for entry in found}
    assert values["gpuUtil"] == [3.5] * 3
    assert values["npuUtil"] == [-1.0] * 3


def test_engines_and_flavors(api: Api) -> None:
    answer = call(api, "GET", "training-job-engines").json()
    assert answer["total"] == len(answer["items"]) == 2
    assert call(api, "GET", "training-job-flavors").json()["total_count"] == 3
    flavors = call(api, "GET", "training-job-flavors", flavor_type="GPU").json()["flavors"]
    assert [flavor["flavor_type"] for flavor in flavors] == ["GPU"]


def test_faults_denials_and_the_request_log_know_the_operations(make_api: ApiMaker) -> None:
    api = make_api(deny=["training.search"])
    answer = search(api)
    assert refusal(answer) == (403, "ModelArts.0112")
    assert "modelarts:trainJob:list" in answer.json()["error_msg"]
    api.emulator.inject(Fault("status", "training.create", times=1, status=409, error_code="ModelArts.2878"))
    assert refusal(create(api)) == (409, "ModelArts.2878")
    api.emulator.inject(Fault("wrong_types", "training.create", times=1))
    assert create(api).json()["status"] == "abc"
    job_id = api.emulator.training_jobs.all()[0].job_id
    api.emulator.inject(Fault("wrong_types", "training.delete", times=1))
    assert call(api, "DELETE", f"training-jobs/{job_id}").json() == []
    assert api.emulator.request_counts() == {"training.search": 1, "training.create": 2, "training.delete": 1}


def test_the_api_may_be_absent(make_api: ApiMaker) -> None:
    api = make_api(training_retired=True)
    assert create(api).status_code == 404
    assert search(api).json()["error_code"] == "APIGW.0101"
    assert api.list().status_code == 200


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["id", "in", "between", "job"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["key", "operator", "value", "resource", "engine", "name"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
FIELDS = ("kind", "metadata", "algorithm", "spec", "filters", "limit", "offset", "order", "workspace_id", "description")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.dictionaries(st.sampled_from(FIELDS), VALUE, max_size=4))
def test_whatever_is_sent_is_answered_or_refused(api: Api, body: dict[str, Any]) -> None:
    """A server error is the emulator's own bug."""
    job_id = api.emulator.training_jobs.create().job_id
    for method, path, content in (
        ("POST", "training-jobs", {**BODY, "metadata": {"name": f"x-{job_id}"}, **body}),
        ("PUT", f"training-jobs/{job_id}", body),
        ("POST", "training-job-searches", body),
        ("GET", f"training-jobs/{job_id}", None),
    ):
        answer = call(api, method, path, content)
        assert answer.status_code in (200, 201, 400), (method, path, content, answer.text)
