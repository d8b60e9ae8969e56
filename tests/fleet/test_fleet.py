"""`make fleet`: hundreds of waits on Celery workers and two triggerers, some of which die."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.fleet import POKE_INTERVAL, QUIET, TRIGGERERS, WAITS, Report, fleet

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def report() -> Iterator[Report]:
    with fleet() as started:
        report = started.play()
        print(f"\n{report}")
        yield report


def test_every_wait_ends_right(report: Report) -> None:
    assert report.states == {"success": WAITS}
    assert report.wrong == []


def test_both_triggerers_had_waits(report: Report) -> None:
    assert len(report.waits_of_triggerers) == len(TRIGGERERS)


def test_a_worker_that_is_killed_costs_the_waits_in_its_hands_a_try_at_most(report: Report) -> None:
    assert report.in_hand > 0
    lost = sum(waits for tries, waits in report.tries.items() if tries > 1)
    # Its concurrency. What it had reserved beside that was queued, and goes to the other worker.
    assert lost <= 4


def test_a_look_is_a_request_of_a_project_and_triggerer_not_of_a_wait(report: Report) -> None:
    looks = QUIET / POKE_INTERVAL + 1  # one more, where the edges of the time fall so
    for counts in report.quiet_requests.values():
        assert counts.keys() == {"list"}
        assert (looks - 2) * len(TRIGGERERS) <= counts["list"] <= looks * len(TRIGGERERS)
