"""Faults: ways in which a server, or the network in front of it, can fail a request."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from http.client import responses
from typing import Any, Final, Literal, get_args

from airflow_provider_modelarts.emulator import iam, training_jobs, visualization_jobs
from airflow_provider_modelarts.emulator.http import (
    GatewayRefusal,
    KeystoneRefusal,
    ModelArtsRefusal,
    ModelArtsV2Refusal,
    Refusal,
    Request,
    Response,
    json_response,
)

FaultKind = Literal[
    "status",
    "delay",
    "cut",
    "cut_after",
    "html",
    "truncated",
    "empty",
    "wrong_types",
    "is_success_false",
]

OPERATIONS: Final = (*visualization_jobs.OPERATIONS, *training_jobs.OPERATIONS, *iam.OPERATIONS)
"""All operations that can fail on purpose."""

_GATEWAY_ERRORS: Final[dict[int, tuple[str, str]]] = {
    401: ("APIGW.0301", "Incorrect IAM authentication information: decrypt token fail"),
    403: ("APIGW.0302", "The IAM user is not authorized to access the API."),
    404: ("APIGW.0101", "The API does not exist or has not been published in the environment."),
    429: (
        "APIGW.0308",
        "The throttling threshold has been reached: policy user over ratelimit,limit:200,time:1 second",
    ),
    500: ("APIGW.0601", "Internal server error."),
    502: ("APIGW.0201", "Backend unavailable."),
    503: ("APIGW.0201", "The service is currently unavailable."),
    504: ("APIGW.0201", "Backend timeout."),
}
_WRONG_TYPES: Final[dict[str, Any]] = {
    "status": "abc",
    "create_time": "yesterday",
    "duration": [],
    "job_id": {},
    "jobs": "none",
    "job_total_count": "many",
    "metadata": [],
    "items": "none",
    "count": "many",
    "projects": "none",
    "token": [],
}
_HTML: Final = b"<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Fault:
    """
    A failure, and the requests that it affects.

    These kinds prevent the operation:

    - ``status``: an HTTP error (default 503) with an error body that fits it
    - ``html``: an HTML page (default 502), as proxies send
    - ``is_success_false``: HTTP 200 with ``is_success`` false
    - ``cut``: the connection is closed without a response

    These kinds happen after the operation, which takes effect:

    - ``delay``: only the delay
    - ``cut_after``: the connection is closed, so that the response is lost
    - ``truncated``: half of the response, with the Content-Length of that half
    - ``empty``: the response has no body
    - ``wrong_types``: fields of the response have wrong types

    :param operation: a name of the ``OPERATIONS`` of a service, such as ``get``, ``training.get`` or ``token``; None
        for any
    :param times: how many requests to fail; None for no limit
    :param seconds: for how long to fail requests, in real time from now on; None for no limit
    :param after: how many requests to let through first
    :param status: HTTP status (status, html)
    :param error_code: error code of the body, ``ModelArts.0010``, which also decides on the body's form (status,
        is_success_false)
    :param message: error text of the body (status, is_success_false)
    :param body: body to send unchanged, instead of one that is made from the above (status, html)
    :param retry_after: value of the Retry-After header, seconds or an HTTP date (status, html)
    :param headers: more headers of the response, such as Location (status, html)
    :param delay: seconds before the response, or before the cut (any kind)
    """

    kind: FaultKind
    operation: str | None = None
    times: int | None = None
    seconds: float | None = None
    after: int = 0
    status: int | None = None
    error_code: str | None = None
    message: str | None = None
    body: str | None = None
    retry_after: float | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"no such kind of fault: {self.kind!r}; there are {', '.join(get_args(FaultKind))}")
        if self.operation not in (None, *OPERATIONS):
            raise ValueError(f"no such operation: {self.operation!r}; there are {', '.join(OPERATIONS)}")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"not a final HTTP status: {self.status!r}")
        for name in ("times", "seconds", "after", "delay"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name} must not be negative: {getattr(self, name)!r}")

    def replacement(self, request: Request) -> Response | None:
        """Return the response that replaces the operation; None if the operation takes place."""
        if self.kind == "is_success_false":
            refusal = ModelArtsRefusal(200, self.error_code or "ModelArts.0010", self.message or "Internal error.")
            return refusal.response(request)
        if self.kind == "html":
            body = _HTML if self.body is None else self.body.encode()
            return Response(status=self.status or 502, body=body, media_type="text/html", headers=self._headers())
        if self.kind != "status":
            return None
        if self.body is not None:
            return Response(status=self._http_status, body=self.body.encode(), headers=self._headers())
        return replace(self._refusal(request).response(request), headers=self._headers())

    def distort(self, response: Response) -> Response:
        """Return the operation's response with this fault applied."""
        if self.kind == "empty":
            return replace(response, body=b"")
        if self.kind == "truncated":
            return replace(response, body=response.body[: len(response.body) // 2])
        if self.kind == "wrong_types":
            content = json.loads(response.body)
            if not isinstance(content, dict):
                return json_response([], response.status)
            wrong = {key: _WRONG_TYPES.get(key, value) for key, value in content.items()}
            return json_response(wrong, response.status, response.headers)
        return response

    def as_dict(self) -> dict[str, Any]:
        """Return the fault as JSON, in the form that the admin endpoint takes."""
        return asdict(self)

    @property
    def _http_status(self) -> int:
        return self.status or 503

    def _headers(self) -> dict[str, str]:
        retry_after = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return {**retry_after, **{name: str(value) for name, value in self.headers.items()}}

    def _refusal(self, request: Request) -> Refusal:
        status = self._http_status
        code, message = _GATEWAY_ERRORS.get(status, ("APIGW.0201", "API request error."))
        code, message = self.error_code or code, self.message or message
        if code.startswith("ModelArts.") and request.path.startswith("/v2"):
            return ModelArtsV2Refusal(status, code, message)
        if code.startswith("ModelArts."):
            return ModelArtsRefusal(status, code, message)
        if self.error_code is None and request.path.startswith("/v3"):
            return KeystoneRefusal(status, responses.get(status, "Error"), message)
        return GatewayRefusal(status, code, message)


@dataclass
class _Planned:
    fault: Fault
    let_through: int
    left: int | None
    until: float | None


class FaultPlan:
    """The faults that can still happen, oldest first."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []

    def add(self, fault: Fault) -> None:
        """Add a fault. If several faults match a request, the oldest one applies."""
        until = None if fault.seconds is None else time.monotonic() + fault.seconds
        self._planned.append(_Planned(fault, fault.after, fault.times, until))

    def clear(self) -> None:
        """Remove all faults."""
        self._planned.clear()

    def pending(self) -> list[Fault]:
        """Return the faults that can still happen, with what is left of their times, seconds and after."""
        self._drop_spent()
        now = time.monotonic()
        return [
            replace(p.fault, after=p.let_through, times=p.left, seconds=None if p.until is None else p.until - now)
            for p in self._planned
        ]

    def take(self, operation: str) -> Fault | None:
        """Return the fault for a request that arrives now, or None, and count the request."""
        if operation not in OPERATIONS:
            return None
        self._drop_spent()
        for planned in self._planned:
            if planned.fault.operation not in (None, operation):
                continue
            if planned.let_through:
                planned.let_through -= 1
                continue
            if planned.left is not None:
                planned.left -= 1
            return planned.fault
        return None

    def _drop_spent(self) -> None:
        now = time.monotonic()
        self._planned = [p for p in self._planned if p.left != 0 and (p.until is None or p.until > now)]
