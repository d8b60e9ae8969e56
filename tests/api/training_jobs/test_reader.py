"""Polls of many training jobs: which requests they take, and what they show, against the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_modelarts.api import errors
from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.client_owner import ClientOwner
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.training_jobs.kind import TRAINING_JOBS
from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.waiting.fetch import JobFetcher
from airflow_provider_modelarts.waiting.target import Target, Verdict


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(time_scale=0) as emulator:
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[ModelArtsClient]:
    config = ModelArtsConfig(
        endpoint=emulator.url, project_id=emulator.project_id, login=emulator.ak, password=emulator.sk
    )
    with ModelArtsClient(config, sleep=lambda seconds: None) as client:
        yield client


def create(emulator: Emulator, count: int, phase: str = "Running") -> list[str]:
    return [emulator.training_jobs.create(phase=phase).job_id for _ in range(count)]


def poll(client: ModelArtsClient, job_ids: list[str]) -> dict[str, Any]:
    """Poll jobs once through a new fetcher, and return their phases, or what went wrong."""
    seen = JobFetcher(ClientOwner(lambda sleep: client), TRAINING_JOBS).fetch(dict.fromkeys(job_ids))
    return {job_id: job if isinstance(job, errors.ModelArtsError) else phase_of(job) for job_id, job in seen.items()}


def phase_of(job: Any) -> str:
    return str(TRAINING_JOBS.status_of(job))


@pytest.mark.parametrize(
    ("count", "requests"),
    [
        pytest.param(1, {"training.get": 1}, id="one job is asked for by its ID"),
        pytest.param(2, {"training.search": 1}, id="a search by ID shows ten"),
        pytest.param(29, {"training.search": 3}, id="three searches by ID"),
        pytest.param(100, {"training.search": 2}, id="two pages of active jobs"),
        pytest.param(1000, {"training.search": 20}, id="twenty pages of active jobs"),
    ],
)
def test_the_requests_of_a_poll_of_active_jobs(
    emulator: Emulator, client: ModelArtsClient, count: int, requests: dict[str, int]
) -> None:
    job_ids = create(emulator, count)
    assert poll(client, job_ids) == dict.fromkeys(job_ids, "Running")
    assert emulator.request_counts() == requests


def test_many_jobs_that_ended_at_once_are_found_in_pages_of_all_jobs(
    emulator: Emulator, client: ModelArtsClient
) -> None:
    job_ids = create(emulator, 200, "Completed")
    assert poll(client, job_ids) == dict.fromkeys(job_ids, "Completed")
    # One empty page of active jobs, then four of all.
    assert emulator.request_counts() == {"training.search": 5}


def test_few_jobs_among_many_of_others_are_searched_by_id(emulator: Emulator, client: ModelArtsClient) -> None:
    job_ids = create(emulator, 40)
    create(emulator, 600)
    assert poll(client, job_ids) == dict.fromkeys(job_ids, "Running")
    # A page of active jobs and one of all show none of them: four searches by ID.
    assert emulator.request_counts() == {"training.search": 6}


def test_active_and_ended_jobs_in_one_poll(emulator: Emulator, client: ModelArtsClient) -> None:
    active, ended = create(emulator, 60), create(emulator, 3, "Abnormal")
    assert poll(client, [*active, *ended]) == {**dict.fromkeys(active, "Running"), **dict.fromkeys(ended, "Abnormal")}
    assert emulator.request_counts() == {"training.search": 3}


def test_a_job_that_no_search_shows_is_asked_for_before_it_counts_as_gone(
    emulator: Emulator, client: ModelArtsClient
) -> None:
    kept, gone = create(emulator, 3), create(emulator, 2)
    for job_id in gone:
        emulator.training_jobs.remove(job_id)
    seen = poll(client, [*kept, *gone])
    assert {job_id: seen[job_id] for job_id in kept} == dict.fromkeys(kept, "Running")
    assert all(isinstance(seen[job_id], errors.ModelArtsNotFoundError) for job_id in gone)
    assert emulator.request_counts() == {"training.search": 1, "training.get": 2}


def test_a_search_that_is_forbidden_leaves_single_jobs(emulator: Emulator, client: ModelArtsClient) -> None:
    job_ids = create(emulator, 5)
    emulator.inject(Fault("status", operation="training.search", status=403))
    assert poll(client, job_ids) == dict.fromkeys(job_ids, "Running")
    assert emulator.request_counts()["training.get"] == 5


def test_only_changes_are_reported(emulator: Emulator, client: ModelArtsClient) -> None:
    job_ids = create(emulator, 3)
    fetcher = JobFetcher(ClientOwner(lambda sleep: client), TRAINING_JOBS)
    observed: dict[str, Any] = fetcher.fetch(dict.fromkeys(job_ids))
    known = {job_id: TRAINING_JOBS.fingerprint(job) for job_id, job in observed.items()}
    assert fetcher.fetch(known) == {}
    emulator.training_jobs.set_phase(job_ids[1], "Pending")
    observed = fetcher.fetch(known)
    assert [phase_of(job) for job in observed.values()] == ["Pending"]


class TestVerdicts:
    """What each phase means, for each target (the table in docs/train.md)."""

    ENDS = ("Completed", "Failed", "Terminated", "Abnormal")
    OTHERS = ("Creating", "Pending", "Running", "Terminating", "Hibernating")

    @pytest.mark.parametrize(
        ("target", "arrived"),
        [
            ("Completed", {"Completed"}),
            ("running", {"Running"}),
            ("ENDED", {*ENDS}),
            (["Completed", "TERMINATED"], {"Completed", "Terminated"}),
        ],
    )
    def test_of_a_phase(self, target: list[str] | str, arrived: set[str]) -> None:
        read = Target.of(TRAINING_JOBS, target)
        for phase in (*self.ENDS, *self.OTHERS, "GONE"):
            expected = Verdict.CANNOT_ARRIVE if phase in (*self.ENDS, "GONE") else Verdict.WAITING
            assert read.observe(phase) is (Verdict.ARRIVED if phase in arrived else expected), phase

    def test_of_the_deletion(self) -> None:
        read = Target.of(TRAINING_JOBS, "GONE")
        assert read.observe("GONE") is Verdict.ARRIVED
        assert {read.observe(phase) for phase in (*self.ENDS, *self.OTHERS)} == {Verdict.WAITING}

    def test_the_error_for_a_word_that_is_not_a_phase_names_those_that_are(self) -> None:
        with pytest.raises(ValueError, match=r"target_status: 'Complete' is not a phase. Phases are Creating, .*ENDED"):
            Target.of(TRAINING_JOBS, "Complete")
