"""The front door: takes a request in, counts it, lets it fail when it should, and sends the answer, or none."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from email.utils import formatdate
from typing import Final

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from airflow_provider_modelarts.emulator.cloud import Cloud
from airflow_provider_modelarts.emulator.errors import GatewayRefusal, Refusal
from airflow_provider_modelarts.emulator.exchange import Answer, Call, Handler, refusal_answer
from airflow_provider_modelarts.emulator.faults import Fault
from airflow_provider_modelarts.emulator.requestlog import RequestRecord

MAX_BODY_BYTES: Final = 12 * 1024 * 1024
_BODYLESS: Final = frozenset({204, 304})


class CuttableProtocol(H11Protocol):
    """HTTP connection that the application can cut: ASGI has no message for that, so it goes by the scope's state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "cut": transport.abort}
        # asyncio does so by itself only for sockets of its own making; without, every answer takes 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Endpoint:
    """
    ASGI application of one operation.

    :param operation: its name in faults and in the request log; None keeps it out of both
    """

    def __init__(self, cloud: Cloud, operation: str | None, handler: Handler) -> None:
        self._cloud = cloud
        self._operation = operation
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _receive_body(receive)
        if body is None:
            return
        call = _call(scope, body)
        record, fault = self._arrived(call)
        answer = self._answer(call, fault)
        if fault and fault.delay and await _has_left(receive, fault.delay):
            return
        if answer is None:
            await _cut(scope, receive)
            return
        if record:
            record.status = answer.status
        await self._send(answer, call, send)

    def _arrived(self, call: Call) -> tuple[RequestRecord | None, Fault | None]:
        if self._operation is None:
            return None, None
        with self._cloud.lock:
            record = RequestRecord(self._operation, call.method, call.path, call.query, self._cloud.now())
            self._cloud.request_log.add(record)
            return record, self._cloud.fault_plan.take(self._operation)

    def _answer(self, call: Call, fault: Fault | None) -> Answer | None:
        """Return the answer; None when the connection is to be cut instead."""
        if fault and fault.kind == "cut":
            return None
        answer = fault.replacement(call) if fault else None
        if answer is not None:
            return answer
        try:
            if len(call.body) > MAX_BODY_BYTES:
                raise GatewayRefusal(413, "APIGW.0201", "Request entity too large.")
            with self._cloud.lock:
                answer = self._handler(call)
        except Refusal as refusal:
            answer = refusal_answer(refusal, call)
        if fault and fault.kind == "cut_after":
            return None
        return fault.distort(answer) if fault else answer

    async def _send(self, answer: Answer, call: Call, send: Send) -> None:
        body = b"" if answer.status in _BODYLESS else answer.body
        headers = {
            "Content-Type": answer.media_type,
            "Content-Length": str(len(body)),
            "Date": formatdate(self._cloud.now(), usegmt=True),
            "X-Request-Id": call.request_id,
            **answer.headers,
        }
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})


async def _receive_body(receive: Receive) -> bytes | None:
    """Return the body, or as much of it as shows that it is too large; None when the client has left before its end."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        if len(body) <= MAX_BODY_BYTES:
            body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _call(scope: Scope, body: bytes) -> Call:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return Call(
        method=scope["method"],
        path=scope["raw_path"].decode("ascii"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        path_params=scope.get("path_params", {}),
        body=body,
        request_id=uuid.uuid4().hex,
    )


async def _has_left(receive: Receive, seconds: float) -> bool:
    """Wait; return True at once when the client closes the connection meanwhile."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_gone(receive), seconds)
        return True
    return False


async def _cut(scope: Scope, receive: Receive) -> None:
    scope["state"]["cut"]()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
