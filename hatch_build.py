"""
The parts of a build that pyproject.toml cannot express. Hatchling runs this file.

The long description is README.md with links that work outside the repository, and a wheel has the example DAGs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


class LongDescription(MetadataHookInterface):
    """Sets the long description, which package indexes show."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the field to the metadata of the project."""
        source = metadata.get("urls", {}).get("Source")
        base = f"{source}/blob/v{metadata['version']}/" if source else None
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute_links(readme, base)}


# Hatchling 1.32.3 has two type parameters here, older and newer releases have one.
class ExampleDags(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the example DAGs into the wheel, where Airflow looks for those of a provider."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folder, except to an editable install: it would get a copy that no edit changes."""
        if version != "editable":
            build_data["force_include"]["example_dags"] = "airflow_provider_modelarts/example_dags"


def absolute_links(readme: str, base: str | None) -> str:
    """
    Return a text whose relative links and images lead to the repository.

    :param base: address of the repository's files, as GitHub shows them; without one, links become plain text and
        images are left out
    """

    def absolute(link: re.Match[str]) -> str:
        image, text, target = link["image"], link["text"], link["target"]
        if re.match(r"\w+:", target):
            return link[0]
        if base is None:
            return "" if image else text
        return f"{image}[{text}]({urljoin(base.replace('/blob/', '/raw/') if image else base, target)})"

    return _LINK.sub(absolute, readme)
