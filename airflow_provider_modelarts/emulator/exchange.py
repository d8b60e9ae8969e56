"""A request as handlers get it, and an answer as they give it: plain values, no server inside."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from airflow_provider_modelarts.emulator.errors import Refusal


@dataclass(frozen=True, kw_only=True)
class Call:
    """
    A request that has arrived completely.

    :param path: path as sent, percent-encoded
    :param query: query as sent, percent-encoded, without the question mark
    :param headers: by lower-case name; repeated ones joined by commas
    :param path_params: decoded variable parts of the path
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    path_params: Mapping[str, str]
    body: bytes
    request_id: str

    @property
    def base_url(self) -> str:
        """URL of this server as the caller knows it, so that links work through a proxy or a port mapping as well."""
        return f"http://{self.headers.get('host', '')}"

    def query_params(self) -> dict[str, str]:
        """Return the decoded query; of a repeated name the last value."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object; ValueError when it is something else."""
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            raise ValueError("The request body is not JSON") from None
        if not isinstance(content, dict):
            raise ValueError("The request body is not a JSON object")
        return content


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer that is ready to be sent."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json; charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Answer]


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with a JSON body."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return Answer(status=status, body=body, headers=headers or {})


def refusal_answer(refusal: Refusal, call: Call) -> Answer:
    """Return the answer of a refused request."""
    return json_answer(refusal.body(call.request_id), refusal.status)
