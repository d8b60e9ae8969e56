"""The files around the package: workflows, issue forms, the registry's entry, and what `make build` checks."""

from __future__ import annotations

import importlib
import re
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_modelarts._compat import airflow_version
from tests.documents import ROOT
from tools.distributions import content_problems, release_problems

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = [file for file in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if file.name != "config.yml"]


def load(file: Path) -> dict[str, Any]:
    content = yaml.safe_load(file.read_text())
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_actions_are_pinned_to_a_commit_and_its_version(workflow: Path) -> None:
    used = re.findall(r"uses: (.+)", workflow.read_text())
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_may_only_read_unless_a_job_says_more(workflow: Path) -> None:
    assert load(workflow)["permissions"] == {"contents": "read"}


def test_only_the_job_that_publishes_gets_an_identity() -> None:
    jobs = load(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    assert {name: job["permissions"] for name, job in jobs.items() if "permissions" in job} == {
        "publish": {"id-token": "write"}
    }


@pytest.mark.parametrize("form", FORMS, ids=lambda file: file.name)
def test_an_issue_form_has_what_the_site_requires(form: Path) -> None:
    content = load(form)
    assert content["name"]
    assert content["description"]
    fields = [element for element in content["body"] if element["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)


@pytest.mark.skipif(airflow_version() < (3, 0), reason="Airflow 3.0 and later: asset watchers")
def test_the_registry_entry_names_classes_that_exist() -> None:
    entry = load(ROOT / ".airflow-registry.yaml")
    named = [each["module"] for group in ("operators", "sensors", "triggers", "hooks") for each in entry[group]]
    assert len(named) >= 10
    for path in named:
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), name), type)


def test_no_file_of_the_package_is_longer_than_400_lines() -> None:
    package = ROOT / "airflow_provider_modelarts"
    lengths = {str(file.relative_to(package)): len(file.read_text().splitlines()) for file in package.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_content_of_distributions() -> None:
    tracked = {"README.md", "airflow_provider_modelarts/__init__.py", "airflow_provider_modelarts/py.typed"}
    package = tracked - {"README.md"}
    assert content_problems(package, tracked, tracked) == []
    assert content_problems(package - {"airflow_provider_modelarts/py.typed"}, tracked | {"build/secret"}, tracked) == [
        "airflow_provider_modelarts/py.typed is not in the wheel",
        "build/secret should not be in the source distribution",
    ]


def metadata(**fields: str) -> Message:
    message = Message()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("wheel", "changelog", "tag", "problems"),
    [
        (metadata(Version="1.2.3", Project_URL="Homepage, https://x.example"), "## 1.2.3 - 2026-01-31\n", "v1.2.3", []),
        (metadata(Version="1.2.3", Project_URL="Homepage, https://x.example"), "## 1.2.3 - 2026-01-31\n", None, []),
        (metadata(Version="1.2.3"), "## 1.2.3 - 2026-01-31\n", "v1.2.3", ["[project.urls]"]),
        (metadata(Version="1.2.3"), "## 1.2.3 - unreleased\n", "v1.2.4", ["[project.urls]", "CHANGELOG.md", "v1.2.4"]),
    ],
)
def test_what_forbids_a_release(wheel: Message, changelog: str, tag: str | None, problems: list[str]) -> None:
    found = release_problems(wheel, changelog, tag)
    assert len(found) == len(problems)
    assert all(expected in message for expected, message in zip(problems, found, strict=True))
