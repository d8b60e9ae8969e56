"""The command line: ``python -m airflow_provider_modelarts.emulator``, also installed as ``modelarts-emulator``."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts import __version__
from airflow_provider_modelarts.emulator.cloud import Options, RequestRecord
from airflow_provider_modelarts.emulator.create_job import add_arguments, create_job
from airflow_provider_modelarts.emulator.training_jobs import job as training_jobs
from airflow_provider_modelarts.emulator.visualization_jobs.state import SCRIPTS

if TYPE_CHECKING:
    from airflow_provider_modelarts.emulator.server import Emulator

DEFAULT_PORT: Final = 8765


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, or create a job in an emulator that runs; return the exit status."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    try:
        if parsed.command == "create-job":
            print(create_job(parsed))
        else:
            _serve(vars(parsed))
    except ValueError as error:
        parser.error(str(error))
    except (ImportError, OSError, OverflowError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return 0


def _serve(options: dict[str, Any]) -> None:
    from airflow_provider_modelarts.emulator import Emulator

    options.pop("command")
    is_quiet = options.pop("quiet")
    for name in ("scripts", "training_scripts"):
        options[name] = dict(_script_rule(text) for text in options[name] or ())
    with Emulator(**options) as emulator:
        stopped = _stop_signal()
        if not is_quiet:
            emulator.cloud.request_log.on_end = _print_request
        _announce(emulator)
        stopped.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="modelarts-emulator",
        usage="%(prog)s [options]\n       %(prog)s create-job [options] [job_name]",
        description="An emulator of the ModelArts API for visualization and training jobs, and of its IAM.",
        epilog=f"A SCRIPT is a name ({', '.join(SCRIPTS)}; of training jobs {', '.join(training_jobs.SCRIPTS)}), or a "
        "list of steps such as 1:0,7:5,11:10, or Pending:0,Running:5,Failed:10, which are status:seconds, or "
        "gone:seconds for a job that vanishes. To control the emulator while it runs, see /_emulator/ in the "
        "documentation of airflow_provider_modelarts.emulator.admin.",
        formatter_class=_HelpFormatter,
        allow_abbrev=False,  # or it reads create-job's options as shortened ones of its own
    )
    for option in fields(Options):
        argument: dict[str, Any] = dict(option.metadata)
        default = list(option.default) if option.default == () else option.default
        parser.add_argument(_flag(option.name), dest=option.name, default=default, **argument)
    parser.set_defaults(port=DEFAULT_PORT)
    parser.add_argument("--quiet", action="store_true", help="print no line for each request")
    commands = parser.add_subparsers(dest="command", metavar="create-job", prog=parser.prog)
    add_arguments(
        commands.add_parser(
            "create-job",
            help="create a job in the running emulator, print its ID, and exit",
            formatter_class=_HelpFormatter,
        ),
        f"http://127.0.0.1:{DEFAULT_PORT}",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, except empty ones."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        shown = action.default is not None and action.default is not False and action.default != []
        return super()._get_help_string(action) if shown else action.help


def _flag(name: str) -> str:
    return "--" + name.removesuffix("s" if name.endswith("scripts") else "").replace("_", "-")


def _script_rule(text: str) -> tuple[str, str]:
    name, separator, script = text.partition("=")
    if not (name and separator):
        raise ValueError(f"--script should be NAME=SCRIPT: {text!r}")
    return name, script


def _announce(emulator: Emulator) -> None:
    connection = shlex.quote(json.dumps(emulator.connection()))
    print(f"ModelArts emulator on {emulator.url}, until Ctrl-C. To connect Airflow to it:\n")
    print(f"export AIRFLOW_CONN_MODELARTS_DEFAULT={connection}\n")
    print("or, to store it in Airflow's database:\n")
    print(f"airflow connections add modelarts_default --conn-json {connection}\n")
    print(f"All jobs: {emulator.connection()['extra']['console_url']}\n", flush=True)


def _print_request(record: RequestRecord) -> None:
    moment = time.strftime("%H:%M:%S", time.localtime(record.time))
    answer = "no answer" if record.status is None else f"HTTP {record.status}"
    query = f"?{record.query}" if record.query else ""
    print(f"{moment} {record.operation}: {record.method} {record.path}{query} -> {answer}", flush=True)


def _stop_signal() -> threading.Event:
    received = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: received.set())
    return received


if __name__ == "__main__":
    sys.exit(main())
