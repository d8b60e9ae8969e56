"""What Airflow's versions keep in different places is taken from where each of them wants it to be taken from."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_modelarts import _compat
from airflow_provider_modelarts._compat import aget_connection, airflow_version, in_triggerer

IMPORT_EVERYTHING_AND_LISTEN = """
import contextlib, importlib, pkgutil, warnings

import airflow.settings  # sets filters of its own
import airflow_provider_modelarts as package
from airflow_provider_modelarts._compat import airflow_version

with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            # Asset watchers do not exist on Airflow 2.11, and the trigger for them says so.
            missing = ImportError if module.name.endswith("_event") and airflow_version() < (3, 0) else ()
            with contextlib.suppress(missing):
                importlib.import_module(module.name)
print([str(each) for each in seen if each.filename.startswith(tuple(package.__path__))])
"""


def test_nothing_is_imported_from_where_it_is_deprecated() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING_AND_LISTEN], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(airflow_version() < (3, 0), reason="Airflow 2.11 has no such channel")
def test_a_worker_is_no_triggerer_although_it_talks_to_its_supervisor_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.jobs.triggerer_job_runner import TriggerCommsDecoder
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import CommsDecoder

    for channel, expected in ((CommsDecoder, False), (TriggerCommsDecoder, True)):
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object.__new__(channel), raising=False)
        assert in_triggerer() is expected


class Hook:
    """Airflow's own hook, as far as it reads connections."""

    problem: Exception | None = None

    @classmethod
    async def aget_connection(cls, conn_id: str) -> str:
        if cls.problem is not None:
            raise cls.problem
        return f"{conn_id}, without a thread"

    @classmethod
    def get_connection(cls, conn_id: str) -> str:
        return f"{conn_id}, on a thread"


@pytest.mark.parametrize("is_triggerer", [True, False])
def test_a_connection_is_read_without_a_thread_where_airflow_can(
    is_triggerer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_compat, "BaseHook", Hook)
    monkeypatch.setattr(_compat, "in_triggerer", lambda: is_triggerer)
    assert asyncio.run(aget_connection("a")) == "a, without a thread"
    monkeypatch.setattr(Hook, "problem", LookupError("not found"))
    if is_triggerer:
        with pytest.raises(LookupError, match="not found"):
            asyncio.run(aget_connection("a"))
    else:
        assert asyncio.run(aget_connection("a")) == "a, on a thread"
    monkeypatch.delattr(Hook, "aget_connection")
    assert asyncio.run(aget_connection("a")) == "a, on a thread"


@pytest.mark.skipif(airflow_version() < (3, 3), reason="Airflow 3.3 and later")
@pytest.mark.parametrize("is_triggerer", [True, False])
def test_a_triggerer_masks_a_secret_without_a_thread(is_triggerer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import log

    masked: list[tuple[str, str]] = []

    async def amask(secret: str) -> None:
        masked.append(("without a thread", secret))

    monkeypatch.setattr(log, "amask_secret", amask)
    monkeypatch.setattr(log, "mask_secret", lambda secret: masked.append(("plainly", secret)))
    monkeypatch.setattr(_compat, "in_triggerer", lambda: is_triggerer)
    asyncio.run(_compat.amask_secret("s3cret"))
    assert masked == [("without a thread" if is_triggerer else "plainly", "s3cret")]


@pytest.mark.skipif(airflow_version() < (3, 1), reason="Airflow 3.1 and later")
def test_a_trigger_pushes_an_xcom_of_its_own_task(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.execution_time import task_runner

    sent: list[Any] = []

    async def asend(message: Any) -> None:
        sent.append(message)

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(asend=asend), raising=False)
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=3)
    asyncio.run(_compat.apush_xcom(ti, "key", {"a": 1}))
    asyncio.run(_compat.apush_xcom(None, "key", "value"))
    [message] = sent
    where = (message.dag_id, message.run_id, message.task_id, message.map_index)
    assert (message.key, message.value, where) == ("key", {"a": 1}, ("dag", "run", "task", 3))
