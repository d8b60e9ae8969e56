"""
An emulator of the ModelArts API and its IAM, on a port of this machine.

Command line: ``python -m airflow_provider_modelarts.emulator``, also installed as ``modelarts-emulator``. For tests:
:class:`Emulator`, :class:`Fault` and the fixture in :mod:`.pytest_plugin`. To control a running emulator over HTTP:
:mod:`.admin`. Needs the extra ``emulator``: ``pip install '.[emulator]'``.

=================  =================================================================================================
module             contents
=================  =================================================================================================
``server``         :class:`Emulator`: starts and stops the server; sets and reads everything that a test needs
``gateway``        the routes, and the steps of each request: it is logged, failed on purpose, handled and answered
``cloud``          the emulated account: options, clock, request log, and the state of each service
``access``         authentication and authorization: signatures, tokens, project, policy
``faults``         the ways in which a request can fail on purpose
``http``           requests, responses and refusals as plain values
``scripts``        the statuses that a job takes over time
``admin``          the emulator's own endpoints
``__main__``       the command line
``pytest_plugin``  the fixture ``modelarts_emulator``
=================  =================================================================================================

Each emulated service is a folder with the same files. There are three: ``iam`` (Keystone v3), ``visualization_jobs``
and ``training_jobs``, which has more of them: ``job`` (one job), ``search`` and ``answers`` (JSON).

=================  =================================================================================================
file               contents
=================  =================================================================================================
``__init__``       ``OPERATIONS``: the names of its operations, in faults and in the request log
``state``          the state of the service, and how it changes over time; no HTTP
``routes``         ``ROUTES``: its operations, with their parameters, limits and responses
=================  =================================================================================================

To add a service, add its folder, its state to :class:`.Cloud`, its ``ROUTES`` to ``gateway.build_app`` and its
``OPERATIONS`` to ``faults``. The emulator shares only the names of statuses with the client, so that it does not share
the client's mistakes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_modelarts.emulator.faults import Fault
    from airflow_provider_modelarts.emulator.server import Emulator

__all__ = ["Emulator", "Fault"]

_MODULES = {"Emulator": "server", "Fault": "faults"}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: importing this package needs neither Starlette nor Uvicorn."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        raise ImportError(f"the emulator needs {error.name}: pip install '.[emulator]'", name=error.name) from error
