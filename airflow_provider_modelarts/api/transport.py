"""The HTTP session, and the meaning of its exceptions."""

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
"""The longest body, decoded. The longest regular one, a page of 1,000 jobs, has less than half of that. Python parses a
body without releasing the interpreter, so a longer one would block the event loop."""

MAX_ANSWER_TIME: Final = 4
"""The longest duration of a response, in read timeouts. A read timeout by itself starts again with each byte."""

_CHUNK: Final = 16 * 1024
"""Bytes to read at a time. urllib3 below 2.6 decodes such a part whole, to up to a thousand times its size."""

_HINTS: Final = {
    "DNS": "The name does not resolve: check region, host and iam_endpoint, and the DNS server of this machine.",
    "proxy": "The proxy failed: check proxies of the connection, or HTTPS_PROXY and NO_PROXY of this machine.",
    "connection": "Check region, host and iam_endpoint, and whether a firewall or a proxy is in the way.",
}

_SOCKS_HINT: Final = "SOCKS proxies need PySocks: pip install 'requests[socks]'."


class Session(requests.Session):
    """
    A session whose own TLS and proxy settings override those of the environment. (In `requests` it is the other way.)

    It takes no credentials from a netrc file, follows no redirect, and keeps no cookie.

    :param verify: whether to verify TLS certificates, or the path of a CA bundle
    :param proxies: URL of a proxy by scheme; empty for none at all, None for those of the environment
    """

    def __init__(self, *, verify: bool | str, proxies: Mapping[str, str] | None) -> None:
        super().__init__()
        self.verify = verify
        self._proxies = proxies
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        # Without an auth object, `requests` reads the netrc file.
        self.auth = lambda request: request
        self.headers["User-Agent"] = f"airflow-provider-modelarts/{__version__}"
        # The client repeats requests itself, because each must be signed again.
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
        """Return None, because `requests` would read the whole body of a redirect, whatever its size."""
        return None

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request, and read the response up to the longest allowed body."""
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
    """Limits the time of each response, head and body, also through a proxy."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _bounded(self.poolmanager.pool_classes_by_scheme)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        try:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
        except OSError as error:
            # There is no CA bundle at the given path.
            raise requests.exceptions.SSLError(error) from error

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not known:
            manager.pool_classes_by_scheme = _bounded(manager.pool_classes_by_scheme)
        return manager


class _BoundedReader(io.RawIOBase):
    """Reads from a socket until the time is up."""

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
    """Return the classes of connection pools, by scheme, with a limited time for each response."""
    return {scheme: _bounded_pool(pool) for scheme, pool in pools.items()}


@cache
def _bounded_pool(pool: Any) -> Any:
    kind = pool.ConnectionCls
    # Messages of urllib3 have the name.
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
    Return our exception for one of `requests`: which part failed, and whether the request may have been carried out.

    :param secrets: texts that the message must not contain
    :param is_login: whether the request only prepares another one, so that it has changed nothing
    :param is_read: whether the request changes nothing
    """
    cause = _cause(error)
    part = _failed_part(error, cause)
    untrusted = "CERTIFICATE_VERIFY_FAILED" in str(cause)
    # `requests` raises these before it connects, so a retry would not help.
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
        # A retry would not help against a refused certificate.
        retryable=not (untrusted or impossible),
        may_have_happened=may_have_happened,
    )


def _cause(error: BaseException) -> BaseException:
    """Return the exception of urllib3 or the system that has caused one of `requests`."""
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
    """Return the text of an exception without the object that urllib3 puts in front."""
    text = str(cause) or type(cause).__name__
    return text.rpartition(">: ")[2] if text.startswith("<") else text
