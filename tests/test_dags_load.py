"""Each example DAG, and each DAG in the documents, loads on every release of Airflow that it is for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_provider_modelarts._compat import airflow_version
from tests.documents import EXAMPLE_DAGS, ROOT, python_blocks

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow below 3.2
    from airflow.models.dagbag import DagBag  # type: ignore[no-redef]

IN_AIRFLOW_2 = {"dag": "airflow.decorators", "task": "airflow.decorators", "Param": "airflow.models.param"}
"""Where README.md says that names are in Airflow 2.11 which DAGs here import from ``airflow.sdk``."""

SOURCES = {
    **{example.stem: example.read_text() for example in EXAMPLE_DAGS.glob("*.py")},
    **{block.name: block.code for block in python_blocks("dag")},
}


def for_this_airflow(source: str) -> str:
    """Return a DAG file with its imports as they are in the Airflow that is installed."""
    return source if airflow_version() >= (3, 0) else in_airflow_2(source)


def in_airflow_2(source: str) -> str:
    """Return a DAG file with its imports changed as README.md says for Airflow 2.11."""

    def imports(match: re.Match[str]) -> str:
        return "\n".join(f"from {IN_AIRFLOW_2[name]} import {name}" for name in match[1].split(", "))

    return re.sub(r"^from airflow\.sdk import (.+)$", imports, source, flags=re.MULTILINE)


@pytest.mark.parametrize("name", SOURCES)
def test_a_dag_loads(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    source = SOURCES[name]
    if airflow_version() < (3, 0) and "AssetWatcher" in source:
        pytest.skip("Airflow 3.0 and later: asset watchers")
    if airflow_version() < (3, 3) and "ExceptionRetryPolicy" in source:
        pytest.skip("Airflow 3.3 and later: retry policies")
    file = tmp_path / f"{name}.py"
    file.write_text(for_this_airflow(source))
    bag = DagBag(dag_folder=str(file), safe_mode=False)
    assert bag.import_errors == {}
    assert len(bag.dags) == len(re.findall(r"^@dag\(", source, re.MULTILINE))


def test_the_readme_says_where_names_are_in_airflow_2() -> None:
    advice = (
        "on Airflow 2.11 import `dag` and `task` from `airflow.decorators`, and `Param` from `airflow.models.param`."
    )
    assert advice in " ".join((ROOT / "README.md").read_text().split())
    for name, module in IN_AIRFLOW_2.items():
        assert f"`{name}`" in advice
        assert f"`{module}`" in advice
