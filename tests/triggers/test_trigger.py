"""The trigger as Airflow handles it: what travels, what it says, and a DAG whose waits start in the triggerer."""

from __future__ import annotations

import asyncio
import importlib
import json
import math
from collections.abc import Iterator
from contextlib import aclosing
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tests.simulated_clock import SimulatedClock

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

from airflow_provider_modelarts._compat import DEFER_TIMEOUT_MARGIN, airflow_version
from airflow_provider_modelarts.api.visualization_jobs.statuses import ENDED, JobStatus
from airflow_provider_modelarts.emulator import Emulator
from airflow_provider_modelarts.sensors.visualization_job import ModelArtsVisualizationJobSensor
from airflow_provider_modelarts.triggers.base import _XComPuller
from airflow_provider_modelarts.triggers.visualization_job import ModelArtsVisualizationJobTrigger
from airflow_provider_modelarts.waiting.result import VERSION, WaitResult
from tests.simulated_loop import run_simulated
from tests.simulated_tasks import TaskDeferred, TaskInstance, simulate

SKIPS_WORKER = airflow_version() >= (3, 3)


def first_event(trigger: ModelArtsVisualizationJobTrigger, clock: SimulatedClock) -> WaitResult:
    async def first() -> Any:
        stream = trigger.run()
        try:
            return (await stream.__anext__()).payload
        finally:
            await stream.aclose()

    return WaitResult.from_dict(run_simulated(first(), clock))


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator(time_scale=0) as running:
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(running.connection()))
        yield running


@pytest.fixture(autouse=True)
def clock(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> SimulatedClock:
    return simulate(monkeypatch, emulator)


def test_what_travels_makes_the_same_trigger() -> None:
    histories: Any = {"1": [[1.0, 7]]}  # lists, as of JSON
    trigger = ModelArtsVisualizationJobTrigger(
        job_ids=["1", "2"], wait_for="any", target_status=[8], failure_statuses=[11], region="eu-de",
        poke_interval=5, poll_failure_tolerance=60, silent_fail=True, timeout=10, deadline=99.5, first_poll_at=3.5,
        histories=histories, may_end_task=True,
    )  # fmt: skip
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))
    assert again.serialize() == (path, arguments)


def test_nothing_secret_travels(emulator: Emulator, clock: SimulatedClock) -> None:
    trigger = ModelArtsVisualizationJobTrigger(job_id=emulator.create_job(status=8))
    first_event(trigger, clock)
    text = repr(trigger) + json.dumps(trigger.serialize()) + repr(vars(trigger))
    assert emulator.sk not in text
    assert emulator.ak not in text


@pytest.mark.skipif(not SKIPS_WORKER, reason="Airflow 3.3 and later")
@pytest.mark.parametrize("execution_timeout", [2.0, 3.0, None])
def test_airflows_own_timeout_ends_no_wait_before_its_time(
    execution_timeout: float | None, emulator: Emulator, clock: SimulatedClock
) -> None:
    """Of a task that starts in the triggerer it is ``timeout`` and a margin, or ``execution_timeout``."""
    trigger = ModelArtsVisualizationJobTrigger(job_id=emulator.create_job(status=7), timeout=2)
    net = min(2 + DEFER_TIMEOUT_MARGIN, execution_timeout or math.inf)
    trigger.timeout_after = clock.utcnow() + timedelta(seconds=net)  # type: ignore[attr-defined]
    limit = None if execution_timeout is None else timedelta(seconds=execution_timeout)
    trigger._task_instance = SimpleNamespace(task=SimpleNamespace(execution_timeout=limit))
    begin = clock.monotonic()
    assert first_event(trigger, clock).outcome == "timeout"
    assert clock.monotonic() - begin >= 1.9
    assert emulator.request_counts()["get"] >= 1


def test_a_wait_that_is_shorter_than_its_interval_polls_too(emulator: Emulator, clock: SimulatedClock) -> None:
    """Beside a wait that has begun before, whose next poll is far off."""
    hanging, running = emulator.create_job(status=7), emulator.create_job(status=8)

    async def first(trigger: ModelArtsVisualizationJobTrigger) -> WaitResult:
        async with aclosing(trigger.run()) as stream:
            return WaitResult.from_dict((await anext(stream)).payload)

    async def both() -> list[str]:
        other = asyncio.create_task(first(ModelArtsVisualizationJobTrigger(job_id=hanging, poke_interval=60)))
        await asyncio.sleep(1.5)
        ends = await asyncio.gather(
            first(ModelArtsVisualizationJobTrigger(job_id=running, poke_interval=60, timeout=1)),
            first(ModelArtsVisualizationJobTrigger(job_id=99999, poke_interval=60, timeout=1)),
        )
        other.cancel()
        return [end.outcome for end in ends]

    assert run_simulated(both(), clock) == ["arrived", "cannot_arrive"]


