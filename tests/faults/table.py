"""Everything that can be wrong with a server and the way to it, and what a wait ends in then."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from functools import cache
from itertools import count
from typing import Any, Final, TypeAlias

from airflow_provider_modelarts.api.http import MAX_ATTEMPTS
from tests.faults.certificates import DAY, Authority
from tests.faults.driver import ARRIVES, CANNOT_ARRIVE, TIMES_OUT, UNKNOWN
from tests.faults.servers import Behaviour, Exchange, FaultyServer, Pairs, drip_forever, flood, head

HTML: Final = b"<html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>"
MIB: Final = 2**20


@dataclass
class Fault:
    """What goes wrong: how it begins and how it ends."""

    begin: Callable[[FaultyServer], None]
    end: Callable[[FaultyServer], None]


FaultMaker: TypeAlias = Callable[[tuple[Authority, Authority]], Fault]
"""Makes a fault anew for each wait. There are two certificate authorities; the client trusts the first."""


@dataclass(frozen=True)
class Row:
    """
    A fault, and what a wait ends in, in every mode.

    :param first: when it is there from the first poll on
    :param heals: when it begins after the jobs were seen once, and is over before the tolerance is
    :param stays: when it begins then, and stays
    :param says: what the message says, where it ends with one, from the first poll on
    :param training: waits for training jobs
    :param several: waits for three jobs in every mode, so that the list is asked
    :param slow: the server takes its time, so that fewer attempts must do
    """

    name: str
    fault: FaultMaker
    first: str
    heals: str
    stays: str
    says: tuple[str, ...] = ()
    target: Any = "RUNNING"
    several: bool = False
    training: bool = False
    slow: bool = False
    tls: bool = False
    proxied: bool = False
    with_token: bool = False
    read_timeout: float = 5.0
    host: str = "{url}"

    def expected(self) -> tuple[str, str, str]:
        """Return the three ends."""
        return self.first, self.heals, self.stays


def answering(
    behaviour: Behaviour, *operations: str, times: int | None = None, without: str | None = None
) -> FaultMaker:
    """
    Answer requests in another way.

    :param operations: only these; the others are answered well
    :param without: not these
    :param times: only so many of them
    """

    def make(authorities: tuple[Authority, Authority]) -> Fault:
        left = [10**9 if times is None else times]

        def answer(exchange: Exchange) -> None:
            operation = exchange.request.operation
            if (operations and operation not in operations) or operation == without or left[0] <= 0:
                exchange.as_asked()
                return
            left[0] -= 1
            behaviour(exchange)

        def begin(server: FaultyServer) -> None:
            server.behaviour = answer
            server.drop_connections()

        def end(server: FaultyServer) -> None:
            server.behaviour = None

        return Fault(begin, end)

    return make


def outage(name: str, fault: FaultMaker, *says: str, **options: Any) -> Row:
    """A fault that may heal: borne once the job has been seen, for as long as is tolerated."""
    return Row(name, fault, UNKNOWN, ARRIVES, UNKNOWN, says, **options)


def fatal(name: str, fault: FaultMaker, *says: str, **options: Any) -> Row:
    """A fault that waiting cannot heal."""
    return Row(name, fault, UNKNOWN, UNKNOWN, UNKNOWN, says, **options)


def gone(name: str, fault: FaultMaker, *says: str, **options: Any) -> Row:
    """What tells that there is no such job."""
    return Row(name, fault, CANNOT_ARRIVE, CANNOT_ARRIVE, CANNOT_ARRIVE, ("was not found", *says), **options)


def harmless(name: str, fault: FaultMaker, **options: Any) -> Row:
    """What looks odd and does no harm."""
    return Row(name, fault, ARRIVES, ARRIVES, ARRIVES, (), **options)


def sending(
    status: int, body: Any = b"", headers: Pairs = (), content_type: str = "application/json", **limits: Any
) -> FaultMaker:
    """Answer all requests with this."""
    return answering(lambda exchange: exchange.send(status, body, headers, content_type), **limits)


def jobs_with(change: Callable[[dict[str, Any]], Any], *operations: str) -> FaultMaker:
    """Answer well, but for something about each job."""
    return answering(lambda exchange: exchange.jobs(change), *operations)


def having(**fields: Any) -> FaultMaker:
    """Answer well, but for the values of some fields of each job."""
    return jobs_with(lambda job: {**job, **fields})


def lacking(name: str) -> FaultMaker:
    """Answer well, but for a field of each job that is not there."""
    return jobs_with(lambda job: {key: value for key, value in job.items() if key != name})


def gateway(code: str, text: str = "as the gateway puts it") -> dict[str, str]:
    """Return an error of the API gateway."""
    return {"error_code": code, "error_msg": text, "request_id": "0" * 32}


def modelarts(code: str, text: str = "as ModelArts puts it") -> dict[str, Any]:
    """Return an error of ModelArts."""
    return {"is_success": False, "error_code": code, "error_message": text}


def in_seconds(seconds: float) -> str:
    """Return a point in time as an HTTP date."""
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=seconds), usegmt=True)


def dated(seconds: float) -> FaultMaker:
    """Refuse signatures, with a clock that is ahead by so many seconds."""
    refusal = gateway("APIGW.0303")
    return answering(lambda exchange: exchange.send(401, refusal, [("Date", in_seconds(seconds))], "application/json"))


def throttling(retry_after: Callable[[], str] | None) -> FaultMaker:
    """Answer 429."""

    def answer(exchange: Exchange) -> None:
        exchange.send(429, gateway("APIGW.0308"), [] if retry_after is None else [("Retry-After", retry_after())])

    return answering(answer)


def certificate(**wrong: Any) -> FaultMaker:
    """Show another certificate."""

    def make(authorities: tuple[Authority, Authority]) -> Fault:
        good, bad = authorities[0].server(), authorities[wrong.get("of", 0)].server(**wrong.get("how", {}))

        def show(tls: Any) -> Callable[[FaultyServer], None]:
            def begin(server: FaultyServer) -> None:
                server.tls = tls
                server.drop_connections()

            return begin

        return Fault(show(bad), show(good))

    return make


def no_tls(authorities: tuple[Authority, Authority]) -> Fault:
    """Speak plain HTTP where TLS is expected."""
    good = authorities[0].server()

    def speak(tls: Any) -> Callable[[FaultyServer], None]:
        def begin(server: FaultyServer) -> None:
            server.tls = tls
            server.drop_connections()

        return begin

    return Fault(speak(None), speak(good))


def refusing(authorities: tuple[Authority, Authority]) -> Fault:
    """Take no connections."""
    return Fault(FaultyServer.refuse, lambda server: server.listen())


def unknown_name(authorities: tuple[Authority, Authority]) -> Fault:
    """Let the server's name be unknown."""

    def begin(server: FaultyServer) -> None:
        server.resolves = False
        server.drop_connections()

    def end(server: FaultyServer) -> None:
        server.resolves = True

    return Fault(begin, end)


