"""From an HTTP answer to the exception that it stands for: every envelope and code that the API is known for."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote, quote_plus

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
    ModelArtsThrottledError,
    unknown_outcome,
)
from airflow_provider_modelarts.api.models import encodable

_CODES: Final[dict[type[ModelArtsError], str]] = {
    ModelArtsNotFoundError: "ModelArts.0102 ModelArts.0015",
    ModelArtsNameTakenError: "ModelArts.0103",
    ModelArtsConflictError: "ModelArts.0105",
    ModelArtsQuotaError: "ModelArts.0106 ModelArts.0113 ModelArts.0116 ModelArts.0118 ModelArts.7006",
    ModelArtsPermissionError: (
        "ModelArts.0108 ModelArts.0109 ModelArts.0111 ModelArts.0112 ModelArts.0407 ModelArts.0415 ModelArts.2785 "
        "ModelArts.4116 ModelArts.4118 APIGW.0302 APIGW.0304 APIGW.0306 APIGW.0310 APIGW.0401 APIGW.0402 APIGW.0404 "
        "APIGW.0501 APIGW.0502 APIGW.0801 APIGW.0802"
    ),
    ModelArtsAuthenticationError: (
        "ModelArts.0201 ModelArts.0202 ModelArts.0203 ModelArts.0204 ModelArts.0205 ModelArts.0206 ModelArts.0207 "
        "ModelArts.0208 ModelArts.0209 ModelArts.0210 ModelArts.0211 ModelArts.0212 APIGW.0301 APIGW.0303 APIGW.0305 "
        "APIGW.0307 APIGW.0311 IAM.1104 IAM.1105 IAM.1106 IAM.1107 IAM.1108"
    ),
    ModelArtsThrottledError: "ModelArts.0114 ModelArts.6101 APIGW.0308 IAM.0012",
    ModelArtsServerError: (
        "ModelArts.0010 ModelArts.0012 ModelArts.0013 ModelArts.0401 ModelArts.0402 ModelArts.0403 ModelArts.7001 "
        "ModelArts.7008 ModelArts.7009 ModelArts.7100 ModelArts.7101"
    ),
    ModelArtsBadRequestError: (
        "ModelArts.0101 ModelArts.0104 ModelArts.0107 ModelArts.0110 ModelArts.0404 ModelArts.0405 ModelArts.0406 "
        "ModelArts.0413 ModelArts.2604 ModelArts.2606 ModelArts.2608 ModelArts.4104 ModelArts.7002 ModelArts.7003 "
        "ModelArts.7004 ModelArts.7005"
    ),
    ModelArtsRetiredError: "APIGW.0101",
}
"""What the codes mean for a caller. The vendor's table changed over time, and most codes never had an HTTP status."""

_BY_CODE: Final = {code: kind for kind, codes in _CODES.items() for code in codes.split()}

_BY_STATUS: Final[dict[int, type[ModelArtsError]]] = {
    401: ModelArtsAuthenticationError,
    403: ModelArtsPermissionError,
    408: ModelArtsServerError,
    409: ModelArtsConflictError,
    429: ModelArtsThrottledError,
}

_PROJECT_CODES: Final = ("ModelArts.0204", "ModelArts.0210", "ModelArts.0212", "APIGW.0310", "IAM.1109")
_MAX_CLOCK_SKEW: Final = timedelta(minutes=15)
_TEXT_LIMIT: Final = 300
_BODY_LIMIT: Final = 64 * 1024
"""Bytes of a body that is no envelope in which its start is looked for, once tags and secrets are out of it."""

_SPELLED: Final[tuple[Callable[[str], str], ...]] = (
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: text.replace("/", "\\/"),
    lambda text: repr(text)[1:-1],
    html.escape,
    quote,
    lambda text: quote(text, safe=""),
    quote_plus,
)
"""How an answer may write what it repeats."""

