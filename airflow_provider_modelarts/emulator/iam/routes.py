"""IAM's operations: parameters, limits, responses."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from airflow_provider_modelarts.emulator.access import authenticate, iso_time, valid_token
from airflow_provider_modelarts.emulator.cloud import Cloud, Route
from airflow_provider_modelarts.emulator.http import (
    GatewayRefusal,
    KeystoneRefusal,
    Request,
    Response,
    json_response,
)
from airflow_provider_modelarts.emulator.iam.state import Scope, Token


def versions(cloud: Cloud, request: Request) -> Response:
    """GET /: the versions of the API."""
    return json_response({"versions": {"values": [_version(request)]}}, 300)


def version(cloud: Cloud, request: Request) -> Response:
    """GET /v3: the URL of version 3."""
    return json_response({"version": _version(request)})


def issue_token(cloud: Cloud, request: Request) -> Response:
    """POST /v3/auth/tokens: a token for a user and password."""
    try:
        auth = request.json_object()["auth"]
        _check_password(cloud, auth["identity"])
        scope = _scope(cloud, auth.get("scope"))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise KeystoneRefusal(400, "Bad Request", "The request body is invalid") from None
    token = cloud.iam.tokens.issue(scope, cloud.now(), cloud.options.token_lifetime)
    return _token_response(cloud, request, token, 201)


def show_token(cloud: Cloud, request: Request) -> Response:
    """GET /v3/auth/tokens: the details of a token."""
    _check_caller(cloud, request)
    try:
        token = valid_token(cloud, request.headers.get("x-subject-token", ""))
    except GatewayRefusal:
        raise KeystoneRefusal(404, "Not Found", "Could not find token.") from None
    return _token_response(cloud, request, token, 200)


def list_projects(cloud: Cloud, request: Request) -> Response:
    """GET /v3/projects and /v3/auth/projects: the project, if its name matches."""
    _check_caller(cloud, request)
    name = request.query_params().get("name", cloud.options.region)
    projects = [_project(cloud, request)] if name == cloud.options.region else []
    links = {"self": f"{request.base_url}{request.path}", "next": None, "previous": None}
    return json_response({"projects": projects, "links": links})


def show_project(cloud: Cloud, request: Request) -> Response:
    """GET /v3/projects/{project_id}: the project."""
    _check_caller(cloud, request)
    if request.path_params["project_id"] != cloud.options.project_id:
        raise KeystoneRefusal(404, "Not Found", f"Could not find project: {request.path_params['project_id']}.")
    return json_response({"project": _project(cloud, request)})


ROUTES: Final = (
    Route("identity", "GET", "/", versions),
    Route("identity", "GET", "/v3", version),
    Route("identity", "GET", "/v3/", version),
    Route("token", "POST", "/v3/auth/tokens", issue_token),
    Route("identity", "GET", "/v3/auth/tokens", show_token),
    Route("projects", "GET", "/v3/projects", list_projects),
    Route("projects", "GET", "/v3/auth/projects", list_projects),
    Route("identity", "GET", "/v3/projects/{project_id}", show_project),
)


def _domain_id(cloud: Cloud) -> str:
    """Return the ID of the account, which is made from its name."""
    return _id("domain", cloud.options.domain)


def _id(kind: str, name: str) -> str:
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()[:32]


def _version(request: Request) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{request.base_url}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def _check_caller(cloud: Cloud, request: Request) -> None:
    try:
        authenticate(cloud, request)
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
    known = user["id"] == _id("user", cloud.options.user) if "id" in user else _is_named_user(cloud, user)
    if not known or not hmac.compare_digest(password.encode(), cloud.options.password.encode()):
        _unauthorized("The username or password is wrong.")


def _is_named_user(cloud: Cloud, user: Mapping[str, Any]) -> bool:
    return bool(user["name"] == cloud.options.user and _is_domain(cloud, user["domain"]))


def _is_domain(cloud: Cloud, domain: Mapping[str, Any]) -> bool:
    return bool(domain["id"] == _domain_id(cloud) if "id" in domain else domain["name"] == cloud.options.domain)


def _scope(cloud: Cloud, scope: Any) -> Scope:
    """Parse the scope of a token. If it names a project and a domain, the project is used."""
    if not scope:
        return "none"
    if "project" in scope:
        project = scope["project"]
        known = (
            project["id"] == cloud.options.project_id if "id" in project else project["name"] == cloud.options.region
        )
        if not known or ("domain" in project and not _is_domain(cloud, project["domain"])):
            _unauthorized("Could not find the project of the scope.")
        return "project"
    if not _is_domain(cloud, scope["domain"]):
        _unauthorized("Could not find the domain of the scope.")
    return "domain"


def _token_response(cloud: Cloud, request: Request, token: Token, status: int) -> Response:
    user, domain = cloud.options.user, {"id": _domain_id(cloud), "name": cloud.options.domain}
    content: dict[str, Any] = {
        "issued_at": iso_time(token.issued_at),
        "expires_at": iso_time(token.expires_at),
        "methods": ["password"],
        "user": {"id": _id("user", user), "name": user, "password_expires_at": "", "domain": domain},
        "roles": [{"id": "0", "name": "te_admin"}],
        "catalog": [] if request.query_params().get("nocatalog") else _catalog(cloud, request),
    }
    if token.scope == "project":
        content["project"] = {"id": cloud.options.project_id, "name": cloud.options.region, "domain": domain}
    if token.scope == "domain":
        content["domain"] = domain
    return json_response({"token": content}, status, {"X-Subject-Token": token.secret})


def _catalog(cloud: Cloud, request: Request) -> list[dict[str, Any]]:
    services = {"identity": ("iam", "/v3"), "modelarts": ("modelarts", f"/v1/{cloud.options.project_id}")}
    return [
        {
            "type": kind,
            "id": _id("service", kind),
            "name": name,
            "endpoints": [_endpoint(cloud, kind, request.base_url + path)],
        }
        for kind, (name, path) in services.items()
    ]


def _endpoint(cloud: Cloud, kind: str, url: str) -> dict[str, str]:
    return {
        "id": _id("endpoint", kind),
        "interface": "public",
        "region": cloud.options.region,
        "region_id": cloud.options.region,
        "url": url,
    }


def _project(cloud: Cloud, request: Request) -> dict[str, Any]:
    return {
        "id": cloud.options.project_id,
        "name": cloud.options.region,
        "domain_id": _domain_id(cloud),
        "parent_id": _domain_id(cloud),
        "is_domain": False,
        "enabled": True,
        "description": "",
        "links": {"self": f"{request.base_url}/v3/projects/{cloud.options.project_id}"},
    }
