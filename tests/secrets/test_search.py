"""The search itself: it finds a secret in every spelling, cut ones included, and nothing else."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from tests.secrets.search import Secret, found

SECRET = Secret.marked("secret", "/+&\"<%'> \\é")


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "spell",
    [
        str,
        repr,
        json.dumps,
        lambda text: json.dumps(json.dumps({"a": text})),
        html.escape,
        quote,
        quote_plus,
        lambda text: quote(quote(text)),
        b64,
        lambda text: b64(f"u:{text}"),
        lambda text: b64(f"us:{text}@host"),
        lambda text: base64.urlsafe_b64encode(f"user:{text}".encode()).decode(),
        lambda text: text.encode().hex(),
        lambda text: text[:20],
        lambda text: text[-20:],
    ],
)
def test_every_spelling_is_found(spell: Callable[[str], str]) -> None:
    text = f"before {spell(SECRET.value)} after"
    assert len(found([SECRET], {"a text": text})) > 0
    assert found([Secret.marked("another")], {"a text": text}) == []
