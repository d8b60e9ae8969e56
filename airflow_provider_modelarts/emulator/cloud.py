"""The emulated account: its options, its clock, its request log, and the state of each service. No HTTP."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from airflow_provider_modelarts.emulator import training_jobs, visualization_jobs
from airflow_provider_modelarts.emulator.faults import FaultPlan
from airflow_provider_modelarts.emulator.http import Request, Response
from airflow_provider_modelarts.emulator.iam.state import Iam
from airflow_provider_modelarts.emulator.training_jobs.state import TrainingJobs
from airflow_provider_modelarts.emulator.visualization_jobs.state import VisualizationJobs

MAX_RECORDS: Final = 10_000
"""How many requests the log keeps. The counts include older ones."""


_DENIABLE: Final = (*visualization_jobs.OPERATIONS, *training_jobs.OPERATIONS)


def _option(default: Any, text: str, *, secret: bool = False, **argument: Any) -> Any:
    """Return a dataclass field with its command-line argument; `argument` goes to argparse unchanged."""
    return field(default=default, repr=not secret, metadata={"help": text, **argument})


@dataclass(kw_only=True, eq=False)
class Options:
    """
    Options of the emulator: the arguments of :class:`.Emulator`, and the options of the command line.

    The emulator reads host, port, time_scale and the scripts only at its start. Tests can change the others at any
    time, because the emulator reads them at every request. ``python -m airflow_provider_modelarts.emulator --help``
    prints the help texts.
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
    project_id: str = _option("0123456789abcdef0123456789abcdef", "ID of the only project")
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
        "script of visualization jobs of this name; NAME may contain wildcards (will-fail-*=fails). Repeatable",
        action="append",
        metavar="NAME=SCRIPT",
    )
    token_lifetime: float = _option(86400.0, "seconds that an IAM token is valid", type=float)
    per_page_limit: int = _option(1000, "largest page of the list; old deployments have 100", type=int)
    job_quota: int = _option(1000, "how many jobs may exist (jobs created outside the API count, too)", type=int)
    running_quota: int = _option(1000, "how many jobs may be active at the same time", type=int)
    deny: Collection[str] = _option(
        (),
        f"operation that the user's policy forbids ({', '.join(_DENIABLE)}). Repeatable",
        action="append",
        metavar="OPERATION",
    )
    retired: bool = _option(False, "answer as if there were no visualization-jobs API", action="store_true")
    failures_as_200: bool = _option(
        False, "refuse with HTTP 200 and is_success false instead of 400 and 404", action="store_true"
    )
    string_numbers: bool = _option(
        False, "create answers numbers as strings, as the API reference's sample does", action="store_true"
    )
    training_scripts: Mapping[str, str] | None = _option(
        None,
        "script of training jobs of this name; NAME may contain wildcards. Repeatable",
        action="append",
        metavar="NAME=SCRIPT",
    )
    training_offset: Literal["pages", "jobs"] = _option(
        "pages", "what the offset of a search for training jobs counts", choices=("pages", "jobs")
    )
    training_search_lag: float = _option(
        0.0, "seconds for which a new training job is not found by a search", type=float
    )
    training_log_overlap: bool = _option(
        False, "lines of a training log begin with the line that is asked from", action="store_true"
    )
    training_retired: bool = _option(False, "answer as if there were no training-jobs API", action="store_true")

    def __post_init__(self) -> None:
        unknown = set(self.deny) - set(_DENIABLE)
        if unknown:
            raise ValueError(f"deny: no such operation: {', '.join(sorted(unknown))}; there are {', '.join(_DENIABLE)}")


class JobClock:
    """
    The time in which jobs move, in seconds: real time times a scale, plus skipped time.

    :param scale: how much faster than real time it runs
    """

    def __init__(self, scale: float) -> None:
        self._skipped = 0.0
        self._run_at(scale)

    def now(self) -> float:
        """Return the seconds since the clock was made."""
        return (time.monotonic() - self._start) * self._scale + self._skipped

    def set_scale(self, scale: float) -> None:
        """
        Change the speed from now on.

        :raises ValueError: scale is negative
        """
        self._skipped = self.now()
        self._run_at(scale)

    def _run_at(self, scale: float) -> None:
        if scale < 0:
            raise ValueError(f"time_scale must not be negative: {scale}")
        self._start = time.monotonic()
        self._scale = scale

    def advance(self, seconds: float) -> None:
        """
        Move forward at once.

        :raises ValueError: seconds is negative
        """
        if seconds < 0:
            raise ValueError(f"the clock only moves forward: {seconds}")
        self._skipped += seconds


@dataclass
class RequestRecord:
    """
    A request that has arrived.

    :param operation: a name of the ``OPERATIONS`` of a service; page (of a job, or a log file); other (an unknown path)
    :param query: as sent, percent-encoded
    :param time: when it arrived, seconds since the epoch
    :param status: HTTP status of the response; None if there was none, or not yet
    """

    operation: str
    method: str
    path: str
    query: str
    time: float
    status: int | None = None


class RequestLog:
    """
    The newest requests, and a count of all.

    :ivar on_end: called with each request once it has been answered or cut
    """

    def __init__(self) -> None:
        self.on_end: Callable[[RequestRecord], object] = lambda record: None
        self.records: deque[RequestRecord] = deque(maxlen=MAX_RECORDS)
        self.counts: Counter[str] = Counter()

    def add(self, record: RequestRecord) -> None:
        """Add a request on arrival, so that it is counted before its sender gets the response."""
        self.records.append(record)
        self.counts[record.operation] += 1

    def clear(self) -> None:
        """Clear the log of requests."""
        self.records.clear()
        self.counts.clear()


class Cloud:
    """
    An account with one project, and everything in it.

    It is shared by the server's thread and the threads of tests: hold ``lock`` while you use it.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.lock = threading.RLock()
        self.clock = JobClock(options.time_scale)
        self.fault_plan = FaultPlan()
        self.request_log = RequestLog()
        self.iam = Iam()
        self.visualization_jobs = VisualizationJobs(self.clock.now, self.now, options.scripts or {})
        self.training_jobs = TrainingJobs(self.lock, self.clock.now, self.now, options.training_scripts or {})

    def now(self) -> float:
        """Return this server's time, seconds since the epoch."""
        return time.time() + self.options.clock_offset


Handler = Callable[[Cloud, Request], Response]


class Route(NamedTuple):
    """
    An operation of a service.

    :param operation: its name in faults and in the request log; None keeps it out of both
    """

    operation: str | None
    method: str
    path: str
    handler: Handler
