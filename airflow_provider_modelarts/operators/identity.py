"""Which job is a task's own: the name and the description that a task gives to the job that it makes."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

from airflow_provider_modelarts._compat import Variable, airflow_url

NAME_PREFIX: Final = "airflow-"
AIRFLOW_ID: Final = "modelarts_airflow_id"
"""Airflow variable that tells this Airflow from others which run the same DAGs on the same project."""

_PAUSE: Final = 2.0
"""Seconds within which tasks that ask for the first time at the same moment have all stored their id."""

_NAME_LENGTH: Final = 20
_MAKER_LENGTH: Final = 180
_SETTINGS_LENGTH: Final = 74
_SEPARATOR: Final = "; "


def airflow_id() -> str:
    """
    Return what tells this Airflow from others. The first task that asks for it stores it, as an Airflow variable.

    :raises RuntimeError: it can be neither read nor stored
    """
    known = Variable.get(AIRFLOW_ID, None)
    if known is None:
        # Airflow does not tell a variable that is not there from one that cannot be read now.
        time.sleep(_PAUSE)
        known = Variable.get(AIRFLOW_ID, None)
    return _stored_id() if known is None else str(known)


def _stored_id() -> str:
    """Store an id, and return the one that is there once all tasks that store one at the same time have done so."""
    try:
        Variable.set(AIRFLOW_ID, uuid.uuid4().hex, "Tells this Airflow from others (airflow-provider-modelarts)")
        time.sleep(_PAUSE)
        return str(Variable.get(AIRFLOW_ID))
    except Exception as error:
        raise RuntimeError(
            f"Jobs of this Airflow cannot be told from those of another one: the Airflow variable {AIRFLOW_ID} can be "
            f"neither read nor stored. Set it to any text of your own. {error}"
        ) from error


def own_job_name(ti: Any, airflow: str) -> str:
    """
    Return the name of the job that a task instance makes, the same in each of its tries.

    It is made of the Airflow, its address, DAG, run, task and map index, so that two Airflows with the same DAGs do not
    take each other's jobs for their own. The API allows 20 characters; the 12 of the digest are 60 bits.

    :param airflow: what :func:`airflow_id` returns
    """
    return f"{NAME_PREFIX}{task_digest(ti, airflow)}"[:_NAME_LENGTH]


def task_digest(ti: Any, airflow: str) -> str:
    """
    Return a text of lower-case letters and digits that only this task instance of this Airflow has.

    :param airflow: what :func:`airflow_id` returns
    """
    return _digest("\n".join((airflow, airflow_url(), ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index))))


def own_job_desc(ti: Any, airflow: str, settings: str) -> str:
    """
    Return the description of the job that a task instance makes.

    For people who read the list it says who made the job; for a later try it also keeps what the API does not tell.

    :param airflow: what :func:`airflow_id` returns
    :param settings: what :func:`settings_of` returns
    """
    index = f" [{ti.map_index}]" if ti.map_index >= 0 else ""
    maker = f"Airflow {_digest(airflow)[:8]}: {ti.dag_id} / {ti.task_id}{index} / {ti.run_id}"
    return f"{maker[:_MAKER_LENGTH]}{_SEPARATOR}{settings}"


def settings_of(body: Mapping[str, Any]) -> str:
    """
    Return what a job was created with that the API does not tell afterwards, as text.

    :param body: of the create request
    """
    flavor = f", {body['flavor']['code']}" if "flavor" in body else ""
    hours = f", stops after {body['schedule'][0]['duration']} h" if "schedule" in body else ""
    return f"{body['job_type']}{hours}{flavor}".replace(";", ",")[:_SETTINGS_LENGTH]


def settings_in(job_desc: str | None, own_desc: str) -> str | None:
    """
    Return the settings that the description of a job keeps; None when it is not this task's, or was changed since.

    :param own_desc: what :func:`own_job_desc` returns for the same task
    """
    maker, _, settings = (job_desc or "").rpartition(_SEPARATOR)
    return settings if maker == own_desc.rpartition(_SEPARATOR)[0] else None


def _digest(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()
