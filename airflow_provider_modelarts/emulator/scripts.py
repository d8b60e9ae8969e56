"""
Scripts: the path of statuses that a job takes.

A script is a list of steps, (seconds after the step before, status code or "gone"). As text, ``status:seconds`` joined
by commas: ``1:0,4:2,7:3,8:10`` is the path of a job that starts well. Where a script is asked for, such a text or one
of the names in :data:`SCRIPTS` will do.
"""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import Final, Literal

GONE: Final = "gone"
"""Step after which the job does not exist any more."""

Step = tuple[float, "int | Literal['gone']"]
Script = tuple[Step, ...]

_SUBMITTED: Final[Script] = ((0, 1), (2, 4))
_QUEUED: Final[Script] = (*_SUBMITTED, (3, 7))
_RUNNING: Final[Script] = (*_QUEUED, (10, 8))

SCRIPTS: Final[dict[str, Script]] = {
    "normal": _RUNNING,
    "hangs": _QUEUED,
    "fails": (*_QUEUED, (10, 11)),
    "image-fails": ((0, 1), (2, 2), (10, 3)),
    "submit-fails": (*_SUBMITTED, (3, 5)),
    "mount-fails": (*_QUEUED, (10, 22)),
    "canceled": (*_QUEUED, (10, 13)),
    "vanishes": (*_QUEUED, (10, GONE)),
    "unknown": (*_SUBMITTED, (3, 42), (10, 8)),
    "completes": (*_RUNNING, (60, 10)),
    "lost": (*_RUNNING, (60, 14)),
}
"""The scripts with a name."""

STOP: Final[Script] = ((0, 9), (5, 12))
DELETE: Final[Script] = ((0, 9), (5, GONE))
RESTART: Final[Script] = ((2, 1), *_RUNNING[1:])
"""What stop, delete and restart start. A restart shows the old status for 2 s, as the real API is believed to do."""


def parse_script(text: str) -> Script:
    """Return the script of a name or a text; ValueError says what is wrong with it."""
    if text in SCRIPTS:
        return SCRIPTS[text]
    if ":" not in text:
        raise ValueError(f"no script is named {text!r}; there are {', '.join(SCRIPTS)}, or write status:seconds,...")
    return tuple(_parse_step(step.strip()) for step in text.split(","))


def _parse_step(text: str) -> Step:
    status, _, seconds = text.partition(":")
    try:
        delay = float(seconds)
        if not 0 <= delay < math.inf:
            raise ValueError(seconds)
        return delay, GONE if status == GONE else int(status)
    except ValueError:
        raise ValueError(f"not a step of a script (status:seconds or gone:seconds): {text!r}") from None


class ScriptRules:
    """Which script a job takes by its name: an exact rule first, then the newest pattern (as in fnmatch) that fits."""

    def __init__(self) -> None:
        self.rules: dict[str, str] = {}

    def add(self, name: str, script: str) -> None:
        """Set the script of all jobs of this name that are created from now on; ValueError when it is none."""
        parse_script(script)
        self.rules.pop(name, None)
        self.rules[name] = script

    def script_for(self, job_name: str) -> str:
        """Return the script for a new job."""
        if job_name in self.rules:
            return self.rules[job_name]
        return next((self.rules[name] for name in reversed(self.rules) if fnmatchcase(job_name, name)), "normal")
