"""
Runs the fault table and writes what happened into docs/reports/fault-table.md: ``python -m tests.faults.report``.

What is written is what was observed; what is expected is the business of the tests.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.faults.certificates import Authority
from tests.faults.driver import (
    ARRIVES,
    BEGINS_AT,
    CANNOT_ARRIVE,
    HEALS_AT,
    POKE_INTERVAL,
    SCENARIOS,
    TIMEOUT,
    TIMES_OUT,
    TOLERANCE,
    UNKNOWN,
    Observed,
    modes_of,
    observe,
)
from tests.faults.table import TABLE, Row

PATH: Final = Path(__file__).parents[2] / "docs" / "reports" / "fault-table.md"

_INTRODUCTION: Final = f"""# What a wait ends in when something is wrong

Made by `.venv/bin/python -m tests.faults.report`, from what it observed; nothing here is written by hand. Each row was
run by the real sensor in poke, reschedule and deferrable mode, and in deferrable mode for three jobs at once, against a
real server on loopback that does what the row says, with `poke_interval={POKE_INTERVAL:g}`,
`poll_failure_tolerance={TOLERANCE:g}` and `timeout={TIMEOUT:g}`. Three times each:

- *from the first poll*: the fault is there from the start and stays;
- *heals*: the jobs have been seen, the fault begins after {BEGINS_AT:g} s and ends after {HEALS_AT:g} s;
- *stays*: it begins after {BEGINS_AT:g} s and stays.

The jobs are visualization jobs which are WAITING, and RUNNING after {HEALS_AT:g} s; RUNNING is waited for, or the
deletion. Those of the last part are training jobs which are Running, and Completed after {HEALS_AT:g} s; Completed is
waited for.

| Word | The task |
| --- | --- |
| succeeds | succeeds, as the target was seen |
| fails | fails at once, without retries: the job cannot arrive |
| retries at once | fails with "state unknown" at the first look that sees the fault; retries apply |
| retries later | fails with "state unknown" once the fault has lasted longer than is tolerated; retries apply |
| times out | times out as any sensor does |

Where modes differ, each is named. *Requests* counts every attempt, for one job, from the first poll / heals / stays;
a range where the modes differ by a poll. Time is simulated; where a server is slow, a look has
one attempt in place of four.
"""


def main() -> None:
    """Run the table and write the report."""
    logging.disable(logging.CRITICAL)
    parts = [_INTRODUCTION]
    with tempfile.TemporaryDirectory() as folder:
        authorities = tuple(Authority(_made(Path(folder) / name)) for name in ("trusted", "unknown"))
        for title, rows in TABLE.items():
            parts.append(f"## {title}\n\n| Fault | From the first poll | Heals | Stays | Requests |")
            parts[-1] += "\n| --- | --- | --- | --- | --- |\n"
            for row in rows:
                print(row.name, file=sys.stderr, flush=True)
                parts[-1] += _line(
                    row,
                    {
                        (scenario, mode): observe(row, scenario, mode, (authorities[0], authorities[1]))
                        for scenario in SCENARIOS
                        for mode in modes_of(row)
                    },
                )
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text("\n".join(parts))
    print(f"Written: {PATH}", file=sys.stderr)


def names_in(report: str) -> list[str]:
    """Return the faults that a report is of."""
    cells = (line.split(" | ") for line in report.splitlines())
    return [row[0].removeprefix("| ") for row in cells if len(row) == 5 and row[0] not in ("| Fault", "| ---")]


def _line(row: Row, seen: Mapping[tuple[str, str], Observed]) -> str:
    modes = modes_of(row)
    ends = [_merged({mode: _word(scenario, seen[scenario, mode]) for mode in modes}) for scenario in SCENARIOS]
    requests = [_range([seen[scenario, mode].requests for mode in modes[:3]]) for scenario in SCENARIOS]
    return f"| {row.name} | {' | '.join(ends)} | {' / '.join(requests)} |\n"


def _word(scenario: str, seen: Observed) -> str:
    words = {ARRIVES: "succeeds", CANNOT_ARRIVE: "fails", TIMES_OUT: "times out"}
    if seen.end != UNKNOWN:
        return words.get(seen.end, seen.end)
    # The look that first sees a fault in mid-wait comes within an interval.
    at_once = scenario == SCENARIOS[0] or seen.seconds <= BEGINS_AT + POKE_INTERVAL
    return "retries at once" if at_once else "retries later"


def _merged(words: Mapping[str, str]) -> str:
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return "; ".join(f"{mode}: {word}" for mode, word in words.items())


def _range(counts: list[int]) -> str:
    return str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    main()
