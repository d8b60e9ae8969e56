"""Finds a secret in text, whole or in part, also where it was encoded on its way there."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_MARK = 16  # characters; 80 bits and more, nothing looks like it by chance


@dataclass(frozen=True)
class Secret:
    """What is searched for. Both ends of it are searched for by themselves, for a text may be cut in its middle."""

    name: str
    value: str

    @classmethod
    def marked(cls, name: str, middle: str = "") -> Secret:
        """Make a secret; ``middle`` holds the characters that JSON, HTML and URLs write in another way."""
        return cls(name, secrets.token_hex(_MARK // 2) + middle + secrets.token_hex(_MARK // 2))

    def spellings(self) -> set[str]:
        """
        Return what cannot be missing from a text that shows the secret.

        The ends are letters, digits, ``-`` and ``_``, which URLs, JSON, HTML and Python leave as they are; only base64
        and hexadecimal digits write them differently.
        """
        marks = (self.value[:_MARK], self.value[-_MARK:])
        return {spelling for mark in marks for spelling in (mark, *_encoded(mark.encode()))}


def found(secrets_: Iterable[Secret], texts: Mapping[str, str]) -> list[str]:
    """Return where secrets are shown: the name of each text, of the secret, and what stands around it."""
    spellings = [(secret.name, spelling) for secret in secrets_ for spelling in secret.spellings()]
    return [
        f"{where}: {name} in …{text[max(0, place - 150) : place + 40]!r}…"
        for where, text in texts.items()
        for name, spelling in spellings
        if (place := text.find(spelling)) >= 0
    ]


def _encoded(mark: bytes) -> set[str]:
    """Return a mark in hexadecimal digits, and in base64 at each of the three places that it can have there."""
    spellings = {mark.hex(), mark.hex().upper()}
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(before) + mark).decode()
            # The first and last characters are made of neighbours, too.
            first, last = -(-before * 8 // 6), (before + len(mark)) * 8 // 6
            spellings.add(text[first:last])
    return spellings
