"""The documents hold what they promise: code compiles and imports, excerpts are verbatim, links lead somewhere."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
from configparser import ConfigParser
from functools import cache
from pathlib import Path

import pytest
from airflow.configuration import conf

from airflow_provider_modelarts._compat import airflow_version
from airflow_provider_modelarts.api import metrics
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.emulator.cloud import Options
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from tests.documents import EXAMPLE_DAGS, ROOT, Block, anchors, blocks, documents, links, python_blocks

PACKAGE = ROOT / "airflow_provider_modelarts"
PACKAGES = {folder.parent.name for folder in PACKAGE.glob("*/__init__.py")}


def by_name(found: list[Block]) -> list[object]:
    """Return blocks as parameters of a test."""
    return [pytest.param(block, id=block.name) for block in found]


@pytest.mark.parametrize("block", by_name(blocks("python")))
def test_python_compiles(block: Block) -> None:
    compile(block.code, block.name, "exec")


@pytest.mark.skipif(airflow_version() < (3, 0), reason="documents import from airflow.sdk")
@pytest.mark.parametrize("block", by_name([*python_blocks("dag"), *python_blocks("script")]))
def test_what_is_imported_is_there(block: Block) -> None:
    if airflow_version() < (3, 3) and "ExceptionRetryPolicy" in block.code:
        pytest.skip("Airflow 3.3 and later: retry policies")
    for node in ast.walk(block.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


@pytest.mark.parametrize("block", by_name(python_blocks("excerpt")))
def test_an_excerpt_is_verbatim_in_an_example_that_the_document_links(block: Block) -> None:
    linked = {(block.document.parent / link).resolve() for link in links(block.document)}
    examples = [example for example in EXAMPLE_DAGS.glob("*.py") if example in linked]
    assert [example.name for example in examples if block.text in example.read_text()], block.text


@pytest.mark.parametrize("block", by_name(python_blocks("script")))
def test_a_script_runs(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator() as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(emulator.connection()))
        exec(compile(block.code, block.name, "exec"), {"__name__": "__main__"})  # noqa: S102 - it is our own
        assert emulator.requests(), "a script that asks nothing shows nothing"


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.name)
def test_links_and_images_lead_somewhere(document: Path) -> None:
    dead = []
    for link in links(document):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.name)
def test_fences_are_closed_and_lines_clean(document: Path) -> None:
    lines = document.read_text().splitlines()
    assert sum(line.startswith("```") for line in lines) % 2 == 0
    assert [number for number, line in enumerate(lines, 1) if "\t" in line or line != line.rstrip()] == []


def connection_examples() -> list[object]:
    """Return the connections that documents export, as names and values of environment variables."""
    return [
        pytest.param(block, *word.split("=", 1), id=f"{block.name}-{word.partition('=')[0]}")
        for block in blocks("bash", "")
        for line in block.text.splitlines()
        if line.startswith("export ")
        for word in shlex.split(line)[1:]
        if word.startswith("AIRFLOW_CONN_")
    ]


@pytest.mark.parametrize(("block", "name", "value"), connection_examples())
def test_a_connection_is_one(
    block: Block, name: str, value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, value.replace("…", "0123456789abcdef0123456789abcdef"))
    with ModelArtsHook(name.removeprefix("AIRFLOW_CONN_").lower()) as hook:
        assert re.fullmatch(r"[0-9a-f]{32}", hook.get_conn().project_id) if "project_id" in value else hook.get_conn()
    assert "ignored" not in caplog.text


def test_options_of_the_emulator_are_there() -> None:
    text = (ROOT / "docs" / "test-your-dags.md").read_text()
    named = {option.replace("-", "_") for option in re.findall(r"(?<![\w-])--([a-z][a-z0-9-]+)", text)} - {"help"}
    known = {*Options.__dataclass_fields__, "script", "training_script"}
    assert len(named) > 5
    assert named - known == set()


def test_the_rooms_are_the_layers_that_imports_may_point_down() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = [line.split(" | ")[0] for line in text.splitlines() if re.match(r"\| `\w+`", line)]
    rooms = [re.findall(r"`(\w+)`", row) for row in rows]
    config = ConfigParser()
    config.read(ROOT / ".importlinter")
    layers = config["importlinter:contract:one-way"]["layers"].strip().splitlines()
    assert [room for room in rooms if room[0] in PACKAGES] == [*(layer.split(" | ") for layer in layers), ["emulator"]]


def test_the_modules_that_the_architecture_names_are_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`([\w/<>]+\.py)`", text))
    kinds = [PACKAGE / "api" / kind for kind in ("visualization_jobs", "training_jobs")]
    missing = [name for name in named for kind in kinds if not is_module(name, kind)]
    assert len(named) > 10
    assert missing == []


def is_module(name: str, kind: Path) -> bool:
    """Return whether there is a module of this name in the package, or in the folder of a kind."""
    return any((folder / name.replace("<kind>", kind.name)).exists() for folder in (PACKAGE, kind))


def test_metrics_are_those_that_the_code_sends() -> None:
    named = set(re.findall(r"^\| `(modelarts\.\w+)` \| ", (ROOT / "docs" / "scale.md").read_text(), re.MULTILINE))
    assert named == {value for name, value in vars(metrics).items() if name.isupper()}


@pytest.mark.skipif(airflow_version() < (3, 3), reason="documents name the settings of the newest Airflow")
@pytest.mark.parametrize("document", documents(), ids=lambda document: document.name)
def test_settings_of_airflow_are_there(document: Path) -> None:
    named = set(re.findall(r"`\[(\w+)\] (\w+)", document.read_text()))
    known = {section: set(options) for section, options in conf.as_dict().items()}
    assert [(section, option) for section, option in named if option not in known.get(section, ())] == []


@cache
def messages() -> list[str]:
    """Return all texts of the package, ``…`` where something is filled in that only a run knows."""
    return [text for file in PACKAGE.rglob("*.py") for text in texts(ast.parse(file.read_text()))]


def texts(module: ast.Module) -> list[str]:
    """Return the texts of a module but for its docstrings, its own constants filled in."""
    docstrings = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    constants = {
        node.target.id: node.value.value
        for node in module.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
    }

    def text(node: ast.AST) -> str | None:
        if isinstance(node, ast.JoinedStr):
            return "".join(text(part) or "…" for part in node.values)
        if isinstance(node, ast.FormattedValue):
            return str(constants.get(node.value.id, "…")) if isinstance(node.value, ast.Name) else None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return re.sub(r"%(\.\d)?[sdfr]", "…", node.value)
        return None

    return [found for node in ast.walk(module) if id(node) not in docstrings and (found := text(node))]


def documented_messages() -> list[str]:
    """Return the provider's own messages that the page on troubles names."""
    page, _, _ = (ROOT / "docs" / "troubleshoot.md").read_text().partition("## Airflow's and the cloud's own")
    cells = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `")]
    return [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("message", documented_messages())
def test_a_message_that_is_explained_is_one_that_the_code_gives(message: str) -> None:
    """Each part of it, between what is filled in, and in this order."""
    parts = [part.strip() for part in message.split("…") if part.strip(" ;,")]
    pattern = re.compile(".*".join(map(re.escape, parts)), re.DOTALL)
    assert parts
    assert [text for text in messages() if pattern.search(text)]
