"""The page for newcomers, docs/first-wait.md, on whichever Airflow is installed here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from airflow_provider_modelarts._compat import airflow_version
from tests.first_wait import follow_the_page


@pytest.mark.matrix
@pytest.mark.skipif(airflow_version() >= (3, 3), reason="a test of make test-e2e")
@pytest.mark.timeout(900)
def test_the_first_wait_works_as_the_page_says(tmp_path: Path) -> None:
    follow_the_page(tmp_path, lambda _: f"ln -s {sys.prefix} .venv\nsource .venv/bin/activate")
