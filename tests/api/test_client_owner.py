"""Who owns a client: when it is made, renewed and closed, and how its sleep ends."""

from __future__ import annotations

import threading

import pytest

from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.client_owner import ClientOwner, Sleep
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.errors import ModelArtsConnectionError


class Connection:
    """Makes clients with its present password, and counts those that were closed."""

    def __init__(self) -> None:
        self.password = "first"
        self.made = 0
        self.closed: list[ModelArtsClient] = []

    def connect(self, sleep: Sleep) -> ModelArtsClient:
        if not self.password:
            raise LookupError("no such connection")
        self.made += 1
        client = ModelArtsClient(
            ModelArtsConfig(endpoint="http://127.0.0.1:9", project_id="p", login="AK", password=self.password),
            sleep=sleep,
        )
        close = client.close

        def note_and_close() -> None:
            self.closed.append(client)
            close()

        client.close = note_and_close  # type: ignore[method-assign]
        return client


@pytest.fixture
def connection() -> Connection:
    return Connection()


@pytest.fixture
def owner(connection: Connection) -> ClientOwner:
    return ClientOwner(connection.connect)


def test_the_client_is_made_at_first_use_and_kept(connection: Connection, owner: ClientOwner) -> None:
    assert connection.made == 0
    assert owner.client() is owner.client()
    assert connection.made == 1


def test_a_connection_that_cannot_be_read_is_read_again_at_the_next_use(
    connection: Connection, owner: ClientOwner
) -> None:
    connection.password = ""
    with pytest.raises(LookupError):
        owner.client()
    connection.password = "mended"
    assert owner.client() is owner.client()


def test_unchanged_credentials_keep_the_client(connection: Connection, owner: ClientOwner) -> None:
    before = owner.client()
    assert not owner.renew()
    assert owner.client() is before
    assert before not in connection.closed
    assert len(connection.closed) == connection.made - 1


def test_changed_credentials_replace_the_client_and_close_it(connection: Connection, owner: ClientOwner) -> None:
    before = owner.client()
    connection.password = "second"
    assert owner.renew()
    assert owner.client() is not before
    assert connection.closed == [before]


def test_a_connection_that_cannot_be_read_again_keeps_the_client(connection: Connection, owner: ClientOwner) -> None:
    before = owner.client()
    connection.password = ""
    with pytest.raises(LookupError):
        owner.renew()
    assert owner.client() is before
    assert connection.closed == []


def test_a_closed_owner_makes_another_client(connection: Connection, owner: ClientOwner) -> None:
    before = owner.client()
    owner.close()
    assert connection.closed == [before]
    assert owner.client() is not before


def test_another_thread_can_cancel_the_sleep(owner: ClientOwner) -> None:
    threading.Timer(0.05, owner.cancel).start()
    with pytest.raises(ModelArtsConnectionError, match="Cancelled"):
        owner.sleep(60)
    with pytest.raises(ModelArtsConnectionError, match="Cancelled"):
        owner.sleep(0)
