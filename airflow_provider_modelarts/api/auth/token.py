"""IAM tokens, which are Keystone v3 tokens, through Keystone's client."""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING, Final

import requests
from keystoneauth1 import exceptions
from keystoneauth1.access import AccessInfoV3
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session

from airflow_provider_modelarts.api.auth.base import ModelArtsAuth, OnSecret
from airflow_provider_modelarts.api.errors import (
    ModelArtsConfigurationError,
    ModelArtsError,
    ModelArtsMalformedResponseError,
)
from airflow_provider_modelarts.api.fields import TEXT_LIMIT
from airflow_provider_modelarts.api.redaction import excerpt
from airflow_provider_modelarts.api.responses import IAM_HINT, ApiResponse, find_error, malformed_error
from airflow_provider_modelarts.api.transport import connection_error

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.config import ModelArtsConfig

log = logging.getLogger(__name__)

# At DEBUG it logs whole responses of IAM, which may repeat secrets in a form that no masker finds.
logging.getLogger("keystoneauth.identity.v3.base").setLevel(logging.INFO)

_RENEWAL_MARGIN: Final = 3600.0


class IamTokenAuth(ModelArtsAuth):
    """
    Sends a project-scoped IAM token, which is a Keystone v3 token, in ``X-Auth-Token``.

    The token is reused, and renewed before it expires: an hour before, or a tenth of its lifetime if that is less.

    :param config: IAM endpoint, user, password, account, and the project by ID or by the region's name
    :param session: sends the requests
    :param on_secret: called with each token
    """

    def __init__(self, config: ModelArtsConfig, session: requests.Session, on_secret: OnSecret) -> None:
        self._config = config
        self._session = session
        self._on_secret = on_secret
        self._lock = threading.Lock()
        self._plugin: Password | None = None
        self._access: AccessInfoV3 | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["X-Auth-Token"] = self._token().auth_token
        return request

    def project_id(self) -> str | None:
        project_id: str | None = self._token().project_id
        return project_id

    def renew(self, refused: requests.PreparedRequest) -> bool:
        token = refused.headers.get("X-Auth-Token")
        with self._lock:
            # Another thread may have renewed it.
            if self._access is not None and self._access.auth_token == token:
                self._access = None
        return token is not None

    def _token(self) -> AccessInfoV3:
        with self._lock:
            if self._access is None or self._access.will_expire_soon(_margin(self._access)):
                access = self._fetch()
                # If this fails, the token is not used.
                self._on_secret(access.auth_token)
                self._access = access
            return self._access

    def _fetch(self) -> AccessInfoV3:
        config = self._config
        if self._plugin is None:
            if not config.project_id and not config.region:
                raise ModelArtsConfigurationError("project_id: needed to get a token, unless region names the project")
            self._plugin = Password(
                auth_url=f"{config.iam_url}/v3",
                username=config.login,
                password=config.password,
                user_domain_name=config.domain_name,
                project_id=config.project_id,
                project_name=None if config.project_id else config.region,
                include_catalog=False,
            )
        session = Session(
            session=self._session,
            verify=config.verify,
            redirect=False,
        )
        session.timeout = (config.connect_timeout, config.read_timeout)  # the constructor takes a number only
        log.debug("Getting an IAM token from %s", config.iam_url)
        try:
            access = self._plugin.get_auth_ref(session)
            _margin(access)
            if not re.fullmatch(r"[!-~]+", access.auth_token):
                # The error of Python's HTTP client would contain the whole token.
                raise ValueError("it has characters that cannot be sent")
            return access
        except (exceptions.HttpError, exceptions.InvalidResponse) as error:
            raise self._refused(error.response) from None
        except exceptions.ConnectionError as error:
            cause = error.__context__
            if not isinstance(cause, requests.RequestException):
                raise
            raise connection_error(
                cause, method="POST", url=self._plugin.token_url, secrets=config.secrets, is_login=True
            ) from None
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            # Keystone's client does not check that a response has its fields, and the header with the token.
            raise ModelArtsMalformedResponseError(
                f"POST {self._plugin.token_url} answered without a token: "
                f"{type(error).__name__}: {excerpt(str(error), config.secrets, TEXT_LIMIT)}. "
                f"{IAM_HINT}",
                method="POST",
                url=self._plugin.token_url,
                may_have_happened=False,
            ) from None

    def _refused(self, response: requests.Response) -> ModelArtsError:
        read = ApiResponse.read(response, secrets=self._config.secrets, is_login=True)
        return find_error(read) or malformed_error(read, "it has no token")


def _margin(access: AccessInfoV3) -> float:
    if access.expires is None or access.issued is None:
        return 0.0
    return float(min(_RENEWAL_MARGIN, (access.expires - access.issued).total_seconds() / 10))
