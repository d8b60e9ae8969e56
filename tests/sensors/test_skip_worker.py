"""Waits with `skip_worker`: which of them go through a worker, and what such a worker does."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator
from tests.simulated_clock import SimulatedClock

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task  # type: ignore[attr-defined, no-redef]

from airflow_provider_modelarts._compat import airflow_version
from airflow_provider_modelarts.emulator import Fault
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger
from airflow_provider_modelarts.waiting.result import WaitResult
from tests.simulated_tasks import TaskDeferred, TaskInstance

skips_worker = pytest.mark.skipif(airflow_version() < (3, 3), reason="Airflow 3.3 and later")


def sensor(kind: Any = ModelArtsVisualizationJobSensor, **arguments: Any) -> Any:
    return kind(**{"task_id": "wait", "job_id": 1, "skip_worker": True, **arguments})


class Counting(ModelArtsVisualizationJobSensor):
    """A subclass with a template field of its own, set as late as can be."""

    template_fields = (*ModelArtsVisualizationJobSensor.template_fields, "topic")

    def __init__(self, *, topic: str = "", **arguments: Any) -> None:
        super().__init__(**arguments)
        self.topic = topic


class OwnEnd(ModelArtsVisualizationJobSensor):
    def execute_complete(self, context: Any, event: Any = None) -> Any:
        return {**super().execute_complete(context, event), "own": True}


class OwnPostExecute(ModelArtsVisualizationJobSensor):
    def post_execute(self, context: Any, result: Any = None) -> None: ...


class OwnHook(ModelArtsVisualizationJobSensor):
    @property
    def hook(self) -> Any:
        return super().hook


@skips_worker
class TestWhereItStarts:
    @pytest.mark.parametrize(
        "arguments",
        [
            {},
            {"kind": Counting, "topic": "{{ ds }}"},
            {"on_failure_callback": print, "on_retry_callback": print, "on_skipped_callback": print},
            {"retries": 3, "soft_fail": True, "do_xcom_push": False},
        ],
        ids=str,
    )
    def test_in_the_triggerer(self, arguments: dict[str, Any]) -> None:
        assert sensor(**arguments).start_from_trigger

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ({"outlets": ["anything"]}, "outlets"),
            ({"on_success_callback": print}, "callback"),
            ({"on_execute_callback": print}, "callback"),
            ({"pre_execute": print}, "pre_execute"),
            ({"post_execute": print}, "post_execute"),
            ({"multiple_outputs": True}, "multiple_outputs"),
            ({"map_index_template": "{{ ds }}"}, "map_index_template"),
            ({"kind": OwnEnd}, "overrides a step"),
            ({"kind": OwnPostExecute}, "overrides a step"),
            ({"kind": OwnHook}, "overrides a step"),
        ],
        ids=str,
    )
    def test_on_a_worker_which_says_why(
        self,
        arguments: dict[str, Any],
        reason: str,
        connection: Callable[..., Any],
        clock: SimulatedClock,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        wait = sensor(**arguments)
        assert not wait.start_from_trigger
        assert wait.start_trigger_args is None
        with pytest.raises(TaskDeferred):
            wait.execute({"ti": TaskInstance()})
        [line] = [line for line in capsys.readouterr().out.splitlines() if "skip_worker: " in line]
        assert "deferring from a worker, because" in line
        assert reason in line

    def test_on_a_worker_where_a_task_downstream_is_mapped_over_it(self) -> None:
        @task
        def echo(key: str) -> None: ...

        with DAG("mapped_downstream", schedule=None):
            wait, plain = sensor(), sensor(task_id="plain")
            echo.expand(key=wait.output)
            echo.override(task_id="once")(plain.output)
        assert (wait.start_from_trigger, plain.start_from_trigger) == (False, True)

    def test_on_a_worker_where_an_argument_is_the_output_of_a_mapped_task(self) -> None:
        @task
        def create(number: int) -> str:
            return str(number)

        with DAG("mapped_upstream", schedule=None):
            of_one = sensor(task_id="of_one", job_id=create.override(task_id="one")(1))
            of_many = sensor(task_id="of_many", job_id=create.expand(number=[1, 2]))
            of_changed = sensor(task_id="of_changed", job_id=create.override(task_id="changed")(1).map(str))
        assert of_one.start_from_trigger
        assert not of_many.start_from_trigger
        assert not of_changed.start_from_trigger

    def test_on_a_worker_where_the_dag_returns_its_output(self) -> None:
        from airflow.sdk import dag

        @dag(schedule=None)
        def returns() -> Any:
            return sensor().output

        assert not returns().get_task("wait").start_from_trigger

    def test_on_a_worker_where_triggerers_serve_queues(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__TRIGGERER__QUEUES_ENABLED", "True")
        assert not sensor().start_from_trigger

    def test_on_a_worker_where_xcoms_go_elsewhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from airflow.sdk.bases.xcom import BaseXCom

        monkeypatch.setattr("airflow.sdk.execution_time.xcom.XCom", type("Elsewhere", (BaseXCom,), {}))
        assert not sensor().start_from_trigger

    def test_on_a_worker_where_a_listener_is_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        manager = type("Manager", (), {"has_listeners": True})
        monkeypatch.setattr("airflow.sdk.listener.get_listener_manager", manager)
        assert not sensor().start_from_trigger

    def test_what_is_set_after_the_task_is_made_counts(self) -> None:
        wait = sensor()
        wait.region = "eu-de"
        assert wait.start_trigger_args.trigger_kwargs["region"] == "eu-de"
        wait.on_success_callback = print
        assert not wait.start_from_trigger


def test_an_own_template_field_does_not_reach_the_trigger(
    connection: Callable[..., Any], clock: SimulatedClock
) -> None:
    with pytest.raises(TaskDeferred):
        sensor(Counting, topic="x").execute({"ti": TaskInstance()})


def test_an_own_end_of_a_subclass_is_called(
    connection: Callable[..., Any], clock: SimulatedClock, emulator: Emulator
) -> None:
    payload = {
        "version": WaitResult("arrived").to_dict()["version"],
        "outcome": "arrived",
        "jobs": {"1": {"job_id": "1"}},
    }
    end = sensor(OwnEnd).resume_execution("execute_complete", {"event": payload}, {"ti": TaskInstance()})
    assert end == {"job_id": "1", "own": True}


@pytest.mark.parametrize("name", ["job_ids", "target_status", "failure_statuses"])
def test_a_generator_is_not_used_up_by_the_checks(name: str) -> None:
    values = {"job_ids": ["1", "2"], "target_status": ["KILLED", "FAILED"], "failure_statuses": ["KILLED", "FAILED"]}
    arguments = {"job_ids": ["1"], **{name: (value for value in values[name])}}
    assert sensor(job_id=None, **arguments).wait_request().to_dict()[name] == values[name]


NO_CLIENT = """
import sys
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from tests.simulated_tasks import TaskInstance
sys.modules.pop(CLIENT, None)
try:
    ModelArtsVisualizationJobSensor(task_id="wait", job_id=1, skip_worker=True).execute({"ti": TaskInstance()})
