"""Servers that repeat the credentials they were called with, in each way that servers are known to answer."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any
from urllib.parse import quote

from tests.faults.servers import PROJECT_ID, Exchange, FaultyServer
from tests.secrets.search import Secret

SECRET_HEADERS = ("authorization", "x-auth-token", "x-security-token", "proxy-authorization")


def told(exchange: Exchange) -> str:
    """Return what the request holds that is nobody else's business, as lines of headers and the body's text."""
    request = exchange.request
    lines = [f"{name}: {request.headers[name]}" for name in SECRET_HEADERS if name in request.headers]
    return "\n".join([*lines, request.body.decode("utf-8", errors="replace")])


def _is_search_by_name(exchange: Exchange) -> bool:
    """Return whether this is what an operator asks before it creates a training job."""
    request = exchange.request
    if not (request.is_v2 and request.operation == "list"):
        return False
    return "name" in [each["key"] for each in json.loads(request.body).get("filters", ())]


def _redirect(exchange: Exchange, text: str) -> None:
    exchange.send(302, b"", [("Location", f"http://127.0.0.1:9/?from={quote(text, safe='')}")])


def _page(exchange: Exchange, text: str) -> None:
    page = f"<html><h1>Forbidden</h1><pre>{html.escape(text)}</pre></html>"
    exchange.send(403, page.encode(), content_type="text/html")


ECHOES: dict[str, Callable[[Exchange, str], None]] = {
    "in the gateway's words": lambda e, text: e.send(401, {"error_code": "APIGW.0301", "error_msg": f"bad: {text}"}),
    "in ModelArts' words": lambda e, text: e.send(
        400, {"is_success": False, "error_code": "ModelArts.0104", "error_message": json.dumps({"request": text})}
    ),
    "as the code": lambda e, text: e.send(400, {"error_code": text, "error_msg": "see the code"}),
    "in Keystone's words": lambda e, text: e.send(403, {"error": {"code": 403, "message": text, "title": "Forbidden"}}),
    "on a page": _page,
    "in JSON of another form": lambda e, text: e.send(403, {"request": json.dumps({"headers": text})}),
    "in text": lambda e, text: e.send(403, f"{'x' * 250} {text}".encode(), content_type="text/plain"),
    "in a redirect": _redirect,
    "as the request's id": lambda e, text: e.send(403, b"no", [("X-Request-Id", text.replace("\n", " "))]),
    "as a job": lambda e, text: e.send(200, {"job_id": text, "status": text, "create_time": text}),
    "as a token": lambda e, text: e.send(
        201, {"token": {"expires_at": text, "issued_at": text}}, [("X-Subject-Token", "t")]
    ),
}


class EchoingServer(FaultyServer):
    """
    Answers the first look at job 101 and at the first training job, searches by name, and tokens.

    All else it answers with what it was sent, each time in another way.

    :param iam: whether to give tokens rather than repeat the password
    :param proxy: to be a proxy, and the server behind it
    :param echoes: the ways, of ``ECHOES``
    """

    def __init__(self, *, iam: bool = True, proxy: bool = False, echoes: Iterable[str] = tuple(ECHOES)) -> None:
        self.secrets: list[Secret] = []
        self.iam = iam
        self._echoes = [ECHOES[name] for name in echoes]
        self._turn = count()
        self._guard = threading.Lock()
        super().__init__(proxy=proxy)
        self._unseen = {"101", next(iter(self.phases))}
        self.behaviour = self._echo

    def issue_token(self, exchange: Exchange) -> None:
        """Answer as IAM does, with a token that can be found."""
        token = Secret.marked("token of an echoing server", "a+/-=" * 300)
        self.secrets.append(token)
        now = datetime.now(timezone.utc)
        form = "%Y-%m-%dT%H:%M:%S.%fZ"
        content: dict[str, Any] = {
            "issued_at": now.strftime(form),
            "expires_at": (now + timedelta(days=1)).strftime(form),
            "project": {"id": PROJECT_ID, "name": "cn-north-4", "domain": {"id": "d", "name": "account"}},
            "user": {"id": "u", "name": "user", "domain": {"id": "d", "name": "account"}},
            "methods": ["password"],
        }
        exchange.send(201, {"token": content}, [("X-Subject-Token", token.value)])

    def _echo(self, exchange: Exchange) -> None:
        if exchange.request.operation == "token" and self.iam:
            self.issue_token(exchange)
            return
        with self._guard:
            is_first_look = exchange.request.operation == "get" and exchange.request.job_id in self._unseen
            self._unseen.discard(exchange.request.job_id)
            turn = next(self._turn)
        if is_first_look or _is_search_by_name(exchange):
            exchange.jobs()
        else:
            signature = exchange.request.headers.get("authorization", "").rpartition("Signature=")[2]
            self.secrets += [Secret("signature", signature)] if signature else []
            self._echoes[turn % len(self._echoes)](exchange, told(exchange))
