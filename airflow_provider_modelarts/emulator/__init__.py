"""
An emulator of ModelArts' visualization jobs API, with the IAM that goes with it, on a port of this machine.

For people: ``python -m airflow_provider_modelarts.emulator`` (or ``modelarts-emulator``). For tests: :class:`Emulator`,
:class:`Fault`, and the fixture in :mod:`.pytest_plugin`. To control a running one over HTTP: :mod:`.admin`.
Needs the extra ``emulator``: ``pip install '.[emulator]'``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_modelarts.emulator.faults import Fault
    from airflow_provider_modelarts.emulator.server import Emulator

__all__ = ["Emulator", "Fault"]

_HOMES = {"Emulator": "server", "Fault": "faults"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: the package itself needs neither Starlette nor Uvicorn."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        raise ImportError(f"the emulator needs {error.name}: pip install '.[emulator]'", name=error.name) from error
