"""The part of IAM that clients need: Keystone v3 with version discovery, password tokens, a catalog and one project."""

from __future__ import annotations

from typing import Final

OPERATIONS: Final = ("token", "projects", "identity")
"""Names of the operations; ``identity`` stands for everything but issuing tokens and listing projects."""