def tokens_expire(then: Behaviour | None = None, *, for_ever: bool = False) -> FaultMaker:
    """
    Let the tokens that were issued so far be refused.

    :param then: how IAM answers from now on
    :param for_ever: refuse each new token, too
    """

    def make(authorities: tuple[Authority, Authority]) -> Fault:
        def answer(exchange: Exchange) -> None:
            token = exchange.request.headers.get("x-auth-token")
            if exchange.request.operation == "token":
                (then or Exchange.as_asked)(exchange)
            elif for_ever and token is not None:
                exchange.send(401, gateway("APIGW.0301", "decrypt token fail"))
            else:
                exchange.as_asked()

        def begin(server: FaultyServer) -> None:
            server.valid_tokens = {f"expired-{number}" for number in range(len(server.valid_tokens) + 1)}
            server.behaviour = answer

        def end(server: FaultyServer) -> None:
            server.behaviour = None

        return Fault(begin, end)

    return make


def token_with(expires_at: Any, issued_at: Any) -> Behaviour:
    """Issue a token that is good, but for its dates."""

    def answer(exchange: Exchange) -> None:
        exchange.server.valid_tokens.add("new")
        content = {"token": {"expires_at": expires_at, "issued_at": issued_at, "methods": ["password"]}}
        exchange.send(201, content, [("X-Subject-Token", "new")])

    return answer


def short_lived_tokens(authorities: tuple[Authority, Authority]) -> Fault:
    """Issue tokens that have expired, as a server whose clock is behind does."""

    def begin(server: FaultyServer) -> None:
        server.token_lifetime = -3600.0
        server.valid_tokens = {"expired"}

    return Fault(begin, lambda server: None)


def deep(exchange: Exchange) -> None:
    exchange.send(200, b"[" * 100_000 + b"]" * 100_000)


def deep_in_a_field(exchange: Exchange) -> None:
    body = json.dumps({"job_id": 101, "status": 8, "jobs": [], "schedule": 0})
    exchange.send(200, body.replace('"schedule": 0', f'"schedule": {"[" * 100_000}{"]" * 100_000}').encode())


