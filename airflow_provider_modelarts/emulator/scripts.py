"""
Scripts: the statuses that a job takes over time. Each service has its own statuses, and scripts with names.

A script is a list of steps: (seconds after the step before, status or "gone"). As text it is ``status:seconds``,
joined by commas: ``Creating:0,Pending:2,Running:3``. Parameters for scripts accept such a text or the name of a
script.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Final, Generic, TypeVar

GONE: Final = "gone"
"""The step after which the job does not exist."""

StatusT = TypeVar("StatusT")
Script = tuple[tuple[float, "StatusT | str"], ...]


class Scripts(Generic[StatusT]):
    """
    The scripts of a service, and the rules that choose one for a new job.

    An exact rule for its name comes first, then the newest pattern that matches, then the script ``normal``.

    :param named: the scripts that have a name
    :param parse_status: parses the status of a step; raises ValueError if it does not exist
    :param rules: script by job name or pattern (as in fnmatch)
    """

    def __init__(
        self,
        named: Mapping[str, Script[StatusT]],
        parse_status: Callable[[str], StatusT],
        rules: Mapping[str, str] | None = None,
    ) -> None:
        self._named = named
        self._parse_status = parse_status
        self.rules: dict[str, str] = {}
        for name, script in (rules or {}).items():
            self.add_rule(name, script)

    def add_rule(self, name: str, script: str) -> None:
        """Set the script of all jobs of this name that are created from now on; raises ValueError if it is invalid."""
        self.parse(script)
        self.rules.pop(name, None)
        self.rules[name] = script

    def script_for(self, job_name: str) -> Script[StatusT]:
        """Return the script of a new job."""
        patterns = (self.rules[name] for name in reversed(self.rules) if fnmatchcase(job_name, name))
        return self.parse(self.rules.get(job_name) or next(patterns, "normal"))

    def parse(self, text: str) -> Script[StatusT]:
        """
        Return the script of a name or a text.

        :raises ValueError: it is not a script
        """
        if text in self._named:
            return self._named[text]
        if ":" not in text:
            names = ", ".join(self._named)
            raise ValueError(f"no script is named {text!r}; scripts are {names}, and lists such as status:seconds,...")
        return tuple(self._parse_step(step.strip()) for step in text.split(","))

    def _parse_step(self, text: str) -> tuple[float, StatusT | str]:
        status, _, seconds = text.partition(":")
        try:
            delay = float(seconds)
            if not 0 <= delay < math.inf:
                raise ValueError(seconds)
            return delay, GONE if status == GONE else self._parse_status(status)
        except ValueError:
            raise ValueError(f"not a step of a script (status:seconds or gone:seconds): {text!r}") from None


class Timeline(Generic[StatusT]):
    """
    The remaining steps of a job's script.

    :ivar due: when the next step is due, in seconds of the job clock; infinite if there is none
    """

    def __init__(self) -> None:
        self._steps: deque[tuple[float, StatusT | str]] = deque()
        self.due = math.inf

    def follow(self, script: Script[StatusT], now: float) -> None:
        """Replace the steps with those of a script that begins now."""
        self._steps.clear()
        due = now
        for delay, status in script:
            due += delay
            self._steps.append((due, status))
        self._find_due()

    def take(self) -> tuple[float, StatusT | str]:
        """Remove the next step, and return when it was due, and its status."""
        step = self._steps.popleft()
        self._find_due()
        return step

    def _find_due(self) -> None:
        self.due = self._steps[0][0] if self._steps else math.inf
