"""The emulator's own endpoints: the same powers as the Python API has, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_provider_modelarts.emulator import Fault
from tests.emulator.client import Api

Admin = Callable[..., Any]


@pytest.fixture
def admin(api: Api) -> Admin:
    """Send a request to an admin endpoint; return the answer's JSON."""

    def send(method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = requests.request(method, f"{api.emulator.url}/_emulator/{path}", json=body, timeout=10)
        assert answer.status_code == status, answer.text
        return answer.json()

    return send


def test_jobs(api: Api, admin: Admin) -> None:
    job = admin("POST", "jobs", {"job_name": "x", "script": "hangs", "auto_stop_hours": 1})
    assert (job["job_name"], job["status"], job["auto_stop_hours"]) == ("x", 1, 1)
    path = f"jobs/{job['job_id']}"
    assert admin("PUT", path, {"status": 42})["status"] == 42
    assert api.status(job["job_id"]) == 42
    assert admin("PUT", path, {"script": "11:0"})["status"] == 11
    assert [entry["status"] for entry in admin("GET", "jobs")["jobs"]] == [11]
    admin("DELETE", path)
    assert api.status(job["job_id"]) == "ModelArts.0102"


def test_clock(api: Api, admin: Admin) -> None:
    job_id = api.emulator.create_job()
    assert admin("GET", "") == {"time": 0, "jobs": 1}
    assert admin("POST", "clock", {"advance": 15}) == {"time": 15, "jobs": 1}
    assert api.status(job_id) == 8


def test_scripts(api: Api, admin: Admin) -> None:
    admin("POST", "scripts", {"will-fail-*": "fails", "bad": "1:0,11:1"})
    assert admin("GET", "scripts") == {"scripts": {"will-fail-*": "fails", "bad": "1:0,11:1"}}
    job_id = api.create(job_name="bad").json()["job_id"]
    api.emulator.advance(1)
    assert api.status(job_id) == 11
    admin("DELETE", "scripts")
    assert admin("GET", "scripts") == {"scripts": {}}


def test_training_jobs(api: Api, admin: Admin) -> None:
    admin("POST", "training-scripts", {"will-fail-*": "fails"})
    assert admin("GET", "training-scripts") == {"scripts": {"will-fail-*": "fails"}}
    job = admin("POST", "training-jobs", {"job_name": "will-fail-1", "workspace_id": "0"})
    assert (job["job_name"], job["phase"]) == ("will-fail-1", "Creating")
    api.emulator.advance(60)
    assert [entry["exit_code"] for entry in admin("GET", "training-jobs")["jobs"]] == [1]
    path = f"training-jobs/{job['job_id']}"
    assert admin("PUT", path, {"phase": "Failed=137"})["exit_code"] == 137
    assert admin("PUT", path, {"script": "pending:0"})["phase"] == "Pending"
    admin("PUT", path, {"phase": "Running", "script": "fails"}, status=400)
    admin("PUT", path, {"script": "nonsense"}, status=400)
    admin("DELETE", path)
    admin("DELETE", path, status=404)
    admin("DELETE", "training-scripts")
    assert admin("GET", "training-scripts") == {"scripts": {}}


def test_faults(api: Api, admin: Admin) -> None:
    admin("POST", "faults", {"kind": "status", "status": 429, "operation": "list", "times": 2, "retry_after": 1})
    assert api.list().headers["Retry-After"] == "1"
    expected = Fault("status", status=429, operation="list", times=1, retry_after=1)
    assert admin("GET", "faults") == {"faults": [expected.as_dict()]}
    admin("DELETE", "faults")
    assert api.list().status_code == 200


def test_requests(api: Api, admin: Admin) -> None:
    api.list(page=2)
    api.get(9)
    content = admin("GET", "requests")
    assert content["counts"] == {"list": 1, "get": 1}
    first, second = content["requests"]
    assert (first["operation"], first["method"], first["path"]) == ("list", "GET", api.jobs)
    assert (first["query"], first["status"], second["status"]) == ("page=2", 200, 404)
    assert first["time"] <= second["time"]
    admin("DELETE", "requests")
    assert admin("GET", "requests") == {"counts": {}, "requests": []}


def test_tokens(api: Api, admin: Admin) -> None:
    token = api.emulator.cloud.iam.tokens.issue("project", api.emulator.cloud.now(), 3600).secret
    url, headers = api.emulator.url + api.jobs, {"X-Auth-Token": token}
    assert requests.get(url, headers=headers, timeout=10).status_code == 200
    admin("DELETE", "tokens")
    assert "token expires" in requests.get(url, headers=headers, timeout=10).text


@pytest.mark.parametrize(
    ("method", "path", "body", "reason"),
    [
        ("POST", "faults", {"kind": "fire"}, "fire"),
        ("POST", "faults", {"kind": "cut", "often": 1}, "often"),
        ("POST", "faults", {}, "kind"),
        ("POST", "faults", {"kind": "cut", "times": "two"}, "times"),
        ("POST", "faults", {"kind": "status", "headers": 7}, "headers"),
        ("POST", "faults", [], "JSON object"),
        ("POST", "jobs", {"script": "nonsense"}, "nonsense"),
        ("POST", "jobs", {"color": "red"}, "color"),
        ("POST", "jobs", {"job_name": 7}, "job_name"),
        ("POST", "jobs", {"auto_stop_hours": "2"}, "auto_stop_hours"),
        ("POST", "jobs", {"status": "8"}, "status"),
        ("POST", "scripts", {"x": "nonsense"}, "nonsense"),
        ("POST", "scripts", {"x": 7}, "7"),
        ("POST", "clock", {"advance": -1}, "forward"),
        ("POST", "clock", {"advance": "1"}, "advance"),
        ("POST", "clock", {}, "advance is missing"),
        ("PUT", "jobs/1001", {}, "status or script"),
        ("PUT", "jobs/1001", {"status": 8, "script": "fails"}, "status or script"),
        ("PUT", "jobs/1001", {"status": "8"}, "status"),
        ("PUT", "jobs/1001", {"script": 7}, "7"),
    ],
)
def test_bad_request(api: Api, admin: Admin, method: str, path: str, body: Any, reason: str) -> None:
    job_id = api.emulator.create_job(status=1)
    assert job_id == "1001"
    assert reason in admin(method, path, body, status=400)["error"]
    assert {key: job.status for key, job in api.emulator.jobs.items()} == {job_id: 1}
    assert api.list().status_code == 200


@pytest.mark.parametrize(("method", "body"), [("PUT", {"status": 8}), ("PUT", {"script": "fails"}), ("DELETE", None)])
@pytest.mark.parametrize("job_id", ["9", "x"])
def test_no_such_job(admin: Admin, method: str, body: Any, job_id: str) -> None:
    assert admin(method, f"jobs/{job_id}", body, status=404) == {"error": f"no job {job_id}"}
