"""Whether a sensor with ``skip_worker`` can do without a worker."""

from __future__ import annotations

from typing import Final

from airflow_provider_modelarts._compat import (
    BaseSensorOperator,
    airflow_version,
    conf,
    has_listeners,
    stores_xcoms_elsewhere,
)
from airflow_provider_modelarts.templates import can_be_template

STEPS: Final = (
    "hook",
    "render_template_fields",
    "pre_execute",
    "execute",
    "poke",
    "resume_execution",
    "execute_complete",
    "post_execute",
    "wait_request",
)
"""The methods that run on a worker, in this order. A subclass may override them."""


def why_on_worker(sensor: BaseSensorOperator, base: type[BaseSensorOperator]) -> str | None:
    """
    Return why a task needs a worker; None if it can start and end in the triggerer without losing anything.

    Airflow (3.3.2) cannot start these tasks in the triggerer:

    - any task below Airflow 3.3, where triggers have no templates;
    - a mapped task (it becomes a sensor only on a worker), or a task that has as an argument the output of a mapped
      task, or a changed output (``.map()``);
    - any task if triggerers serve queues (``[triggerer] queues_enabled``): its trigger has no queue, so no triggerer
      runs it.

    A task that ends in the triggerer loses:

    - asset events of ``outlets``, execute and success callbacks, listeners, ``pre_execute`` and ``post_execute``,
      ``multiple_outputs``, and ``map_index_template``;
    - methods that a subclass overrides;
    - the length of the XCom, which a mapped task downstream needs, and its mark as the result of the DAG;
    - a custom XCom backend, which the XCom would bypass.

    Airflow asks when it stores the DAG. Only then is the answer final.

    :param base: the provider's own class of the sensor
    """
    if airflow_version() < (3, 3):
        return "Airflow is older than 3.3"
    kind = type(sensor)
    checks = {
        "an argument is not a template": not all(
            can_be_template(getattr(sensor, name)) for name in base.template_fields
        ),
        "triggerers serve queues": conf.getboolean("triggerer", "queues_enabled", fallback=False),
        "it has outlets": bool(sensor.outlets),
        "it has an execute or a success callback": sensor.has_on_execute_callback or sensor.has_on_success_callback,
        "it has pre_execute or post_execute": bool(sensor._pre_execute_hook or sensor._post_execute_hook),
        "it has multiple_outputs": sensor.multiple_outputs,
        "it has a map_index_template": bool(sensor.map_index_template),
        "its class overrides a step of the sensor": any(
            getattr(kind, name) is not getattr(base, name) for name in STEPS
        ),
        "it returns the result of the DAG": sensor.returns_dag_result,
        "a listener is installed": has_listeners(),
        "there is a custom XCom backend": stores_xcoms_elsewhere(),
    }
    for reason, applies in checks.items():
        if applies:
            return reason
    # Airflow walks all of the DAG for this one.
    if sensor._dag is not None and next(iter(sensor.iter_mapped_dependants()), None) is not None:
        return "a task downstream is mapped over it"
    return None