except BaseException as error:
    print(type(error).__name__, CLIENT in sys.modules)
"""


def test_a_worker_that_only_defers_imports_no_client() -> None:
    """Nor does it look the connection up: there is none here."""
    client = "airflow_provider_modelarts.api.client"
    code = NO_CLIENT.replace("CLIENT", repr(client))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_CONN_")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines()[-1:] == ["TaskDeferred False"], done.stderr


def test_300_mapped_waits_log_in_once(
    emulator: Emulator, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(emulator.connection("password")))
    job_ids = [emulator.create_job(script="7:0,8:60") for _ in range(300)]
    deferrals = []
    for job_id in job_ids:
        wait = sensor(job_id=job_id)
        wait._BaseOperator__from_mapped = True
        with pytest.raises(TaskDeferred) as deferral:
            wait.execute({"ti": TaskInstance()})
        deferrals.append(deferral.value.trigger.serialize())
    assert emulator.request_counts() == {}, "a worker asks for nothing"

    async def outcome(path: str, arguments: dict[str, Any]) -> str:
        module, _, name = path.rpartition(".")
        trigger = getattr(importlib.import_module(module), name)(**{**arguments, "first_poll_at": 0.0})
        stream = trigger.run()
        try:
            return str((await stream.__anext__()).payload["outcome"])
        finally:
            await stream.aclose()

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(outcome(*deferral) for deferral in deferrals))

    from tests.simulated_loop import SimulatedLoop

    loop = SimulatedLoop(clock.monotonic, clock.sleep)
    assert loop.run_until_complete(all_of_them()) == ["arrived"] * 300
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    requests = emulator.request_counts()
    assert requests["token"] == 1
    assert requests.get("get", 0) + requests["list"] <= 10


@skips_worker
class TestEndInTheTriggerer:
    def test_an_xcom_that_cannot_be_pushed_is_left_to_a_worker(
        self,
        emulator: Emulator,
        run: Callable[..., Any],
        monkeypatch: pytest.MonkeyPatch,
        written: Callable[[], str],
    ) -> None:
        async def refuse(ti: Any, key: str, value: Any) -> None:
            if key == "return_value":
                raise RuntimeError("the API server is not there")

        monkeypatch.setattr("tests.simulated_tasks.push_from_trigger", refuse)
        outcome = run("skip_worker", job_id=emulator.create_job(status=8))
        assert (outcome.state, outcome.xcom["status_name"], outcome.starts) == ("success", "RUNNING", 1)
        said = written()
        assert "The XCom could not be stored; the task ends on a worker" in said
        assert "the API server is not there" in said

    def test_a_variable_that_is_not_defined_is_left_to_a_worker(
        self, emulator: Emulator, connection: Callable[..., Any]
    ) -> None:
        job_id = emulator.create_job(status=8)
        wait = sensor(job_id=job_id, region="{{ params.typo }}")
        trigger = ModelArtsVisualizationJobTrigger(**wait.start_trigger_args.trigger_kwargs)
        ti = TaskInstance(task=wait)
        trigger.task_instance = ti  # type: ignore[assignment]
        trigger.render_template_fields({"ti": ti, "params": {}})

        async def first() -> Any:
            stream = trigger.run()
            return (await stream.__anext__()).payload

        payload = asyncio.run(first())
        assert payload["outcome"] == "invalid"
        assert "typo" in payload["message"]
        assert emulator.request_counts() == {}


class TestAnotherTriggererTakesOver:
    """A wait that was observed before survives an outage that is there when the next triggerer begins."""

    def outcome(self, clock: Any, arguments: dict[str, Any]) -> str:
        from tests.simulated_tasks import run_trigger

        module = ModelArtsVisualizationJobTrigger
        return str(run_trigger(f"{module.__module__}.{module.__qualname__}", arguments, clock)["outcome"])

    @pytest.mark.parametrize(
        ("late", "outcome"), [(0, "state_unknown"), (9, "state_unknown"), (11, "arrived"), (3600, "arrived")]
    )
    def test_of_a_deferred_wait_without_a_poll(
        self, late: int, outcome: str, emulator: Emulator, clock: SimulatedClock, connection: Callable[..., Any]
    ) -> None:
        with pytest.raises(TaskDeferred) as deferral:
            sensor(job_id=emulator.create_job(status=8)).execute({"ti": TaskInstance()})
        _, arguments = deferral.value.trigger.serialize()
        emulator.inject(Fault(kind="status", status=503))
        clock.sleep(8 + late)
        clock.at(clock.now + 200, emulator.clear_faults)
        assert self.outcome(clock, arguments) == outcome

    @skips_worker
    @pytest.mark.parametrize(("late", "outcome"), [(0, "state_unknown"), (11, "arrived")])
    def test_of_a_wait_that_started_in_the_triggerer(
        self,
        late: int,
        outcome: str,
        emulator: Emulator,
        clock: SimulatedClock,
        connection: Callable[..., Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        wait = sensor(job_id=emulator.create_job(status=8), timeout=3600)
        start = wait.start_trigger_args
        monkeypatch.setattr(
            ModelArtsVisualizationJobTrigger, "timeout_after", clock.utcnow() + start.timeout, raising=False
        )
        emulator.inject(Fault(kind="status", status=503))
        clock.sleep(late)
        clock.at(clock.now + 200, emulator.clear_faults)
        assert self.outcome(clock, {**start.trigger_kwargs, "may_end_task": False}) == outcome
