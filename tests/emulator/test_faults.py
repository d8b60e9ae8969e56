"""Every kind of fault, as a client on a socket sees it."""

from __future__ import annotations

import http.client
import time
from typing import Any

import pytest
import requests

from airflow_provider_modelarts.emulator import Emulator, Fault
from tests.emulator.client import Api

LOST = "Connection aborted"


@pytest.fixture
def job_id(api: Api) -> str:
    return api.emulator.create_job(status=8)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 500, 502, 503, 504, 520])
def test_status(api: Api, job_id: str, status: int) -> None:
    api.emulator.inject(Fault("status", status=status, times=1))
    answer = api.get(job_id)
    assert answer.status_code == status
    assert "Retry-After" not in answer.headers
    content = answer.json()
    assert content["error_code"].startswith("APIGW.0")
    assert content["request_id"] == answer.headers["X-Request-Id"]
    assert api.get(job_id).status_code == 200


def test_status_with_modelarts_error(api: Api, job_id: str) -> None:
    api.emulator.inject(Fault("status", status=429, error_code="ModelArts.6101", message="System busy"))
    content = {"is_success": False, "error_message": "System busy", "error_code": "ModelArts.6101"}
    assert api.get(job_id).json() == content


def test_status_with_body(api: Api, job_id: str) -> None:
    api.emulator.inject(Fault("status", status=200, body='{"any": "thing"}'))
    answer = api.get(job_id)
    assert (answer.status_code, answer.text) == (200, '{"any": "thing"}')


def test_status_without_body(api: Api, job_id: str) -> None:
    api.emulator.inject(Fault("status", status=204))
    answer = api.get(job_id)
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("retry_after", [7, "Wed, 21 Oct 2037 07:28:00 GMT"])
def test_retry_after(api: Api, job_id: str, retry_after: Any) -> None:
    api.emulator.inject(Fault("status", status=429, retry_after=retry_after))
    assert api.get(job_id).headers["Retry-After"] == str(retry_after)


def test_redirect(api: Api, job_id: str) -> None:
    api.emulator.inject(Fault("status", status=302, headers={"Location": "/elsewhere"}, times=1))
    answer = api.get(job_id)
    assert [hop.status_code for hop in answer.history] == [302]
    assert answer.status_code == 404


def test_iam_errors_come_as_keystone_sends_them(api: Api) -> None:
    api.emulator.inject(Fault("status", status=503, operation="token"))
    answer = api.session.post(f"{api.emulator.url}/v3/auth/tokens", json={}, timeout=10)
    content = {"code": 503, "message": "The service is currently unavailable.", "title": "Service Unavailable"}
    assert (answer.status_code, answer.json()) == (503, {"error": content})


def test_delay(api: Api, job_id: str) -> None:
    api.emulator.inject(Fault("delay", delay=0.05))
    started = time.monotonic()
    assert api.get(job_id).json()["status"] == 8
    assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize("kind", ["status", "cut"])
def test_delay_of_another_kind(api: Api, kind: Any) -> None:
    api.emulator.inject(Fault(kind, delay=3600))
    api.timeout = 0.2
    with pytest.raises(requests.ReadTimeout):
        api.list()


def test_delayed_operation_is_carried_out_at_once(api: Api) -> None:
    api.emulator.inject(Fault("delay", delay=3600, operation="create"))
    token = api.emulator.cloud.iam.tokens.issue("project", api.emulator.cloud.now(), 3600).secret
    connection = http.client.HTTPConnection("127.0.0.1", api.emulator.port, timeout=10)
    body = '{"job_name": "visualization-job", "train_url": "/obs/name/"}'
    connection.request("POST", api.jobs, body, {"X-Auth-Token": token})
    while not api.emulator.requests():
        time.sleep(0.01)
    assert api.list().json()["job_total_count"] == 1
    connection.close()
    assert [record.status for record in api.emulator.requests()] == [None, 200]


def test_cut(api: Api) -> None:
    api.emulator.inject(Fault("cut", times=1))
    with pytest.raises(requests.ConnectionError, match=LOST):
        api.create()
    assert api.emulator.jobs == {}
    assert api.emulator.request_counts() == {"create": 1}
    assert api.emulator.requests()[0].status is None
    assert api.create().status_code == 200


def test_cut_after(api: Api) -> None:
    api.emulator.inject(Fault("cut_after", operation="create"))
    with pytest.raises(requests.ConnectionError, match=LOST):
        api.create()
    assert [job.job_name for job in api.emulator.jobs.values()] == ["visualization-job"]


@pytest.mark.parametrize("kind", ["cut", "cut_after"])
def test_cut_is_no_answer_at_all(api: Api, kind: Any) -> None:
    api.emulator.inject(Fault(kind))
    connection = http.client.HTTPConnection("127.0.0.1", api.emulator.port, timeout=10)
    connection.request("GET", api.jobs)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        connection.getresponse()
    connection.close()


