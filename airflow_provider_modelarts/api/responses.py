"""Turns HTTP responses into exceptions. Knows every form of error and every error code of the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Final

import requests
from urllib3.exceptions import InvalidHeader
from urllib3.util.retry import Retry

from airflow_provider_modelarts.api.errors import (
    ModelArtsAuthenticationError,
    ModelArtsBadRequestError,
    ModelArtsConflictError,
    ModelArtsError,
    ModelArtsMalformedResponseError,
    ModelArtsNameTakenError,
    ModelArtsNotFoundError,
    ModelArtsPermissionError,
    ModelArtsQuotaError,
    ModelArtsRetiredError,
    ModelArtsServerError,
    ModelArtsStatusChangedError,
    ModelArtsThrottledError,
    unknown_outcome,
)
from airflow_provider_modelarts.api.fields import TEXT_LIMIT
from airflow_provider_modelarts.api.redaction import excerpt

_CODES: Final[dict[type[ModelArtsError], str]] = {
    ModelArtsNotFoundError: "ModelArts.0102 ModelArts.0015 ModelArts.2775",
    ModelArtsNameTakenError: "ModelArts.0103 ModelArts.2751",
    ModelArtsConflictError: "ModelArts.0105 ModelArts.2796 ModelArts.2813",
    ModelArtsStatusChangedError: "ModelArts.2878",
    ModelArtsQuotaError: (
        "ModelArts.0106 ModelArts.0113 ModelArts.0116 ModelArts.0118 ModelArts.2815 ModelArts.2833 ModelArts.7006"
    ),
    ModelArtsPermissionError: (
        "ModelArts.0108 ModelArts.0109 ModelArts.0111 ModelArts.0112 ModelArts.0407 ModelArts.0415 ModelArts.2785 "
        "ModelArts.2837 ModelArts.2838 ModelArts.2891 ModelArts.4116 ModelArts.4118 APIGW.0302 APIGW.0304 APIGW.0306 "
        "APIGW.0310 APIGW.0401 APIGW.0402 APIGW.0404 APIGW.0501 APIGW.0502 APIGW.0801 APIGW.0802"
    ),
    ModelArtsAuthenticationError: (
        "ModelArts.0201 ModelArts.0202 ModelArts.0203 ModelArts.0204 ModelArts.0205 ModelArts.0206 ModelArts.0207 "
        "ModelArts.0208 ModelArts.0209 ModelArts.0210 ModelArts.0211 ModelArts.0212 ModelArts.2784 ModelArts.2786 "
        "APIGW.0301 APIGW.0303 APIGW.0305 APIGW.0307 APIGW.0311 IAM.1104 IAM.1105 IAM.1106 IAM.1107 IAM.1108"
    ),
    ModelArtsThrottledError: "ModelArts.0114 ModelArts.2799 ModelArts.6101 APIGW.0308 IAM.0012",
    ModelArtsServerError: (
        "ModelArts.0010 ModelArts.0012 ModelArts.0013 ModelArts.0401 ModelArts.0402 ModelArts.0403 ModelArts.7001 "
        "ModelArts.7008 ModelArts.7009 ModelArts.7100 ModelArts.7101"
    ),
    ModelArtsBadRequestError: (
        "ModelArts.0101 ModelArts.0104 ModelArts.0107 ModelArts.0110 ModelArts.0404 ModelArts.0405 ModelArts.0406 "
        "ModelArts.0413 ModelArts.2604 ModelArts.2606 ModelArts.2608 ModelArts.2890 ModelArts.4104 ModelArts.7002 "
        "ModelArts.7003 ModelArts.7004 ModelArts.7005"
    ),
    ModelArtsRetiredError: "APIGW.0101 ModelArts.2836",
}
"""The exception of each code. The vendor's table has changed over time, and gives no HTTP status for most codes."""

_BY_CODE: Final = {code: kind for kind, codes in _CODES.items() for code in codes.split()}

_BY_STATUS: Final[dict[int, type[ModelArtsError]]] = {
    401: ModelArtsAuthenticationError,
    403: ModelArtsPermissionError,
    408: ModelArtsServerError,
    409: ModelArtsConflictError,
    429: ModelArtsThrottledError,
}

_PROJECT_CODES: Final = (
    "ModelArts.0204", "ModelArts.0210", "ModelArts.0212", "ModelArts.2786", "APIGW.0310", "IAM.1109",
)  # fmt: skip
_CODE_HINTS: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(
        _PROJECT_CODES,
        ("project", "Set project_id of the connection to the project of its region that the credentials belong to."),
    ),
    "ModelArts.2785": (
        "permission",
        "No agency allows ModelArts to use other services for this user. Create one in the ModelArts console "
        "(Settings or Permission Management, Add Authorization).",
    ),
    "ModelArts.2837": ("account", "The account is frozen: settle its bills, then try again."),
    "ModelArts.2887": ("resource pool", "The resource pool is not running: start it, or wait for it."),
}
"""The failed part, and advice, for codes that are more specific than their exception."""
_NO_V2: Final = (
    "No training-jobs API answers at this endpoint: either host or region of the connection is wrong, or ModelArts has "
    "no API v2 there."
)
IAM_HINT: Final = "No IAM answers there. Set iam_endpoint of the connection to the address of IAM."
_MAX_CLOCK_SKEW: Final = timedelta(minutes=15)
_SECRET_HEADERS: Final = ("Authorization", "X-Auth-Token", "X-Security-Token")
_EXCERPT_LIMIT: Final = 300
"""The most characters of a body without an error, and of the target of a redirect, in a message."""

