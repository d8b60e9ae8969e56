"""IAM, as far as clients need it: Keystone v3 with version discovery, password tokens, a catalog and one project."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from airflow_provider_modelarts.emulator.access import authenticate, iso_time, valid_token
from airflow_provider_modelarts.emulator.cloud import Cloud
from airflow_provider_modelarts.emulator.errors import GatewayRefusal, KeystoneRefusal
from airflow_provider_modelarts.emulator.exchange import Answer, Call, json_answer
from airflow_provider_modelarts.emulator.tokens import Scope, Token

Operation = Callable[[Cloud, Call], Answer]


def versions(cloud: Cloud, call: Call) -> Answer:
    """GET /: which versions there are."""
    return json_answer({"versions": {"values": [_version(call)]}}, 300)


def version(cloud: Cloud, call: Call) -> Answer:
    """GET /v3: where version 3 is."""
    return json_answer({"version": _version(call)})


def issue_token(cloud: Cloud, call: Call) -> Answer:
    """POST /v3/auth/tokens: a token for a user and password."""
    try:
        auth = call.json_object()["auth"]
        _check_password(cloud, auth["identity"])
        scope = _scope(cloud, auth.get("scope"))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise KeystoneRefusal(400, "Bad Request", "The request body is invalid") from None
    token = cloud.tokens.issue(scope, cloud.now(), cloud.token_lifetime)
    return _token_answer(cloud, call, token, 201)


def show_token(cloud: Cloud, call: Call) -> Answer:
    """GET /v3/auth/tokens: what a token is good for."""
    _check_caller(cloud, call)
    try:
        token = valid_token(cloud, call.headers.get("x-subject-token", ""))
    except GatewayRefusal:
        raise KeystoneRefusal(404, "Not Found", "Could not find token.") from None
    return _token_answer(cloud, call, token, 200)


def list_projects(cloud: Cloud, call: Call) -> Answer:
    """GET /v3/projects and /v3/auth/projects: the project, when its name fits."""
    _check_caller(cloud, call)
    name = call.query_params().get("name", cloud.region)
    projects = [_project(cloud, call)] if name == cloud.region else []
    links = {"self": f"{call.base_url}{call.path}", "next": None, "previous": None}
    return json_answer({"projects": projects, "links": links})


def show_project(cloud: Cloud, call: Call) -> Answer:
    """GET /v3/projects/{project_id}: the project."""
    _check_caller(cloud, call)
    if call.path_params["project_id"] != cloud.project_id:
        raise KeystoneRefusal(404, "Not Found", f"Could not find project: {call.path_params['project_id']}.")
    return json_answer({"project": _project(cloud, call)})


ROUTES: Final[tuple[tuple[str, str, str, Operation], ...]] = (
    ("identity", "GET", "/", versions),
    ("identity", "GET", "/v3", version),
    ("identity", "GET", "/v3/", version),
    ("token", "POST", "/v3/auth/tokens", issue_token),
    ("identity", "GET", "/v3/auth/tokens", show_token),
    ("projects", "GET", "/v3/projects", list_projects),
    ("projects", "GET", "/v3/auth/projects", list_projects),
    ("identity", "GET", "/v3/projects/{project_id}", show_project),
)
"""Name, method, path and function of every operation."""


def domain_id(cloud: Cloud) -> str:
    """Return the id of the account; made from its name, so that it stays the same."""
    return _id("domain", cloud.domain)


def _id(kind: str, name: str) -> str:
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()[:32]


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.base_url}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def _check_caller(cloud: Cloud, call: Call) -> None:
    try:
        authenticate(cloud, call)
    except GatewayRefusal as refusal:
        raise KeystoneRefusal(401, "Unauthorized", refusal.message) from None


def _unauthorized(message: str) -> NoReturn:
    raise KeystoneRefusal(401, "Unauthorized", message)


def _check_password(cloud: Cloud, identity: Mapping[str, Any]) -> None:
    if identity["methods"] != ["password"]:
        raise ValueError("methods")
    user = identity["password"]["user"]
    password = user["password"]
    if not isinstance(password, str):
        raise ValueError("password")
    known = user["id"] == _id("user", cloud.user) if "id" in user else _is_named_user(cloud, user)
    if not known or not hmac.compare_digest(password.encode(), cloud.password.encode()):
        _unauthorized("The username or password is wrong.")


def _is_named_user(cloud: Cloud, user: Mapping[str, Any]) -> bool:
    return bool(user["name"] == cloud.user and _is_domain(cloud, user["domain"]))


def _is_domain(cloud: Cloud, domain: Mapping[str, Any]) -> bool:
    return bool(domain["id"] == domain_id(cloud) if "id" in domain else domain["name"] == cloud.domain)


def _scope(cloud: Cloud, scope: Any) -> Scope:
    """Read what the token is to be for; of project and domain, the project counts."""
    if not scope:
        return "none"
    if "project" in scope:
        project = scope["project"]
        known = project["id"] == cloud.project_id if "id" in project else project["name"] == cloud.region
        if not known or ("domain" in project and not _is_domain(cloud, project["domain"])):
            _unauthorized("Could not find the project of the scope.")
        return "project"
    if not _is_domain(cloud, scope["domain"]):
        _unauthorized("Could not find the domain of the scope.")
    return "domain"


def _token_answer(cloud: Cloud, call: Call, token: Token, status: int) -> Answer:
    domain = {"id": domain_id(cloud), "name": cloud.domain}
    content: dict[str, Any] = {
        "issued_at": iso_time(token.issued_at),
        "expires_at": iso_time(token.expires_at),
        "methods": ["password"],
        "user": {"id": _id("user", cloud.user), "name": cloud.user, "password_expires_at": "", "domain": domain},
        "roles": [{"id": "0", "name": "te_admin"}],
        "catalog": [] if call.query_params().get("nocatalog") else _catalog(cloud, call),
    }
    if token.scope == "project":
        content["project"] = {"id": cloud.project_id, "name": cloud.region, "domain": domain}
    if token.scope == "domain":
        content["domain"] = domain
    return json_answer({"token": content}, status, {"X-Subject-Token": token.secret})


def _catalog(cloud: Cloud, call: Call) -> list[dict[str, Any]]:
    services = {"identity": ("iam", "/v3"), "modelarts": ("modelarts", f"/v1/{cloud.project_id}")}
    return [
        {
            "type": kind,
            "id": _id("service", kind),
            "name": name,
            "endpoints": [_endpoint(cloud, kind, call.base_url + path)],
        }
        for kind, (name, path) in services.items()
    ]


def _endpoint(cloud: Cloud, kind: str, url: str) -> dict[str, str]:
    return {
        "id": _id("endpoint", kind),
        "interface": "public",
        "region": cloud.region,
        "region_id": cloud.region,
        "url": url,
    }


def _project(cloud: Cloud, call: Call) -> dict[str, Any]:
    return {
        "id": cloud.project_id,
        "name": cloud.region,
        "domain_id": domain_id(cloud),
        "parent_id": domain_id(cloud),
        "is_domain": False,
        "enabled": True,
        "description": "",
        "links": {"self": f"{call.base_url}/v3/projects/{cloud.project_id}"},
    }
