"""IAM, driven by stock OpenStack clients and by hand."""

from __future__ import annotations

from typing import Any

import openstack
import pytest
import requests
from keystoneauth1 import exceptions, session
from keystoneauth1.identity import v3

from airflow_provider_modelarts.emulator import Emulator
from tests.emulator.client import Api, ApiMaker


def password(emulator: Emulator, **changes: Any) -> v3.Password:
    return v3.Password(
        **{
            "auth_url": f"{emulator.url}/v3",
            "username": emulator.user,
            "password": emulator.password,
            "user_domain_name": emulator.domain,
            "project_name": emulator.region,
            "project_domain_name": emulator.domain,
            **changes,
        }
    )


def token_request(emulator: Emulator, scope: Any = None) -> dict[str, Any]:
    user = {"name": emulator.user, "password": emulator.password, "domain": {"name": emulator.domain}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}}
    return {"auth": auth if scope is None else {**auth, "scope": scope}}


def post_token(api: Api, body: Any, query: str = "") -> requests.Response:
    return api.session.post(f"{api.emulator.url}/v3/auth/tokens{query}", json=body, timeout=10)


class TestKeystoneauth:
    def test_token_catalog_and_project(self, api: Api) -> None:
        emulator = api.emulator
        client = session.Session(auth=password(emulator))
        access = client.auth.get_access(client)
        assert access.project_id == emulator.project_id
        assert access.project_name == emulator.region
        assert access.username == emulator.user
        assert (access.expires - access.issued).total_seconds() == emulator.token_lifetime
        endpoint = client.get_endpoint(service_type="modelarts", region_name=emulator.region)
        assert endpoint == f"{emulator.url}/v1/{emulator.project_id}"
        assert client.get_endpoint(service_type="identity") == f"{emulator.url}/v3"
        job_id = emulator.create_job(status=8)
        answer = client.get(f"/visualization-jobs/{job_id}", endpoint_filter={"service_type": "modelarts"})
        assert answer.json()["status"] == 8

    @pytest.mark.parametrize("path", ["", "/", "/v3", "/v3/"])
    def test_version_discovery(self, api: Api, path: str) -> None:
        from keystoneauth1.discover import Discover

        found = Discover(session.Session(), api.emulator.url + path).version_data()
        assert [(entry["version"], entry["url"]) for entry in found] == [((3, 14), f"{api.emulator.url}/v3/")]

    def test_generic_plugin_at_the_root(self, api: Api) -> None:
        from keystoneauth1.identity.generic import Password

        emulator = api.emulator
        client = session.Session(
            auth=Password(
                auth_url=emulator.url,
                username=emulator.user,
                password=emulator.password,
                user_domain_name=emulator.domain,
                project_id=emulator.project_id,
            )
        )
        assert client.get_project_id() == emulator.project_id

    def test_renews_its_token(self, api: Api) -> None:
        client = session.Session(auth=password(api.emulator))
        url = f"{api.emulator.url}{api.jobs}"
        assert client.get(url).status_code == 200
        api.emulator.expire_tokens()
        assert client.get(url).status_code == 200
        assert api.emulator.request_counts() == {"token": 2, "list": 3}

    @pytest.mark.parametrize(
        "wrong",
        [
            {"password": "wrong"},
            {"username": "nobody"},
            {"user_domain_name": "nowhere"},
            {"project_name": "cn-south-1"},
            {"project_name": None, "project_id": "f" * 32, "project_domain_name": None},
            {"project_domain_name": "nowhere"},
        ],
    )
    def test_wrong_credentials(self, api: Api, wrong: dict[str, Any]) -> None:
        with pytest.raises(exceptions.Unauthorized):
            session.Session(auth=password(api.emulator, **wrong)).get_token()

    def test_user_by_id(self, api: Api) -> None:
        known = session.Session(auth=password(api.emulator))
        by_id = {"username": None, "user_domain_name": None, "user_id": known.get_user_id()}
        assert session.Session(auth=password(api.emulator, **by_id)).get_token()


@pytest.mark.filterwarnings("ignore")  # the SDK warns about itself
def test_openstacksdk(api: Api) -> None:
    emulator = api.emulator
    cloud = openstack.connection.Connection(
        auth={
            "auth_url": emulator.url,
            "username": emulator.user,
            "password": emulator.password,
            "user_domain_name": emulator.domain,
            "project_name": emulator.region,
            "project_domain_name": emulator.domain,
        },
        region_name=emulator.region,
        identity_api_version="3",
    )
    assert cloud.current_project_id == emulator.project_id
    assert {entry["type"] for entry in cloud.service_catalog} == {"identity", "modelarts"}
    assert cloud.identity.get_project(emulator.project_id).name == emulator.region
    assert [project.id for project in cloud.identity.projects(name=emulator.region)] == [emulator.project_id]
    cloud.close()