@pytest.mark.parametrize(("status", "expected"), [(None, 502), (200, 200)])
def test_html(api: Api, job_id: str, status: int | None, expected: int) -> None:
    api.emulator.inject(Fault("html", status=status))
    answer = api.get(job_id)
    assert answer.status_code == expected
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.text.startswith("<html>")


def test_truncated(api: Api, job_id: str) -> None:
    whole = api.get(job_id)
    api.emulator.inject(Fault("truncated"))
    answer = api.get(job_id)
    assert answer.status_code == 200
    assert answer.content == whole.content[: len(whole.content) // 2]
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_empty(api: Api) -> None:
    api.emulator.inject(Fault("empty"))
    answer = api.create()
    assert (answer.status_code, answer.content) == (200, b"")
    assert len(api.emulator.jobs) == 1


def test_wrong_types(api: Api, job_id: str) -> None:
    api.emulator.inject(Fault("wrong_types"))
    details = api.get(job_id).json()
    assert (details["status"], details["create_time"], details["duration"]) == ("abc", "yesterday", [])
    assert details["job_name"] == f"job-{job_id}"
    content = api.list().json()
    assert (content["jobs"], content["job_total_count"]) == ("none", "many")


def test_is_success_false(api: Api) -> None:
    api.emulator.inject(Fault("is_success_false", times=1))
    api.emulator.inject(Fault("is_success_false", error_code="ModelArts.0114", message="Too frequent"))
    first, second = api.create(), api.create()
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == {
        "is_success": False,
        "error_message": "Internal error.",
        "error_code": "ModelArts.0010",
    }
    assert second.json() == {"is_success": False, "error_message": "Too frequent", "error_code": "ModelArts.0114"}
    assert api.emulator.jobs == {}


class TestPlan:
    def statuses(self, api: Api, job_id: str, count: int) -> list[int]:
        return [api.get(job_id).status_code for _ in range(count)]

    def test_until_cleared(self, api: Api, job_id: str) -> None:
        api.emulator.inject(Fault("status"))
        assert self.statuses(api, job_id, 3) == [503, 503, 503]
        api.emulator.clear_faults()
        assert self.statuses(api, job_id, 1) == [200]

    def test_times_and_after(self, api: Api, job_id: str) -> None:
        api.emulator.inject(Fault("status", after=1, times=2))
        assert self.statuses(api, job_id, 5) == [200, 503, 503, 200, 200]
        assert api.emulator.faults() == []

    def test_oldest_first(self, api: Api, job_id: str) -> None:
        api.emulator.inject(Fault("status", status=500, times=1))
        api.emulator.inject(Fault("status", status=429, times=1))
        assert self.statuses(api, job_id, 3) == [500, 429, 200]

    def test_for_a_while(self, api: Api, job_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        now = [time.monotonic()]
        monkeypatch.setattr("airflow_provider_modelarts.emulator.faults.time.monotonic", lambda: now[0])
        api.emulator.inject(Fault("status", seconds=120))
        assert self.statuses(api, job_id, 2) == [503, 503]
        now[0] += 119
        assert [fault.seconds for fault in api.emulator.faults()] == [pytest.approx(1)]
        now[0] += 1
        assert self.statuses(api, job_id, 1) == [200]

    def test_of_one_operation(self, api: Api, job_id: str) -> None:
        api.emulator.inject(Fault("status", operation="list"))
        assert api.list().status_code == 503
        assert self.statuses(api, job_id, 1) == [200]

    def test_what_is_left(self, api: Api, job_id: str) -> None:
        api.emulator.inject(Fault("status", operation="get", after=1, times=3))
        self.statuses(api, job_id, 2)
        assert api.emulator.faults() == [Fault("status", operation="get", after=0, times=2)]

    def test_credentials_are_not_looked_at(self, api: Api) -> None:
        api.emulator.inject(Fault("status"))
        assert api.send("GET", api.jobs, signer_keys=("NOBODY", "x")).status_code == 503

    def test_own_pages_do_not_fail(self, api: Api, job_id: str) -> None:
        url = api.get(job_id).json()["service_url"]
        api.emulator.inject(Fault("status"))
        assert api.session.get(url, timeout=10).status_code == 200
        assert api.session.get(f"{api.emulator.url}/_emulator/", timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "fire"}, "kind"),
        ({"kind": "cut", "operation": "lst"}, "operation"),
        ({"kind": "status", "status": 99}, "status"),
        ({"kind": "status", "status": 600}, "status"),
        ({"kind": "cut", "times": -1}, "times"),
        ({"kind": "cut", "seconds": -1.0}, "seconds"),
        ({"kind": "cut", "after": -1}, "after"),
        ({"kind": "delay", "delay": -1.0}, "delay"),
    ],
)
def test_no_fault(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault(**fields)


def test_stop_does_not_wait_for_delayed_answers() -> None:
    emulator = Emulator().start()
    emulator.inject(Fault("delay", delay=3600))
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)
    connection.request("GET", "/v3/projects")
    while not emulator.requests():
        time.sleep(0.01)
    emulator.stop()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        connection.getresponse()
    connection.close()
