"""What a wait is for. A sensor or an operator makes the request, and the trigger carries it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from airflow_provider_modelarts.choices import WaitFor


# A trigger inherits these fields, and keeps Airflow's own idea of equality and representation. There may be thousands:
# with all fields in its `__dict__`, a trigger would take 1.3 KB more.
@dataclass(kw_only=True, eq=False, repr=False, slots=True)
class WaitRequest:
    """
    Which jobs to wait for, through which connection, and for how long. It may hold templates until they are rendered.

    One of the first three says which jobs. A request that travels has JSON types only.

    :param job_id: the job
    :param job_ids: several jobs instead
    :param job_name: the name of the job instead
    :param wait_for: ``"all"`` or ``"any"`` of several jobs
    :param target_status: one status or several
    :param failure_statuses: what ends the wait without the target; None for the kind's own rule
    :param modelarts_conn_id: Airflow connection
    :param region: overrides the connection's
    :param project_id: overrides the connection's
    :param workspace_id: overrides the connection's
    :param poke_interval: seconds between two polls
    :param poll_failure_tolerance: seconds for which polls may fail, once a job has been observed
    :param silent_fail: whether a failed poll is only logged
    :param timeout: seconds until the wait times out
    """

    job_id: Any = None
    job_ids: Any = None
    job_name: Any = None
    wait_for: WaitFor = "all"
    target_status: Any
    failure_statuses: Any = None
    modelarts_conn_id: str = "modelarts_default"
    region: str | None = None
    project_id: str | None = None
    workspace_id: str | None = None
    poke_interval: float = 60.0
    poll_failure_tolerance: float = 600.0
    silent_fail: bool = False
    timeout: float = 7 * 24 * 3600.0

    @classmethod
    def of(cls, task: object) -> WaitRequest:
        """Return the request of a sensor or a trigger, which has an attribute for each field."""
        return cls(**{field.name: getattr(task, field.name) for field in fields(cls)})

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the request, by name."""
        return {field.name: getattr(self, field.name) for field in fields(WaitRequest)}
