"""What can be chosen about the emulator: the constructor's arguments and the command line's options, in one place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


def _option(default: Any, text: str, *, secret: bool = False, **argument: Any) -> Any:
    """Return a dataclass field with what the command line needs to offer it; `argument` goes to argparse as it is."""
    return field(default=default, repr=not secret, metadata={"help": text, **argument})


@dataclass(kw_only=True, eq=False)
class Options:
    """
    Options of the emulator. All but host, port, time_scale and scripts are read anew at every request.

    The help texts say what each one does; ``python -m airflow_provider_modelarts.emulator --help`` prints them.
    """

    host: str = _option("127.0.0.1", "address to listen on")
    port: int = _option(0, "port to listen on; 0 takes a free one", type=int)
    ak: str = _option("EMULATORAK0000000000", "access key that signs requests")
    sk: str = _option("EmulatorSecretKeyNotARealSecret000000000", "its secret key", secret=True)
    security_token: str | None = _option(
        None, "makes AK/SK temporary: every signed request must carry this X-Security-Token", secret=True
    )
    user: str = _option("emulator-user", "IAM user that gets tokens")
    password: str = _option("emulator-password", "the user's password", secret=True)
    domain: str = _option("emulator-domain", "account (Keystone domain) of the user and the project")
    project_id: str = _option("0123456789abcdef0123456789abcdef", "the only project there is")
    region: str = _option("cn-north-4", "region; also the project's name")
    time_scale: float = _option(1.0, "how much faster than real time jobs move", type=float)
    clock_offset: float = _option(
        0.0, "seconds by which this server's clock is ahead (signature and token dates, Date header)", type=float
    )
    shape: Literal["2021", "2025"] = _option(
        "2021",
        "revision of the API's answers; 2025 lacks remaining_duration, schedule and the details' is_success",
        choices=("2021", "2025"),
    )
    scripts: Mapping[str, str] | None = _option(
        None,
        "path that jobs of this name take; NAME may hold wildcards (will-fail-*=fails). Repeatable",
        action="append",
        metavar="NAME=SCRIPT",
    )
    token_lifetime: float = _option(86400.0, "seconds that an IAM token is valid", type=float)
    per_page_limit: int = _option(1000, "largest page of the list; old deployments have 100", type=int)
    job_quota: int = _option(
        1000, "how many jobs may exist (jobs put in place from outside the API count, too)", type=int
    )
    running_quota: int = _option(1000, "how many jobs may be active at the same time", type=int)
    deny: Collection[str] = _option(
        (),
        "operation that the user's policy forbids (get, list, create, update, delete, stop, restart). Repeatable",
        action="append",
        metavar="OPERATION",
    )
    retired: bool = _option(False, "answer as if the API had been taken out of service", action="store_true")
    failures_as_200: bool = _option(
        False, "refuse with HTTP 200 and is_success false instead of 400 and 404", action="store_true"
    )
    string_numbers: bool = _option(
        False, "create answers numbers as strings, as the API reference's sample does", action="store_true"
    )
