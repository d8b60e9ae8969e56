"""Create, list, details and update: fields, limits, defaults, messages and the two shapes of answers."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.emulator.client import Api, ApiMaker

STOP_AFTER_AN_HOUR = {"type": "stop", "time_unit": "HOURS", "duration": 1}


def refusal(code: str, message: str) -> dict[str, Any]:
    return {"is_success": False, "error_message": message, "error_code": code}


def names(api: Api, **query: object) -> list[str]:
    answer = api.list(**query)
    assert answer.status_code == 200, answer.text
    return [job["job_name"] for job in answer.json()["jobs"]]


class TestCreate:
    def test_answer(self, api: Api) -> None:
        before = time.time()
        answer = api.create()
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
        content = answer.json()
        assert before - 1 <= content.pop("create_time") / 1000 <= time.time() + 1
        (job_id,) = api.emulator.jobs
        assert content == {
            "is_success": True,
            "job_id": int(job_id),
            "job_name": "visualization-job",
            "status": 1,
            "service_url": None,
        }

    def test_numbers_as_strings(self, make_api: ApiMaker) -> None:
        content = make_api(string_numbers=True).create().json()
        assert content["status"] == "1"
        assert content["job_id"].isdecimal()
        assert len(content["create_time"]) == 13

    def test_everything_that_can_be_given(self, api: Api) -> None:
        answer = api.create(
            job_name="a" * 20,
            job_desc="描" * 256,
            job_type="mindinsight",
            flavor={"code": "modelarts.vm.cpu.2u"},
            schedule=[STOP_AFTER_AN_HOUR],
            workspace_id="7",
        )
        job = api.emulator.job(answer.json()["job_id"])
        assert (job.job_name, job.job_desc, job.train_url) == ("a" * 20, "描" * 256, "/obs/name/")
        assert (job.job_type, job.auto_stop_hours, job.workspace_id) == ("mindinsight", 1, "7")

    @pytest.mark.parametrize(
        ("schedule", "hours"),
        [
            (STOP_AFTER_AN_HOUR, 1),
            ([{**STOP_AFTER_AN_HOUR, "duration": 24}], 24),
            ({**STOP_AFTER_AN_HOUR, "duration": 0}, 0),
            (None, 0),
            ([], 0),
        ],
    )
    def test_schedule(self, api: Api, schedule: Any, hours: int) -> None:
        job_id = api.create(schedule=schedule).json()["job_id"]
        assert api.emulator.job(job_id).auto_stop_hours == hours

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"job_name": None}, "Illegal job_name: None"),
            ({"job_name": ""}, "Illegal job_name: "),
            ({"job_name": "a" * 21}, f"Illegal job_name: {'a' * 21}"),
            ({"job_name": "visualization job"}, "Illegal job_name: visualization job"),
            ({"job_name": "name\n"}, "Illegal job_name: name\n"),
            ({"job_name": 7}, "Illegal job_name: 7"),
            ({"job_desc": "x" * 257}, "The length of job_desc should be in [0,256]"),
            ({"job_desc": 7}, "The length of job_desc should be in [0,256]"),
            ({"train_url": None}, "Illegal train_url: None"),
            ({"train_url": "obs://bucket/dir/"}, "Illegal train_url: obs://bucket/dir/"),
            ({"train_url": "/bucket/"}, "Illegal train_url: /bucket/"),
            ({"job_type": "xboard"}, "job_type should be tensorboard or mindinsight: xboard"),
            ({"job_type": ""}, "job_type should be tensorboard or mindinsight: "),
            ({"flavor": {}}, "flavor should be an object with a code"),
            ({"flavor": "cpu"}, "flavor should be an object with a code"),
            ({"schedule": "stop"}, "schedule should be an object or a list of one"),
            ({"schedule": [STOP_AFTER_AN_HOUR] * 2}, "schedule should be an object or a list of one"),
            ({"schedule": {**STOP_AFTER_AN_HOUR, "type": "start"}}, "schedule: type should be stop"),
            ({"schedule": {**STOP_AFTER_AN_HOUR, "time_unit": "DAYS"}}, "schedule: time_unit should be HOURS"),
            ({"schedule": {"type": "stop", "duration": 1}}, "schedule: time_unit should be HOURS"),
            ({"schedule": {**STOP_AFTER_AN_HOUR, "duration": 25}}, "schedule: duration should be in [0,24]"),
            ({"schedule": {**STOP_AFTER_AN_HOUR, "duration": "1"}}, "schedule: duration should be in [0,24]"),
            ({"schedule": {**STOP_AFTER_AN_HOUR, "duration": True}}, "schedule: duration should be in [0,24]"),
        ],
    )
    def test_illegal_field(self, api: Api, fields: dict[str, Any], message: str) -> None:
        answer = api.create(**fields)
        assert answer.status_code == 400
        assert answer.json() == refusal("ModelArts.0104", message)
        assert api.emulator.jobs == {}

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"", "The request body is not JSON"),
            (b"{", "The request body is not JSON"),
            (b"\xff", "The request body is not JSON"),
            (b"[" * 100_000, "The request body is not JSON"),
            (b"[]", "The request body is not a JSON object"),
        ],
    )
    def test_illegal_body(self, api: Api, body: bytes, message: str) -> None:
        answer = api.send("POST", api.jobs, body=body)
        assert answer.status_code == 400
        assert answer.json() == refusal("ModelArts.0104", message)

    def test_text_that_is_no_unicode_does_no_harm(self, api: Api) -> None:
        job_id = api.send(
            "POST", api.jobs, body=b'{"job_name":"x","train_url":"/bucket/\\ud800/","job_desc":"\\ud800"}'
        ).json()["job_id"]
        assert api.get(job_id).json()["job_desc"] == api.list().json()["jobs"][0]["job_desc"] == "?"

    def test_duplicate_name(self, api: Api) -> None:
        job_id = api.create().json()["job_id"]
        answer = api.create()
        assert answer.status_code == 400
        assert answer.json() == refusal("ModelArts.0103", "The job name visualization-job already exists.")
        api.delete(job_id)
        assert api.create().json()["error_code"] == "ModelArts.0103", "the name is taken until the job is gone"
        api.emulator.advance(60)
        assert api.create().json()["job_id"] != job_id

    def test_job_quota(self, make_api: ApiMaker) -> None:
        api = make_api(job_quota=2)
        for expected in (2, 1, 0):
            assert api.list().json()["job_count_limit"] == expected
            answer = api.create(job_name=f"job-{expected}")
        assert answer.status_code == 400
        assert answer.json() == refusal("ModelArts.0106", "The number of visualization jobs exceeds the limit 2.")

    def test_running_quota(self, make_api: ApiMaker) -> None:
        api = make_api(running_quota=1)
        stopped = api.emulator.create_job(status=12)
        assert api.list().json()["quotas"] == 1
        assert api.create().status_code == 200
        for answer in (api.create(job_name="two"), api.restart(stopped)):
            assert answer.status_code == 400
            assert answer.json()["error_code"] == "ModelArts.0106"


class TestDetails:
    def test_shape_2021(self, api: Api) -> None:
        job_id = api.create(job_desc="ModelArts API Dialtest").json()["job_id"]
        api.emulator.advance(15 + 33)
        content = api.get(job_id).json()
        assert content.pop("create_time") > 10**12
        assert len(content.pop("resource_id")) == 36
        assert content == {
            "duration": 33000,
            "service_url": f"{api.emulator.url}/modelarts2/tensorboard/{api.emulator.project_id}/{job_id}/",
            "job_name": "visualization-job",
            "train_url": "/obs/name/",
            "job_id": job_id,
            "job_desc": "ModelArts API Dialtest",
            "status": 8,
            "remaining_duration": None,
            "is_success": True,
        }

    def test_shape_2025(self, make_api: ApiMaker) -> None:
        api = make_api(shape="2025")
        content = api.get(api.emulator.create_job()).json()
        assert {"is_success", "remaining_duration"}.isdisjoint(content)
        assert api.get(9).json().keys() == {"error_code", "error_message"}
        assert api.stop(9).json()["is_success"] is False

    @pytest.mark.parametrize("action", ["get", "update", "delete", "stop", "restart"])
    def test_no_such_job(self, api: Api, action: str) -> None:
        body = [{"job_desc": ""}] if action == "update" else []
        answer = getattr(api, action)(9, *body)
        assert answer.status_code == 404
        assert answer.json() == refusal("ModelArts.0102", "The visualization job 9 does not exist.")

    @pytest.mark.parametrize("job_id", ["abc", "-1", "1.0", "9" * 20])
    def test_illegal_job_id(self, api: Api, job_id: str) -> None:
        answer = api.get(job_id)
        assert answer.status_code == 400
        assert answer.json() == refusal("ModelArts.0104", f"Illegal job_id: {job_id}")

    def test_service_url_is_known_before_the_job_runs(self, api: Api) -> None:
        job_id = api.emulator.create_job()
        assert api.get(job_id).json()["service_url"] is None
        api.emulator.set_status(job_id, 7)
        assert api.get(job_id).json()["service_url"] is not None

    def test_remaining_duration(self, api: Api) -> None:
        job_id = api.emulator.create_job(script="8:0", auto_stop_hours=1)
        api.emulator.advance(600)
        assert api.get(job_id).json()["remaining_duration"] == 3_000_000


class TestUpdate:
    def test_description(self, api: Api) -> None:
        job_id = api.emulator.create_job()
        answer = api.update(job_id, {"job_desc": "描述 é"})
        assert (answer.status_code, answer.json()) == (200, {"is_success": True})
        assert api.get(job_id).json()["job_desc"] == "描述 é"

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({}, "job_desc is mandatory"),
            ({"job_desc": "x" * 257}, "The length of job_desc should be in [0,256]"),
            ({"job_desc": 1}, "The length of job_desc should be in [0,256]"),
            ([], "The request body is not a JSON object"),
        ],
    )
    def test_illegal(self, api: Api, body: Any, message: str) -> None:
        job_id = api.emulator.create_job(job_desc="old")
        answer = api.update(job_id, body)
        assert (answer.status_code, answer.json()) == (400, refusal("ModelArts.0104", message))
        assert api.get(job_id).json()["job_desc"] == "old"


class TestList:
    @pytest.fixture
    def jobs(self, api: Api) -> list[str]:
        """Four jobs whose name, description and status sort differently."""
        for name, description, status in (("b", "x", 8), ("d", "z", 7), ("a", "y", 8), ("c", "w", 12)):
            api.emulator.create_job(name, job_desc=description, status=status)
        return [job.job_name for job in api.emulator.jobs.values()]

    def test_answer(self, api: Api) -> None:
        job_id = api.create(schedule=[STOP_AFTER_AN_HOUR]).json()["job_id"]
        api.emulator.advance(16)
        content = api.list().json()
        (item,) = content.pop("jobs")
        assert content == {"quotas": 1000, "is_success": True, "job_total_count": 1, "job_count_limit": 999}
        details = api.get(job_id).json()
        del details["is_success"]
        assert item == {**details, "schedule": [{"type": "stop", "timeUnit": "HOURS", "duration": 1}]}

    def test_shape_2025(self, make_api: ApiMaker) -> None:
        api = make_api(shape="2025")
        api.emulator.create_job()
        content = api.list().json()
        assert content["is_success"] is True
        assert {"schedule", "remaining_duration"}.isdisjoint(content["jobs"][0])

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, "bdac"),
            ({"order": "desc"}, "cadb"),
            ({"sortBy": "job_id"}, "bdac"),
            ({"sortBy": "job_name"}, "abcd"),
            ({"sort_by": "job_name"}, "abcd"),
            ({"sort_by": "job_id", "sortBy": "job_name"}, "abcd"),
            ({"sortBy": "job_name", "order": "desc"}, "dcba"),
            ({"sortBy": "job_desc"}, "cbad"),
            ({"sortBy": "create_time"}, "bdac"),
            ({"sortBy": "status"}, "dbac"),
            ({"status": "8"}, "ba"),
            ({"status": ""}, "bdac"),
            ({"status": "7|12"}, "dc"),
            ({"status": "7,8,12", "order": "desc"}, "cadb"),
            ({"status": "3"}, ""),
            ({"search_content": "a"}, "a"),
            ({"search_content": "w"}, "c"),
            ({"search_content": ""}, "bdac"),
            ({"per_page": 2}, "bd"),
            ({"per_page": 2, "page": 2}, "ac"),
            ({"per_page": 3, "page": 2}, "c"),
            ({"per_page": 2, "page": 3}, ""),
            ({"per_page": 1, "page": 2, "status": "8", "sortBy": "job_name"}, "b"),
            ({"workspace_id": "7"}, ""),
        ],
    )
    def test_query(self, api: Api, jobs: list[str], query: dict[str, object], expected: str) -> None:
        assert names(api, **query) == list(expected)

    def test_total_count_is_over_all_pages_of_what_fits(self, api: Api, jobs: list[str]) -> None:
        content = api.list(per_page=1, status="8").json()
        assert (content["job_total_count"], len(content["jobs"])) == (2, 1)

    def test_ten_jobs_a_page_by_default(self, api: Api) -> None:
        for _ in range(11):
            api.emulator.create_job()
        assert len(names(api)) == 10
        assert len(names(api, per_page=1000)) == 11

    def test_workspaces(self, api: Api) -> None:
        api.create(job_name="there", workspace_id="7")
        api.create(job_name="here")
        assert names(api) == names(api, workspace_id="0") == ["here"]
        assert names(api, workspace_id="7") == ["there"]

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ({"per_page": 0}, "per_page should be in [1,1000]: 0"),
            ({"per_page": 1001}, "per_page should be in [1,1000]: 1001"),
            ({"per_page": "ten"}, "per_page should be in [1,1000]: ten"),
            ({"per_page": ""}, "per_page should be in [1,1000]: "),
            ({"page": 0}, "page should be in [1,65535]: 0"),
            ({"page": -1}, "page should be in [1,65535]: -1"),
            (
                {"sortBy": "duration"},
                "sortBy should be one of job_id, job_name, job_desc, create_time, status: duration",
            ),
            ({"order": "up"}, "order should be one of asc, desc: up"),
            ({"status": "running"}, "Illegal status: running"),
            ({"status": "3|"}, "Illegal status: 3|"),
            ({"search_content": "x" * 65}, "The length of search_content should be in [0,64]"),
        ],
    )
    def test_illegal(self, api: Api, query: dict[str, object], message: str) -> None:
        answer = api.list(**query)
        assert answer.status_code == 400
        assert answer.json() == refusal("ModelArts.0104", message)

    def test_old_deployment_with_small_pages(self, make_api: ApiMaker) -> None:
        api = make_api(per_page_limit=100)
        assert api.list(per_page=101).json() == refusal("ModelArts.0104", "per_page should be in [1,100]: 101")
        assert api.list(per_page=100).status_code == 200


def test_failures_as_200(make_api: ApiMaker) -> None:
    api = make_api(failures_as_200=True)
    job_id = api.emulator.create_job(status=12)
    for answer, code in (
        (api.get(9), "ModelArts.0102"),
        (api.stop(job_id), "ModelArts.0105"),
        (api.create(job_name=""), "ModelArts.0104"),
    ):
        assert answer.status_code == 200
        assert answer.json()["is_success"] is False
        assert answer.json()["error_code"] == code
    assert api.send("GET", api.jobs, signer_keys=("NOBODY", "x")).status_code == 401
