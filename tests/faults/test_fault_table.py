"""Every fault, in every mode: what the wait ends in, how many requests it takes, and whether the event loop turns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_modelarts.api.errors import ModelArtsBadRequestError
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook
from tests.faults.certificates import Authority
from tests.faults.driver import SCENARIOS, modes_of, most_requests, observe
from tests.faults.report import PATH, names_in
from tests.faults.servers import PROJECT_ID, FaultyServer
from tests.faults.table import TABLE, Row, sending

ROWS = [row for rows in TABLE.values() for row in rows]
CASES = [pytest.param(row, mode, id=f"{row.name}-{mode}") for row in ROWS for mode in modes_of(row)]

LONGEST_PASS = 0.5
"""Seconds for which the event loop may stand still."""


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    trusted: Path = tmp_path_factory.mktemp("trusted")
    return Authority(trusted), Authority(tmp_path_factory.mktemp("unknown"))


@pytest.mark.parametrize(("row", "mode"), CASES)
def test_the_fault_table(row: Row, mode: str, authorities: tuple[Authority, Authority]) -> None:
    for scenario, expected in zip(SCENARIOS, row.expected(), strict=True):
        observed = observe(row, scenario, mode, authorities)
        if observed.blocked >= LONGEST_PASS:
            # A busy machine can hold up any process, but hardly twice; what blocks the loop does it each time.
            observed = observe(row, scenario, mode, authorities)
        assert observed.end == expected, (scenario, observed)
        assert 1 <= observed.requests <= most_requests(row, mode, observed.seconds), (scenario, observed)
        assert observed.arrived <= observed.requests, (scenario, observed)
        assert observed.blocked < LONGEST_PASS, (scenario, observed)
        if scenario == SCENARIOS[0]:
            for part in row.says:
                assert part in observed.message


def test_no_two_rows_have_one_name() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_the_written_report_is_of_this_table() -> None:
    """What it says comes from a run (``python -m tests.faults.report``); here is seen that no row was forgotten."""
    assert names_in(PATH.read_text()) == [row.name for row in ROWS]


@pytest.mark.parametrize("with_token", [False, True], ids=["ModelArts", "IAM"])
def test_a_redirect_takes_no_credentials_elsewhere(
    with_token: bool, authorities: tuple[Authority, Authority], monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyServer() as server, FaultyServer() as elsewhere:
        sending(307, b"", [("Location", elsewhere.url + "/v3/auth/tokens")])(authorities).begin(server)
        extra = {"project_id": PROJECT_ID, "iam_endpoint": server.url, "domain_name": "account" if with_token else ""}
        connection = {"conn_type": "modelarts", "login": "a", "password": "b", "host": server.url, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(connection))
        with ModelArtsHook() as hook, pytest.raises(ModelArtsBadRequestError, match="credentials are not sent"):
            hook.get_visualization_job(101)
        assert server.counts == {"token" if with_token else "get": 1}
        assert not elsewhere.counts
