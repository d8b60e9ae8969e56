"""Verification of ``SDK-HMAC-SHA256`` request signatures, written from the description of the algorithm alone."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final
from urllib.parse import quote, unquote

from airflow_provider_modelarts.emulator.exchange import Call

ALGORITHM: Final = "SDK-HMAC-SHA256"
DATE_WINDOW: Final = 15 * 60
"""Seconds by which the date of a signature may differ from the server's."""

_AUTHORIZATION: Final = re.compile(
    rf"{ALGORITHM} Access=(?P<access>[^,\s]+), ?SignedHeaders=(?P<headers>[^,\s]+), ?Signature=(?P<signature>[0-9a-f]+)"
)
_UNSIGNED: Final = "UNSIGNED-PAYLOAD"


class SignatureRefused(Exception):
    """The signature does not hold; the message is the gateway's."""


@dataclass(frozen=True)
class Authorization:
    """What an ``Authorization`` header says."""

    access_key: str
    signed_headers: tuple[str, ...]
    signature: str

    @classmethod
    def parse(cls, header: str) -> Authorization | None:
        """Read the header; None when it is not one of this algorithm."""
        match = _AUTHORIZATION.fullmatch(header)
        return match and cls(match["access"], tuple(match["headers"].split(";")), match["signature"])


def verify(call: Call, authorization: Authorization, secret_key: str, now: float) -> None:
    """
    Check that the request was signed with this key, not long ago, and arrived unchanged.

    :param now: the server's time, seconds since the epoch
    :raises SignatureRefused: it was not
    """
    date = call.headers.get("x-sdk-date", "")
    if "x-sdk-date" not in authorization.signed_headers or abs(_timestamp(date) - now) > DATE_WINDOW:
        raise SignatureRefused("calc ak sk signature fail:signature expired")
    canonical = canonical_request(call, authorization.signed_headers)
    expected = sign(canonical, date, secret_key)
    if not hmac.compare_digest(expected, authorization.signature):
        raise SignatureRefused(f"verify aksk signature fail, canonicalRequest:{canonical.replace(chr(10), '|')}")


def canonical_request(call: Call, signed_headers: Iterable[str]) -> str:
    """Return the canonical form of the request as it arrived."""
    names = sorted(signed_headers)
    lines = [f"{name}:{call.headers.get(name, '').strip()}\n" for name in names]
    return "\n".join(
        (
            call.method,
            _canonical_path(call.path),
            _canonical_query(call.query),
            "".join(lines),
            ";".join(names),
            _payload_hash(call.body, call.headers),
        )
    )


def sign(canonical: str, date: str, secret_key: str) -> str:
    """Return the signature of a canonical request."""
    string_to_sign = f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.new(secret_key.encode(), string_to_sign.encode(), hashlib.sha256).hexdigest()


def _timestamp(date: str) -> float:
    try:
        return datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        raise SignatureRefused("calc ak sk signature fail:signature expired") from None


def _canonical_path(path: str) -> str:
    canonical = "/".join(_encode(segment) for segment in unquote(path).split("/"))
    return canonical if canonical.endswith("/") else canonical + "/"


def _canonical_query(query: str) -> str:
    """Sort by name, then value. A plus sign is a plus sign here: a space must be sent as %20."""
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
