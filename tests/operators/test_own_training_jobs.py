"""A task instance finds the training jobs that it has created, and creates each once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from airflow_provider_modelarts.api.errors import ModelArtsNameTakenError, ModelArtsQuotaError
from airflow_provider_modelarts.api.training_jobs.body import create_body
from airflow_provider_modelarts.api.training_jobs.models import TrainingJob
from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.operators.own_training_jobs import OwnTrainingJobs, needs_another
from airflow_provider_modelarts.operators.training_job_names import TrainingJobNames
from tests.api.training_jobs.test_operations import client_for
from tests.simulated_clock import SimulatedClock

STEM = "dag-train-0123456789ab"
LOG = logging.getLogger(__name__)


def body(name: str) -> Mapping[str, Any]:
    return create_body(job_name=name, algorithm_id="a", flavor_id="modelarts.vm.cpu.2u")


class Rig:
    def __init__(self, emulator: Emulator, clock: SimulatedClock, jobs: Any) -> None:
        self.emulator, self.clock, self._jobs = emulator, clock, jobs

    def own(self, round_: int = 0) -> OwnTrainingJobs:
        names = TrainingJobNames(STEM, round_)
        wanted = lambda job: not needs_another(job.phase, is_server=False)  # noqa: E731
        return OwnTrainingJobs(self._jobs, names, LOG, is_wanted=wanted, clock=self.clock)

    def start(self, round_: int = 0, max_pending: float | None = None) -> TrainingJob:
        """Do what a try does: go on with the job that there is, else create one."""
        own = self.own(round_)
        own.find()
        return own.latest() or self.create(own, max_pending)

    @staticmethod
    def create(own: OwnTrainingJobs, max_pending: float | None = None) -> TrainingJob:
        return own.create(body, max_pending=max_pending, check=lambda: None)

    @property
    def names(self) -> list[str]:
        return [job.job_name for job in self.emulator.cloud.training_jobs.all()]

    @property
    def submissions(self) -> int:
        return self.emulator.request_counts()["training.create"]


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Emulator(time_scale=0) as emulator:
        clock = SimulatedClock(emulator)
        with client_for(emulator.url, clock.sleep, login=emulator.ak, password=emulator.sk) as client:
            yield Rig(emulator, clock, client.training_jobs)


def test_a_retry_goes_on_with_the_job_that_runs(rig: Rig) -> None:
    first = rig.start()
    rig.emulator.advance(10)
    assert rig.start().job_id == first.job_id
    assert rig.submissions == 1


@pytest.mark.parametrize("phase", ["Failed", "Abnormal", "Terminated"])
def test_after_a_failed_end_the_retry_creates_the_next(rig: Rig, phase: str) -> None:
    rig.emulator.cloud.training_jobs.set_phase(rig.start().job_id, phase)
    rig.emulator.cloud.training_jobs.set_phase(rig.start().job_id, phase)
    assert rig.start().phase == "Creating"
    assert rig.names == [f"{STEM}-r0", f"{STEM}-r0-2", f"{STEM}-r0-3"]


def test_a_job_that_was_completed_without_its_task_is_the_result(rig: Rig) -> None:
    first = rig.start()
    rig.emulator.cloud.training_jobs.set_phase(first.job_id, "Completed")
    assert rig.start().phase == "Completed"
    assert rig.submissions == 1


def test_after_a_clear_the_task_starts_over_and_names_what_still_runs(rig: Rig) -> None:
    first = rig.start(0)
    assert [job.job_id for job in rig.own(3).find()] == [first.job_id]
    assert rig.start(3).job_name == f"{STEM}-r3"
    assert rig.own(3).find()[0].job_id == first.job_id
    rig.emulator.cloud.training_jobs.set_phase(first.job_id, "Terminated")
    assert rig.own(3).find() == []


def test_a_job_that_is_being_stopped_must_end_before_the_next(rig: Rig) -> None:
    first = rig.start()
    rig.emulator.cloud.training_jobs.set_phase(first.job_id, "Terminating")
    own = rig.own()
    assert [job.job_id for job in own.find()] == [first.job_id]
    assert own.latest() is None


def test_a_lost_answer_creates_one_job(rig: Rig) -> None:
    rig.emulator.inject(Fault("cut_after", "training.create", times=1))
    rig.start()
    assert rig.names == [f"{STEM}-r0"]


def test_a_job_that_searches_do_not_show_yet_is_taken_over(rig: Rig) -> None:
    rig.emulator.cloud.options.training_search_lag = 20.0
    first = rig.start()
    assert rig.start().job_id == first.job_id
    assert rig.names == [f"{STEM}-r0"]
    assert rig.clock.now >= 20


def test_a_failed_job_that_searches_do_not_show_yet_leads_to_the_next(rig: Rig) -> None:
    rig.emulator.cloud.options.training_search_lag = 20.0
    rig.emulator.cloud.training_jobs.set_phase(rig.start().job_id, "Failed")
    assert rig.start().job_name == f"{STEM}-r0-2"


def test_a_name_that_is_taken_by_a_job_that_cannot_be_found(rig: Rig) -> None:
    rig.emulator.cloud.training_jobs.create(f"{STEM}-r0", workspace_id="w" * 32)
    with pytest.raises(ModelArtsNameTakenError, match="clear the task"):
        rig.start()


def test_a_quota_is_waited_for(rig: Rig) -> None:
    rig.emulator.cloud.options.running_quota = 0
    rig.clock.at(600, lambda: setattr(rig.emulator.cloud.options, "running_quota", 1))
    assert rig.start(max_pending=3600).phase == "Creating"
    assert 600 <= rig.clock.now <= 720


@pytest.mark.parametrize(("max_pending", "submissions"), [(None, 1), (150, 4)])
def test_a_quota_is_waited_for_no_longer_than_that(rig: Rig, max_pending: float | None, submissions: int) -> None:
    rig.emulator.cloud.options.running_quota = 0
    with pytest.raises(ModelArtsQuotaError, match=r"ModelArts\.2815"):
        rig.start(max_pending=max_pending)
    assert rig.submissions == submissions
    assert rig.clock.now == (max_pending or 0)


def test_a_task_that_must_not_create_a_job_any_more_sends_nothing(rig: Rig) -> None:
    def killed() -> None:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        rig.own().create(body, max_pending=None, check=killed)
    assert rig.names == []


@pytest.mark.parametrize(
    ("phase", "is_server", "expected"),
    [
        ("Completed", False, False),
        ("Completed", True, True),
        ("Running", True, False),
        ("Hibernating", False, False),
        ("Failed", False, True),
        ("Terminating", False, True),
    ],
)
def test_which_job_needs_another(phase: str, is_server: bool, expected: bool) -> None:
    assert needs_another(phase, is_server=is_server) is expected