_MAX_EXCERPTED: Final = 256 * 1024
"""The most bytes of such a body that are decoded."""

_CODE_LIMIT: Final = 100
"""The most characters of an error code or a request ID."""

_LONGEST_RETRY_AFTER: Final = 24 * 3600.0
"""The longest pause that a server can ask for, in seconds."""


@dataclass(frozen=True)
class ApiResponse:
    """The parts of an HTTP response that an exception needs."""

    method: str
    url: str
    status_code: int
    headers: Mapping[str, str]
    body: bytes
    action: str = ""
    """IAM action of the operation, such as ``modelarts:tensorboard:get``, for the error if permission is missing."""
    names_job: bool = False
    """Whether the URL names a job, so that a bare 404 can only mean that job."""
    secrets: tuple[str, ...] = ()
    """Secrets in the request. Gateways repeat headers in their messages."""
    retry_after: float | None = None
    loads: Callable[[bytes], Any] = json.loads
    """Decodes a JSON body."""
    is_login: bool = False
    """Whether the request only prepares another one, so that a failure has changed nothing."""
    is_search: bool = False
    """Whether the request only reads, although its method is POST."""

    @classmethod
    def read(cls, response: requests.Response, *, secrets: tuple[str, ...] = (), **about: Any) -> ApiResponse:
        """
        Return a response, with the secrets of its request.

        :param secrets: more secrets that messages must not contain
        :param about: further fields
        """
        request = response.request
        sent = tuple(request.headers[name] for name in _SECRET_HEADERS if name in request.headers)
        signature = request.headers.get("Authorization", "").rpartition("Signature=")[2]
        return cls(
            method=request.method or "",
            url=request.url or "",
            status_code=response.status_code,
            headers=response.headers,
            body=response.content,
            secrets=(*sent, signature, *secrets),
            retry_after=retry_after_seconds(response.headers.get("Retry-After")),
            **about,
        )

    @property
    def is_v2(self) -> bool:
        """Whether the response comes from API v2, which has the training jobs."""
        return "/v2/" in self.url

    @property
    def is_read(self) -> bool:
        """Whether the request changes nothing."""
        return self.is_search or self.method == "GET"

    @cached_property
    def data(self) -> Any:
        """The decoded body; None if it is not JSON."""
        try:
            return self.loads(self.body)
        except (ValueError, RecursionError):
            return None


def find_error(response: ApiResponse) -> ModelArtsError | None:
    """
    Return the exception of a response; None if it is a success.

    A failure has any HTTP status but 2xx, ``is_success`` false, or an ``error_code``; the API uses all three. The text
    may be in ``error_message`` (2021 on), ``error_msg`` (before, gateway, IAM) or ``error.message`` (Keystone).
    """
    data = response.data if isinstance(response.data, Mapping) else {}
    said = _text_of(data.get("error_code"))
    if str(data.get("is_success")).lower() != "false" and not said and _ok(response.status_code):
        return None
    code = excerpt(said, response.secrets, _CODE_LIMIT)
    message = _message(response, data)
    request_id = _request_id(response, data)
    known_code = code.replace("APIG.", "APIGW.")
    kind = _classify(response, known_code, message)
    part, hint = _advice(kind, known_code, response)
    solution = excerpt(_text_of(data.get("error_solution")), response.secrets, TEXT_LIMIT).rstrip(".")
    advice = f"ModelArts advises: {solution}. {hint}" if solution else hint
    may_have_happened = kind.may_have_happened and not response.is_login
    text = (
        f"{response.method} {response.url} answered HTTP {response.status_code}"
        f"{f', {code}' if code else ''}{f': {message}' if message else ' with an empty body'}"
        f"{f' (request id {request_id})' if request_id else ''}"
    )
    return kind(
        f"{text.rstrip('.')}. {advice}{unknown_outcome(response.is_read, may_have_happened)}".strip(),
        method=response.method,
        url=response.url,
        status_code=response.status_code,
        error_code=code or None,
        error_message=message,
        request_id=request_id,
        retry_after=response.retry_after,
        may_have_happened=may_have_happened,
        part=part,
    )