def cut_body(exchange: Exchange) -> None:
    exchange.raw(head(200, [("Content-Length", "500")]) + b'{"job_id": 101, "status": 8, ')
    exchange.close()


def cut_chunk(exchange: Exchange) -> None:
    exchange.raw(head(200, [("Transfer-Encoding", "chunked")]) + b'50\r\n{"job_id": 101, "status": 8, ')
    exchange.close()


def reset_in_the_body(exchange: Exchange) -> None:
    exchange.raw(head(200, [("Content-Length", "500")]) + b'{"job_id": 101, "status": 8, ')
    exchange.reset()


def raw(data: bytes) -> FaultMaker:
    """Send these bytes and end the connection."""

    def answer(exchange: Exchange) -> None:
        exchange.raw(data)
        exchange.close()

    return answering(answer)


def encoded(exchange: Exchange, body: bytes) -> None:
    exchange.send(200, body, [("Content-Encoding", "gzip")])


def bomb(exchange: Exchange) -> None:
    """Send what is small and becomes 200 MiB."""
    encoded(exchange, _bomb())


def redirecting_bomb(exchange: Exchange) -> None:
    """Redirect, with such a body."""
    location = ("Location", "https://elsewhere.example.com/")
    exchange.send(302, _bomb(), [("Content-Encoding", "gzip"), location])


@cache
def _bomb() -> bytes:
    return gzip.compress(b'{"job_id": 101, "status": 8, "job_desc": "' + b" " * (200 * MIB), compresslevel=1)


def listing(answer: Callable[[Exchange], None]) -> FaultMaker:
    """Answer only requests of the list in another way."""
    return answering(answer, "list")


def one_job_per_poll_is_throttled(authorities: tuple[Authority, Authority]) -> Fault:
    """Forbid the list, and let two requests for jobs through, then none for the attempts at a third."""
    asked = count()

    def answer(exchange: Exchange) -> None:
        if exchange.request.operation == "list":
            exchange.send(403, gateway("APIGW.0302"))
        elif next(asked) % (2 + MAX_ATTEMPTS) < 2:
            exchange.as_asked()
        else:
            exchange.send(429, gateway("APIGW.0308"))

    return answering(answer)(authorities)


def always_the_same_page(exchange: Exchange) -> None:
    """A full page of other jobs, whichever page is asked for, and no total."""
    size = exchange.request.number("per_page")
    exchange.page([{"job_id": 10_000 + number, "status": 8} for number in range(size)], None)


def capped_with_refusal(exchange: Exchange) -> None:
    if exchange.request.number("per_page") > 100:
        exchange.send(400, modelarts("ModelArts.0104", "per_page should be in [1,100]"))
    else:
        exchange.jobs()


def page_of_one(exchange: Exchange, *, shifted: bool = False) -> None:
    """Pages of one job, whatever is asked for; shifted by one with each page, as when jobs are created meanwhile."""
    server, page = exchange.server, exchange.request.number("page")
    rows = sorted(server.statuses, key=int, reverse=True)
    first = (page - 1) * 2 if shifted else page - 1
    exchange.page([server.job(job_id) for job_id in rows[first : first + 1]], len(rows))


def rows(*given: Any) -> Callable[[Exchange], None]:
    """A page with these rows."""
    return lambda exchange: exchange.page(list(given), len(given))


def of_another(job: dict[str, Any]) -> dict[str, Any]:
    return {**job, "job_id": 999, "status": 8}


_LATE: Final[dict[str, Any]] = {"read_timeout": 0.1, "slow": True}
_TUNNEL: Final[dict[str, Any]] = {"proxied": True, "tls": True, "host": "https://127.0.0.1"}

