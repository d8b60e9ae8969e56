"""AK/SK signatures and the credential chain, through Huawei's SDK."""

from __future__ import annotations

import configparser
import logging
import threading
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.auth.provider import CredentialProviderChain
from huaweicloudsdkcore.exceptions.exception_handler import DefaultExceptionHandler
from huaweicloudsdkcore.exceptions.exceptions import (
    ApiTypeError,
    ApiValueError,
    SdkException,
    ServiceResponseException,
)
from huaweicloudsdkcore.http.http_client import HttpClient
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.sdk_request import SdkRequest

from airflow_provider_modelarts.api.auth.base import ModelArtsAuth, OnSecret
from airflow_provider_modelarts.api.config import is_sendable
from airflow_provider_modelarts.api.errors import (
    ModelArtsAuthenticationError,
    ModelArtsConnectionError,
    ModelArtsError,
)
from airflow_provider_modelarts.api.redaction import excerpt
from airflow_provider_modelarts.api.unexpected import UnexpectedErrors

log = logging.getLogger(__name__)

_REASON_LIMIT: Final = 300
"""The longest message of a credential provider, in characters."""

_SIGNED_HEADERS: Final = ("Content-Type", "X-Project-Id", "X-Sdk-Date")


class AkSkAuth(ModelArtsAuth):
    """
    Signs requests with an AK/SK pair (algorithm SDK-HMAC-SHA256), temporary or not.

    :param access_key: AK
    :param secret_key: SK
    :param security_token: belongs to a temporary pair
    """

    def __init__(self, access_key: str, secret_key: str, security_token: str | None = None) -> None:
        self._credentials = BasicCredentials(access_key, secret_key).with_security_token(security_token)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        sdk_request = _sdk_request(request)
        self._credentials.sign_request(sdk_request)
        request.headers.update(sdk_request.header_params)
        return request


class CredentialChainAuth(ModelArtsAuth):
    """
    Signs requests with the credentials that the chain of Huawei's SDK finds: environment, profile file, ECS agency.

    The SDK renews temporary credentials.

    :param project_id: overrides the project that the chain names
    :param on_secret: called with each new secret key and security token
    """

    def __init__(self, project_id: str | None, on_secret: OnSecret) -> None:
        self._project_id = project_id
        self._on_secret = on_secret
        self._lock = threading.Lock()
        self._credentials: Any = None
        self._http_client: Any = None
        self._told: tuple[str | None, str | None] = (None, None)
        self._unexpected = UnexpectedErrors()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        sdk_request = _sdk_request(request)
        with self._lock:
            credentials = self._resolved()
            try:
                credentials.process_auth_request(sdk_request, self._http_client).result()
                _check(credentials)
            except ModelArtsError:
                raise
            except Exception as error:
                raise self._unavailable(
                    "The credential chain could not renew the temporary AK and SK", error
                ) from error
            self._tell(credentials)
        request.headers.update(sdk_request.header_params)
        return request

    def project_id(self) -> str | None:
        with self._lock:
            project_id: str | None = self._resolved().project_id
        return project_id

    def _resolved(self) -> Any:
        if self._credentials is None:
            credentials = self._from_chain()
            credentials.project_id = self._project_id or credentials.project_id
            self._http_client = HttpClient(HttpConfig.get_default_config(), None, DefaultExceptionHandler(), log)
            self._tell(credentials)
            self._credentials = credentials
        return self._credentials

    def _from_chain(self) -> Any:
        """
        Return the credentials of the first provider of the chain that has any.

        :raises ModelArtsAuthenticationError: no provider has any
        :raises ModelArtsConnectionError: a provider failed
        """
        reasons = []
        # The chain's own loop treats a failing metadata service as a missing one.
        for provider in CredentialProviderChain.get_basic_credential_provider_chain()._providers:
            try:
                credentials = provider.get_credentials()
            except (configparser.Error, UnicodeDecodeError) as error:
                # Their messages contain lines of the file.
                raise ModelArtsAuthenticationError(
                    f"The profile file of the credential chain cannot be read: {type(error).__name__}"
                ) from None
            except ServiceResponseException as error:
                if error.status_code >= 500 or error.status_code == 429:
                    raise self._unavailable("The credential chain fails", error) from error
                reasons.append(error)
            except (SdkException, ApiTypeError, ApiValueError, requests.RequestException) as error:
                reasons.append(error)
            except Exception as error:
                raise self._unavailable("The credential chain got a response that cannot be read", error) from error
            else:
                _check(credentials)
                return credentials
        said = "; ".join(excerpt(str(reason), (), _REASON_LIMIT) for reason in reasons)
        raise ModelArtsAuthenticationError(
            "The connection has no login, and the credential chain (environment HUAWEICLOUD_SDK_AK and "
            "HUAWEICLOUD_SDK_SK, ~/.huaweicloud/credentials, agency of the ECS instance) has none either: "
            f"{said}"
        )

    def _unavailable(self, what: str, error: Exception) -> ModelArtsConnectionError:
        if not isinstance(error, (SdkException, requests.RequestException)):
            self._unexpected.log(error)
        said = excerpt(f"{type(error).__name__}: {error}", (), _REASON_LIMIT)
        return ModelArtsConnectionError(f"{what}: {said}. It is tried again.", part="credentials")

    def _tell(self, credentials: Any) -> None:
        secrets = (credentials.sk, credentials.security_token)
        if secrets != self._told:
            for secret in filter(None, secrets):
                self._on_secret(secret)
            # Only now, because unmasked credentials must not be used.
            self._told = secrets


def _check(credentials: Any) -> None:
    """
    Check that keys can be sent in headers.

    :raises ModelArtsAuthenticationError: one cannot; the text names it and does not show it
    """
    for name in ("ak", "sk", "security_token"):
        if not is_sendable(getattr(credentials, name) or ""):
            # The error of Python's HTTP client would contain the whole key.
            raise ModelArtsAuthenticationError(
                f"{name} of the credential chain contains white space, or an invisible or non-ASCII character"
            )


def _sdk_request(request: requests.PreparedRequest) -> Any:
    """Return a request of the SDK with the same bytes, and only the headers to sign."""
    parts = urlsplit(request.url or "")
    headers = {name: request.headers[name] for name in _SIGNED_HEADERS if name in request.headers}
    return SdkRequest(
        method=request.method,
        schema=parts.scheme,
        host=parts.netloc,
        resource_path=parts.path,
        query_params=parse_qsl(parts.query, keep_blank_values=True),
        header_params={**headers, "Host": parts.netloc},
        body=request.body or "",
    )