def malformed_error(response: ApiResponse, reason: str) -> ModelArtsMalformedResponseError:
    """Return the exception for a successful response that cannot be read."""
    kind = ModelArtsMalformedResponseError
    request_id = _request_id(response, {})
    start = _excerpt(response)
    if response.is_v2 and response.body.lstrip().startswith((b"{", b"[")):
        # Jobs hold environment variables and tokens.
        start = f"{len(response.body)} bytes of JSON, not shown because it may hold secrets"
    may_have_happened = kind.may_have_happened and not response.is_login
    return kind(
        f"{response.method} {response.url} answered HTTP {response.status_code}, "
        f"but {excerpt(reason, response.secrets, _EXCERPT_LIMIT)}: {start or 'empty body'}"
        f"{f' (request id {request_id})' if request_id else ''}. {IAM_HINT if response.is_login else kind.hint}"
        f"{unknown_outcome(response.is_read, may_have_happened)}",
        method=response.method,
        url=response.url,
        status_code=response.status_code,
        request_id=request_id,
        may_have_happened=may_have_happened,
    )


def retry_after_seconds(value: str | None) -> float | None:
    """Return the seconds in a ``Retry-After`` header (a number or an HTTP date); None if it cannot be used."""
    if not value:
        return None
    try:
        return min(float(Retry().parse_retry_after(value)), _LONGEST_RETRY_AFTER)
    except (InvalidHeader, ValueError, OverflowError):
        return None


def clock_skew(headers: Mapping[str, str]) -> timedelta:
    """Return by how much this machine's clock is ahead of the server's, if the response has a date."""
    try:
        return datetime.now(timezone.utc) - parsedate_to_datetime(headers.get("Date") or "")
    except (TypeError, ValueError, OverflowError):
        return timedelta()


def _classify(response: ApiResponse, code: str, message: str) -> type[ModelArtsError]:
    if code == "ModelArts.0102" and ("workspace" in message.lower() or response.is_v2):
        # The code meant "resource does not exist" until 2021 and "workspace does not exist" after it.
        return ModelArtsBadRequestError
    status = response.status_code
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status in (404, 410):
        if response.is_login:
            return ModelArtsBadRequestError
        # A response of a gateway, a firewall or a proxy says nothing about the job.
        by_service = code.startswith("ModelArts.") or (response.names_job and not response.body.strip())
        return ModelArtsNotFoundError if by_service else ModelArtsRetiredError
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return ModelArtsBadRequestError if 300 <= status < 500 else ModelArtsServerError


def _advice(kind: type[ModelArtsError], code: str, response: ApiResponse) -> tuple[str, str]:
    """Return the failed part, and advice."""
    skew = clock_skew(response.headers)
    location = response.headers.get("Location")
    if kind is ModelArtsAuthenticationError and abs(skew) > _MAX_CLOCK_SKEW:
        minutes = round(abs(skew).total_seconds() / 60)
        direction = "ahead of" if skew > timedelta() else "behind"
        return "clock", f"This machine's clock is {minutes} min {direction} the server's; 15 min are allowed. Set it."
    if kind is ModelArtsRetiredError and response.is_v2:
        return kind.part, _NO_V2
    if code in _CODE_HINTS:
        return _CODE_HINTS[code]
    if kind is ModelArtsPermissionError and response.action:
        return kind.part, (
            f"The caller needs the IAM action {response.action}, and ModelArts must be authorized to reach OBS "
            "(ModelArts console, Settings)."
        )
    if response.is_login and response.status_code in (404, 410):
        return "endpoint", IAM_HINT
    if 300 <= response.status_code < 400 and location:
        return (
            "endpoint",
            f"It redirects to {excerpt(location, response.secrets, _EXCERPT_LIMIT)}, where credentials are not sent. "
            "Set host to the right endpoint.",
        )
    return kind.part, kind.hint


def _ok(status_code: int) -> bool:
    return 200 <= status_code < 300


def _text_of(value: Any) -> str:
    """Return a field of an error: text unchanged, other values as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)


def _message(response: ApiResponse, data: Mapping[str, Any]) -> str:
    """Return the text of an error, or the start of a body that has none."""
    keystone = data.get("error")
    keystone = keystone if isinstance(keystone, Mapping) else {}
    texts = (data.get("error_message"), data.get("error_msg"), keystone.get("message"))
    said = next(filter(None, map(_text_of, texts)), "")
    # Newer gateways add the signed request, which is long and of no use to people.
    said = said.partition(", canonicalRequest:")[0]
    return excerpt(said, response.secrets, TEXT_LIMIT) if said else _excerpt(response)


def _request_id(response: ApiResponse, data: Mapping[str, Any]) -> str | None:
    request_id = response.headers.get("X-Request-Id") or _text_of(data.get("request_id"))
    return excerpt(request_id, response.secrets, _CODE_LIMIT) or None


def _excerpt(response: ApiResponse) -> str:
    """Return the start of a body that has no error in JSON."""
    return excerpt(response.body[:_MAX_EXCERPTED].decode("utf-8", errors="replace"), response.secrets, _EXCERPT_LIMIT)