CONNECTIONS: Final = [
    outage("connection refused", refusing, "(connection)", "refused"),
    outage("connection reset", answering(Exchange.reset), "(connection)"),
    outage("connection closed without an answer", answering(Exchange.close), "(connection)"),
    outage("name does not resolve", unknown_name, "(DNS)", host="http://modelarts.test:{port}"),
    outage("no answer at all", answering(Exchange.stall), "timed out", **_LATE),
    outage("half of the head, then silence", answering(lambda e: drip_forever(e, b"HTTP/1.1 200 O", b"")), **_LATE),
    outage("head that drips", answering(lambda e: drip_forever(e, b"HTTP/1.1 200 OK\r\nX-A: ", b"a")), **_LATE),
    outage("head that never ends", answering(lambda e: drip_forever(e, head(200, [])[:-2], b"A: b\r\n")), **_LATE),
    outage("interim answers for ever", answering(lambda e: drip_forever(e, b"", head(100, []))), **_LATE),
    outage("body, then silence",
           answering(lambda e: drip_forever(e, head(200, [("Content-Length", "500")]) + b'{"job', b"")), **_LATE),
    outage("body that drips",
           answering(lambda e: drip_forever(e, head(200, [("Content-Length", "5000000")]), b" ")), **_LATE),
    outage("chunks that drip",
           answering(lambda e: drip_forever(e, head(200, [("Transfer-Encoding", "chunked")]), b"1\r\n \r\n")), **_LATE),
    outage("error whose body drips",
           answering(lambda e: drip_forever(e, head(503, [("Content-Length", "5000000")]), b" ")), **_LATE),
    outage("body for ever", answering(lambda e: flood(e, head(200, []) + b'{"job_id": 101, "a": "', b"a" * MIB)),
           "longer than"),
    outage("blanks for ever behind an answer",
           answering(lambda e: flood(e, head(200, []) + b'{"job_id": 101, "status": 8, "jobs": []}', b" " * MIB))),
    outage("line of the head for ever", answering(lambda e: flood(e, b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * MIB))),
    outage("gzip that becomes 200 MiB", answering(bomb), "longer than"),
    outage("gzip that is none", answering(lambda e: encoded(e, b'{"job_id": 101, "status": 8}'))),
    outage("cut body", answering(cut_body)),
    outage("cut chunk", answering(cut_chunk)),
    outage("reset in the body", answering(reset_in_the_body)),
    outage("no HTTP", raw(b"SSH-2.0-OpenSSH_9.6\r\n")),
    outage("lengths that contradict each other",
           raw(head(200, [("Content-Length", "5"), ("Content-Length", "7")]) + b"{}   ")),
    outage("length that is no number", raw(head(200, [("Content-Length", "many")]) + b"[]")),
    outage("chunk size that is no number", raw(head(200, [("Transfer-Encoding", "chunked")]) + b"zz\r\n{}\r\n")),
    outage("200 headers", sending(200, {}, [(f"X-{number}", "a") for number in range(200)])),
]  # fmt: skip

TLS: Final = [
    harmless("TLS as it should be", certificate(), tls=True),
    fatal("unknown authority", certificate(of=1), "(TLS)", "CERTIFICATE_VERIFY_FAILED", tls=True),
    fatal("certificate of another host", certificate(how={"address": "127.0.0.2"}), "(TLS)", tls=True),
    fatal("expired certificate", certificate(how={"age": 7 * DAY}), "(TLS)", "expired", tls=True),
    outage("plain HTTP where TLS is expected", no_tls, tls=True, slow=True, read_timeout=0.5),
]

PROXIES: Final = [
    outage("proxy answers 502 in HTML", sending(502, HTML, content_type="text/html"), "502", proxied=True),
    outage("proxy answers 200 in HTML", sending(200, HTML, content_type="text/html"), "Sign in", proxied=True),
    fatal("proxy wants a login", sending(407, HTML, content_type="text/html"), "407", proxied=True),
    outage("proxy refuses connections", refusing, "(proxy)", proxied=True),
    outage("proxy refuses the tunnel", answering(lambda e: e.send(503), "connect"), "(proxy)", **_TUNNEL),
    outage("proxy's tunnel drips",
           answering(lambda e: drip_forever(e, b"HTTP/1.1 200 OK\r\nX-A: ", b"a"), "connect"), **_TUNNEL, **_LATE),
    outage("server behind the proxy's tunnel answers 503", sending(503, b"", without="connect"), "503", **_TUNNEL),
]  # fmt: skip

