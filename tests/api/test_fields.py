"""Fields of an answer: tolerant of form, and never out of bounds."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_modelarts.api.fields import LIST_LIMIT, MAX_NUMBER, TEXT_LIMIT, Fields, printable
from tests.hypothesis_profile import load_profile

load_profile()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("plain 日本語 é", "plain 日本語 é"),
        ("two\r\nlines\tand a tab", "two  lines and a tab"),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07end", "red end"),
        ("bidi \u202eevil, zero\u200bwidth, half \ud800", "bidi  evil, zero width, half  "),
        ("x" * TEXT_LIMIT, "x" * TEXT_LIMIT),
        ("x" * (TEXT_LIMIT + 1), "x" * (TEXT_LIMIT - 1) + "…"),
    ],
)
def test_a_text_becomes_one_short_printable_line(sent: str, read: str) -> None:
    assert printable(sent) == read
    assert Fields({"a": sent}).text("a") == read


@pytest.mark.parametrize("character", ["\x1b", "\x1b[", "\x1b]", "\x1b[0", "\x1b[0 ", "\n", "<"])
def test_cleaning_takes_time_in_proportion_to_the_text(character: str) -> None:
    started = time.perf_counter()
    printable(character * 200_000, limit=10**6)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (7, 7),
        ("7", 7),
        (7.0, 7),
        ("7.0", 7),
        ("7." + "0" * 30, 7),
        ("7." + "0" * 31, None),
        ("0" * 31 + "7", 7),
        ("0" * 32 + "7", None),
        (-3, -3),
        (MAX_NUMBER, MAX_NUMBER),
        (-MAX_NUMBER, -MAX_NUMBER),
        (MAX_NUMBER + 1, None),
        ("9" * 5000, None),
        (1e300, None),
        (float("nan"), None),
        (float("inf"), None),
        (7.5, None),
        (True, None),
        ("--7", None),
        ("", None),
        ([], None),
        (None, None),
    ],
)
def test_a_whole_number_is_one_that_can_travel(sent: Any, read: int | None) -> None:
    assert Fields({"a": sent}).whole("a") == read


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (1641892655000, "2022-01-11T09:17:35Z"),
        ("1641892655000", "2022-01-11T09:17:35Z"),
        (1641892655, "2022-01-11T09:17:35Z"),
        (0, None),
        (10**9, "2001-09-09T01:46:40Z"),
        (10**9 - 1, None),
        (10**11 - 1, "5138-11-16T09:46:39Z"),
        (10**11, None),
        (10**12, "2001-09-09T01:46:40Z"),
        (10**12 - 1, None),
        (10**14 - 1000, "5138-11-16T09:46:39Z"),
        (10**14, None),
        ("yesterday", None),
    ],
)
def test_a_time_is_in_milliseconds_or_seconds(sent: Any, read: str | None) -> None:
    timestamp = Fields({"a": sent}).timestamp("a")
    assert (timestamp and timestamp.to_iso8601_string()) == read


def test_a_duration_is_in_milliseconds() -> None:
    assert Fields({"a": 1500}).duration("a").total_seconds() == 1.5  # type: ignore[union-attr]
    assert Fields({"a": MAX_NUMBER}).duration("a") is None


def test_lists_keep_what_can_be_read_and_are_cut() -> None:
    fields = Fields({"a": [1, "x", {"b": "y"}, None, "2"], "long": ["x"] * (LIST_LIMIT + 1)})
    assert fields.texts("a") == ("x", "2")
    assert fields.numbers("a") == (1.0, None, None, None, 2.0)  # in their places: each is of a minute
    assert [entry.text("b") for entry in fields.objects("a")] == ["y"]
    assert len(fields.texts("long")) == LIST_LIMIT
    assert Fields({"a": list(range(LIST_LIMIT + 1))}).numbers("a") == tuple(range(1, LIST_LIMIT + 1))
    assert fields.objects("missing") == []


@pytest.mark.parametrize(
    ("sent", "read"), [(True, True), ("true", True), ("False", False), ("yes", None), (1, None), (None, None)]
)
def test_a_flag_is_true_or_false(sent: Any, read: bool | None) -> None:
    assert Fields({"a": sent}).flag("a") is read


@given(JSON)
def test_whatever_is_sent_can_be_read_and_travels(value: Any) -> None:
    fields = Fields({"a": value})
    read = [
        fields.text("a"), fields.flag("a"), fields.number("a"), fields.whole("a"),
        list(fields.texts("a")), list(fields.numbers("a")),
    ]  # fmt: skip
    # Airflow's own framing between triggerer and supervisor.
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(read)) == read
    fields.duration("a")
    fields.timestamp("a")
    fields.object("a").objects("a")