@pytest.mark.skipif(not SKIPS_WORKER, reason="Airflow 3.3 and later")
@pytest.mark.parametrize("left", [1.0, -100.0])
def test_a_triggerer_that_takes_over_knows_how_much_time_is_left(
    left: float, emulator: Emulator, clock: SimulatedClock
) -> None:
    """The trigger's own timeout begins again with each triggerer; Airflow's goes on."""
    trigger = ModelArtsVisualizationJobTrigger(job_id=emulator.create_job(status=7), timeout=3600, poke_interval=60)
    trigger.timeout_after = clock.utcnow() + timedelta(seconds=left + DEFER_TIMEOUT_MARGIN)  # type: ignore[attr-defined]
    begin = clock.monotonic()
    assert first_event(trigger, clock).outcome == "timeout"
    assert clock.monotonic() - begin < 10
    assert emulator.request_counts()["get"] >= 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"job_id": "nonsense"}, "job_id"),
        ({"job_id": None}, "job_id"),
        ({"job_ids": "[]"}, "job_ids"),
        ({"job_id": 1, "target_status": "NOPE"}, "target_status"),
        ({"job_id": 1, "wait_for": "most"}, "wait_for"),
    ],
)
def test_what_was_rendered_wrongly_is_said_before_anything_is_sent(
    emulator: Emulator, clock: SimulatedClock, arguments: dict[str, Any], named: str
) -> None:
    event = first_event(ModelArtsVisualizationJobTrigger(**arguments), clock)
    assert event.outcome == "invalid"
    assert named in event.message
    assert emulator.request_counts() == {}


def test_a_connection_that_is_not_there_is_said(clock: SimulatedClock) -> None:
    event = first_event(ModelArtsVisualizationJobTrigger(job_id=1, modelarts_conn_id="no_such_connection"), clock)
    assert event.outcome == "state_unknown"
    assert "no_such_connection" in event.message


def test_the_link_that_the_task_knew_is_the_link_if_the_trigger_has_not_observed_the_job(
    emulator: Emulator, clock: SimulatedClock
) -> None:
    trigger = ModelArtsVisualizationJobTrigger(job_id=1, target_status="RUNNING", link="https://board.example/1")
    event = first_event(trigger, clock)
    assert (event.outcome, event.link) == ("cannot_arrive", "https://board.example/1")


def test_a_silent_wait_still_fails_with_its_job(emulator: Emulator, clock: SimulatedClock) -> None:
    job_id = emulator.create_job(status=11)
    event = first_event(ModelArtsVisualizationJobTrigger(job_id=job_id, target_status=8, silent_fail=True), clock)
    assert event.outcome == "cannot_arrive"


def test_triggers_with_the_same_arguments_are_two() -> None:
    one, other = ModelArtsVisualizationJobTrigger(job_id=1), ModelArtsVisualizationJobTrigger(job_id=1)
    assert len({one, other}) == 2


def test_several_jobs(emulator: Emulator, clock: SimulatedClock) -> None:
    job_ids = [emulator.create_job(status=status) for status in (8, 8, 11)]
    event = first_event(ModelArtsVisualizationJobTrigger(job_ids=job_ids, wait_for="any"), clock)
    assert event.outcome == "arrived"
    assert event.jobs.keys() == set(job_ids)
    event = first_event(ModelArtsVisualizationJobTrigger(job_ids=str(job_ids), wait_for="all"), clock)
    assert event.outcome == "cannot_arrive"