STATUSES: Final = [
    fatal("400", sending(400, modelarts("ModelArts.0101", "Invalid Argument")), "ModelArts.0101"),
    fatal("400 without a body", sending(400), "empty body"),
    fatal("401, AK and SK", sending(401, gateway("APIGW.0301")), "APIGW.0301", "Check login and password"),
    fatal("401 once, AK and SK", sending(401, gateway("APIGW.0301"), times=1), "APIGW.0301"),
    fatal("clock 20 min behind", dated(1200), "clock", "behind"),
    fatal("clock 20 min ahead", dated(-1200), "ahead of"),
    fatal("401 with a date that is none",
          sending(401, gateway("APIGW.0301"), [("Date", "Sun, 31 Feb 99999999999999999999 25:00:00 GMT")])),
    fatal("403", sending(403, gateway("APIGW.0302")), "modelarts:tensorboard:get"),
    fatal("403 in HTML", sending(403, HTML, content_type="text/html"), "403"),
    gone("404 ModelArts.0102", sending(404, modelarts("ModelArts.0102")), "ModelArts.0102"),
    gone("404 ModelArts.0015", sending(404, modelarts("ModelArts.0015"))),
    gone("404 without a body", sending(404)),
    fatal("404 APIGW.0101", sending(404, gateway("APIGW.0101")), "2023-06-30"),
    fatal("404 APIG.0101", sending(404, gateway("APIG.0101")), "2023-06-30"),
    *(fatal(f"404 {code}", sending(404, gateway(code)), code)
      for code in ("APIGW.0103", "WAF.403", "IAM.0004", "CCE.404")),
    fatal("404 with an error_message of a proxy", sending(404, {"error_message": "no upstream"}), "no upstream"),
    fatal("404 in HTML", sending(404, HTML, content_type="text/html"), "No visualization-jobs API answers"),
    fatal("404 in JSON of something else", sending(404, {"message": "no Route matched"}), "No visualization-jobs API"),
    fatal("405", sending(405), "405"),
    outage("408", sending(408), "408"),
    fatal("409", sending(409, modelarts("ModelArts.0105")), "ModelArts.0105"),
    gone("410 without a body", sending(410)),
    outage("429, Retry-After in seconds", throttling(lambda: "2"), "APIGW.0308"),
    outage("429, Retry-After as a date", throttling(lambda: in_seconds(3)), "APIGW.0308"),
    outage("429, Retry-After a thousand years", throttling(lambda: "31536000000"), "APIGW.0308"),
    outage("429, Retry-After of 5,000 digits", throttling(lambda: "9" * 5000), "APIGW.0308"),
    outage("429, Retry-After in the past", throttling(lambda: in_seconds(-3600)), "APIGW.0308"),
    outage("429, Retry-After on February 31", throttling(lambda: "Sun, 31 Feb 2027 00:00:00 GMT"), "APIGW.0308"),
    outage("429, Retry-After in the year 9999", throttling(lambda: "Fri, 31 Dec 9999 23:59:59 GMT"), "APIGW.0308"),
    outage("429, Retry-After negative", throttling(lambda: "-5"), "APIGW.0308"),
    outage("429, Retry-After nonsense", throttling(lambda: "soon"), "APIGW.0308"),
    outage("429 without Retry-After", throttling(None), "APIGW.0308"),
    outage("429 ModelArts.6101", sending(429, modelarts("ModelArts.6101")), "ModelArts.6101"),
    outage("500", sending(500, modelarts("ModelArts.0010")), "ModelArts.0010"),
    outage("502", sending(502, gateway("APIGW.0201", "Backend unavailable.")), "APIGW.0201"),
    outage("503 without a body", sending(503), "503"),
    outage("503 with Retry-After", sending(503, b"", [("Retry-After", "120")]), "503"),
    outage("504", sending(504, HTML, content_type="text/html"), "504"),
    outage("599", sending(599), "599"),
    outage("204", sending(204)),
    fatal("304", raw(head(304, [])), "304"),
    fatal("redirect", sending(302, b"", [("Location", "https://elsewhere.example.com/")]), "elsewhere.example.com"),
    fatal("redirect to itself", answering(lambda e: e.send(307, b"", [("Location", e.request.target)])), "307"),
    *(fatal(f"redirect to {what}", sending(302, b"", [("Location", location)]), "302")
      for what, location in [
          ("what is no Unicode", "/\xff\xfe"), ("half an address", "http://[::1"), ("a port that is none", "http://a:b/"),
          ("nowhere", "//"), ("an address of 30,000 characters", "https://" + "a" * 30_000),
      ]),
    outage("redirect with a body that becomes 200 MiB", answering(redirecting_bomb), "longer than"),
    outage("503 of 64 KiB of <", sending(503, b"<" * 65536), "503"),
    outage("503 with an error_message of 6 MiB",
           sending(503, {"error_code": "ModelArts.0010", "error_message": "x" * 6 * MIB}), "ModelArts.0010", slow=True),
    outage("503 with lines and terminal sequences",
           sending(503, modelarts("ModelArts.0010", "a\n2030-01-01 ERROR forged\x1b[31m\x1b]0;title\x07\u202e")),
           "a 2030-01-01 ERROR forged"),
    outage("200, is_success false", sending(200, modelarts("ModelArts.0010")), "ModelArts.0010"),
    outage("200, is_success false and nothing else", sending(200, {"is_success": False})),
    gone("200, is_success false, ModelArts.0102", sending(200, modelarts("ModelArts.0102"))),
    outage("200 with a gateway's error", sending(200, gateway("APIGW.0308"))),
]  # fmt: skip

