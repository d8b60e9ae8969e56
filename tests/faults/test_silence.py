"""How long a silent server is tolerated: an outage begins with its first failed poll, not when that poll gives up."""

from __future__ import annotations

import json

import pytest

from tests.faults.servers import PROJECT_ID, Exchange, FaultyServer
from tests.simulated_clock import SimulatedClock
from tests.simulated_tasks import run_to_its_end, simulate

SILENCE = 60.0
"""Simulated seconds until a request times out. A poll is four requests; of several jobs, the list and one job."""

POLL = 2 * 4 * (SILENCE + 3)
BEGINS_AT = 100.0
POKE_INTERVAL = 60.0


def run(mode: str, tolerance: float, monkeypatch: pytest.MonkeyPatch) -> float:
    """Return for how many seconds after the start of the silence a wait for three jobs goes on."""
    with FaultyServer() as server:
        clock: SimulatedClock = simulate(monkeypatch, server)

        def be_silent(exchange: Exchange) -> None:
            clock.sleep(SILENCE)
            exchange.close()

        def begin() -> None:
            server.behaviour = be_silent

        clock.at(BEGINS_AT, begin)
        extra = {"project_id": PROJECT_ID, "region": "cn-north-4"}
        connection = {"conn_type": "modelarts", "login": "AK", "password": "SK", "host": server.url, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(connection))
        outcome = run_to_its_end(
            mode,
            clock,
            monkeypatch,
            job_ids=list(server.statuses),
            poke_interval=POKE_INTERVAL,
            poll_failure_tolerance=tolerance,
            timeout=100_000,
        )
        assert outcome.state == "up_for_retry"
        assert "unknown; last seen:" in str(outcome.error)
        return outcome.seconds - BEGINS_AT


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])
@pytest.mark.parametrize("tolerance", [0, 600])
def test_a_silent_server_is_tolerated_as_long_as_is_said(
    mode: str, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasted = run(mode, tolerance, monkeypatch)
    # The poll that is under way when the tolerance is over is waited for.
    assert tolerance < lasted <= tolerance + POKE_INTERVAL + POLL
