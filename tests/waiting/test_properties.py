"""What holds for every course that jobs and the API can take: a wait never lies, and never gives up too early."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_modelarts.api.errors import (
    ModelArtsAuthenticationError,
    ModelArtsConnectionError,
    ModelArtsError,
    ModelArtsMalformedResponseError,
    ModelArtsNotFoundError,
    ModelArtsPermissionError,
    ModelArtsRetiredError,
    ModelArtsServerError,
    ModelArtsThrottledError,
)
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.models import VisualizationJob
from airflow_provider_modelarts.api.visualization_jobs.statuses import ENDED, FAILED, JobStatus, to_status
from airflow_provider_modelarts.choices import WaitFor
from airflow_provider_modelarts.waiting.jobs import JobsWait
from airflow_provider_modelarts.waiting.kind import GONE, Status
from airflow_provider_modelarts.waiting.request import WaitRequest
from airflow_provider_modelarts.waiting.result import ARRIVED, WaitResult
from airflow_provider_modelarts.waiting.target import WAIT_FOR, Target, Verdict, label
from airflow_provider_modelarts.waiting.wait import JobCannotArriveError, JobStateUnknownError, Wait, WaitError
from tests.hypothesis_profile import load_profile

load_profile()
log = logging.getLogger(__name__)

PASSING = (ModelArtsServerError, ModelArtsConnectionError, ModelArtsThrottledError, ModelArtsMalformedResponseError)
FINAL = (ModelArtsAuthenticationError, ModelArtsPermissionError, ModelArtsRetiredError)

KNOWN = st.sampled_from([int(status) for status in JobStatus])
CODES = KNOWN | st.integers(23, 10**6)
TARGETS = st.sets(KNOWN | st.just(GONE), min_size=1, max_size=4)
TOLERANCES = st.floats(0, 1000)


@dataclass
class Look:
    """One look at a job: so much later, and what it gave."""

    later: float
    seen: VisualizationJob | ModelArtsError

    @property
    def code(self) -> Status | None:
        """Status that was seen, GONE, or None when the look failed."""
        if isinstance(self.seen, ModelArtsNotFoundError):
            return GONE
        return None if isinstance(self.seen, ModelArtsError) else int(self.seen.status)


def observations(job_id: str) -> st.SearchStrategy[VisualizationJob | ModelArtsError]:
    kinds = st.sampled_from([*PASSING, *PASSING, *FINAL, ModelArtsNotFoundError])
    return CODES.map(lambda code: VisualizationJob(job_id, to_status(code))) | kinds.map(
        lambda kind: kind("as it goes")
    )


COURSES = st.lists(st.builds(Look, st.floats(0.01, 500), observations("1")), max_size=15)
ON_THE_WAY = st.sampled_from([0, 1, 2, 4, 7, 9, 15, 18, 19, 42])
QUIET_COURSES = st.lists(
    st.builds(
        Look,
        st.floats(0.01, 500),
        ON_THE_WAY.map(lambda code: VisualizationJob("1", to_status(code)))
        | st.sampled_from(PASSING).map(lambda kind: kind("as it goes")),
    ),
    max_size=15,
)


def outages(course: list[Look]) -> Iterator[tuple[float, float]]:
    """Yield, for each failed look, when it was and how long looks had failed by then."""
    now, since = 0.0, None
    for look in course:
        now += look.later
        if look.code is not None:
            since = None
        else:
            since = now if since is None else since
            yield now, now - since


@given(TARGETS, CODES | st.just(GONE))
def test_a_verdict(target: set[Status], status: Status) -> None:
    verdict = Target.of(VISUALIZATION_JOBS, target).observe(status)
    assert (verdict is Verdict.ARRIVED) == (status in target)
    if verdict is Verdict.CANNOT_ARRIVE:
        assert status in ENDED | FAILED or status == GONE
    if isinstance(status, int) and status > max(JobStatus) and status not in target:
        assert verdict is Verdict.WAITING


@given(TARGETS, st.sets(KNOWN, max_size=5), CODES | st.just(GONE))
def test_a_verdict_with_failures_of_ones_own(target: set[Status], failures: set[Status], status: Status) -> None:
    assume(not target & failures)
    verdict = Target.of(VISUALIZATION_JOBS, target, failures).observe(status)
    expected = Verdict.CANNOT_ARRIVE if status in failures or status == GONE else Verdict.WAITING
    assert verdict is (Verdict.ARRIVED if status in target else expected)


@given(TARGETS, TOLERANCES, COURSES)
def test_the_course_of_a_wait(target: set[Status], tolerance: float, course: list[Look]) -> None:
    wait = Wait("1", Target.of(VISUALIZATION_JOBS, target), tolerance, log)
    now, seen_before, failing_since = 1000.0, False, None
    for look in course:
        now += look.later
        failing_since = None if look.code is not None else now if failing_since is None else failing_since
        try:
            verdict = wait.observe(look.seen, now)
        except JobCannotArriveError:
            assert look.code in ENDED | FAILED | {GONE}
            assert look.code not in target
            break
        except JobStateUnknownError:
            assert look.code is None
            assert failing_since is not None
            assert isinstance(look.seen, FINAL) or not seen_before or now - failing_since >= tolerance
            break
        assert look.code is not None or (seen_before and now - (failing_since or now) < tolerance)
        assert (verdict is Verdict.ARRIVED) == (look.code in target)
        if verdict is Verdict.ARRIVED:
            assert wait.summary()["status_name"] == (
                VisualizationJob("1", to_status(look.code)).status_name if isinstance(look.code, int) else "GONE"
            )
            break
        seen_before = seen_before or look.code is not None
    moments = [moment for moment, _ in wait.history]
    codes = [code for _, code in wait.history]
    assert moments == sorted(moments)
    assert all(before != after for before, after in pairwise(codes))
    assert set(codes) <= {look.code for look in course}


@given(st.floats(0, 1000), QUIET_COURSES)
def test_no_outage_within_the_tolerance_ends_a_wait(tolerance: float, course: list[Look]) -> None:
    assume(all(outage < tolerance for _, outage in outages(course)))
    wait = Wait("1", Target.of(VISUALIZATION_JOBS, "RUNNING"), tolerance, log, was_observed=True)
    now = 0.0
    for look in course:
        now += look.later
        assert wait.observe(look.seen, now) is Verdict.WAITING
    assert wait.observe(VisualizationJob("1", JobStatus.RUNNING), now + 1) is Verdict.ARRIVED


@given(TARGETS, TOLERANCES, COURSES, st.integers(0, 15))
def test_a_wait_that_another_process_takes_over_ends_the_same(
    target: set[Status], tolerance: float, course: list[Look], cut: int
) -> None:
    """Only how long an outage has lasted is not known to the other one, so there is none here at the cut."""
    assume(cut == 0 or cut > len(course) or course[cut - 1].code is not None)

    def end(cut: int | None) -> tuple[str, list[Status]]:
        wait = Wait("1", Target.of(VISUALIZATION_JOBS, target), tolerance, log)
        now = 0.0
        for number, look in enumerate(course):
            if number == cut:
                travelled = json.loads(json.dumps(wait.history))
                wait = Wait("1", wait.target, tolerance, log, history=[(moment, code) for moment, code in travelled])
            now += look.later
            try:
                if wait.observe(look.seen, now) is Verdict.ARRIVED:
                    return "arrived", [code for _, code in wait.history]
            except WaitError as error:
                return type(error).__name__, [code for _, code in wait.history]
        return "waiting", [code for _, code in wait.history]

    assert end(cut) == end(None)


JOB_IDS = ("1", "2", "3")
NEWS = st.lists(st.fixed_dictionaries({}, optional={job_id: observations(job_id) for job_id in JOB_IDS}), max_size=12)


@given(st.sampled_from(WAIT_FOR), TARGETS, TOLERANCES, NEWS)
def test_waits_for_several_jobs(
    wait_for: WaitFor, target: set[Status], tolerance: float, news: list[dict[str, VisualizationJob | ModelArtsError]]
) -> None:
    request = WaitRequest(
        job_ids=list(JOB_IDS), wait_for=wait_for, target_status=target, poll_failure_tolerance=tolerance
    )
    jobs = JobsWait.begin(VISUALIZATION_JOBS, request, log=log)
    arrived: set[str] = set()
    cannot: set[str] = set()
    now = 0.0
    for seen in news:
        now += 100
        asked = {job_id: seen[job_id] for job_id in jobs.pending() if job_id in seen}
        codes = {job_id: Look(0, observation).code for job_id, observation in asked.items()}
        arrived |= {job_id for job_id, code in codes.items() if code in target}
        cannot |= {job_id for job_id, code in codes.items() if code in (ENDED | FAILED | {GONE}) - target}
        try:
            over = jobs.observe(asked, now)
        except JobCannotArriveError:
            assert cannot
            assert wait_for == "all" or cannot == set(JOB_IDS) - arrived
            assert not (wait_for == "any" and arrived)
            break
        except JobStateUnknownError:
            assert None in codes.values()
            assert not (wait_for == "any" and arrived)
            break
        assert over == (arrived == set(JOB_IDS) if wait_for == "all" else bool(arrived))
        if over:
            break
    assert set(jobs.summaries()) == set(JOB_IDS)
    assert json.loads(json.dumps(jobs.summaries())) == jobs.summaries()


@given(TARGETS, COURSES)
def test_what_travels_to_the_worker_is_what_was_seen(target: set[Status], course: list[Look]) -> None:
    request = WaitRequest(job_id="1", target_status=target, poll_failure_tolerance=1e9)
    jobs = JobsWait.begin(VISUALIZATION_JOBS, request, log=log, was_observed=True)
    now = 0.0
    with suppress(WaitError):
        for look in course:
            now += look.later
            if jobs.observe({"1": look.seen}, now):
                break
    sent = WaitResult(ARRIVED, "", jobs.summaries(), "", jobs.histories())
    assert WaitResult.from_dict(json.loads(json.dumps(sent.to_dict()))) == sent


@given(CODES | st.just(GONE))
def test_every_status_has_a_label(status: Status) -> None:
    assert str(status) in label(VISUALIZATION_JOBS, status) or label(VISUALIZATION_JOBS, status) == "GONE"
