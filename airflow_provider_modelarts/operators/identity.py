"""The name and the description of a job that a task creates, so that a later try finds it again."""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from airflow_provider_modelarts._compat import Variable, airflow_url
from airflow_provider_modelarts.api.clock import SYSTEM_CLOCK, Clock

AIRFLOW_ID: Final = "modelarts_airflow_id"
"""Airflow variable that identifies this Airflow among others that run the same DAGs on the same project."""

_PAUSE: Final = 2.0
"""Seconds after which all tasks that store the first ID at the same time have done so."""

_READABLE_LENGTH: Final = 7
_DIGEST_LENGTH: Final = 12
"""Together with a hyphen the 20 characters that the API allows."""

_MAKER_LENGTH: Final = 180
_SETTINGS_LENGTH: Final = 74
_SEPARATOR: Final = "; "


def airflow_id(clock: Clock = SYSTEM_CLOCK) -> str:
    """
    Return the ID of this Airflow. The first task that needs it stores it as an Airflow variable.

    :param clock: what pauses are measured by
    :raises RuntimeError: it can be neither read nor stored
    """
    stored = Variable.get(AIRFLOW_ID, None)
    if stored is None:
        # Airflow returns the default as well if the variable cannot be read at the moment.
        clock.sleep(_PAUSE)
        stored = Variable.get(AIRFLOW_ID, None)
    return _store_id(clock) if stored is None else str(stored)


def _store_id(clock: Clock) -> str:
    """Store an ID, and return the one that remains after all tasks that store one at the same time."""
    try:
        Variable.set(AIRFLOW_ID, uuid.uuid4().hex, "Identifies this Airflow (airflow-provider-modelarts)")
        clock.sleep(_PAUSE)
        return str(Variable.get(AIRFLOW_ID))
    except Exception as error:
        raise RuntimeError(
            f"The Airflow variable {AIRFLOW_ID} can be neither read nor stored. It distinguishes the jobs of this "
            f"Airflow from those of another one. Set it to any text of your own. {error}"
        ) from error


def own_job_name(ti: Any, airflow: str) -> str:
    """
    Return the name of the job that a task instance creates. It is the same for each try.

    It depends on the Airflow, its address, DAG, run, task and map index, so that two Airflows with the same DAGs do not
    take over each other's jobs. The 12 characters of the digest are 60 bits. In front of it is as much of DAG and task
    as the API leaves room for.

    :param airflow: what :func:`airflow_id` returns
    """
    readable = re.sub(r"[^A-Za-z0-9_-]", "-", f"{ti.dag_id}-{ti.task_id}")[:_READABLE_LENGTH].rstrip("-")
    return f"{readable}-{task_digest(ti, airflow)[:_DIGEST_LENGTH]}"


def task_digest(ti: Any, airflow: str) -> str:
    """
    Return a text of lower-case letters and digits that is unique to this task instance of this Airflow.

    :param airflow: what :func:`airflow_id` returns
    """
    return _digest("\n".join((airflow, airflow_url(), ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index))))


def own_job_desc(ti: Any, airflow: str, settings: str) -> str:
    """
    Return the description of the job that a task instance creates.

    It tells people which task has created the job, and a later try what the API does not return.

    :param airflow: what :func:`airflow_id` returns
    :param settings: what :func:`settings_of` returns
    """
    index = f" [{ti.map_index}]" if ti.map_index >= 0 else ""
    maker = f"Airflow {_digest(airflow)[:8]}: {ti.dag_id} / {ti.task_id}{index} / {ti.run_id}"
    return f"{maker[:_MAKER_LENGTH]}{_SEPARATOR}{settings}"


def settings_of(body: Mapping[str, Any]) -> str:
    """
    Return the settings of a create request that the API does not return afterwards, as text.

    :param body: of the create request
    """
    flavor = f", {body['flavor']['code']}" if "flavor" in body else ""
    hours = f", stops after {body['schedule'][0]['duration']} h" if "schedule" in body else ""
    return f"{body['job_type']}{hours}{flavor}".replace(";", ",")[:_SETTINGS_LENGTH]


def settings_in(job_desc: str | None, own_desc: str) -> str | None:
    """
    Return the settings in the description of a job; None if the description is not of this task, or was changed.

    :param own_desc: what :func:`own_job_desc` returns for the same task
    """
    maker, _, settings = (job_desc or "").rpartition(_SEPARATOR)
    return settings if maker == own_desc.rpartition(_SEPARATOR)[0] else None


def _digest(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()
