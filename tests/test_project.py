"""The files around the package: workflows, issue forms, the registry's entry, and what `make build` checks."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from email.message import Message
from importlib.metadata import metadata
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

import airflow_provider_modelarts
from airflow_provider_modelarts import __version__
from airflow_provider_modelarts._compat import airflow_version
from airflow_provider_modelarts.api.transport import Session
from airflow_provider_modelarts.provider_info import get_provider_info
from hatch_build import absolute_links
from tests.documents import ROOT
from tools.distributions import content_problems, import_problems, release_problems

INSTALLED: Any = metadata("airflow-provider-modelarts")
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


def test_a_release_is_built_with_the_tags_that_its_version_comes_from() -> None:
    steps = load(ROOT / ".github" / "workflows" / "release.yml")["jobs"]["build"]["steps"]
    [checkout] = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["fetch-depth"] == 0


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


def test_the_registry_entry_has_the_addresses_of_the_project() -> None:
    entry = load(ROOT / ".airflow-registry.yaml")
    urls = dict(url.split(", ", 1) for url in INSTALLED.get_all("Project-URL") or [])
    assert (entry.get("docs-url"), entry.get("source-url")) == (urls.get("Documentation"), urls.get("Source"))


def test_no_file_of_the_package_is_longer_than_400_lines() -> None:
    package = ROOT / "airflow_provider_modelarts"
    lengths = {str(file.relative_to(package)): len(file.read_text().splitlines()) for file in package.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_content_of_distributions() -> None:
    package = {"airflow_provider_modelarts/__init__.py", "airflow_provider_modelarts/py.typed"}
    tracked = {"README.md", "example_dags/gate.py", *package}
    example = "airflow_provider_modelarts/example_dags/gate.py"
    assert content_problems(package | {example}, tracked, tracked) == []
    assert content_problems(package - {"airflow_provider_modelarts/py.typed"}, tracked | {"build/secret"}, tracked) == [
        f"{example} is not in the wheel",
        "airflow_provider_modelarts/py.typed is not in the wheel",
        "build/secret should not be in the source distribution",
    ]


def test_example_dags_that_cannot_be_imported_from_a_wheel(tmp_path: Path) -> None:
    package = ROOT / "airflow_provider_modelarts" / "__init__.py"
    for name, content in {"good.whl": "import airflow_provider_modelarts", "bad.whl": "import no_such_module"}.items():
        with ZipFile(tmp_path / name, "w") as wheel:
            wheel.writestr("airflow_provider_modelarts/__init__.py", package.read_text())
            wheel.writestr("airflow_provider_modelarts/example_dags/gate.py", content)
    assert import_problems(tmp_path / "good.whl") == []
    [problem] = import_problems(tmp_path / "bad.whl")
    assert problem.endswith("No module named 'no_such_module'")


def wheel_metadata(*urls: str) -> Message:
    message = Message()
    message["Version"] = "1.2.3"
    for name in urls:
        message["Project-URL"] = f"{name}, https://x.example"
    return message


URLS = ("Homepage", "Source", "Documentation")


@pytest.mark.parametrize(
    ("wheel", "changelog", "tag", "problems"),
    [
        (wheel_metadata(*URLS), "## 1.2.3 - 2026-01-31\n", "v1.2.3", []),
        (wheel_metadata(*URLS), "## 1.2.3 - 2026-01-31\n", None, []),
        (wheel_metadata("Homepage"), "## 1.2.3 - 2026-01-31\n", "v1.2.3", ["no Source and no Documentation"]),
        (wheel_metadata("Source"), "## 1.2.3 - unreleased\n", None, ["no Documentation", "no line '## 1.2.3 - Y"]),
        (wheel_metadata(*URLS), "## 1.2.4 - 2026-01-31\n", "v1.2.4", ["the version is 1.2.3, not that of v1.2.4"]),
    ],
)
def test_what_forbids_a_release(wheel: Message, changelog: str, tag: str | None, problems: list[str]) -> None:
    found = release_problems(wheel, changelog, tag)
    assert len(found) == len(problems)
    assert all(expected in message for expected, message in zip(problems, found, strict=True))


def test_the_license_is_an_spdx_expression() -> None:
    assert (INSTALLED["License-Expression"], INSTALLED.get_all("License-File")) == ("Apache-2.0", ["LICENSE"])


def test_version() -> None:
    """What users, servers and Airflow are told is the version of the installed package."""
    assert __version__ == INSTALLED["Version"]
    with Session(verify=True, proxies=None) as session:
        assert session.headers["User-Agent"] == f"airflow-provider-modelarts/{__version__}"
    assert not hasattr(airflow_provider_modelarts, "no_such_name")


def test_settings_were_added_in_a_version_that_the_changelog_has() -> None:
    sections = get_provider_info()["config"].values()
    versions = {option["version_added"] for section in sections for option in section["options"].values()}
    assert versions <= set(re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE))


def test_the_version_is_looked_up_only_when_somebody_asks_and_may_be_unknown() -> None:
    code = """
import sys, airflow_provider_modelarts
print("importlib.metadata" in sys.modules, airflow_provider_modelarts.__version__)
"""
    # Without site-packages, where the package is installed, and from the root, where its files are.
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False 0.0\n"


@pytest.mark.parametrize(
    ("markdown", "with_base", "without"),
    [
        ("[wait](docs/wait.md#modes)", "[wait](https://x.example/blob/v1/docs/wait.md#modes)", "wait"),
        ("![a button](docs/link.png)", "![a button](https://x.example/raw/v1/docs/link.png)", ""),
        ("[site](https://y.example/a)", "[site](https://y.example/a)", "[site](https://y.example/a)"),
        ("**[one](a.md)**, [two](b.md)", None, "**one**, two"),
    ],
)
def test_links_outside_the_repository(markdown: str, with_base: str | None, without: str) -> None:
    assert absolute_links(markdown, None) == without
    if with_base is not None:
        assert absolute_links(markdown, "https://x.example/blob/v1/") == with_base


def test_the_long_description_has_no_link_that_leads_nowhere() -> None:
    description = INSTALLED["Description"].lstrip()
    assert description.startswith("# airflow-provider-modelarts")
    assert [link for link in re.findall(r"\]\((\S+?)\)", description) if not link.startswith("https://")] == []