_NESTED: Final = 3
"""How often one of these may be inside another: a request's JSON, as text in JSON, in a URL or in JSON again."""

_BETWEEN: Final = r"""(?:[\\"'\s]|&quot;|%2[02])*(?:[:=]|%3[AD])(?:[\\"'\s]|&quot;|%2[02])*"""
_NAMED: Final = re.compile(
    rf"(?i)((?:x-(?:auth|subject|security)-token|authorization){_BETWEEN}(?:(?:basic|bearer)(?:\s|%20|\+)+)?"
    r"|signature(?:=|%3D))[^|\s\"'\\,;&<%]+"
)
"""What stands behind a name that tells a secret, whole or in part."""


@dataclass(frozen=True)
class Answer:
    """What is needed of an HTTP answer to make an exception of it."""

    method: str
    url: str
    status_code: int
    headers: Mapping[str, str]
    body: bytes
    action: str = ""
    """IAM action that the operation needs, such as ``modelarts:tensorboard:get``; named where permission is missing."""
    names_job: bool = False
    """Whether the URL names a job, so that a bare 404 can only mean that job."""
    secrets: tuple[str, ...] = ()
    """What was sent and must not be repeated: gateways echo headers in their messages."""
    retry_after: float | None = None
    loads: Callable[[bytes], Any] = json.loads
    """Decodes a body of JSON."""

    @cached_property
    def data(self) -> Any:
        """The decoded body, None when it is not JSON."""
        try:
            return self.loads(self.body)
        except (ValueError, RecursionError):
            return None


def error_in(answer: Answer) -> ModelArtsError | None:
    """
    Return the exception that an answer stands for, None when it is a success.

    Failure is any HTTP status but 2xx, ``is_success`` false or an ``error_code``: the API uses all three. The text
    may be in ``error_message`` (2021 on), ``error_msg`` (before, gateway, IAM) or ``error.message`` (Keystone).
    """
    data = answer.data if isinstance(answer.data, Mapping) else {}
    keystone = data.get("error")
    keystone = keystone if isinstance(keystone, Mapping) else {}
    error_code = _text_of(data.get("error_code"))
    failed = str(data.get("is_success")).lower() == "false" or bool(error_code) or not _ok(answer.status_code)
    if not failed:
        return None
    message = next(filter(None, map(_text_of, (data.get("error_message"), data.get("error_msg")))), None)
    message = message or _text_of(keystone.get("message"))
    message = redact(message, answer.secrets) if message else _excerpt(answer)
    code = (error_code or "").replace("APIG.", "APIGW.")
    error_code = redact(error_code, answer.secrets) if error_code else None
    request_id = _request_id(answer, data)
    from_modelarts = any(key in data for key in ("is_success", "error_code", "error_message"))
    kind = _classify(answer, code, message, from_modelarts=from_modelarts)
    part, hint = _advice(kind, code, answer)
    text = (
        f"{answer.method} {answer.url} answered HTTP {answer.status_code}"
        f"{f', {error_code}' if error_code else ''}{f': {message}' if message else ' with an empty body'}"
        f"{f' (request id {request_id})' if request_id else ''}"
    )
    return kind(
        f"{text.rstrip('.')}. {hint}{unknown_outcome(answer.method, kind.may_have_happened)}".strip(),
        method=answer.method,
        url=answer.url,
        status_code=answer.status_code,
        error_code=error_code,
        error_message=message,
        request_id=request_id,
        retry_after=answer.retry_after,
        part=part,
    )


