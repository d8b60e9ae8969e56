"""The Test button of Airflow's connection form."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_modelarts.emulator import Emulator
from tools.local_airflow import LocalAirflow


def test_the_test_button_says_whether_the_connection_works(local_airflow: LocalAirflow, emulator: Emulator) -> None:
    answer = _press(local_airflow, emulator.connection())
    assert answer["status"] is True, answer
    assert emulator.project_id in answer["message"]

    answer = _press(local_airflow, {**emulator.connection(), "password": "not-the-secret-key"})
    assert answer["status"] is False
    assert "verify aksk signature fail" in answer["message"]
    assert "not-the-secret-key" not in str(answer)


def _press(airflow: LocalAirflow, fields: dict[str, Any]) -> dict[str, Any]:
    body = {**fields, "connection_id": "under_test", "extra": json.dumps(fields["extra"])}
    return airflow.api("POST", "connections/test", json=body)
