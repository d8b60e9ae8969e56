"""Logs and events of a training job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_modelarts.api.fields import Fields, printable

LINE_LIMIT: Final = 4096
"""Characters of a line of a log."""


@dataclass(frozen=True)
class LogPreview:
    """
    The last lines of a task's log.

    :param size: bytes of the part of the log that they come from, at most 5 MB
    :param full_size: bytes of the whole log
    """

    lines: tuple[str, ...]
    size: int | None
    full_size: int | None

    @classmethod
    def from_api(cls, data: Mapping[str, Any]) -> LogPreview:
        """Read a preview. The text was called ``context`` until 2022, and may still be in private clouds."""
        answer = Fields(data)
        content = answer.raw_text("content") or answer.raw_text("context") or ""
        return cls(log_lines(content), answer.whole("current_size"), answer.whole("full_size"))


@dataclass(frozen=True)
class LogPosition:
    """
    How far a log has been read.

    :param line: number of the last line, as the API writes it
    :param text: the last line itself
    """

    line: str
    text: str = ""


LOG_START: Final = LogPosition("0")
"""Before the first line."""


@dataclass(frozen=True)
class LogLines:
    """
    Some lines of a task's log, oldest first.

    :param position: where to continue reading
    """

    lines: tuple[str, ...]
    position: LogPosition

    @classmethod
    def from_api(cls, data: Mapping[str, Any], after: LogPosition) -> LogLines:
        """
        Read the lines that follow a position.

        It is not documented whether the response includes the line at the position. If it does, that line is left out.
        """
        lines = log_lines(Fields(data).raw_text("content") or "")
        if lines and lines[0] == after.text and _line_number(data, "start_line") == after.line:
            lines = lines[1:]
        if not lines:
            return cls((), after)
        return cls(lines, LogPosition(_line_number(data, "end_line") or after.line, lines[-1]))


@dataclass(frozen=True)
class JobEvent:
    """
    Something that happened to a job.

    :param level: Info, Warning or Error
    """

    time: str | None
    level: str | None
    message: str | None
    source: str | None

    @classmethod
    def from_api(cls, event: Fields) -> JobEvent:
        """Read an event."""
        return cls(event.text("time", 64), event.text("level", 64), event.text("message"), event.text("source", 64))


def log_lines(content: str) -> tuple[str, ...]:
    """
    Return the lines of a log, each printable and of limited length.

    A progress bar rewrites its line after carriage returns; only its last state is kept.
    """
    lines = content.removesuffix("\n").split("\n") if content else []
    return tuple(printable(line.rstrip("\r").rpartition("\r")[2], LINE_LIMIT).rstrip() for line in lines)


def _line_number(data: Mapping[str, Any], name: str) -> str | None:
    """Return a line number, which is text or a number in the API; kept as text because it only ever goes into a URL."""
    number = Fields(data).whole(name)
    return Fields(data).text(name, 64) or (None if number is None else str(number))