def malformed(answer: Answer, reason: str) -> ModelArtsMalformedResponseError:
    """Return the exception for a success that cannot be read."""
    request_id = _request_id(answer, {})
    excerpt = _excerpt(answer)
    reason = redact(reason, answer.secrets)
    return ModelArtsMalformedResponseError(
        f"{answer.method} {answer.url} answered HTTP {answer.status_code}, but {reason}: {excerpt or 'empty body'}"
        f"{f' (request id {request_id})' if request_id else ''}. {ModelArtsMalformedResponseError.hint}"
        f"{unknown_outcome(answer.method, ModelArtsMalformedResponseError.may_have_happened)}",
        method=answer.method,
        url=answer.url,
        status_code=answer.status_code,
        request_id=request_id,
    )


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text with what must not be shown replaced, also where a gateway repeats a request in its own way."""
    for secret in filter(None, secrets):
        for spelling in _spellings(secret):
            text = text.replace(spelling, "***")
    return _NAMED.sub(r"\1***", text)


def _spellings(secret: str) -> list[str]:
    """Return the ways in which a secret may be written, the longest first, as one may hold another."""
    found = newest = {secret}
    for _ in range(_NESTED):
        newest = {spell(text) for text in newest for spell in _SPELLED} - found
        found = found | newest
    return sorted({*found, base64.b64encode(secret.encode()).decode()}, key=len, reverse=True)


def _classify(answer: Answer, code: str, message: str, *, from_modelarts: bool) -> type[ModelArtsError]:
    if code == "ModelArts.0102" and "workspace" in message.lower():
        # The code meant "resource does not exist" until 2021 and "workspace does not exist" after it.
        return ModelArtsBadRequestError
    status = answer.status_code
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status in (404, 410):
        missing_job = code.startswith("ModelArts.") or (
            answer.names_job and (from_modelarts or not answer.body.strip())
        )
        return ModelArtsNotFoundError if missing_job else ModelArtsRetiredError
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return ModelArtsBadRequestError if 300 <= status < 500 else ModelArtsServerError


def _advice(kind: type[ModelArtsError], code: str, answer: Answer) -> tuple[str, str]:
    """Return which part failed, and what to do next."""
    skew = _clock_skew(answer)
    location = answer.headers.get("Location")
    if kind is ModelArtsAuthenticationError and abs(skew) > _MAX_CLOCK_SKEW:
        minutes = round(abs(skew).total_seconds() / 60)
        direction = "ahead of" if skew > timedelta() else "behind"
        return "clock", f"This machine's clock is {minutes} min {direction} the server's; 15 min are allowed. Set it."
    if code in _PROJECT_CODES:
        return (
            "project",
            "Set project_id of the connection to the project of its region that the credentials belong to.",
        )
    if kind is ModelArtsPermissionError and answer.action:
        return kind.part, (
            f"The caller needs the IAM action {answer.action}, and ModelArts must be authorized to reach OBS "
            "(ModelArts console, Settings)."
        )
    if 300 <= answer.status_code < 400 and location:
        return (
            "endpoint",
            f"It redirects to {redact(location, answer.secrets)}, where credentials are not sent. "
            "Set host to the right endpoint.",
        )
    return kind.part, kind.hint


def _clock_skew(answer: Answer) -> timedelta:
    """Return by how much this machine's clock is ahead of the server's, as far as the answer is dated."""
    try:
        return datetime.now(timezone.utc) - parsedate_to_datetime(answer.headers.get("Date") or "")
    except (TypeError, ValueError, OverflowError):
        return timedelta()


def _ok(status_code: int) -> bool:
    return 200 <= status_code < 300


def _text_of(value: Any) -> str | None:
    return encodable(str(value)) if value not in (None, "") else None


def _request_id(answer: Answer, data: Mapping[str, Any]) -> str | None:
    request_id = answer.headers.get("X-Request-Id") or _text_of(data.get("request_id"))
    return redact(request_id, answer.secrets) if request_id else None


def _excerpt(answer: Answer) -> str:
    """Return the start of a body that is no JSON envelope, on one line, HTML tags and secrets taken out."""
    # A secret that was cut would not be found any more.
    text = redact(answer.body[:_BODY_LIMIT].decode("utf-8", errors="replace"), answer.secrets)
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())[:_TEXT_LIMIT]
