"""Requests, responses and refusals as plain values, for the handlers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True, kw_only=True)
class Request:
    """
    A request that has arrived completely.

    :param path: path as sent, percent-encoded
    :param query: query as sent, percent-encoded, without the question mark
    :param headers: by lower-case name; repeated ones joined by commas
    :param path_params: decoded variable parts of the path
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    path_params: Mapping[str, str]
    body: bytes
    request_id: str

    @property
    def base_url(self) -> str:
        """URL of this server as seen by the caller, so that links also work through a proxy or a port mapping."""
        return f"http://{self.headers.get('host', '')}"

    def query_params(self) -> dict[str, str]:
        """Return the decoded query. If a name is repeated, its last value counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def json_object(self) -> dict[str, Any]:
        """
        Return the body as a JSON object.

        :raises ValueError: the body is not a JSON object
        """
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            raise ValueError("The request body is not JSON") from None
        if not isinstance(content, dict):
            raise ValueError("The request body is not a JSON object")
        return content


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response, ready to send."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json; charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with a JSON body."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return Response(status=status, body=body, headers=headers or {})


class Refusal(Exception):
    """
    Ends a request with an error.

    :param status: HTTP status
    :param code: error code as in the API's tables, ``ModelArts.0104``
    :param message: text for the user
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def content(self, request_id: str) -> dict[str, Any]:
        """Return the error in the JSON form of its sender."""
        raise NotImplementedError

    def response(self, request: Request) -> Response:
        """Return the response to the refused request."""
        return json_response(self.content(request.request_id), self.status)


class GatewayRefusal(Refusal):
    """An error of the API gateway. The service has not received the request."""

    def content(self, request_id: str) -> dict[str, Any]:
        return {"error_msg": self.message, "error_code": self.code, "request_id": request_id}


class ModelArtsRefusal(Refusal):
    """An error of ModelArts."""

    def content(self, request_id: str) -> dict[str, Any]:
        return {"is_success": False, "error_message": self.message, "error_code": self.code}


class ModelArtsV2Refusal(Refusal):
    """
    An error of ModelArts' API v2.

    :param solution: advice for the user
    """

    def __init__(self, status: int, code: str, message: str, solution: str = "") -> None:
        super().__init__(status, code, message)
        self.solution = solution

    def content(self, request_id: str) -> dict[str, Any]:
        return {"error_msg": self.message, "error_code": self.code, "error_solution": self.solution}


class KeystoneRefusal(Refusal):
    """An error of IAM, in Keystone's form: its code is the HTTP status, its title the name of that status."""

    def __init__(self, status: int, title: str, message: str) -> None:
        super().__init__(status, title, message)

    def content(self, request_id: str) -> dict[str, Any]:
        return {"error": {"code": self.status, "message": self.message, "title": self.code}}


def not_published() -> GatewayRefusal:
    """Return the gateway's response to an unknown path or method, and for an API that is out of service."""
    return GatewayRefusal(404, "APIGW.0101", "The API does not exist or has not been published in the environment.")


def unauthenticated(reason: str) -> GatewayRefusal:
    """Return the gateway's response to missing or wrong credentials."""
    return GatewayRefusal(401, "APIGW.0301", f"Incorrect IAM authentication information: {reason}")


def invalid(message: str) -> ModelArtsRefusal:
    """Return ModelArts' response to an invalid parameter. The message names the parameter."""
    return ModelArtsRefusal(400, "ModelArts.0104", message)
