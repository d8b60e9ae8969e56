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
"""What a sensor does on a worker, in this order; a subclass may have its own."""


def why_on_worker(sensor: BaseSensorOperator, base: type[BaseSensorOperator]) -> str | None:
    """
    Return why a task has to go through a worker; None when it can start and end in the triggerer, losing nothing.

    In the triggerer Airflow (3.3.2) cannot start

    - a task of Airflow below 3.3, whose triggers know no templates;
    - a mapped task (which is not a sensor before it is on a worker), or one whose argument is the output of a mapped
      task, or a changed one (``.map()``);
    - a task where triggerers serve queues (``[triggerer] queues_enabled``): its trigger has none, and nobody runs it;

    and what ends there loses

    - asset events of ``outlets``, execute and success callbacks, what listeners and ``pre_execute`` and
      ``post_execute`` do, ``multiple_outputs`` and the text of ``map_index_template``;
    - steps that a subclass does in its own way;
    - the length of the XCom, which a mapped task downstream needs, and its mark as the result of the DAG;
    - a custom XCom backend, which the XCom would bypass.

    The answer is final when the DAG is complete: Airflow asks when it stores the DAG.

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
