"""ModelArts' training jobs, v2: jobs, searches, logs, events, metrics and resources."""

from __future__ import annotations

from typing import Final

OPERATIONS: Final = (
    "training.create", "training.get", "training.search", "training.update", "training.terminate", "training.delete",
    "training.check_name", "training.log_preview", "training.log_url", "training.log_lines", "training.events",
    "training.engines", "training.flavors", "training.metrics", "training.quotas",
)  # fmt: skip
"""Names of the operations, which are also the ones that a policy can deny."""
