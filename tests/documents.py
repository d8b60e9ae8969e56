"""The pages at the root and under docs/ as tests see them: code blocks by what they are, headings and links."""

from __future__ import annotations

import ast
import re
import textwrap
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE_DAGS = ROOT / "example_dags"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """
    A code block of a document.

    :param text: as it stands there, with its indentation
    :param line: of its first line of code, counted from 1
    """

    document: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Name for a file or a test, ``wait_51``."""
        return f"{self.document.stem.lower().replace('-', '_')}_{self.line}"

    @property
    def code(self) -> str:
        """The text without the indentation that all of it has."""
        return textwrap.dedent(self.text)

    @property
    def kind(self) -> str:
        """
        What a Python block is, by what it contains.

        ``"pytest"`` has tests or plugins for them; ``"excerpt"`` imports nothing, so that it cannot run alone;
        ``"dag"`` defines DAGs; ``"broken"`` does not parse; ``"script"`` is all else.
        """
        try:
            nodes = list(ast.walk(self.tree))
        except SyntaxError:
            return "broken"
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        if "pytest_plugins" in names or any(function.name.startswith("test_") for function in functions):
            return "pytest"
        if not any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in nodes):
            return "excerpt"
        return "dag" if names & {"dag", "DAG"} else "script"

    @property
    def tree(self) -> ast.Module:
        """The code, parsed."""
        return ast.parse(self.code)


def documents() -> list[Path]:
    """Return all documents."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(*languages: str) -> list[Block]:
    """Return the code blocks of all documents in some languages."""
    return [
        Block(document, text.count("\n", 0, match.start(2)) + 1, match[1], match[2])
        for document in documents()
        for text in [document.read_text()]
        for match in _FENCE.finditer(text)
        if match[1] in languages
    ]


def python_blocks(kind: str) -> list[Block]:
    """Return the Python blocks of a kind."""
    return [block for block in blocks("python") if block.kind == kind]


def links(document: Path) -> list[str]:
    """Return where the links and images of a document lead to."""
    prose = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", document.read_text()))
    return _LINK.findall(prose)


@cache
def anchors(document: Path) -> frozenset[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ +(.+?) *$", _FENCE.sub("", document.read_text()), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(found)
