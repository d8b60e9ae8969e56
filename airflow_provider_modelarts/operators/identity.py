"""Which job is a task's own: the name and the description that a task gives to the job that it makes."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

from airflow_provider_modelarts._compat import airflow_url

NAME_PREFIX: Final = "airflow-"
_NAME_LENGTH: Final = 20
_DESC_LENGTH: Final = 256


def own_job_name(ti: Any) -> str:
    """
    Return the name of the job that a task instance makes, the same in each of its tries.

    It is made of DAG, run, task, map index, and the address of this Airflow, so that two of them with the same DAGs do
    not take each other's jobs for their own. The API allows 20 characters; the 12 of the digest are 60 bits.
    """
    identity = "\n".join((airflow_url(), ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index)))
    digest = base64.b32encode(hashlib.sha256(identity.encode()).digest()).decode().lower()
    return f"{NAME_PREFIX}{digest}"[:_NAME_LENGTH]


def own_job_desc(ti: Any) -> str:
    """Return the description of the job that a task instance makes: who made it, for people who look at the list."""
    index = f" [{ti.map_index}]" if ti.map_index >= 0 else ""
    return f"Airflow: {ti.dag_id} / {ti.task_id}{index} / {ti.run_id}"[:_DESC_LENGTH]
