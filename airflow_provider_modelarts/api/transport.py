"""The HTTP session, and what its exceptions mean."""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Mapping, MutableMapping
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidProxyURL, InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from airflow_provider_modelarts import __version__
from airflow_provider_modelarts.api.errors import (
    ModelArtsConnectionError,
    ModelArtsTimeoutError,
    unknown_outcome,
)
from airflow_provider_modelarts.api.fields import TEXT_LIMIT
from airflow_provider_modelarts.api.proxies import check_environment_proxy
from airflow_provider_modelarts.api.redaction import excerpt
from airflow_provider_modelarts.api.tls import tls_advice

MAX_ANSWER_BYTES: Final = 8 * 2**20
"""Of a body, decoded. A page of 1,000 jobs, the longest answer there is, has less than half of that at the very most,
and what is longer would keep the event loop from turning while it is read, for nothing else runs then."""

MAX_ANSWER_TIME: Final = 4
"""How many times the read timeout an answer may take. That timeout is of silence only, and starts again with a byte."""

_CHUNK: Final = 16 * 1024
"""Bytes to read at a time. urllib3 below 2.6 decodes such a part whole, into a thousand times its size at the most."""

_HINTS: Final = {
    "DNS": "The name does not resolve: check region, host and iam_endpoint, and the DNS server of this machine.",
    "proxy": "The proxy failed: check proxies of the connection, or HTTPS_PROXY and NO_PROXY of this machine.",
    "connection": "Check region, host and iam_endpoint, and whether a firewall or a proxy is in the way.",
}

_SOCKS_HINT: Final = "SOCKS proxies need PySocks: pip install 'requests[socks]'."


class Session(requests.Session):
    """
    A kept session whose own TLS and proxy settings override the environment's, unlike those of `requests`.

    It takes no credentials from a netrc file, follows no redirect, and keeps no cookie.

    :param verify: whether to verify TLS certificates, or the path of a CA bundle
    :param proxies: URL of a proxy by scheme; empty for none at all, None for those of the environment
    """

    def __init__(self, *, verify: bool | str, proxies: Mapping[str, str] | None) -> None:
        super().__init__()
        self.verify = verify
        self._proxies = proxies
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        # Without an own way to authenticate, `requests` asks the netrc file.
        self.auth = lambda request: request
        self.headers["User-Agent"] = f"airflow-provider-modelarts/{__version__}"
        # Retries are the client's: each is signed again.
        adapter = _Adapter(max_retries=0)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def merge_environment_settings(  # type: ignore[override]
        self,
        url: str,
        proxies: MutableMapping[str, str] | None,
        stream: bool | None,
        verify: bool | str | None,
        cert: Any,
    ) -> Any:
        chosen = self.verify if verify is None else verify
        settings = super().merge_environment_settings(url, proxies, stream, chosen, cert)
        if self._proxies is not None:
            # A proxy of the environment for one scheme would override the connection's for all.
            return {**settings, "proxies": dict(self._proxies)}
        check_environment_proxy(url, settings["proxies"])
        return settings

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return that there is none: `requests` would read the whole body first, whatever its size."""
        return None

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request and read its answer, as long as that is of a length that can be."""
        response = super().send(request, **{**kwargs, "stream": True})
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                response.close()
                raise requests.RequestException(f"the answer is longer than {MAX_ANSWER_BYTES} bytes", request=request)
        response._content = bytes(body)
        return response


class _Adapter(HTTPAdapter):
    """Gives each answer a time in which it must be complete, head and body, through a proxy too."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _bounded(self.poolmanager.pool_classes_by_scheme)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        try:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
        except OSError as error:
            # There is no bundle at the path given.
            raise requests.exceptions.SSLError(error) from error

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not known:
            manager.pool_classes_by_scheme = _bounded(manager.pool_classes_by_scheme)
        return manager


class _BoundedReader(io.RawIOBase):
    """What a socket receives, until the time is up."""

    def __init__(self, received: io.RawIOBase, sock: socket.socket) -> None:
        self._received = received
        self._sock = sock
        # Set at every request, to connect_timeout in a proxy's tunnel and to read_timeout else.
        self._silence = sock.gettimeout() or 30.0
        self._end = time.monotonic() + MAX_ANSWER_TIME * self._silence

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(min(self._silence, left))
        return self._received.readinto(buffer)

    def close(self) -> None:
        self._received.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), sock))


def _bounded(pools: Mapping[str, Any]) -> dict[str, Any]:
    """Return the classes of connection pools, by scheme, made to read answers for a limited time."""
    return {scheme: _bounded_pool(pool) for scheme, pool in pools.items()}


@cache
def _bounded_pool(pool: Any) -> Any:
    kind = pool.ConnectionCls
    # The name stays, as it is in the messages of urllib3.
    connection = type(kind.__name__, (kind,), {"response_class": _BoundedResponse})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


def connection_error(
    error: requests.RequestException,
    *,
    method: str,
    url: str,
    secrets: tuple[str, ...],
    is_login: bool = False,
    is_read: bool = False,
) -> ModelArtsConnectionError:
    """
    Return our exception for one of `requests`: which part failed, and whether the request can have arrived.

    :param secrets: what must not be repeated
    :param is_login: whether the request only prepares another one, so that nothing can have been changed
    :param is_read: whether the request changes nothing
    """
    cause = _cause(error)
    part = _failed_part(error, cause)
    untrusted = "CERTIFICATE_VERIFY_FAILED" in str(cause)
    # `requests` raises these before it connects, and will again.
    impossible = isinstance(error, (InvalidSchema, InvalidURL, MissingSchema))
    no_connection = part in ("DNS", "proxy") or isinstance(cause, (NewConnectionError, ConnectTimeoutError))
    no_bundle = "CA certificate bundle" in str(cause)
    may_have_happened = not (untrusted or impossible or no_bundle or no_connection or is_login)
    kind = ModelArtsTimeoutError if isinstance(error, requests.Timeout) else ModelArtsConnectionError
    hint = tls_advice(str(cause)) if part == "TLS" else _HINTS[part]
    if "SOCKS" in str(cause) and impossible:
        hint = _SOCKS_HINT
    return kind(
        f"{method} {url} got no answer ({part}): {excerpt(_plain(cause), secrets, TEXT_LIMIT).rstrip('.')}. "
        f"{hint}{unknown_outcome(is_read, may_have_happened)}",
        part=part,
        method=method,
        url=url,
        # A certificate that is refused once is refused again.
        retryable=not (untrusted or impossible),
        may_have_happened=may_have_happened,
    )


def _cause(error: BaseException) -> BaseException:
    """Return the exception of urllib3 or the system at the bottom of one of `requests`."""
    reason = getattr(error, "reason", None)
    inner = (
        reason if isinstance(reason, BaseException) else next((a for a in error.args if isinstance(a, Exception)), None)
    )
    return error if inner is None or inner is error or isinstance(error, NewConnectionError) else _cause(inner)


def _failed_part(error: requests.RequestException, cause: BaseException) -> str:
    if isinstance(error, (requests.exceptions.ProxyError, InvalidSchema, InvalidProxyURL)):
        return "proxy"
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS"
    return "DNS" if isinstance(cause, NameResolutionError) else "connection"


def _plain(cause: BaseException) -> str:
    """Return the text of an exception without the object's address that urllib3 puts in front of it."""
    text = str(cause) or type(cause).__name__
    return text.rpartition(">: ")[2] if text.startswith("<") else text
