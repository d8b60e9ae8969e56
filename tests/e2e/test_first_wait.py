"""The page for newcomers, docs/first-wait.md, from the wheel in an empty directory to a green task."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.documents import ROOT
from tests.first_wait import follow_the_page


@pytest.mark.timeout(900)
def test_the_first_wait_works_as_the_page_says(tmp_path: Path, processes_in: Callable[[Path], list[str]]) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)

    follow_the_page(tmp_path, _with_what_is_here)

    assert processes_in(tmp_path) == []


def _with_what_is_here(install: str) -> str:
    """Use this Python, and the versions that this project is tested with, which are no download."""
    here = install.replace("python3.11 ", f"{sys.executable} ", 1)
    here, replaced = re.subn(r"https://\S+/constraints-\S+\.txt", str(ROOT / "constraints.txt"), here)
    assert replaced == 1
    return here