class TestToken:
    def test_answer(self, api: Api) -> None:
        emulator = api.emulator
        answer = post_token(api, token_request(emulator, {"project": {"name": emulator.region}}))
        assert answer.status_code == 201
        assert len(answer.headers["X-Subject-Token"]) > 1000
        token = answer.json()["token"]
        domain = token["user"]["domain"]
        assert domain["name"] == emulator.domain
        assert token["project"] == {"id": emulator.project_id, "name": emulator.region, "domain": domain}
        assert token["methods"] == ["password"]
        assert token["roles"] == [{"id": "0", "name": "te_admin"}]
        assert {entry["type"] for entry in token["catalog"]} == {"identity", "modelarts"}

    def test_without_catalog(self, api: Api) -> None:
        body = token_request(api.emulator, {"project": {"id": api.emulator.project_id}})
        assert post_token(api, body, "?nocatalog=yes").json()["token"]["catalog"] == []

    @pytest.mark.parametrize(
        ("scope", "present"),
        [
            (None, set()),
            ({"domain": {"name": "emulator-domain"}}, {"domain"}),
            ({"project": {"name": "cn-north-4"}, "domain": {"name": "emulator-domain"}}, {"project"}),
        ],
    )
    def test_scopes(self, api: Api, scope: Any, present: set[str]) -> None:
        answer = post_token(api, token_request(api.emulator, scope))
        assert answer.status_code == 201
        assert {"project", "domain"} & set(answer.json()["token"]) == present

    @pytest.mark.parametrize(
        "body",
        [
            None,
            [],
            {},
            {"auth": {}},
            {"auth": []},
            {"auth": {"identity": {"methods": ["token"]}}},
            {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "emulator-user"}}}}},
            {"auth": {"identity": {"methods": ["password"], "password": {"user": {"password": "x"}}}}},
        ],
    )
    def test_bad_request(self, api: Api, body: Any) -> None:
        answer = post_token(api, body)
        assert answer.status_code == 400
        error = {"code": 400, "message": "The request body is invalid", "title": "Bad Request"}
        assert answer.json() == {"error": error}

    def test_wrong_password(self, api: Api) -> None:
        body = token_request(api.emulator)
        body["auth"]["identity"]["password"]["user"]["password"] = "wrong"
        answer = post_token(api, body)
        assert answer.status_code == 401
        error = {"code": 401, "message": "The username or password is wrong.", "title": "Unauthorized"}
        assert answer.json() == {"error": error}

    def test_validation(self, api: Api) -> None:
        issued = post_token(api, token_request(api.emulator))
        token, url = issued.headers["X-Subject-Token"], f"{api.emulator.url}/v3/auth/tokens"
        answer = api.session.get(url, headers={"X-Auth-Token": token, "X-Subject-Token": token}, timeout=10)
        assert (answer.status_code, answer.json()) == (200, issued.json())
        assert answer.headers["X-Subject-Token"] == token
        missing = api.session.get(url, headers={"X-Auth-Token": token, "X-Subject-Token": "x"}, timeout=10)
        assert missing.status_code == 404
        stranger = api.session.get(url, headers={"X-Auth-Token": "x", "X-Subject-Token": token}, timeout=10)
        assert stranger.status_code == 401


class TestProjects:
    @pytest.mark.parametrize("path", ["/v3/projects", "/v3/auth/projects"])
    def test_by_signature(self, api: Api, path: str) -> None:
        answer = api.send("GET", path, {"name": api.emulator.region})
        assert answer.status_code == 200
        content = answer.json()
        (project,) = content["projects"]
        assert (project["id"], project["name"]) == (api.emulator.project_id, api.emulator.region)
        assert content["links"] == {"self": f"{api.emulator.url}{path}", "next": None, "previous": None}
        assert api.emulator.request_counts() == {"projects": 1}

    def test_of_another_region(self, api: Api) -> None:
        assert api.send("GET", "/v3/projects", {"name": "cn-south-1"}).json()["projects"] == []

    def test_without_credentials(self, api: Api) -> None:
        answer = api.session.get(f"{api.emulator.url}/v3/projects", timeout=10)
        assert answer.status_code == 401
        assert answer.json()["error"]["title"] == "Unauthorized"

    def test_other_project(self, api: Api) -> None:
        assert api.send("GET", f"/v3/projects/{'f' * 32}").status_code == 404

    def test_region_and_project_are_options(self, make_api: ApiMaker) -> None:
        api = make_api(region="eu-de", project_id="a" * 32)
        assert api.send("GET", "/v3/projects", {"name": "eu-de"}).json()["projects"][0]["id"] == "a" * 32
