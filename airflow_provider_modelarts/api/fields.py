"""
Reads the values of a decoded JSON response, tolerantly and within bounds.

A server may send anything. Numbers travel through msgpack and a database, texts through logs and messages: a number out
of range counts as missing, and a text is short and printable.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import pendulum

MAX_NUMBER: Final = 2**63 - 1
"""The largest number, either sign, that JSON, msgpack and every database can hold."""

TEXT_LIMIT: Final = 1024
"""The most characters of a text, unless the reader of a field says otherwise."""

LIST_LIMIT: Final = 1000
"""The most entries of a list that are read."""

_MAX_DIGITS: Final = 32
_ESCAPE_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
"""Colours, cursor movements and window titles of a terminal."""


def printable(text: str, limit: int = TEXT_LIMIT) -> str:
    """
    Return a text that is safe in a log line and a message: at most ``limit`` characters, on one line.

    Terminal sequences are removed. Control characters, line breaks, and invisible characters that change how a text
    reads become spaces. A text that is cut ends in ``…``.
    """
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    text = _ESCAPE_SEQUENCE.sub("", text)
    return "".join(character if character.isprintable() else " " for character in text)


class Fields:
    """
    An object of a response. A field that is missing or has a wrong type is None or empty.

    :param data: the decoded object; anything else is an object without fields
    """

    def __init__(self, data: object) -> None:
        self._data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}

    def object(self, field: str) -> Fields:
        """Return an object inside this one."""
        return Fields(self._data.get(field))

    def objects(self, field: str) -> list[Fields]:
        """Return the objects in a list; at most LIST_LIMIT of them."""
        return [Fields(entry) for entry in self._list(field) if isinstance(entry, Mapping)]

    def texts(self, field: str) -> tuple[str, ...]:
        """Return the texts in a list; at most LIST_LIMIT of them."""
        return tuple(printable(entry) for entry in self._list(field) if isinstance(entry, str))

    def numbers(self, field: str) -> tuple[float | None, ...]:
        """Return the last LIST_LIMIT entries of a list of numbers, at most; None for an entry that is not a number."""
        value = self._data.get(field)
        return tuple(map(_number, value[-LIST_LIMIT:] if isinstance(value, list) else []))

    def raw_text(self, field: str) -> str | None:
        """Return a text unchanged, for callers that split or parse it before they show it."""
        value = self._data.get(field)
        return value if isinstance(value, str) else None

    def text(self, field: str, limit: int = TEXT_LIMIT) -> str | None:
        """Return a printable text of at most ``limit`` characters."""
        value = self.raw_text(field)
        return None if value is None else printable(value, limit)

    def flag(self, field: str) -> bool | None:
        """Return true or false, also where the API writes it as text."""
        value = self._data.get(field)
        return {"true": True, "false": False}.get(str(value).lower())

    def number(self, field: str) -> float | None:
        """Return a number, also where the API writes it as text."""
        return _number(self._data.get(field))

    def whole(self, field: str) -> int | None:
        """Return a whole number, also where the API writes it as text."""
        return whole_number(self._data.get(field))

    def duration(self, field: str) -> pendulum.Duration | None:
        """Return a length of time that the API gives in milliseconds."""
        milliseconds = self.whole(field)
        try:
            return None if milliseconds is None else pendulum.duration(milliseconds=milliseconds)
        except OverflowError:
            return None

    def timestamp(self, field: str) -> pendulum.DateTime | None:
        """Return a point in time that the API gives in milliseconds since the epoch, or in seconds; 0 means none."""
        value = self.whole(field)
        if value is not None and 10**9 <= value < 10**11:
            return pendulum.from_timestamp(value)
        if value is not None and 10**12 <= value < 10**14:
            return pendulum.from_timestamp(value / 1000)
        return None

    def _list(self, field: str) -> list[Any]:
        value = self._data.get(field)
        return value[:LIST_LIMIT] if isinstance(value, list) else []


def _number(value: object) -> float | None:
    if isinstance(value, str) and len(value) <= _MAX_DIGITS:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) <= MAX_NUMBER and not math.isnan(value) else None


def whole_number(value: object) -> int | None:
    """Return a whole number within bounds, also where the API writes it as text; None for anything else."""
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and value.lstrip("-").isdecimal():
        try:
            value = int(value)
        except ValueError:
            return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= MAX_NUMBER else None
    number = _number(value)
    return int(number) if number is not None and number.is_integer() else None
