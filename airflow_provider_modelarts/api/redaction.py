"""Keeps secrets, and endless or unprintable texts of a server, out of errors, log lines and links."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import quote, quote_plus

from airflow_provider_modelarts.api.fields import printable

_WINDOW: Final = 64 * 1024
"""The most characters of a text that are searched, before tags, secrets and white space are removed."""

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
"""The forms in which a server may repeat a text."""

_NESTED: Final = 3
"""How often one form may be inside another: JSON as text in JSON, in a URL, or in JSON again."""

_BETWEEN: Final = r"""(?:[\\"'\s]|&quot;|%2[02])*(?:[:=]|%3[AD])(?:[\\"'\s]|&quot;|%2[02])*"""
_NAMED: Final = re.compile(
    rf"(?i)((?:x-(?:auth|subject|security)-token|authorization){_BETWEEN}(?:(?:basic|bearer)(?:\s|%20|\+)+)?"
    r"|signature(?:=|%3D))[^|\s\"'\\,;&<%]+"
)
"""The value behind the name of a secret."""

# A tag ends where the next one begins, so that the time is linear in the length of the text.
_TAG: Final = re.compile(r"<[^<>]*>")


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text with secrets replaced, in any form in which a gateway may repeat them."""
    for spelling in _all_spellings(secrets):
        text = text.replace(spelling, "***")
    return _NAMED.sub(r"\1***", text)


def excerpt(text: str, secrets: Iterable[str], limit: int) -> str:
    """
    Return the start of a server's text for a message or a log: one line, without tags and secrets.

    :param limit: the most characters
    """
    secrets = tuple(secrets)
    # A secret that is cut would not be found. Removed characters must not put a secret together.
    text = redact(_start(text, secrets), secrets)
    text = printable(_TAG.sub(" ", text), _WINDOW)
    return printable(" ".join(redact(text, secrets).split()), limit)


def _start(text: str, secrets: Iterable[str]) -> str:
    """Return the start of a text, cut before a secret rather than in it."""
    end = _WINDOW
    if len(text) > end:
        for spelling in _all_spellings(secrets):
            found = text.find(spelling, max(0, _WINDOW - len(spelling)), _WINDOW + len(spelling))
            end = end if found < 0 else min(end, found)
    return text[:end]


def _all_spellings(secrets: Iterable[str]) -> list[str]:
    """Return all forms of the secrets, the longest first, because one may contain another."""
    return sorted({spelling for secret in secrets if secret for spelling in _spellings(secret)}, key=len, reverse=True)


def _spellings(secret: str) -> set[str]:
    found = newest = {secret}
    for _ in range(_NESTED):
        newest = {spell(text) for text in newest for spell in _SPELLED} - found
        found = found | newest
    return {*found, base64.b64encode(secret.encode()).decode()}
