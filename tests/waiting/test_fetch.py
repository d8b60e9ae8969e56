"""Many jobs, few requests: which requests a look costs, counted by the emulator."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.client_owner import ClientOwner
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.errors import (
    ModelArtsAuthenticationError,
    ModelArtsConnectionError,
    ModelArtsError,
    ModelArtsMalformedResponseError,
    ModelArtsNotFoundError,
    ModelArtsServerError,
    ModelArtsThrottledError,
)
from airflow_provider_modelarts.api.visualization_jobs.kind import VISUALIZATION_JOBS
from airflow_provider_modelarts.api.visualization_jobs.pages import StatusPage
from airflow_provider_modelarts.api.visualization_jobs.statuses import JobStatus
from airflow_provider_modelarts.emulator import Emulator, Fault
from airflow_provider_modelarts.waiting.fetch import JobFetcher
from airflow_provider_modelarts.waiting.names import name_key
from tests.conftest import Reply, ScriptedServer
from tests.faults.servers import Exchange, FaultyServer


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(time_scale=0, job_quota=10_000) as running:
        yield running


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fetcher(emulator: Emulator, clock: Clock) -> Iterator[JobFetcher]:
    config = ModelArtsConfig(
        endpoint=emulator.url, project_id=emulator.project_id, login=emulator.ak, password=emulator.sk
    )
    with ModelArtsClient(config, sleep=lambda seconds: None) as client:
        made = JobFetcher(ClientOwner(lambda sleep: client), VISUALIZATION_JOBS, clock=clock)
        yield made
        made.close()


def client_of(server: FaultyServer | ScriptedServer) -> ModelArtsClient:
    config = ModelArtsConfig(endpoint=server.url, project_id="p", login="AK", password="SK")
    return ModelArtsClient(config, sleep=lambda seconds: None)


def statuses_of(observed: dict[str, Any]) -> set[int]:
    return {int(job.status) for job in observed.values()}


@pytest.fixture
def look(emulator: Emulator, fetcher: JobFetcher) -> Callable[..., Any]:
    """Look at jobs and return what is new, and the requests that it took."""

    def fetch(known: dict[str, tuple[int, bool]] | list[str]) -> tuple[Any, ...]:
        emulator.clear_requests()
        fingerprints = known if isinstance(known, dict) else dict.fromkeys(known)
        return fetcher.fetch(fingerprints), emulator.request_counts()

    return fetch


def make(emulator: Emulator, count: int, **fields: Any) -> list[str]:
    return [emulator.create_job(**{"status": 7, **fields}) for _ in range(count)]


def test_one_job_takes_its_details(emulator: Emulator, look: Callable[..., Any]) -> None:
    (job_id,) = make(emulator, 1)
    news, requests = look([job_id])
    assert news[job_id].status is JobStatus.WAITING
    assert requests == {"get": 1}


@pytest.mark.parametrize(
    ("waits", "others", "requests"),
    [
        (2, 0, {"list": 1}),
        (100, 0, {"list": 1}),
        (1000, 0, {"list": 1}),
        (1001, 0, {"list": 1, "get": 1}),
        (2500, 0, {"list": 3}),
        (3, 3000, {"list": 1}),
    ],
)
def test_the_newest_jobs_take_only_the_pages_they_are_on(
    emulator: Emulator, look: Callable[..., Any], waits: int, others: int, requests: dict[str, int]
) -> None:
    make(emulator, others)
    job_ids = make(emulator, waits)
    news, counted = look(job_ids)
    assert news.keys() == set(job_ids)
    assert counted == requests


def test_a_few_old_jobs_among_many_take_their_details(emulator: Emulator, look: Callable[..., Any]) -> None:
    job_ids = make(emulator, 3)
    make(emulator, 4000)
    news, counted = look(job_ids)
    assert news.keys() == set(job_ids)
    assert counted == {"list": 1, "get": 3}


def test_many_jobs_that_are_gone_do_not_end_a_poll(emulator: Emulator, look: Callable[..., Any]) -> None:
    """Each of them was answered: this is not an outage."""
    emulator.deny = ["list"]
    gone = [str(job_id) for job_id in range(5001, 5021)]
    observed, requests = look(gone)
    assert {type(observation) for observation in observed.values()} == {ModelArtsNotFoundError}
    assert (set(observed), requests["get"]) == (set(gone), 20)


def test_only_what_is_new_is_told(emulator: Emulator, look: Callable[..., Any]) -> None:
    job_ids = make(emulator, 5)
    known = {job_id: job.fingerprint for job_id, job in look(job_ids)[0].items()}
    assert look(known)[0] == {}
    emulator.set_status(job_ids[2], 8)
    news, _ = look(known)
    assert {job_id: job.status for job_id, job in news.items()} == {job_ids[2]: JobStatus.RUNNING}
    assert look({job_ids[2]: news[job_ids[2]].fingerprint})[0] == {}


def test_a_job_that_a_complete_list_does_not_show_is_asked_for_by_itself(
    emulator: Emulator, look: Callable[..., Any]
) -> None:
    job_ids = make(emulator, 3)
    emulator.remove_job(job_ids[1])
    news, counted = look(job_ids)
    assert isinstance(news[job_ids[1]], ModelArtsNotFoundError)
    assert counted == {"list": 1, "get": 1}


def test_jobs_of_another_workspace_are_soon_looked_at_without_the_list(
    emulator: Emulator, look: Callable[..., Any]
) -> None:
    job_ids = make(emulator, 3, workspace_id="elsewhere")
    assert look(job_ids)[1] == {"list": 1, "get": 3}
    assert look(job_ids)[1] == {"list": 1, "get": 3}
    news, counted = look(job_ids)
    assert counted == {"get": 3}
    assert news.keys() == set(job_ids)


def test_small_pages_where_large_ones_are_refused(
    emulator: Emulator, look: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    emulator.per_page_limit = 100
    job_ids = make(emulator, 250)
    news, counted = look(job_ids)
    assert news.keys() == set(job_ids)
    assert counted == {"list": 4}
    assert look(job_ids)[1] == {"list": 3}
    assert caplog.messages.count("This deployment refuses pages of 1000 jobs; taking 100") == 1


def test_details_where_the_list_is_forbidden(
    emulator: Emulator, look: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    emulator.deny = ["list"]
    job_ids = make(emulator, 20)
    news, counted = look(job_ids)
    assert news.keys() == set(job_ids)
    assert counted == {"list": 1, "get": 20}
    assert look(job_ids)[1] == {"get": 20}
    assert len([record for record in caplog.records if "one by one" in record.getMessage()]) == 1


def test_an_outage_is_told_of_every_job(emulator: Emulator, look: Callable[..., Any]) -> None:
    job_ids = make(emulator, 5)
    emulator.inject(Fault(kind="status", status=503))
    news, counted = look(job_ids)
    assert news.keys() == set(job_ids)
    assert all(isinstance(error, ModelArtsServerError) for error in news.values())
    # A job is asked for by itself, to see whether it is only the list that fails.
    assert counted == {"list": 4, "get": 4}


def test_a_server_that_asks_to_be_left_alone_is(emulator: Emulator, look: Callable[..., Any], clock: Clock) -> None:
    job_ids = make(emulator, 5)
    emulator.inject(Fault(kind="status", status=429, retry_after=300))
    news, counted = look(job_ids)
    assert all(isinstance(error, ModelArtsThrottledError) for error in news.values())
    assert counted == {"list": 1}
    emulator.clear_faults()
    clock.now = 299
    assert look(job_ids) == ({}, {})
    clock.now = 300
    assert look(job_ids)[0].keys() == set(job_ids)


def test_throttled_details_stop_the_rest(emulator: Emulator, look: Callable[..., Any], fetcher: JobFetcher) -> None:
    emulator.deny = ["list"]
    job_ids = make(emulator, 40)
    emulator.inject(Fault(kind="status", status=429, retry_after=300, operation="get"))
    news, counted = look(job_ids)
    assert news.keys() == set(job_ids)
    assert all(isinstance(error, ModelArtsThrottledError) for error in news.values())
    assert counted["get"] == 1


def test_a_refused_list_is_tried_again_after_an_hour(
    emulator: Emulator, look: Callable[..., Any], clock: Clock
) -> None:
    emulator.deny = ["list"]
    job_ids = make(emulator, 5)
    look(job_ids)
    emulator.deny = []
    clock.now = 3599
    assert look(job_ids)[1] == {"get": 5}
    clock.now = 3600
    assert look(job_ids)[1] == {"list": 1}


def test_no_break_is_longer_than_five_minutes(emulator: Emulator, look: Callable[..., Any], clock: Clock) -> None:
    job_ids = make(emulator, 5)
    emulator.inject(Fault(kind="status", status=503, retry_after=86400, times=1))
    look(job_ids)
    clock.now = 300
    assert look(job_ids)[0].keys() == set(job_ids)


def test_details_stop_in_an_outage(emulator: Emulator, look: Callable[..., Any]) -> None:
    emulator.deny = ["list"]
    job_ids = make(emulator, 40)
    emulator.inject(Fault(kind="status", status=503, operation="get"))
    news, counted = look(job_ids)
    assert news.keys() == set(job_ids)
    assert counted["get"] == (1 + 8) * 4


def test_one_job_that_fails_does_not_hide_the_others(emulator: Emulator, look: Callable[..., Any]) -> None:
    emulator.deny = ["list"]
    job_ids = make(emulator, 20)
    emulator.inject(Fault(kind="status", status=500, operation="get", times=4))  # all attempts at the first
    news, counted = look(job_ids)
    assert [job_id for job_id in job_ids if isinstance(news[job_id], ModelArtsServerError)] == job_ids[:1]
    assert counted["get"] == 4 + 19


def test_what_a_page_showed_holds_when_the_next_one_fails(emulator: Emulator, look: Callable[..., Any]) -> None:
    job_ids = make(emulator, 1500)
    emulator.inject(Fault(kind="status", status=503, after=1))
    news, _ = look(job_ids)
    assert sum(isinstance(seen, ModelArtsServerError) for seen in news.values()) == 500
    assert news.keys() == set(job_ids)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=500, operation="list"),
        Fault(kind="empty", operation="list"),
        Fault(kind="cut", operation="list"),
        Fault(kind="status", status=404, operation="list"),
        Fault(kind="status", status=404, error_code="ModelArts.0102", operation="list"),
        Fault(kind="status", status=409, operation="list"),
    ],
)
def test_a_list_that_fails_alone_is_done_without_for_a_while(
    emulator: Emulator, look: Callable[..., Any], clock: Clock, fault: Fault
) -> None:
    job_ids = make(emulator, 3)
    emulator.inject(fault)
    news, _ = look(job_ids)
    assert {job_id: job.status for job_id, job in news.items()} == dict.fromkeys(job_ids, JobStatus.WAITING)
    assert look(job_ids)[1] == {"get": 3}
    emulator.clear_faults()
    clock.now += 3601
    assert look(job_ids)[1] == {"list": 1}


def test_a_list_that_is_refused_for_the_credentials_is_not_followed_by_more_requests(
    emulator: Emulator, look: Callable[..., Any]
) -> None:
    job_ids = make(emulator, 3)
    emulator.inject(Fault(kind="status", status=401, operation="list"))
    news, counted = look(job_ids)
    assert all(isinstance(error, ModelArtsAuthenticationError) for error in news.values())
    assert counted == {"list": 1}


def test_a_list_that_takes_no_notice_of_the_page_is_not_read_for_ever(server: ScriptedServer) -> None:
    page = Reply(200, {"jobs": [{"job_id": 5000 + number, "status": 8} for number in range(1000)]})
    server.answer(page, page, Reply(200, {"job_id": 1, "status": 7}), Reply(200, {"job_id": 2, "status": 7}))
    with client_of(server) as client:
        fetcher = JobFetcher(ClientOwner(lambda sleep: client), VISUALIZATION_JOBS)
        news = fetcher.fetch({"1": None, "2": None})
        fetcher.close()
    assert len(server.received) == 4
    assert news.keys() == {"1", "2"}


def test_an_answer_about_another_job_is_none(server: ScriptedServer) -> None:
    server.answer(Reply(200, {"job_id": 2, "status": 8}))
    with client_of(server) as client:
        (seen,) = JobFetcher(ClientOwner(lambda sleep: client), VISUALIZATION_JOBS).fetch({"1": None}).values()
    assert isinstance(seen, ModelArtsMalformedResponseError)


@pytest.mark.parametrize("row", [[1, 8], "18", {"1": 8, "2": 8}])
def test_rows_that_are_no_jobs_are_none(server: ScriptedServer, row: dict[str, int] | list[int] | str) -> None:
    server.answer(
        Reply(200, {"jobs": [row, row], "job_total_count": 2}),
        Reply(404, {"error_code": "ModelArts.0102", "is_success": False}),
    )
    with client_of(server) as client:
        fetcher = JobFetcher(ClientOwner(lambda sleep: client), VISUALIZATION_JOBS)
        news = fetcher.fetch({"1": None, "2": None})
        fetcher.close()
    assert all(isinstance(seen, ModelArtsNotFoundError) for seen in news.values())


def test_a_closed_fetcher_asks_no_more(emulator: Emulator, look: Callable[..., Any], fetcher: JobFetcher) -> None:
    emulator.deny = ["list"]
    job_ids = make(emulator, 40)
    fetcher.close()
    assert look(job_ids)[1].get("get", 0) == 0


def test_one_job_that_cannot_be_read_does_not_hide_the_others(emulator: Emulator, look: Callable[..., Any]) -> None:
    job_ids = make(emulator, 3)
    emulator.inject(Fault(kind="wrong_types", operation="get"))
    emulator.deny = ["list"]
    news, _ = look(job_ids)
    assert news.keys() == set(job_ids)


def rotate(emulator: Emulator) -> None:
    """Give the account another access key; the old one is refused from now on."""
    emulator.ak, emulator.sk = "ANOTHERAK00000000000", "AnotherSecretKey"


def client_to(emulator: Emulator) -> ModelArtsClient:
    return ModelArtsClient(
        ModelArtsConfig(endpoint=emulator.url, project_id=emulator.project_id, login=emulator.ak, password=emulator.sk),
        sleep=lambda seconds: None,
    )


class TestRefusedCredentials:
    @pytest.fixture
    def renewable(self, emulator: Emulator, clock: Clock) -> Iterator[tuple[JobFetcher, list[Callable[..., Any]]]]:
        """A fetcher, and what its owner connects to when the credentials are refused, call by call."""
        first = client_to(emulator)
        answers = [lambda: first]
        fetcher = JobFetcher(ClientOwner(lambda sleep: answers.pop(0)()), VISUALIZATION_JOBS, clock=clock)
        yield fetcher, answers
        fetcher.close()
        assert answers == []

    @pytest.mark.parametrize("count", [1, 50])
    def test_a_changed_connection_is_gone_on_with(
        self,
        emulator: Emulator,
        renewable: tuple[JobFetcher, list[Callable[..., Any]]],
        count: int,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.INFO)
        fetcher, answers = renewable
        job_ids = make(emulator, count)
        fetcher.fetch(dict.fromkeys(job_ids))
        rotate(emulator)
        answers.append(lambda: client_to(emulator))
        assert statuses_of(fetcher.fetch(dict.fromkeys(job_ids))) == {7}
        assert statuses_of(fetcher.fetch(dict.fromkeys(job_ids))) == {7}
        assert caplog.text.count("The credentials were refused. The connection has other credentials now") == 1

    def test_a_changed_password_is_gone_on_with(self, emulator: Emulator, clock: Clock) -> None:
        def client(sleep: Callable[..., Any]) -> ModelArtsClient:
            return ModelArtsClient(
                ModelArtsConfig(
                    endpoint=emulator.url,
                    iam_endpoint=emulator.url,
                    project_id=emulator.project_id,
                    domain_name=emulator.domain,
                    login=emulator.user,
                    password=emulator.password,
                )
            )

        fetcher = JobFetcher(ClientOwner(client), VISUALIZATION_JOBS, clock=clock)
        (job_id,) = make(emulator, 1)
        fetcher.fetch({job_id: None})
        emulator.password = "another-password"
        emulator.expire_tokens()
        emulator.clear_requests()
        assert statuses_of(fetcher.fetch({job_id: None})) == {7}
        assert emulator.request_counts() == {"get": 2, "token": 2}, "one of each is refused"

    @pytest.mark.parametrize("is_readable", [True, False])
    def test_otherwise_the_refusal_is_told(
        self,
        emulator: Emulator,
        renewable: tuple[JobFetcher, list[Callable[..., Any]]],
        is_readable: bool,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        fetcher, answers = renewable
        (job_id,) = make(emulator, 1)
        unchanged = client_to(emulator)
        rotate(emulator)
        emulator.clear_requests()
        answers.append(lambda: unchanged if is_readable else 1 / 0)
        assert isinstance(fetcher.fetch({job_id: 7})[job_id], ModelArtsAuthenticationError)
        assert emulator.request_counts() == {"get": 1}
        unreadable = "The credentials were refused, and the connection cannot be read again. The poll failed"
        assert caplog.text.count(unreadable) == (0 if is_readable else 1)
        assert "other credentials now" not in caplog.text

    def test_new_credentials_that_are_refused_too_are_asked_for_once_a_look(
        self, emulator: Emulator, renewable: tuple[JobFetcher, list[Callable[..., Any]]]
    ) -> None:
        fetcher, answers = renewable
        (job_id,) = make(emulator, 1)
        rotate(emulator)
        another = client_to(emulator)
        emulator.ak = "YETANOTHERAK00000000"
        answers.append(lambda: another)
        assert isinstance(fetcher.fetch({job_id: 7})[job_id], ModelArtsAuthenticationError)

    def test_other_credentials_may_list(
        self, emulator: Emulator, renewable: tuple[JobFetcher, list[Callable[..., Any]]]
    ) -> None:
        fetcher, answers = renewable
        job_ids = make(emulator, 9)
        emulator.deny = ["list"]
        assert len(fetcher.fetch(dict.fromkeys(job_ids))) == 9
        emulator.deny = ()
        rotate(emulator)
        answers.append(lambda: client_to(emulator))
        emulator.clear_requests()
        assert len(fetcher.fetch(dict.fromkeys(job_ids))) == 9
        assert emulator.request_counts()["list"] == 1

    def test_refusals_do_not_add_up_until_the_key_is_locked(
        self, emulator: Emulator, renewable: tuple[JobFetcher, list[Callable[..., Any]]]
    ) -> None:
        """One by one, where the list is forbidden."""
        fetcher, answers = renewable
        job_ids = make(emulator, 40)
        emulator.deny = ["list"]
        fetcher.fetch(dict.fromkeys(job_ids))
        unchanged = client_to(emulator)
        rotate(emulator)
        answers.append(lambda: unchanged)
        emulator.clear_requests()
        seen = fetcher.fetch(dict.fromkeys(job_ids))
        assert len(seen) == 40
        assert all(isinstance(error, ModelArtsAuthenticationError) for error in seen.values())
        assert emulator.request_counts() == {"get": 1}


def asked_for(emulator: Emulator) -> set[str]:
    """Return the ids of the jobs that were asked for one by one."""
    return {request.path.rpartition("/")[2] for request in emulator.requests() if request.operation == "get"}


class TestTurns:
    """Who was not asked for longest comes first, where jobs are polled one by one and not all of them can be."""

    def test_a_throttled_gateway_lets_everybody_through_in_turn(
        self, emulator: Emulator, look: Callable[..., Any], clock: Clock
    ) -> None:
        emulator.deny = ["list"]
        job_ids = make(emulator, 100)
        known = {job_id: job.fingerprint for job_id, job in look(job_ids)[0].items()}
        answered = set()
        for minute in (1, 2):
            clock.now = minute * 60
            emulator.clear_faults()
            emulator.inject(Fault(kind="status", status=429, operation="get", after=60))
            news, _ = look(known)
            assert news == {}, "who was not asked for is not failing"
            answered |= asked_for(emulator)
        assert answered == set(job_ids)

    @pytest.mark.parametrize(
        ("status", "retry_after", "requests"),
        [(429, None, 1), (429, 300, 1), (503, 300, 1), (503, None, 9)],
        ids=["429 alone", "both", "Retry-After alone", "neither"],
    )
    def test_a_429_or_a_retry_after_is_enough_to_ask_nobody_else(
        self, emulator: Emulator, look: Callable[..., Any], status: int, retry_after: int | None, requests: int
    ) -> None:
        """Of an outage that says nothing of the kind, several jobs tell."""
        emulator.deny = ["list"]
        job_ids = make(emulator, 10)
        emulator.inject(Fault(kind="status", status=status, retry_after=retry_after, operation="get"))
        news, _ = look(job_ids)
        assert news.keys() == set(job_ids)
        assert len(asked_for(emulator)) == requests

    def test_a_poll_that_is_throttled_from_its_first_request_has_failed_for_all(
        self, emulator: Emulator, look: Callable[..., Any]
    ) -> None:
        emulator.deny = ["list"]
        job_ids = make(emulator, 10)
        emulator.inject(Fault(kind="status", status=429, operation="get"))
        news, _ = look(job_ids)
        assert {job_id: type(seen) for job_id, seen in news.items()} == dict.fromkeys(job_ids, ModelArtsThrottledError)

    @pytest.mark.parametrize("error", ["unreadable", "HTTP 500"])
    def test_jobs_that_cannot_be_had_hide_no_others(self, faulty: FaultyServer, error: str) -> None:
        bad = {str(job_id) for job_id in range(1002, 1010)}
        faulty.statuses = {str(job_id): 8 for job_id in range(1001, 1051)}

        def answer(exchange: Exchange) -> None:
            if exchange.request.operation == "list":
                exchange.send(403, {"error_code": "APIGW.0302"})
            elif exchange.request.job_id not in bad:
                exchange.as_asked()
            elif error == "unreadable":
                exchange.send(200, {**faulty.job(exchange.request.job_id), "status": "x"})
            else:
                exchange.send(500)

        faulty.behaviour = answer
        news: dict[str, Any] = {}
        with client_of(faulty) as client:
            fetcher = JobFetcher(ClientOwner(lambda sleep: client), VISUALIZATION_JOBS)
            for _ in range(2):
                news |= fetcher.fetch(dict.fromkeys(faulty.statuses))
            fetcher.close()
        assert {job_id for job_id, seen in news.items() if isinstance(seen, ModelArtsError)} == bad
        assert news.keys() == faulty.statuses.keys()

    def test_a_list_that_fails_is_done_without_although_one_job_cannot_be_read(self, faulty: FaultyServer) -> None:
        def answer(exchange: Exchange) -> None:
            if exchange.request.operation == "list":
                exchange.send(500)
            elif exchange.request.job_id == "101":
                exchange.send(200, {**faulty.job("101"), "status": "x"})
            else:
                exchange.as_asked()

        faulty.behaviour = answer
        with client_of(faulty) as client:
            fetcher = JobFetcher(ClientOwner(lambda sleep: client), VISUALIZATION_JOBS)
            news = [fetcher.fetch(dict.fromkeys(faulty.statuses)) for _ in range(2)][-1]
            fetcher.close()
        assert {job_id for job_id, seen in news.items() if isinstance(seen, ModelArtsError)} == {"101"}

    def test_a_surprise_about_one_job_hides_no_others(
        self, emulator: Emulator, look: Callable[..., Any], fetcher: JobFetcher, caplog: pytest.LogCaptureFixture
    ) -> None:
        emulator.deny = ["list"]
        job_ids = make(emulator, 20)
        fetcher.fetch({})  # makes the reader
        reader: Any = fetcher._reader
        one = reader.one
        reader.one = lambda job_id: one(job_id) if job_id != job_ids[3] else 1 / 0
        news, _ = look(job_ids)
        assert [job_id for job_id in job_ids if isinstance(news[job_id], ModelArtsError)] == [job_ids[3]]


def test_a_row_that_cannot_be_read_concerns_only_its_job(
    emulator: Emulator, look: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_ids = make(emulator, 9)
    job = StatusPage.job
    monkeypatch.setattr(StatusPage, "job", lambda page, job_id: int("x") if job_id == job_ids[3] else job(page, job_id))
    observed, _ = look(job_ids)
    assert observed.keys() == set(job_ids)
    [error] = [result for result in observed.values() if isinstance(result, ModelArtsError)]
    assert observed[job_ids[3]] is error
    assert isinstance(error, ModelArtsMalformedResponseError)
    assert str(error).startswith(f"The entry of job {job_ids[3]} in the list cannot be read: invalid literal")


def test_no_request_begins_after_the_end(emulator: Emulator, fetcher: JobFetcher) -> None:
    (job_id,) = make(emulator, 1)
    fetcher.close()
    assert isinstance(fetcher._detail(job_id), ModelArtsConnectionError)
    assert emulator.request_counts() == {}


class TestNames:
    """Jobs that are given by name are found one by one, each by a request of the list."""

    KEYS = tuple(map(name_key, ("a-1", "b-1", "c-1")))

    @pytest.mark.parametrize("exists", [True, False])
    @pytest.mark.parametrize(("status", "failed"), [(503, {KEYS[1]}), (429, set())])
    def test_an_outage_after_an_answer_concerns_only_the_job_that_it_hit(
        self, exists: bool, status: int, failed: set[str], emulator: Emulator, look: Callable[..., Any]
    ) -> None:
        if exists:
            emulator.create_job("a-1", status=7)
        emulator.inject(Fault("status", operation="list", status=status, after=1))
        observed, _ = look(list(self.KEYS))
        assert observed.keys() == {self.KEYS[0], *failed}
        assert isinstance(observed[self.KEYS[0]], ModelArtsNotFoundError) is not exists
        assert all(isinstance(observed[key], ModelArtsServerError) for key in failed)

    @pytest.mark.parametrize(
        ("status", "error"),
        [(503, ModelArtsServerError), (429, ModelArtsThrottledError), (401, ModelArtsAuthenticationError)],
    )
    def test_an_outage_from_the_start_concerns_every_job(
        self, status: int, error: type[ModelArtsError], emulator: Emulator, look: Callable[..., Any]
    ) -> None:
        emulator.inject(Fault("status", operation="list", status=status))
        observed, requests = look(list(self.KEYS))
        assert {key: type(result) for key, result in observed.items()} == dict.fromkeys(self.KEYS, error)
        assert requests == {"list": 1 if status == 401 else 4}

    def test_the_server_decides_when_names_are_looked_up_again(
        self, emulator: Emulator, look: Callable[..., Any], clock: Clock
    ) -> None:
        emulator.inject(Fault("status", operation="list", status=429, retry_after=120, times=1))
        assert look(list(self.KEYS))[1] == {"list": 1}
        clock.now = 119
        assert look(list(self.KEYS)) == ({}, {})
        clock.now = 120
        assert look(list(self.KEYS))[1] == {"list": 3}

    def test_a_name_that_failed_lets_the_others_go_first(
        self, emulator: Emulator, look: Callable[..., Any], clock: Clock
    ) -> None:
        emulator.inject(Fault("status", operation="list", status=503, times=4))
        look(list(self.KEYS[:1]))
        emulator.inject(Fault("status", operation="list", status=503, after=1))
        assert isinstance(look(list(self.KEYS))[0][self.KEYS[1]], ModelArtsNotFoundError)


class TestUnlistedJobs:
    def test_polls_of_other_jobs_do_not_make_them_listed_again(
        self, emulator: Emulator, look: Callable[..., Any]
    ) -> None:
        unlisted = make(emulator, 3, workspace_id="elsewhere")
        others = make(emulator, 3)
        look(unlisted)
        look(unlisted)
        look(others)
        assert look(unlisted)[1] == {"get": 3}

    def test_what_is_known_of_a_job_is_forgotten_with_it(
        self, emulator: Emulator, look: Callable[..., Any], fetcher: JobFetcher
    ) -> None:
        unlisted = make(emulator, 3, workspace_id="elsewhere")
        look(unlisted)
        look(unlisted)
        fetcher.keep_only(set(unlisted))
        assert look(unlisted)[1] == {"get": 3}
        fetcher.keep_only(set())
        assert look(unlisted)[1] == {"list": 1, "get": 3}


class TestPageSize:
    @pytest.mark.parametrize("status", [302, 405, 400])
    def test_a_single_refusal_does_not_shrink_the_pages_for_good(
        self, emulator: Emulator, look: Callable[..., Any], clock: Clock, status: int
    ) -> None:
        job_ids = make(emulator, 150)
        emulator.inject(Fault(kind="status", status=status, operation="list", times=1))
        assert look(job_ids)[0].keys() == set(job_ids)
        clock.now = 3600
        assert look(job_ids)[1] == {"list": 1}

    def test_a_refusal_in_the_middle_of_the_list_says_nothing_about_the_size(
        self, emulator: Emulator, look: Callable[..., Any], clock: Clock
    ) -> None:
        job_ids = make(emulator, 1200)
        emulator.inject(Fault(kind="status", status=400, operation="list", after=1, times=1))
        assert look(job_ids)[0].keys() == set(job_ids)
        clock.now = 3600
        assert look(job_ids)[1] == {"list": 2}

    def test_large_pages_are_tried_again_after_an_hour(
        self, emulator: Emulator, look: Callable[..., Any], clock: Clock
    ) -> None:
        job_ids = make(emulator, 150)
        emulator.per_page_limit = 100
        assert look(job_ids)[1] == {"list": 3}
        emulator.per_page_limit = 1000
        clock.now = 3599
        assert look(job_ids)[1] == {"list": 2}
        clock.now = 3600
        assert look(job_ids)[1] == {"list": 1}


@pytest.mark.parametrize("job_ids", [["101"], ["101", "102"]], ids=["details", "list"])
def test_a_page_that_appears_is_new_although_the_status_stays(faulty: FaultyServer, job_ids: list[str]) -> None:
    with_page = set()
    faulty.behaviour = lambda exchange: exchange.jobs(
        lambda job: job if str(job["job_id"]) in with_page else {**job, "service_url": None}
    )
    with client_of(faulty) as client:
        fetcher = JobFetcher(ClientOwner(lambda sleep: client), VISUALIZATION_JOBS)
        observed: dict[str, Any] = fetcher.fetch(dict.fromkeys(job_ids))
        known = {job_id: job.fingerprint for job_id, job in observed.items()}
        assert fetcher.fetch(known) == {}
        with_page.add("101")
        changed: dict[str, Any] = fetcher.fetch(known)
    assert {job_id: job.service_url for job_id, job in changed.items()} == {"101": "https://console.example.com/101"}


def test_closing_it_during_a_request_is_no_failure(faulty: FaultyServer, caplog: pytest.LogCaptureFixture) -> None:
    asked, released = threading.Event(), threading.Event()

    def hang(exchange: Exchange) -> None:
        if exchange.request.operation == "list":
            exchange.send(403, {"error_code": "APIGW.0302"})
        else:
            asked.set()
            released.wait(10)
            exchange.as_asked()

    faulty.statuses = {str(job_id): 8 for job_id in range(1001, 1051)}
    faulty.behaviour = hang
    news = []
    with client_of(faulty) as client:
        fetcher = JobFetcher(ClientOwner(lambda sleep: client), VISUALIZATION_JOBS)
        thread = threading.Thread(target=lambda: news.append(fetcher.fetch(dict.fromkeys(faulty.statuses))))
        thread.start()
        assert asked.wait(10)
        fetcher.close()
        released.set()
        thread.join(10)
    assert [list(seen) for seen in news] == [["1001"]]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
