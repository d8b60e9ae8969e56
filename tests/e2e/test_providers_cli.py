"""Airflow finds the provider: installed from the tree, and from a wheel of it in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

from tools.local_airflow import isolated_environment

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "airflow-provider-modelarts"

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
import airflow_provider_modelarts as package

assert package.__file__.startswith(sys.prefix), package.__file__
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        print(importlib.import_module(module.name).__name__)
"""


def test_airflow_lists_the_provider_and_its_hook(tmp_path: Path) -> None:
    from airflow_provider_modelarts import __version__

    [provider] = [each for each in _airflow(sys.executable, tmp_path, "providers", "list") if _is_ours(each)]
    assert provider["version"] == __version__

    hooks = _airflow(sys.executable, tmp_path, "providers", "hooks")
    [hook] = [each for each in hooks if _is_ours(each)]
    assert hook["connection_type"] == "modelarts"
    assert hook["class"] == "airflow_provider_modelarts.hooks.modelarts.ModelArtsHook"
    assert hook["conn_id_attribute_name"] == "modelarts_conn_id"
    assert hook["hook_name"] == "Huawei Cloud ModelArts"


def test_a_wheel_of_the_tree_is_complete(tmp_path: Path) -> None:
    python = _install_in_a_fresh_environment(_build_wheel(tmp_path), tmp_path / "venv")

    imported = _run([str(python), "-c", IMPORT_EVERYTHING], tmp_path).split()
    assert set(imported) == _modules_of_the_tree()
    assert any(_is_ours(each) for each in _airflow(str(python), tmp_path, "providers", "list"))
    assert "--time-scale" in _run([str(python.with_name("modelarts-emulator")), "--help"], tmp_path)


def _build_wheel(directory: Path) -> Path:
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(directory), str(ROOT)]
    _run([sys.executable, "-m", "pip", *build], directory)
    [wheel] = directory.glob("*.whl")
    return wheel


def _install_in_a_fresh_environment(wheel: Path, environment: Path) -> Path:
    """
    Return the interpreter of a new environment with the wheel, and with the dependencies that are installed here.

    They come through a .pth file, in seconds. Modules in the directory that it names are found, but no .pth file in it
    is read, such as that of an editable install: the tree itself stays out of sight.
    """
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    _run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], wheel.parent)
    [site_packages] = environment.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


def _modules_of_the_tree() -> set[str]:
    files = (ROOT / "airflow_provider_modelarts").rglob("*.py")
    names = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files}
    return {name for name in names if name != "airflow_provider_modelarts" and not name.endswith("__main__")}


def _is_ours(row: dict[str, Any]) -> bool:
    return bool(row["package_name"] == PACKAGE)


def _airflow(python: str, home: Path, *arguments: str) -> list[dict[str, Any]]:
    """Rows that an ``airflow`` command prints, which must not complain."""
    output = _run([python, "-m", "airflow", *arguments, "--output", "json"], home)
    rows: list[dict[str, Any]] = json.loads(output)
    return rows


def _run(command: list[str], directory: Path) -> str:
    """Run a command in the directory and return what it prints; it must end with 0."""
    environment = isolated_environment(directory)
    environment.pop("PYTHONPATH", None)  # it may lead to the tree
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
