"""The floor that waits are compared with: a trigger that does nothing at its interval."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent


class SleepingTrigger(BaseTrigger):
    """
    Sleeps for ever, an interval at a time.

    :param poke_interval: seconds
    """

    def __init__(self, poke_interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the arguments to make the trigger again from."""
        return f"{__name__}.{type(self).__qualname__}", {"poke_interval": self.poke_interval}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Never send anything."""
        while True:
            await asyncio.sleep(self.poke_interval)
        yield
