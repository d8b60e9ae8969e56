"""
Checks of the wheel and the source distribution in dist: `make build`, `make release-check`.

``python -m tools.distributions`` compares their content with the files that git tracks, and imports the example DAGs
from the wheel. With ``--release [TAG]`` it checks that they may be published instead: the project has URLs, the
changelog has a date, and the tag, if given, fits.
"""

from __future__ import annotations

import argparse
import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = "airflow_provider_modelarts"
EXAMPLE_DAGS: Final = "example_dags"

URLS: Final = ("Source", "Documentation")
"""URLs without which README's links lead nowhere, and Airflow's page of providers to a page that does not exist."""

_IMPORT_EXAMPLE_DAGS: Final = f"""
from importlib import import_module
from pkgutil import iter_modules

for module in iter_modules(import_module("{PACKAGE}.{EXAMPLE_DAGS}").__path__, "{PACKAGE}.{EXAMPLE_DAGS}."):
    import_module(module.name)
"""


def content_problems(wheel: set[str], sdist: set[str], tracked: set[str]) -> list[str]:
    """
    Return what is missing from the distributions, or should not be in them.

    :param wheel: names of files in the wheel, without its metadata
    :param sdist: names of files in the source distribution, without its metadata
    :param tracked: names of files that git tracks
    """
    package = {name for name in tracked if PurePosixPath(name).parts[0] == PACKAGE}
    package |= {f"{PACKAGE}/{name}" for name in tracked if PurePosixPath(name).parts[0] == EXAMPLE_DAGS}
    return [*_differences("wheel", wheel, package), *_differences("source distribution", sdist, tracked)]


def import_problems(wheel: Path) -> list[str]:
    """Return why the example DAGs of a wheel cannot be imported after it is unpacked, if so."""
    with TemporaryDirectory() as site_packages:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site_packages)  # noqa: S202 - it is our own
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", _IMPORT_EXAMPLE_DAGS],  # with -c, imports come from the working directory first
            cwd=site_packages,
            env={**os.environ, "AIRFLOW_HOME": site_packages},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return []
    return [f"the example DAGs cannot be imported from the wheel: {done.stderr.strip().splitlines()[-1]}"]


def release_problems(metadata: Message, changelog: str, tag: str | None) -> list[str]:
    """Return what forbids publishing a wheel with this metadata."""
    version, problems = metadata["Version"], []
    released = tag.removeprefix("v") if tag else version
    urls = {url.partition(",")[0] for url in metadata.get_all("Project-URL", [])}
    if missing := [name for name in URLS if name not in urls]:
        problems.append(f"[project.urls] in pyproject.toml has no {' and no '.join(missing)}; a comment there says why")
    if not re.search(rf"^## {re.escape(released)} - \d{{4}}-\d{{2}}-\d{{2}}$", changelog, re.MULTILINE):
        problems.append(f"CHANGELOG.md has no line '## {released} - YYYY-MM-DD'")
    if released != version:
        problems.append(f"the version is {version}, not that of {tag}; tag this commit, and have a clean tree")
    return problems


def main(arguments: list[str] | None = None) -> int:
    """Print the problems and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.distributions", description=__doc__)
    parser.add_argument("--release", nargs="?", const="", metavar="TAG", help="check that they may be published")
    tag = parser.parse_args(arguments).release
    [wheel], [sdist] = (ROOT / "dist").glob("*.whl"), (ROOT / "dist").glob("*.tar.gz")
    if tag is None:
        problems = content_problems(_wheel_files(wheel), _sdist_files(sdist), _tracked_files()) + import_problems(wheel)
    else:
        problems = release_problems(_metadata(wheel), (ROOT / "CHANGELOG.md").read_text(), tag or None)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if not problems:
        print(f"{wheel.name}, {sdist.name}: {'complete' if tag is None else 'ready for release'}")
    return 1 if problems else 0


def _differences(distribution: str, found: set[str], expected: set[str]) -> list[str]:
    return [
        *[f"{name} is not in the {distribution}" for name in sorted(expected - found)],
        *[f"{name} should not be in the {distribution}" for name in sorted(found - expected)],
    ]


def _wheel_files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    return {name for name in names if not PurePosixPath(name).parts[0].endswith(".dist-info")}


def _sdist_files(sdist: Path) -> set[str]:
    with tarfile.open(sdist) as archive:
        names = [member.name for member in archive if member.isfile()]
    return {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in names} - {"PKG-INFO"}


def _tracked_files() -> set[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return set(listed.stdout.split("\0")) - {""}


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


if __name__ == "__main__":
    sys.exit(main())
