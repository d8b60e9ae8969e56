"""Tables of waits for training jobs: what stands in the place of each status of a visualization job."""

from __future__ import annotations

import re

PHASES = {
    "1": "Creating",
    "7": "Pending",
    "8": "Completed",
    "9": "Terminating",
    "10": "Running",
    "11": "Failed",
    "12": "Terminated",
    "42": "Hibernating",
    "RUNNING": "Completed",
    "WAITING": "Pending",
    "FAILED": "Failed",
    "KILLED": "Terminated",
    "CANCELED": "abnormal",
    "999": "425b7087-83de-49b4-9b65-6e2b91e4a5fe",
}
"""By code or name, so that a training job is waited for until it is Completed."""

_LABEL = re.compile(r"[A-Z]+ \((\d+)\)")


def text_in_phases(text: str) -> str:
    """Return a text about a visualization job as it is about a training job: ``RUNNING (8)`` is ``Completed``."""
    return _LABEL.sub(lambda label: PHASES[label[1]], text)