BODIES: Final = [
    outage("empty body", sending(200, b""), "empty body"),
    outage("HTML", sending(200, HTML, content_type="text/html"), "Sign in"),
    outage("broken JSON", sending(200, b'{"job_id": 101, "status": 8'), "no JSON object"),
    outage("two objects", sending(200, b'{"job_id": 101, "status": 8}{}'), "no JSON object"),
    *(outage(f"JSON: {shape}", sending(200, shape.encode()), "no JSON object")
      for shape in ("[]", '[{"job_id": 101, "status": 8}]', "null", "8", '"RUNNING"', "true", "NaN")),
    outage("JSON: {}", sending(200, {}), "cannot be read"),
    outage("JSON 100,000 deep", answering(deep)),
    outage("JSON 100,000 deep in a field", answering(deep_in_a_field)),
    harmless("duration of 300 digits", having(duration=10**300)),
    outage("status of 5,000 digits",
           answering(lambda e: e.send(200, b'{"job_id": 101, "jobs": [], "status": ' + b"9" * 5000 + b"}"))),
    outage("Latin-1 where UTF-8 is expected",
           answering(lambda e: e.send(200, '{"job_id": 101, "status": 8, "job_name": "Grün"}'.encode("latin-1")))),
    harmless("charset that is not that of the body",
             answering(lambda e: e.jobs() if e.request.operation == "list" else e.send(
                 200, e.server.job(e.request.job_id), content_type="application/json; charset=utf-16"))),
    harmless("UTF-16",
             answering(lambda e: e.jobs() if e.request.operation == "list" else e.send(
                 200, json.dumps(e.server.job(e.request.job_id)).encode("utf-16")))),
    harmless("text that is no Unicode", having(job_name="\ud800")),
    harmless("description of 2 MiB", having(job_desc="x" * 2 * MIB)),
    outage("description of 9 MiB", having(job_desc="x" * 9 * MIB), "longer than", slow=True),
    outage("job of another id", jobs_with(of_another), "999"),
    outage("no job_id", lacking("job_id")),
    Row("no status", lacking("status"), TIMES_OUT, ARRIVES, TIMES_OUT),
    harmless("nothing but job_id and status",
             jobs_with(lambda job: {"job_id": job["job_id"], "status": job["status"]})),
    harmless("fields that nobody knows", having(colour="red", nested={"job_id": 5, "status": 11})),
    harmless("numbers as strings", jobs_with(lambda job: {name: str(value) if type(value) is int else value
                                                          for name, value in job.items()})),
    *(outage(f"{name}: {json.dumps(value)}", having(**{name: value}))
      for name, value in [
          ("job_id", {}), ("job_id", "abc"), ("job_id", True), ("job_id", 1.5), ("job_id", [101]),
          ("status", "RUNNING"), ("status", True), ("status", [8]), ("status", {"code": 8}), ("status", 8.5),
          ("status", -1), ("status", float("inf")), ("status", float("nan")), ("status", 2**63), ("status", 2**64),
      ]),
    *(harmless(f"{name}: {json.dumps(value)}", having(**{name: value}))
      for name, value in [
          ("job_name", 5), ("job_desc", []), ("service_url", {}), ("train_url", 1), ("resource_id", False),
          ("create_time", "yesterday"), ("create_time", []), ("create_time", 2**64), ("duration", "long"),
          ("duration", {}), ("duration", 2**64), ("duration", -(2**64)), ("remaining_duration", []),
          ("remaining_duration", 2**64), ("schedule", "stop"), ("schedule", [1]), ("schedule", [{"duration": "abc"}]),
          ("schedule", [{"duration": 2**64}]),
      ]),
    harmless("job_name of lines and terminal sequences",
             having(job_name="a\n2030-01-01 ERROR forged\x1b[31m\x1b]0;title\x07\u202e\u200b")),
    Row("unknown status", having(status=42), TIMES_OUT, ARRIVES, TIMES_OUT),
    Row("unknown status of 19 digits", having(status=2**63 - 1), TIMES_OUT, ARRIVES, TIMES_OUT),
    outage("status of 300 digits", having(status=10**300)),
]  # fmt: skip

