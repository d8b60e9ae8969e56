"""`make kill-table`: what is killed while tasks wait; no wait is lost, ended twice or wrong by it, in any mode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kill.dags.waits_to_be_killed import MODES
from tests.kill.disasters import DISASTERS, Disaster
from tests.kill.report import rows, write
from tests.kill.table import WAITS, Outcome, airflow_for_disasters, play
from tools.local_airflow import LocalAirflow

pytestmark = [pytest.mark.kill, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def airflow() -> Iterator[LocalAirflow]:
    with airflow_for_disasters() as airflow:
        yield airflow


@pytest.fixture(scope="module")
def outcomes() -> Iterator[list[Outcome]]:
    """Collect how the waits ended; the document is written when there was every disaster."""
    outcomes: list[Outcome] = []
    yield outcomes
    if len(outcomes) == len(DISASTERS):
        write(outcomes)


@pytest.fixture(scope="module", params=DISASTERS, ids=lambda disaster: disaster.name)
def outcome(request: pytest.FixtureRequest, airflow: LocalAirflow, outcomes: list[Outcome]) -> Outcome:
    """Return how the waits of a disaster ended."""
    disaster: Disaster = request.param
    outcome = play(airflow, disaster)
    print(f"\n{outcome.seconds:4.0f} s", *rows(outcome), sep="\n", flush=True)
    outcomes.append(outcome)
    return outcome


@pytest.mark.parametrize("mode", MODES)
def test_every_wait_ends_as_its_job_does(outcome: Outcome, mode: str) -> None:
    waits = outcome.of(mode)
    assert len(waits) == len(MODES[mode].fates)
    assert [wait for wait in waits if wait.mistakes] == []


def test_no_wait_ends_twice(outcome: Outcome) -> None:
    assert [wait for wait in outcome.waits if wait.ends > 1] == []


def test_no_log_holds_the_secret_key(outcome: Outcome) -> None:
    assert outcome.leaks == []


def test_no_job_is_made_twice(outcome: Outcome) -> None:
    assert (outcome.jobs, outcome.creates) == (len(WAITS),) * 2


def test_no_job_is_stopped(outcome: Outcome) -> None:
    assert outcome.stops == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_try_is_lost_only_with_a_worker(outcome: Outcome, mode: str) -> None:
    if mode not in outcome.disaster.may_cost_a_try:
        assert {wait.tries for wait in outcome.of(mode)} == {1}
