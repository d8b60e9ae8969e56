"""What waits are compared with: one signed request per job and interval, as the huawei provider's sensor sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import requests
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_modelarts.api.auth.aksk import AkSkAuth


class SignedGetTrigger(BaseTrigger):
    """
    Asks for one training job at its interval until it is Completed, each time on a connection of its own.

    :param url: the job's
    :param poke_interval: seconds
    """

    def __init__(self, url: str, poke_interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.url = url
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the arguments to make the trigger again from."""
        return f"{__name__}.{type(self).__qualname__}", {"url": self.url, "poke_interval": self.poke_interval}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Send one event when the job is Completed."""
        while await asyncio.to_thread(self._phase) != "Completed":
            await asyncio.sleep(self.poke_interval)
        yield TriggerEvent(self.url)  # type: ignore[no-untyped-call]

    def _phase(self) -> str:
        answer = requests.get(self.url, auth=AkSkAuth("ACCESSKEY", "not-a-real-secret-key"), timeout=30)
        return str(answer.json()["status"]["phase"])
