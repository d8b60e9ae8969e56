"""Routes, logs and handles requests, and applies faults: the response may be replaced, delayed or cut."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from email.utils import formatdate
from typing import Final

from starlette import routing
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from airflow_provider_modelarts.emulator import admin, pages
from airflow_provider_modelarts.emulator.cloud import Cloud, RequestRecord, Route
from airflow_provider_modelarts.emulator.faults import Fault
from airflow_provider_modelarts.emulator.http import GatewayRefusal, Refusal, Request, Response, not_published
from airflow_provider_modelarts.emulator.iam import routes as iam
from airflow_provider_modelarts.emulator.training_jobs import routes as training_jobs
from airflow_provider_modelarts.emulator.visualization_jobs import routes as visualization_jobs

MAX_BODY_BYTES: Final = 12 * 1024 * 1024
_BODYLESS: Final = frozenset({204, 304})


def build_app(cloud: Cloud) -> routing.Router:
    """Return the ASGI application that serves this cloud."""
    routes = [*iam.ROUTES, *visualization_jobs.ROUTES, *training_jobs.ROUTES, *pages.ROUTES, *admin.ROUTES]
    known = [routing.Route(route.path, _Endpoint(cloud, route), methods=[route.method]) for route in routes]
    # Also reached by a known path with another method, which Starlette would answer with 405.
    unknown = routing.Route("/{path:path}", _Endpoint(cloud, Route("other", "", "", _refuse_unknown)))
    return routing.Router([*known, unknown], redirect_slashes=False)


def _refuse_unknown(cloud: Cloud, request: Request) -> Response:
    raise not_published()


class CuttableProtocol(H11Protocol):
    """A connection that the application can cut by a function in the scope's state; ASGI has no message for it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "cut": transport.abort}
        # asyncio sets this only on sockets that it creates. Without it, every response takes 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Endpoint:
    """ASGI application of one operation."""

    def __init__(self, cloud: Cloud, route: Route) -> None:
        self._cloud = cloud
        self._route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _receive_body(receive)
        if body is None:
            return
        request = _request(scope, body)
        record, fault = self._log(request)
        response = self._respond(request, fault)
        if fault and fault.delay and await _client_leaves(receive, fault.delay):
            return
        if record:
            record.status = None if response is None else response.status
            self._cloud.request_log.on_end(record)
        if response is None:
            await _cut(scope, receive)
            return
        await self._send(response, request, send)

    def _log(self, request: Request) -> tuple[RequestRecord | None, Fault | None]:
        """Log the request, and return its record and its fault, if any."""
        operation = self._route.operation
        if operation is None:
            return None, None
        with self._cloud.lock:
            record = RequestRecord(operation, request.method, request.path, request.query, self._cloud.now())
            self._cloud.request_log.add(record)
            return record, self._cloud.fault_plan.take(operation)

    def _respond(self, request: Request, fault: Fault | None) -> Response | None:
        """Return the response, or None to cut the connection."""
        if fault and fault.kind == "cut":
            return None
        replacement = fault.replacement(request) if fault else None
        if replacement is not None:
            return replacement
        response = self._handle(request)
        if fault and fault.kind == "cut_after":
            return None
        return fault.distort(response) if fault else response

    def _handle(self, request: Request) -> Response:
        try:
            if len(request.body) > MAX_BODY_BYTES:
                raise GatewayRefusal(413, "APIGW.0201", "Request entity too large.")
            with self._cloud.lock:
                return self._route.handler(self._cloud, request)
        except Refusal as refusal:
            return refusal.response(request)

    async def _send(self, response: Response, request: Request, send: Send) -> None:
        body = b"" if response.status in _BODYLESS else response.body
        headers = {
            "Content-Type": response.media_type,
            "Content-Length": str(len(body)),
            "Date": formatdate(self._cloud.now(), usegmt=True),
            "X-Request-Id": request.request_id,
            **response.headers,
        }
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": response.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})


async def _receive_body(receive: Receive) -> bytes | None:
    """Return the body, or its start if it is too large; None if the client disconnects before its end."""
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


def _request(scope: Scope, body: bytes) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("ascii"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        path_params=scope.get("path_params", {}),
        body=body,
        request_id=uuid.uuid4().hex,
    )


async def _client_leaves(receive: Receive, seconds: float) -> bool:
    """Wait; return True as soon as the client closes the connection, and False if it does not."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_disconnect(receive), seconds)
        return True
    return False


async def _cut(scope: Scope, receive: Receive) -> None:
    scope["state"]["cut"]()
    await _disconnect(receive)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
