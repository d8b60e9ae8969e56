"""How hypothesis is run: the same examples each time, so that a failure is one of the code and not of the day."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "deterministic",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)


def load_profile() -> None:
    """Let all properties that are defined from now on be run so."""
    settings.load_profile("deterministic")