TOKENS: Final = [
    harmless("IAM token is refused once", tokens_expire(), with_token=True),
    harmless("IAM tokens are issued expired", short_lived_tokens, with_token=True),
    fatal("IAM tokens are refused, new ones too", tokens_expire(for_ever=True), "APIGW.0301", with_token=True),
    outage("IAM fails when the token is to be renewed", tokens_expire(lambda e: e.send(503)), with_token=True),
    outage("IAM is silent then", tokens_expire(Exchange.stall), with_token=True, **_LATE),
    outage("IAM drips then",
           tokens_expire(lambda e: drip_forever(e, head(201, [("Content-Length", "5000000")]), b" ")),
           with_token=True, **_LATE),
    fatal("IAM refuses the password then", tokens_expire(lambda e: e.send(401, {"error": {
        "code": 401, "message": "The username or password is wrong.", "title": "Unauthorized"}})),
        "username or password", with_token=True),
    outage("IAM answers in HTML then", tokens_expire(lambda e: e.send(201, HTML)), with_token=True),
    outage("IAM answers an empty object then", tokens_expire(lambda e: e.send(201, {})), with_token=True),
    outage("IAM answers a list then", tokens_expire(lambda e: e.send(201, [])), with_token=True),
    outage("IAM's answer has no token then",
           tokens_expire(lambda e: e.send(201, {"token": {"expires_at": "2030-01-01T00:00:00.000000Z"}})),
           with_token=True),
    outage("IAM's token has dates that are none then", tokens_expire(token_with("soon", 5)), with_token=True),
    outage("IAM's token has dates of other types then", tokens_expire(token_with([], {})), with_token=True),
    outage("IAM closes the connection then", tokens_expire(Exchange.close), with_token=True),
    fatal("IAM redirects then",
          tokens_expire(lambda e: e.send(302, b"", [("Location", "https://elsewhere.example.com/")])),
          with_token=True),
]  # fmt: skip

LISTS: Final = [
    Row(row.name, row.fault, row.first, row.heals, row.stays, row.says, several=True, slow=row.slow,
        read_timeout=row.read_timeout)
    for row in [
        harmless("list refuses pages of 1,000", listing(capped_with_refusal)),
        harmless("list gives pages of one job", listing(page_of_one)),
        harmless("list's pages shift", listing(lambda e: page_of_one(e, shifted=True))),
        harmless("list is forbidden", listing(lambda e: e.send(403, gateway("APIGW.0302")))),
        harmless("list is forbidden, one job per poll is throttled", one_job_per_poll_is_throttled),
        harmless("list is not there", listing(lambda e: e.send(404, gateway("APIGW.0101")))),
        harmless("list answers 404 ModelArts.0102", listing(lambda e: e.send(404, modelarts("ModelArts.0102")))),
        harmless("list answers 404 without a body", listing(lambda e: e.send(404))),
        harmless("list answers 409", listing(lambda e: e.send(409))),
        harmless("list fails", listing(lambda e: e.send(500, modelarts("ModelArts.0010")))),
        harmless("list takes too long", listing(Exchange.stall), **_LATE),
        harmless("list is no JSON", listing(lambda e: e.send(200, HTML))),
        harmless("list is closed upon", listing(Exchange.close)),
        harmless("list is empty", listing(lambda e: e.page([], 0))),
        harmless("list is empty, but says it is not", listing(lambda e: e.page([], 3))),
        harmless("list without a total", listing(lambda e: e.page([e.server.job(j) for j in e.server.statuses], None))),
        harmless("list with a wrong total",
                 listing(lambda e: e.page([e.server.job(j) for j in e.server.statuses], 10**30))),
        harmless("list with a total below zero",
                 listing(lambda e: e.page([e.server.job(j) for j in e.server.statuses], -7))),
        harmless("list is a full page of others for ever", listing(always_the_same_page)),
        harmless("list's rows are null", listing(rows(None, None, None))),
        harmless("list's rows are pairs", listing(rows([101, 11], [102, 11], ["103", 11]))),
        harmless("list's rows are text", listing(rows("11", "22", "33"))),
        harmless("list's rows are objects of objects",
                 listing(rows({"101": 11, "102": 11}, {"job_id": {"job_id": 1}}))),
        harmless("list's rows have no job_id", listing(rows({"status": 11}, {"status": 11}))),
        harmless("list has rows of other jobs that cannot be read",
                 listing(lambda e: e.page([e.server.job("101"), {"job_id": "x"}, {"job_id": 7, "status": []}], 3))),
        # What the list says is believed: it is the same database.
        Row("list is behind the details", listing(lambda e: e.jobs(lambda job: {**job, "status": 7})),
            TIMES_OUT, ARRIVES, TIMES_OUT),
    ]
]  # fmt: skip

