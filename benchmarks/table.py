"""Prints results as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose first column is text and whose other columns are figures."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * width if number == 0 else "-" * (width - 1) + ":" for number, width in enumerate(widths)]
    for row in (header, rule, *rows):
        cells = [
            text.ljust(widths[0]) if number == 0 else text.rjust(widths[number]) for number, text in enumerate(row)
        ]
        print(f"| {' | '.join(cells)} |")
