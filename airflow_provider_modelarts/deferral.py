"""Two margins that a deferral needs in Airflow, between the sensor and its trigger."""

from __future__ import annotations

from typing import Final

FIRST_POLL_AFTER_DEFERRAL: Final = 8.0
"""Seconds. Airflow's scheduler may fail a task that comes back from a deferral before it has noticed its departure,
which can take it ``[workers] min_heartbeat_interval`` (5 s) and a little."""

DEFER_TIMEOUT_MARGIN: Final = 30.0
"""Seconds by which Airflow's own timeout of a deferral, which is only a net, lies behind the trigger's deadline."""

LAST_POLL_TIMEOUT: Final = 20.0
"""Seconds that a trigger waits for its last poll, at its deadline: less than that margin."""
