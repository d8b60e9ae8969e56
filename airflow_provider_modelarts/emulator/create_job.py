"""``modelarts-emulator create-job``: a job in an emulator that runs, for people who only want something to wait for."""

from __future__ import annotations

import argparse
import json
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

TIMEOUT: Final = 30.0  # seconds


def add_arguments(parser: argparse.ArgumentParser, default_url: str) -> None:
    """Add the options of the command."""
    parser.add_argument("job_name", nargs="?", help="name of the job; by default a new one")
    parser.add_argument("--training", action="store_true", help="a training job instead of a visualization job")
    parser.add_argument("--follow", metavar="SCRIPT", help="script of the job; by default that of its name, or normal")
    parser.add_argument("--url", default=default_url, help="address of the emulator")


def create_job(arguments: argparse.Namespace) -> str:
    """
    Create a job and return its ID.

    :raises ValueError: the emulator refuses it
    :raises OSError: no emulator answers
    """
    path = "training-jobs" if arguments.training else "jobs"
    fields = {"job_name": arguments.job_name, "script": arguments.follow}
    request = Request(f"{arguments.url.rstrip('/')}/_emulator/{path}", json.dumps(fields).encode(), method="POST")  # noqa: S310
    try:
        # Without a proxy: one of the environment would get requests to loopback as well.
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT) as response:
            return str(json.load(response)["job_id"])
    except HTTPError as error:
        raise ValueError(_reason(error)) from error
    except URLError as error:
        raise OSError(f"no emulator answers on {arguments.url}: {error.reason}") from error


def _reason(refused: HTTPError) -> str:
    """Return why the emulator refuses a job; all of the answer if something else answers there."""
    text = refused.read().decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, LookupError, TypeError):
        return text
