"""
Authenticates and authorizes requests: signatures, tokens, project and policy, with the errors of the real services.

``SDK-HMAC-SHA256`` signatures are checked by an implementation of the published algorithm, independent of the client's
signer and its mistakes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final
from urllib.parse import quote, unquote

from airflow_provider_modelarts.emulator.cloud import Cloud
from airflow_provider_modelarts.emulator.http import ModelArtsRefusal, Request, unauthenticated
from airflow_provider_modelarts.emulator.iam.state import Scope, Token

ALGORITHM: Final = "SDK-HMAC-SHA256"
DATE_WINDOW: Final = 15 * 60
"""Seconds by which the date of a signature may differ from the server's."""

_AUTHORIZATION: Final = re.compile(
    rf"{ALGORITHM} Access=(?P<access>[^,\s]+), ?SignedHeaders=(?P<headers>[^,\s]+), ?Signature=(?P<signature>[0-9a-f]+)"
)
_UNSIGNED: Final = "UNSIGNED-PAYLOAD"


def iso_time(timestamp: float) -> str:
    """Return a time as IAM writes it: UTC with microseconds."""
    return datetime.fromtimestamp(timestamp, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def authenticate(cloud: Cloud, request: Request) -> Scope:
    """
    Return the scope of the sender's credentials.

    :raises GatewayRefusal: the credentials are missing or wrong (401)
    """
    authorization = request.headers.get("authorization", "")
    if authorization.startswith(ALGORITHM):
        _check_signature(cloud, request, authorization)
        return "project"
    return valid_token(cloud, request.headers.get("x-auth-token", "")).scope


def valid_token(cloud: Cloud, secret: str) -> Token:
    """
    Return the token.

    :raises GatewayRefusal: it is missing, unknown or expired (401)
    """
    if not secret:
        raise unauthenticated("x-auth-token not found")
    token = cloud.iam.tokens.get(secret)
    if token is None:
        raise unauthenticated("decrypt token fail")
    if token.expires_at <= cloud.now():
        raise unauthenticated(f"token expires, expires_at: {iso_time(token.expires_at)}")
    return token


def authorize(cloud: Cloud, request: Request, scope: Scope, operation: str, action: str) -> None:
    """
    Check that the sender has permission for this in the project of the path.

    :param action: the IAM action that the operation needs
    :raises ModelArtsRefusal: the sender has no permission (401, 403)
    """
    if scope != "project":
        raise ModelArtsRefusal(401, "ModelArts.0212", "The token has no project item.")
    project_ids = {request.path_params["project_id"], request.headers.get("x-project-id", cloud.options.project_id)}
    if project_ids != {cloud.options.project_id}:
        raise ModelArtsRefusal(403, "ModelArts.0210", "The project id in the URL does not match the token.")
    if operation in cloud.options.deny:
        raise ModelArtsRefusal(403, "ModelArts.0112", f"Policy does not allow {action} to be performed.")


class SignatureRefused(Exception):
    """A signature is wrong or too old. The message is the gateway's own."""


@dataclass(frozen=True)
class Authorization:
    """The parts of an ``Authorization`` header."""

    access_key: str
    signed_headers: tuple[str, ...]
    signature: str

    @classmethod
    def parse(cls, header: str) -> Authorization | None:
        """Parse the header; return None if it is not one of this algorithm."""
        match = _AUTHORIZATION.fullmatch(header)
        return match and cls(match["access"], tuple(match["headers"].split(";")), match["signature"])


def verify(request: Request, authorization: Authorization, secret_key: str, now: float) -> None:
    """
    Check that the request was signed with this key, within DATE_WINDOW of now, and arrived unchanged.

    :param now: the server's time, seconds since the epoch
    :raises SignatureRefused: one of these is not true
    """
    date = request.headers.get("x-sdk-date", "")
    if "x-sdk-date" not in authorization.signed_headers or abs(_timestamp(date) - now) > DATE_WINDOW:
        raise SignatureRefused("calc ak sk signature fail:signature expired")
    canonical = canonical_request(request, authorization.signed_headers)
    expected = sign(canonical, date, secret_key)
    if not hmac.compare_digest(expected, authorization.signature):
        raise SignatureRefused(f"verify aksk signature fail, canonicalRequest:{canonical.replace(chr(10), '|')}")


def canonical_request(request: Request, signed_headers: Iterable[str]) -> str:
    """Return the canonical form of the request as it arrived."""
    names = sorted(signed_headers)
    lines = [f"{name}:{request.headers.get(name, '').strip()}\n" for name in names]
    return "\n".join(
        (
            request.method,
            _canonical_path(request.path),
            _canonical_query(request.query),
            "".join(lines),
            ";".join(names),
            _payload_hash(request.body, request.headers),
        )
    )


def sign(canonical: str, date: str, secret_key: str) -> str:
    """Return the signature of a canonical request."""
    string_to_sign = f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.new(secret_key.encode(), string_to_sign.encode(), hashlib.sha256).hexdigest()


def _check_signature(cloud: Cloud, request: Request, header: str) -> None:
    now = cloud.now()
    if cloud.iam.access_key_lock.is_locked(now):
        raise unauthenticated("AK access failed to reach the limit,forbidden")
    authorization = Authorization.parse(header)
    if authorization is None:
        raise unauthenticated("Authorization format incorrect")
    if authorization.access_key != cloud.options.ak:
        raise unauthenticated(f"Get secretKey failed,ak:{authorization.access_key},err:ak not exist")
    try:
        verify(request, authorization, cloud.options.sk, now)
        _check_security_token(cloud, request)
    except SignatureRefused as refused:
        cloud.iam.access_key_lock.failed(now)
        raise unauthenticated(str(refused)) from None
    cloud.iam.access_key_lock.succeeded()


def _check_security_token(cloud: Cloud, request: Request) -> None:
    if cloud.options.security_token is None:
        return
    sent = request.headers.get("x-security-token", "")
    if not hmac.compare_digest(sent.encode(), cloud.options.security_token.encode()):
        raise SignatureRefused("Get secretKey failed,err:security token invalid")


def _timestamp(date: str) -> float:
    try:
        return datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        raise SignatureRefused("calc ak sk signature fail:signature expired") from None


def _canonical_path(path: str) -> str:
    canonical = "/".join(_encode(segment) for segment in unquote(path).split("/"))
    return canonical if canonical.endswith("/") else canonical + "/"


def _canonical_query(query: str) -> str:
    """Sort by name, then value. A plus sign is not a space, which must be sent as %20."""
    pairs = sorted(
        (unquote(name), unquote(value)) for name, _, value in (p.partition("=") for p in query.split("&") if p)
    )
    return "&".join(f"{_encode(name)}={_encode(value)}" for name, value in pairs)


def _payload_hash(body: bytes, headers: Mapping[str, str]) -> str:
    if body and headers.get("x-sdk-content-sha256") == _UNSIGNED:
        return _UNSIGNED
    return hashlib.sha256(body).hexdigest()


def _encode(text: str) -> str:
    return quote(text, safe="~")
