"""An emulator for each test, with a client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from airflow_provider_modelarts.emulator import Emulator
from tests.emulator.client import Api, ApiMaker


@pytest.fixture
def make_api() -> Iterator[ApiMaker]:
    """Make a client of an emulator with these options."""
    with ExitStack() as stack:

        def make(**options: Any) -> Api:
            api = Api(stack.enter_context(Emulator(**{"time_scale": 0, **options})))
            stack.callback(api.session.close)
            return api

        yield make


@pytest.fixture
def api(make_api: ApiMaker) -> Api:
    """A client of an emulator whose job clock stands still unless a test moves it on."""
    return make_api()
