"""ModelArts' visualization jobs, v1: seven operations, and the page behind a job's ``service_url``."""

from __future__ import annotations

from typing import Final

OPERATIONS: Final = ("get", "list", "create", "update", "delete", "stop", "restart")
"""Names of the operations, which are also the ones that a policy can deny."""
