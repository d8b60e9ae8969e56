"""A trigger that tells a secret, so that the search must find it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent


class CanaryTrigger(BaseTrigger):
    """Logs what it is given, and is over."""

    def __init__(self, text: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.text = text

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "tests.secrets.canary.CanaryTrigger", {"text": self.text}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        self.log.warning("The trigger sings %s", self.text)
        print("The triggerer sings", self.text)
        yield TriggerEvent({"text": self.text})  # type: ignore[no-untyped-call]
