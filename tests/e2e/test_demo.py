"""`make demo` as a newcomer runs it, and as they interrupt it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_shows_both_kinds_of_jobs_and_the_tasks_behind_them(
    tmp_path: Path, processes_in: Callable[[Path], list[str]]
) -> None:
    with _started("demo.run", tmp_path) as demo:
        output, errors = demo.communicate(timeout=300)

    assert (demo.returncode, errors) == (0, "")
    steps = [
        "wait_until_running   running",
        "RUNNING (8)",
        "wait_until_running   success",
        "use_tensorboard      running",
        "demo-tensorboard is RUNNING: http://127.0.0.1:",
        "use_tensorboard      success",
        "train                running",
        "Created training job",
        "step 1: loss",
        "train                success",
        "is Completed: /my-bucket/models/",
        "evaluate             success",
        "Done:",
    ]
    _assert_in_this_order(steps, output)
    assert len(output.splitlines()) < 60, "a few lines, not a log"
    assert "deprecated" not in output
    assert processes_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path, processes_in: Callable[[Path], list[str]]) -> None:
    with _started("demo.ui", tmp_path) as demo:
        assert demo.stdout is not None
        assert any("Ctrl-C" in line for line in demo.stdout)
        assert processes_in(tmp_path) != []
        demo.send_signal(signal.SIGINT)
        output, errors = demo.communicate(timeout=60)

    assert (demo.returncode, errors) == (0, "")
    assert "nothing is left running" in output
    assert processes_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@contextmanager
def _started(module: str, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()  # no effect on one that has ended


def _assert_in_this_order(texts: list[str], output: str) -> None:
    position = 0
    for text in texts:
        position = output.find(text, position)
        assert position >= 0, f"{text!r} is missing, or too early, in:\n{output}"
