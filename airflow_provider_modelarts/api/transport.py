"""The HTTP session, and what its exceptions mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, InvalidHeader, NameResolutionError, NewConnectionError
from urllib3.util.retry import Retry

from airflow_provider_modelarts import __version__
from airflow_provider_modelarts.api.answers import Answer, redact
from airflow_provider_modelarts.api.errors import (
    ModelArtsConnectionError,
    ModelArtsTimeoutError,
    unknown_outcome,
)

_SECRET_HEADERS: Final = ("Authorization", "X-Auth-Token", "X-Security-Token")
_HINTS: Final = {
    "DNS": "The name does not resolve: check region and host, and the DNS server of this machine.",
    "TLS": "TLS failed: where a private CA is used, set verify to the path of its bundle.",
    "proxy": "The proxy failed: check proxies of the connection, or HTTPS_PROXY and NO_PROXY of this machine.",
    "connection": "Check region and host, and whether a firewall or a proxy is in the way.",
}


class Session(requests.Session):
    """A kept session whose own TLS and proxy settings win over the environment's, unlike those of `requests`."""

    def __init__(self, *, verify: bool | str, proxies: Mapping[str, str] | None) -> None:
        super().__init__()
        self.verify = verify
        self.proxies.update(proxies or {})
        self.headers["User-Agent"] = f"airflow-provider-modelarts/{__version__}"
        # Retries are the client's: each is signed anew.
        adapter = HTTPAdapter(max_retries=0)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def merge_environment_settings(  # type: ignore[override]
        self, url: str, proxies: Mapping[str, str] | None, stream: bool | None, verify: bool | str | None, cert: Any
    ) -> Any:
        chosen = self.verify if verify is None else verify
        return super().merge_environment_settings(url, {**(proxies or {}), **self.proxies}, stream, chosen, cert)


def connection_error(
    error: requests.RequestException, *, method: str, url: str, secrets: tuple[str, ...]
) -> ModelArtsConnectionError:
    """
    Return our exception for one of `requests`: which part failed, and whether the request can have arrived.

    :param secrets: what must not be repeated
    """
    cause = _cause(error)
    part = _failed_part(error, cause)
    untrusted = "CERTIFICATE_VERIFY_FAILED" in str(cause)
    never_sent = untrusted or part in ("DNS", "proxy") or isinstance(cause, (NewConnectionError, ConnectTimeoutError))
    kind = ModelArtsTimeoutError if isinstance(error, requests.Timeout) else ModelArtsConnectionError
    advice = _HINTS[part] + unknown_outcome(method, not never_sent)
    return kind(
        f"{method} {url} got no answer ({part}): {redact(_plain(cause), secrets)}. {advice}",
        part=part,
        method=method,
        url=url,
        # A certificate that is refused once is refused again.
        retryable=not untrusted,
        may_have_happened=not never_sent,
    )


def retry_after_seconds(value: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for (number or HTTP date), None when unusable."""
    if not value:
        return None
    try:
        return float(Retry().parse_retry_after(value))
    except (InvalidHeader, ValueError, OverflowError):
        return None


def answer_of(
    response: requests.Response,
    *,
    action: str = "",
    names_job: bool = False,
    extra_secrets: tuple[str, ...] = (),
    loads: Callable[[bytes], Any] = json.loads,
) -> Answer:
    """Return what errors are made of, with the secrets that were sent named, so that they are not repeated."""
    request = response.request
    sent = tuple(request.headers[name] for name in _SECRET_HEADERS if name in request.headers)
    return Answer(
        method=request.method or "",
        url=redact(request.url or "", sent),
        status_code=response.status_code,
        headers=response.headers,
        body=response.content,
        action=action,
        names_job=names_job,
        secrets=sent + extra_secrets,
        retry_after=retry_after_seconds(response.headers.get("Retry-After")),
        loads=loads,
    )


def _cause(error: BaseException) -> BaseException:
    """Return the exception of urllib3 or the system at the bottom of one of `requests`."""
    reason = getattr(error, "reason", None)
    inner = (
        reason if isinstance(reason, BaseException) else next((a for a in error.args if isinstance(a, Exception)), None)
    )
    return error if inner is None or inner is error or isinstance(error, NewConnectionError) else _cause(inner)


def _failed_part(error: requests.RequestException, cause: BaseException) -> str:
    if isinstance(error, requests.exceptions.ProxyError):
        return "proxy"
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS"
    return "DNS" if isinstance(cause, NameResolutionError) else "connection"


def _plain(cause: BaseException) -> str:
    """Return the text of an exception without the object's address that urllib3 puts in front of it."""
    text = str(cause) or type(cause).__name__
    return text.rpartition(">: ")[2] if text.startswith("<") else text