GONE: Final = [
    Row(row.name, row.fault, row.first, row.heals, row.stays, row.says, target="GONE", several=row.several)
    for row in [
        harmless("waited for the deletion: 404 ModelArts.0102", sending(404, modelarts("ModelArts.0102"))),
        fatal("waited for the deletion: 404 APIGW.0101", sending(404, gateway("APIGW.0101"))),
        *(fatal(f"waited for the deletion: 404 {code}", sending(404, gateway(code)))
          for code in ("APIGW.0103", "WAF.403", "IAM.0004")),
        fatal("waited for the deletion: 404 with an error_message of a proxy",
              sending(404, {"error_message": "no such upstream"})),
        fatal("waited for the deletion: 404 in HTML", sending(404, HTML)),
        Row("waited for the deletion: list answers 404 ModelArts.0102",
            listing(lambda e: e.send(404, modelarts("ModelArts.0102"))),
            TIMES_OUT, TIMES_OUT, TIMES_OUT, several=True),
        Row("waited for the deletion: list is empty", listing(lambda e: e.page([], 0)),
            TIMES_OUT, TIMES_OUT, TIMES_OUT, several=True),
        Row("waited for the deletion: connection refused", refusing, UNKNOWN, TIMES_OUT, UNKNOWN),
        Row("waited for the deletion: HTML", sending(200, HTML), UNKNOWN, TIMES_OUT, UNKNOWN),
    ]
]  # fmt: skip


def described(**parts: Any) -> FaultMaker:
    """Answer well, but for parts of each training job."""
    return jobs_with(lambda job: {**job, **parts})


def phase(value: Any) -> FaultMaker:
    """Answer well, but for the phase of each training job."""
    return described(status={"phase": value})


def training_rows(*rows_: Row) -> list[Row]:
    return [replace(row, name=f"training: {row.name}", target="Completed", training=True) for row in rows_]


TRAINING: Final = training_rows(
    outage("connection reset", answering(Exchange.reset), "(connection)"),
    outage("cut body", answering(cut_body)),
    fatal("401, AK and SK", sending(401, gateway("APIGW.0301")), "APIGW.0301"),
    fatal("403", sending(403, gateway("APIGW.0302")), "modelarts:trainJob:"),
    gone("400 ModelArts.2775", sending(400, gateway("ModelArts.2775")), "ModelArts.2775"),
    fatal("400 of another code", sending(400, gateway("ModelArts.2788")), "ModelArts.2788"),
    fatal("404 APIGW.0101", sending(404, gateway("APIGW.0101")), "APIGW.0101"),
    fatal("404 in HTML", sending(404, HTML, content_type="text/html"), "404"),
    outage("429 ModelArts.2799", sending(429, gateway("ModelArts.2799")), "ModelArts.2799"),
    outage("500", sending(500, gateway("ModelArts.0010")), "ModelArts.0010"),
    outage("503 without a body", sending(503), "503"),
    outage("HTML", sending(200, HTML, content_type="text/html"), "Sign in"),
    outage("JSON: {}", sending(200, {}), "not shown because it may hold secrets"),
    outage("no metadata", described(metadata=None)),
    outage("job of another ID", described(metadata={"id": "5d2c9ad4-2b0c-4c5a-9b7e-000000000009"})),
    outage("no phase", described(status={})),
    Row("unknown phase", phase("Hibernating"), TIMES_OUT, ARRIVES, TIMES_OUT),
    harmless("duration and times of other types",
             jobs_with(lambda job: {**job, "status": {**job["status"], "duration": "long", "start_time": []}})),
    replace(harmless("search is forbidden", listing(lambda e: e.send(403, gateway("APIGW.0302")))), several=True),
    replace(harmless("search is empty", listing(lambda e: e.send(200, {"total": 0, "count": 0, "items": []}))),
            several=True),
    replace(harmless("search's rows are text", listing(lambda e: e.send(200, {"total": 3, "items": ["a", "b"]}))),
            several=True),
    replace(harmless("search answers 400 ModelArts.2775", listing(lambda e: e.send(400, gateway("ModelArts.2775")))),
            several=True),
)  # fmt: skip

TABLE: Final = {
    "Connections": CONNECTIONS,
    "TLS": TLS,
    "Proxies": PROXIES,
    "HTTP statuses and errors": STATUSES,
    "Bodies": BODIES,
    "IAM tokens": TOKENS,
    "Lists": LISTS,
    "Deletions": GONE,
    "Training jobs": TRAINING,
}
"""All rows, by the part of the way that fails."""
