"""A triggerer reads the connection on its event loop, and bears a hiccup of Airflow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.hooks.modelarts import ModelArtsHook

CONFIG = ModelArtsConfig(region="cn-north-4", login="AK", password="SK")


class FlakyHook(ModelArtsHook):
    """A hook whose connection cannot be read at first."""

    def __init__(self, failures: list[Exception]) -> None:
        super().__init__()
        self.failures = failures

    async def _aread_config(self) -> ModelArtsConfig:
        if self.failures:
            raise self.failures.pop(0)
        return CONFIG


def connect(hook: ModelArtsHook, sleep: Callable[[float], None]) -> None:
    """Connect as a poller does: on a thread, beside the event loop."""

    async def main() -> None:
        connect = hook.connect_in_triggerer()
        (await asyncio.to_thread(connect, sleep)).close()

    asyncio.run(main())


def test_a_hiccup_of_airflow_costs_some_seconds(written: Callable[[], str]) -> None:
    slept: list[float] = []
    connect(FlakyHook([LookupError("database is locked"), OSError("gone")]), slept.append)
    assert slept == [3.0, 6.0]
    said = written()
    assert "Connection modelarts_default cannot be read. Next try in 3 s. database is locked" in said
    assert "Connection modelarts_default cannot be read. Next try in 6 s. gone" in said


def test_a_connection_that_cannot_be_read_is_given_up_after_three_tries() -> None:
    slept: list[float] = []
    hook = FlakyHook([LookupError(str(number)) for number in range(4)])
    with pytest.raises(LookupError, match="2"):
        connect(hook, slept.append)
    assert slept == [3.0, 6.0]


def test_an_invalid_connection_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="region"):
        connect(FlakyHook([ValueError("region: needed")]), lambda seconds: pytest.fail("it waited"))


def test_the_client_sleeps_as_its_owner_says() -> None:
    """So that nothing holds the thread of a poller that is closed."""
    slept: list[float] = []

    async def main() -> None:
        client = await asyncio.to_thread(FlakyHook([]).connect_in_triggerer(), slept.append)
        client._http.sleep(7)
        client.close()

    asyncio.run(main())
    assert slept == [7]
