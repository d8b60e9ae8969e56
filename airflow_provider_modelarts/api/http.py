"""Signs and sends requests, and reads responses. The only place that decides whether to send a request again."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from airflow_provider_modelarts.api.auth import ModelArtsAuth, OnSecret, auth_for
from airflow_provider_modelarts.api.config import ModelArtsConfig, ignored_text
from airflow_provider_modelarts.api.errors import ModelArtsAuthenticationError, ModelArtsError
from airflow_provider_modelarts.api.metrics import REQUESTS, Metrics
from airflow_provider_modelarts.api.responses import ApiResponse, clock_skew, find_error, malformed_error
from airflow_provider_modelarts.api.transport import Session, connection_error

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_ATTEMPTS: Final = 4
MAX_RETRY_AFTER: Final = 60.0
"""The longest ``Retry-After``, in seconds, after which a request is sent again. A longer one ends the call."""

_BACKOFF: Final = wait_exponential(multiplier=0.5, max=8) + wait_random(0, 0.5)


@dataclass(frozen=True)
class Operation:
    """
    An operation of an API.

    :param name: its name in metrics
    :param method: HTTP method
    :param action: IAM action that it needs, such as ``modelarts:tensorboard:get``
    :param names_job: whether its URL names a job, so that a bare 404 can only mean that job
    :param is_login: whether it only prepares another request, so that a failure has changed nothing
    :param is_search: whether it only reads, although its method is POST
    """

    name: str
    method: str
    action: str
    names_job: bool = False
    is_login: bool = False
    is_search: bool = False


@dataclass(frozen=True)
class Parse(Generic[T]):
    """
    How to read a response.

    :param read: makes a result of a response
    :param loads: decodes the JSON of its body
    :param may_be_empty: whether a response without a JSON object is a success as well
    """

    read: Callable[[ApiResponse], T]
    loads: Callable[[bytes], Any] = json.loads
    may_be_empty: bool = False

    @classmethod
    def data(cls, read: Callable[[Mapping[str, Any]], T]) -> Parse[T]:
        """Return how to read a result from the decoded body."""
        return cls(lambda response: read(response.data))


@dataclass(frozen=True)
class Call(Generic[T]):
    """
    A request, and how to read its response.

    :param query: sent in canonical order
    :param body: sent as JSON
    :param project_id: sent as ``X-Project-Id``
    :param secrets: secrets in the body
    """

    operation: Operation
    url: str
    parse: Parse[T]
    query: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None
    project_id: str | None = None
    secrets: tuple[str, ...] = ()


class Http:
    """
    Sends the requests of a client, with retries. May be used by several threads.

    :param config: address, credentials and project
    :param on_secret: called with each new token or temporary key, before it is used
    :param sleep: sleeps between attempts, for some seconds
    :param metrics: counts the requests
    """

    def __init__(
        self, config: ModelArtsConfig, *, on_secret: OnSecret, sleep: Callable[[float], None], metrics: Metrics
    ) -> None:
        self._config = config
        self._ignored = config.ignored
        self.sleep = sleep
        self._metrics = metrics
        self._session = Session(verify=config.verify, proxies=config.proxies)
        self.auth: ModelArtsAuth = auth_for(config, self._session, on_secret)
        self.clock_skew = timedelta()
        """By how much this machine's clock was ahead of the server's at the last response."""

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def read(self, call: Call[T]) -> T:
        """Send a request that changes nothing, with retries."""
        return self.repeat(lambda: self.send(call))

    def write(self, call: Call[None], *, carried_out: type[ModelArtsError] | None = None) -> None:
        """
        Send an idempotent request, with retries: it is safe to repeat after a lost response.

        :param carried_out: the error that, after a lost response, means that the request was carried out
        :raises ModelArtsError: ``may_have_happened`` holds for all attempts together
        """
        lost = False

        def attempt() -> None:
            nonlocal lost
            try:
                self.send(call)
            except ModelArtsError as error:
                if lost and carried_out is not None and isinstance(error, carried_out):
                    log.info("The answer to an earlier attempt was lost, but it was carried out. %s", error)
                    return
                if lost:
                    error.doubt()
                lost = error.may_have_happened
                raise

        self.repeat(attempt)

    def repeat(self, attempt: Callable[[], T]) -> T:
        """Return the result of an attempt. Repeat it a few times if its error may pass."""
        retrying = Retrying(
            retry=retry_if_exception(_is_worth_another),
            stop=stop_after_attempt(MAX_ATTEMPTS),
            wait=_delay,
            sleep=self.sleep,
            before_sleep=_log_repetition,
            reraise=True,
        )
        with self.naming_ignored_fields():
            return retrying(attempt)

    @contextmanager
    def naming_ignored_fields(self) -> Iterator[None]:
        """Add the ignored fields of the connection to the first error, because a misspelled field may be the cause."""
        try:
            yield
        except (ModelArtsError, ValueError) as error:
            if self._ignored:
                error.args = (f"{str(error).rstrip('.')}. {ignored_text(self._ignored)}",)
                self._ignored = ()
            raise

    def send(self, call: Call[T]) -> T:
        """Send a request and read the response. If the token was refused, send it once more with a new one."""
        response, request = self._exchange(call)
        failure = find_error(response)
        if isinstance(failure, ModelArtsAuthenticationError) and self.auth.renew(request):
            log.info("The IAM token was refused (%s); getting a new one", failure.error_code or failure.status_code)
            response, _ = self._exchange(call)
            failure = find_error(response)
        if failure is not None:
            raise failure
        if not isinstance(response.data, Mapping) and not (call.parse.may_be_empty and _is_empty(response)):
            raise malformed_error(response, "the body is no JSON object")
        try:
            return call.parse.read(response)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            # The cause may contain anything, and its message is in this one already.
            raise malformed_error(response, f"it cannot be read ({error})") from None

    def _exchange(self, call: Call[T]) -> tuple[ApiResponse, requests.PreparedRequest]:
        operation, config = call.operation, self._config
        headers = {"Content-Type": "application/json"}
        if call.project_id is not None:
            headers["X-Project-Id"] = call.project_id
        try:
            response = self._session.request(
                operation.method,
                _with_query(call.url, call.query),
                headers=headers,
                data=_encode(call.body),
                auth=self.auth,
                timeout=(config.connect_timeout, config.read_timeout),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            self._count(operation, 0)
            raise connection_error(
                error,
                method=operation.method,
                url=call.url,
                secrets=(*config.secrets, *call.secrets),
                is_login=operation.is_login,
                is_read=operation.is_search or operation.method == "GET",
            ) from error
        self._count(operation, response.status_code)
        self.clock_skew = clock_skew(response.headers)
        read = ApiResponse.read(
            response,
            secrets=(*config.secrets, *call.secrets),
            action=operation.action,
            names_job=operation.names_job,
            is_login=operation.is_login,
            is_search=operation.is_search,
            loads=call.parse.loads,
        )
        return read, response.request

    def _count(self, operation: Operation, status_code: int) -> None:
        self._metrics.incr(REQUESTS, tags={"operation": operation.name, "status": str(status_code)})


def _is_empty(response: ApiResponse) -> bool:
    """Return whether a response has no content, which API v2 also writes as JSON."""
    return response.body.strip() in (b"", b"null", b'""')


def _encode(body: Mapping[str, Any] | None) -> bytes | None:
    return None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _with_query(url: str, query: Mapping[str, str] | None) -> str:
    """Return the URL with its query in canonical form. `requests` sends it unchanged, as the signature needs it."""
    if not query:
        return url
    return f"{url}?" + "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query))


def _is_worth_another(error: BaseException) -> bool:
    return isinstance(error, ModelArtsError) and error.retryable and (error.retry_after or 0) <= MAX_RETRY_AFTER


def _delay(state: RetryCallState) -> float:
    """Return the seconds until the next attempt: those of ``Retry-After``, or else exponential with jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ModelArtsError) else None
    return max(asked or 0.0, _BACKOFF(state))


def _log_repetition(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    delay = state.next_action.sleep if state.next_action else 0.0
    log.info("%s Trying again in %.1f s (attempt %d of %d)", error, delay, state.attempt_number + 1, MAX_ATTEMPTS)
