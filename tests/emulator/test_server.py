"""The emulator as an object: start, stop, threads, snapshots, and the page of a job."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from airflow_provider_modelarts.emulator import Emulator
from tests.emulator.client import Api, ApiMaker

ROOT = Path(__file__).parents[2]


def test_outage_keeps_port_and_jobs() -> None:
    emulator = Emulator()
    with emulator:
        url, job_id = emulator.url, emulator.create_job()
        assert requests.get(f"{url}/v3", timeout=10).status_code == 200
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/v3", timeout=10)
    with emulator:
        assert emulator.url == url
        assert Api(emulator).get(job_id).status_code == 200


def test_start_and_stop_twice() -> None:
    emulator = Emulator()
    assert emulator.start() is emulator.start()
    emulator.stop()
    emulator.stop()


def test_port_is_taken(api: Api) -> None:
    with pytest.raises(OSError, match="Address already in use"):
        Emulator(port=api.emulator.port).start()


def test_on_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with Emulator(host="::1") as emulator:
        assert emulator.url == f"http://[::1]:{emulator.port}"
        assert Api(emulator).list().status_code == 200


def test_emulators_share_nothing(make_api: ApiMaker) -> None:
    one, two = make_api(), make_api()
    one.emulator.create_job()
    assert two.list().json()["job_total_count"] == 0
    assert two.emulator.request_counts() == {"list": 1}
    assert one.emulator.request_counts() == {}


def test_snapshots_do_not_change(api: Api) -> None:
    job_id = api.emulator.create_job(status=7)
    before = api.emulator.job(job_id)
    api.emulator.set_status(job_id, 8)
    assert (before.status, api.emulator.job(job_id).status) == (7, 8)


def test_python_and_http_at_the_same_time(api: Api) -> None:
    def over_http(number: int) -> int:
        return int(Api(api.emulator).create(job_name=f"http-{number}").json()["job_id"])

    def in_python(number: int) -> int:
        job_id = api.emulator.create_job(f"python-{number}")
        api.emulator.set_status(job_id, 8)
        return int(job_id)

    with ThreadPoolExecutor(8) as pool:
        job_ids = [*pool.map(over_http, range(40)), *pool.map(in_python, range(40))]
    assert len(set(job_ids)) == 80
    assert api.list(status="8").json()["job_total_count"] == 40


def test_ten_thousand_jobs(make_api: ApiMaker) -> None:
    api = make_api(job_quota=10_001)
    for number in range(10_000):
        api.emulator.create_job(f"job-{number}")
    api.emulator.advance(15)
    content = api.list(per_page=1000, page=10, status="8").json()
    assert (content["job_total_count"], len(content["jobs"])) == (10_000, 1000)


def test_page_of_a_job(api: Api) -> None:
    job_id = api.emulator.create_job("<b>", train_url="/bucket/<i>&/", job_desc='"quoted"', status=8)
    answer = requests.get(api.get(job_id).json()["service_url"], timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    for expected in ("&lt;b&gt;", "/bucket/&lt;i&gt;&amp;/", "&quot;quoted&quot;", "RUNNING (8)", "http-equiv"):
        assert expected in answer.text
    assert "<b>" not in answer.text
    assert "<i>" not in answer.text
    assert api.emulator.request_counts() == {"get": 1, "page": 1}


@pytest.mark.parametrize("job_id", ["9", "x", "٣", "9" * 30])
def test_page_of_no_job(api: Api, job_id: str) -> None:
    url = f"{api.emulator.url}/modelarts2/tensorboard/{api.emulator.project_id}/{job_id}/"
    answer = requests.get(url, timeout=10)
    assert answer.status_code == 404
    assert "No such visualization job" in answer.text


def test_page_of_another_project(api: Api) -> None:
    job_id = api.emulator.create_job()
    url = f"{api.emulator.url}/modelarts2/tensorboard/{'f' * 32}/{job_id}/"
    assert requests.get(url, timeout=10).status_code == 404


def test_client_that_leaves_before_the_end_of_its_request(api: Api) -> None:
    token = api.emulator.cloud.iam.tokens.issue("project", api.emulator.cloud.now(), 3600).secret
    head = f"POST {api.jobs} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", api.emulator.port)) as connection:
        connection.sendall(head.encode() + b'{"job_name":"half","train_url":"/bucket/dir/"}')
    assert api.list().json()["job_total_count"] == 0
    assert api.emulator.request_counts() == {"list": 1}


def test_unknown_option() -> None:
    with pytest.raises(TypeError, match="time_scal"):
        Emulator(time_scal=2)  # type: ignore[call-arg]


def test_importing_the_package_imports_no_server() -> None:
    code = (
        "import sys, airflow_provider_modelarts.emulator, airflow_provider_modelarts.emulator.pytest_plugin\n"
        "found = {'starlette', 'uvicorn', 'huaweicloudsdkcore', 'keystoneauth1', 'requests'} & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=ROOT)


def test_shares_no_code_with_the_client() -> None:
    code = (
        "import sys, airflow_provider_modelarts.emulator.server\n"
        "ours = {name for name in sys.modules if name.startswith('airflow_provider_modelarts.')}\n"
        "shared = {name for name in ours if not name.startswith('airflow_provider_modelarts.emulator')}\n"
        "api = 'airflow_provider_modelarts.api'\n"
        "kinds = (f'{api}.visualization_jobs', f'{api}.training_jobs')\n"
        "assert shared == {api, *kinds, *(f'{kind}.statuses' for kind in kinds)}, shared\n"
        "assert not {'huaweicloudsdkcore', 'keystoneauth1'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=ROOT)


def test_the_start_page_lists_the_jobs_of_both_kinds(api: Api) -> None:
    api.emulator.create_job("board-<1>", status=8)
    job_id = api.emulator.training_jobs.create("train", phase="Failed").job_id
    page = requests.get(f"{api.emulator.url}/console/", timeout=10)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "board-&lt;1&gt;</a>" in page.text
    assert "RUNNING (8)" in page.text
    # The console's link of a training job leads to its row.
    assert f'<tr id="/training/detail/{job_id}"><td>train</td>' in page.text
    (link,) = re.findall(r'<a href="([^"]+)">', page.text)
    assert "board-&lt;1&gt;" in requests.get(f"{api.emulator.url}{link}", timeout=10).text
    assert api.emulator.request_counts() == {"page": 1}
