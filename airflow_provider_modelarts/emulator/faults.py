"""Faults: ways in which a server, or the way to it, can fail a request."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from http.client import responses
from typing import Any, Final, Literal, get_args

from airflow_provider_modelarts.emulator.errors import GatewayRefusal, KeystoneRefusal, ModelArtsRefusal, Refusal
from airflow_provider_modelarts.emulator.exchange import Answer, Call, json_answer, refusal_answer

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

OPERATIONS: Final = ("get", "list", "create", "update", "delete", "stop", "restart")
"""The API's operations on visualization jobs."""

IAM_OPERATIONS: Final = ("token", "projects", "identity")

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
    503: ("APIGW.0613", "The IAM service is currently unavailable."),
    504: ("APIGW.0201", "Backend timeout."),
}
_WRONG_TYPES: Final[dict[str, Any]] = {
    "status": "abc",
    "create_time": "yesterday",
    "duration": [],
    "job_id": {},
    "jobs": "none",
    "job_total_count": "many",
    "projects": "none",
    "token": [],
}
_HTML: Final = b"<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Fault:
    """
    What goes wrong, for which requests.

    Kinds that keep the operation from being carried out:

    - ``status``: an HTTP error (default 503) with an error body that fits it
    - ``html``: an HTML page (default 502), as proxies send
    - ``is_success_false``: HTTP 200 with ``is_success`` false
    - ``cut``: the connection is closed without an answer

    Kinds that come after it has been carried out:

    - ``delay``: nothing but the delay
    - ``cut_after``: the answer is lost, the connection is closed
    - ``truncated``: the answer ends in its middle, with the Content-Length of what is sent
    - ``empty``: the answer has no body
    - ``wrong_types``: fields of the answer have types that they should not have

    :param operation: one of get, list, create, update, delete, stop, restart, token, projects, identity; None for any
    :param times: for this many requests; None for no limit
    :param seconds: for this long, in real time from now on; None for no limit
    :param after: how many requests to let through first
    :param status: HTTP status (status, html)
    :param error_code: error code of the body, ``ModelArts.0010``, which also decides on the body's form (status,
        is_success_false)
    :param message: error text of the body (status, is_success_false)
    :param body: body to send as it is, instead (status, html)
    :param retry_after: value of the Retry-After header, seconds or an HTTP date (status, html)
    :param headers: more headers of the answer, a Location for example (status, html)
    :param delay: seconds to wait with the answer, or with the cut (any kind)
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
        if self.operation not in (None, *OPERATIONS, *IAM_OPERATIONS):
            raise ValueError(
                f"no such operation: {self.operation!r}; there are {', '.join(OPERATIONS + IAM_OPERATIONS)}"
            )
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"not a final HTTP status: {self.status!r}")
        for name in ("times", "seconds", "after", "delay"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name} must not be negative: {getattr(self, name)!r}")

    def replacement(self, call: Call) -> Answer | None:
        """Return the answer that comes instead of the operation; None when the operation is to be carried out."""
        if self.kind == "is_success_false":
            refusal = ModelArtsRefusal(200, self.error_code or "ModelArts.0010", self.message or "Internal error.")
            return refusal_answer(refusal, call)
        if self.kind == "html":
            body = _HTML if self.body is None else self.body.encode()
            return Answer(status=self.status or 502, body=body, media_type="text/html", headers=self._headers())
        if self.kind != "status":
            return None
        if self.body is not None:
            return Answer(status=self._http_status, body=self.body.encode(), headers=self._headers())
        return replace(refusal_answer(self._refusal(call), call), headers=self._headers())

    def distort(self, answer: Answer) -> Answer:
        """Return what becomes of the operation's own answer."""
        if self.kind == "empty":
            return replace(answer, body=b"")
        if self.kind == "truncated":
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        if self.kind == "wrong_types":
            content = json.loads(answer.body)
            wrong = {key: _WRONG_TYPES.get(key, value) for key, value in content.items()}
            return json_answer(wrong, answer.status, answer.headers)
        return answer

    def as_dict(self) -> dict[str, Any]:
        """Return the fault as the admin endpoint shows and takes it."""
        return asdict(self)

    @property
    def _http_status(self) -> int:
        return self.status or 503

    def _headers(self) -> dict[str, str]:
        retry_after = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return {**retry_after, **{name: str(value) for name, value in self.headers.items()}}

    def _refusal(self, call: Call) -> Refusal:
        status = self._http_status
        code, message = _GATEWAY_ERRORS.get(status, ("APIGW.0201", "API request error."))
        code, message = self.error_code or code, self.message or message
        if code.startswith("ModelArts."):
            return ModelArtsRefusal(status, code, message)
        if self.error_code is None and call.path.startswith("/v3"):
            return KeystoneRefusal(status, responses.get(status, "Error"), message)
        return GatewayRefusal(status, code, message)


@dataclass
class _Planned:
    fault: Fault
    let_through: int
    left: int | None
    until: float | None


class FaultPlan:
    """The faults that are waiting for requests, oldest first."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []

    def add(self, fault: Fault) -> None:
        """Add a fault; of several that fit a request the oldest happens."""
        until = None if fault.seconds is None else time.monotonic() + fault.seconds
        self._planned.append(_Planned(fault, fault.after, fault.times, until))

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._planned.clear()

    def pending(self) -> list[Fault]:
        """Return the faults that can still happen, with what is left of times, seconds and after."""
        self._drop_spent()
        now = time.monotonic()
        return [
            replace(p.fault, after=p.let_through, times=p.left, seconds=None if p.until is None else p.until - now)
            for p in self._planned
        ]

    def take(self, operation: str) -> Fault | None:
        """Return the fault of a request that arrives now, and count it."""
        if operation not in (*OPERATIONS, *IAM_OPERATIONS):
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