def test_a_link_that_could_not_be_stored_is_stored_with_the_next_news(
    emulator: Emulator, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = emulator.create_job(status=7)
    links = []

    async def push(ti: Any, key: str, link: str) -> None:
        links.append(link)
        if len(links) == 1:
            emulator.set_status(job_id, 15)
            raise RuntimeError("the API server is not there")
        emulator.set_status(job_id, 8)

    monkeypatch.setattr("airflow_provider_modelarts.triggers.base.apush_xcom", push)
    event = first_event(ModelArtsVisualizationJobTrigger(job_id=job_id, poke_interval=1), clock)
    assert event.outcome == "arrived"
    assert links == [event.link] * 2


@pytest.mark.parametrize("several", [False, True])
def test_a_task_that_ends_in_the_triggerer_has_the_xcoms_that_it_has_on_a_worker(
    several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = {}

    async def push(ti: Any, key: str, value: str) -> None:
        pushed[key] = value

    monkeypatch.setattr("airflow_provider_modelarts.triggers.base.apush_xcom", push)
    job = {"job_id": "1", "status_name": "RUNNING", "service_url": None}
    trigger = ModelArtsVisualizationJobTrigger(**({"job_ids": ["1"]} if several else {"job_id": "1"}))
    asyncio.run(trigger._push_xcoms({"1": job}))
    assert pushed == ({"return_value": {"1": job}} if several else {**job, "return_value": job})


def test_pulling_an_xcom_never_asks_for_a_slice() -> None:
    asked = []

    class Ti:
        run_id = "run"

        def xcom_pull(self, **arguments: Any) -> None:
            asked.append(arguments["map_indexes"])

    puller = _XComPuller(Ti())
    puller.xcom_pull(task_ids="a")
    puller.xcom_pull("a", map_indexes=3)
    assert (asked, puller.run_id) == ([-1, 3], "run")


class TestSkipWorker:
    def dag(self, **arguments: Any) -> Any:
        with DAG("skipping", schedule=None) as dag:
            output: Any = ModelArtsVisualizationJobSensor(task_id="upstream", job_id=1).output
            ModelArtsVisualizationJobSensor(
                **{"task_id": "wait", "job_id": output["job_id"], "skip_worker": True, **arguments}
            )
        return dag

    def serialized(self, dag: Any) -> Any:
        try:
            from airflow.serialization.serialized_objects import DagSerialization as Serialization
        except ImportError:
            from airflow.serialization.serialized_objects import SerializedDAG as Serialization  # type: ignore[attr-defined, assignment]
        return Serialization.from_dict(json.loads(json.dumps(Serialization.to_dict(dag)))).get_task("wait")

    @pytest.mark.skipif(not SKIPS_WORKER, reason="Airflow 3.3 and later")
    def test_the_scheduler_learns_all_it_needs(self) -> None:
        task = self.serialized(
            self.dag(target_status=ENDED, failure_statuses={JobStatus.RUNNING}, timeout=100, region="{{ params.r }}")
        )
        assert task.start_from_trigger is True
        arguments = task.start_trigger_args.trigger_kwargs
        arguments = arguments.get("__var", arguments)
        assert "xcom_pull" in arguments["job_id"]
        assert sorted(arguments["target_status"]) == sorted(int(status) for status in ENDED)
        assert arguments["region"] == "{{ params.r }}"
        assert set(arguments) <= set(ModelArtsVisualizationJobTrigger(job_id=1).serialize()[1])
        assert task.start_trigger_args.timeout.total_seconds() == 130

    @pytest.mark.skipif(not SKIPS_WORKER, reason="Airflow 3.3 and later")
    def test_execution_timeout_counts_too(self) -> None:
        from datetime import timedelta

        task = self.serialized(self.dag(timeout=100, execution_timeout=timedelta(seconds=40)))
        assert task.start_trigger_args.timeout.total_seconds() == 70

    def test_elsewhere_it_defers_from_a_worker(self) -> None:
        task = self.dag().get_task("wait")
        assert task.deferrable
        assert task.start_from_trigger is SKIPS_WORKER

    @pytest.mark.skipif(not SKIPS_WORKER, reason="Airflow 3.3 and later")
    def test_what_is_no_template_starts_on_a_worker(self) -> None:
        from airflow.sdk import task, task_group

        @task
        def submit() -> Any:
            return ["1", "2"]

        @task_group
        def each(job_id: Any) -> None:
            ModelArtsVisualizationJobSensor(task_id="wait", job_id=job_id, skip_worker=True)

        @task
        def one(number: Any) -> Any:
            return number

        with DAG("no_templates", schedule=None) as dag:
            jobs = submit()
            each.expand(job_id=jobs)
            ModelArtsVisualizationJobSensor(task_id="zipped", job_ids=jobs.map(str), skip_worker=True)
            mapped = one.expand(number=[1, 2])
            ModelArtsVisualizationJobSensor(task_id="of_mapped", job_ids=mapped, skip_worker=True)
            ModelArtsVisualizationJobSensor(task_id="plain", job_ids=jobs, skip_worker=True)
        starts = {task.task_id: task.start_from_trigger for task in dag.tasks if hasattr(task, "skip_worker")}
        assert starts == {"each.wait": False, "zipped": False, "of_mapped": False, "plain": True}

    def test_what_the_triggerer_cannot_render_is_given_to_a_worker(self, emulator: Emulator) -> None:
        job_id = emulator.create_job(status=8)
        payload = {"version": VERSION, "outcome": "invalid", "message": "'macro' is undefined"}
        task = ModelArtsVisualizationJobSensor(task_id="wait", job_id=job_id, skip_worker=True)
        with pytest.raises(TaskDeferred) as deferral:
            task.execute_complete({"ti": TaskInstance()}, payload)  # type: ignore[typeddict-item]
        assert deferral.value.trigger.job_id == job_id

    def test_mapped_tasks_start_on_a_worker(self) -> None:
        with DAG("mapped", schedule=None) as dag:
            ModelArtsVisualizationJobSensor.partial(task_id="wait", skip_worker=True).expand(job_id=["1", "2"])
        assert not getattr(self.serialized(dag), "start_from_trigger", False)
