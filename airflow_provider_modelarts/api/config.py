"""Configuration of a client, checked once: endpoint, credentials, project, network."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_modelarts.api.endpoints import console_url, iam_endpoint, modelarts_endpoint, normalized_endpoint
from airflow_provider_modelarts.api.errors import ModelArtsConfigurationError
from airflow_provider_modelarts.api.proxies import environment_proxies, is_proxy_url, secrets_of_proxy

_AK: Final = re.compile(r"[A-Z0-9]{20}")
_SK: Final = re.compile(r"[A-Za-z0-9]{40}")
_DAY: Final = 24 * 3600


@dataclass(frozen=True)
class ModelArtsConfig:
    """
    Address of ModelArts, credentials, project and network settings of one caller.

    ``login`` and ``password`` are AK and SK, or an IAM user and its password if ``domain_name`` is set. If both are
    empty, the credential chain of Huawei's SDK supplies them: environment, profile file, ECS agency.

    :param endpoint: host or URL, for Huawei Cloud Stack and partner clouds; derived from ``region`` by default
    :param region: region ID such as ``cn-north-4``
    :param project_id: by default taken from the token, or looked up by the region's name
    :param domain_name: account of an IAM user
    :param security_token: belongs to a temporary AK and SK
    :param iam_endpoint: derived from ``region`` or ``endpoint`` by default
    :param workspace_id: workspace of lists and new jobs; the API's own default if empty
    :param console_url: start of the addresses of the console's pages; known for the regions of Huawei Cloud in China
    :param verify: whether to verify TLS certificates, or the path of a CA bundle (``~`` is expanded)
    :param proxies: URL of a proxy by scheme, as `requests` takes it; ``{}`` for none; from the environment by default
    :param connect_timeout: seconds until a connection must be established
    :param read_timeout: seconds that the server may be silent; a whole answer may take 4 times as long
    :param ignored: fields of the connection that have no effect; the first error names them
    :raises ValueError: a field is missing or invalid; the text names the field, and never shows a secret
    """

    endpoint: str = ""
    region: str | None = None
    project_id: str | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    domain_name: str | None = None
    security_token: str | None = field(default=None, repr=False)
    iam_endpoint: str | None = None
    workspace_id: str | None = None
    console_url: str | None = None
    verify: bool | str = True
    proxies: Mapping[str, str] | None = field(default=None, repr=False)
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    ignored: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        self._check_addresses()
        self._check_credentials()
        if self.project_id is not None:
            checked_project_id(self.project_id)
        for name in ("connect_timeout", "read_timeout"):
            if not 0 < getattr(self, name) <= _DAY:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not a number of seconds above 0, a day at most")
        if isinstance(self.verify, str):
            object.__setattr__(self, "verify", os.path.expanduser(self.verify))

    def _check_addresses(self) -> None:
        if not self.endpoint and not self.region:
            raise ValueError("region: needed if there is no explicit endpoint (host)")
        endpoint = self.endpoint or modelarts_endpoint(self.region or "")
        object.__setattr__(self, "endpoint", normalized_endpoint(endpoint, field="host"))
        if self.console_url is None:
            object.__setattr__(self, "console_url", console_url(self.endpoint))
        if self.iam_endpoint:
            object.__setattr__(self, "iam_endpoint", normalized_endpoint(self.iam_endpoint, field="iam_endpoint"))
        for scheme, url in (self.proxies or {}).items():
            if not is_proxy_url(url):
                raise ValueError(f"proxies: the address for {scheme} is not a URL such as http://proxy:3128")

    def _check_credentials(self) -> None:
        if bool(self.login) != bool(self.password):
            missing, other = ("password", "login") if self.login else ("login", "password")
            raise ValueError(
                f"{missing}: missing, although {other} is set. "
                "Airflow's form does not fill in a saved password: type it again to test or edit the connection"
            )
        if self.domain_name and not self.login:
            raise ValueError("domain_name: needs an IAM user in login and its password")
        if self.security_token and (self.domain_name or not self.login):
            raise ValueError("security_token: belongs to an AK and SK in login and password")
        for name in ("login", "password", "security_token", "domain_name"):
            if not (str.isprintable if self.domain_name else is_sendable)(getattr(self, name) or ""):
                raise ValueError(
                    f"{name}: contains a line break, or an invisible or other character that is not allowed"
                )
        if self.domain_name and _AK.fullmatch(self.login or "") and _SK.fullmatch(self.password or ""):
            raise ValueError(
                "domain_name: login and password look like AK and SK, which are used without it. "
                "Leave domain_name empty, or enter an IAM user and its password"
            )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must never appear in logs or messages."""
        proxies = environment_proxies() if self.proxies is None else self.proxies.values()
        proxy_secrets = (secret for url in proxies for secret in secrets_of_proxy(url))
        return tuple(secret for secret in (self.password, self.security_token, *proxy_secrets) if secret)

    @property
    def iam_url(self) -> str:
        """
        IAM endpoint in use.

        :raises ValueError: it is not set and cannot be derived from the ModelArts endpoint
        """
        return self.iam_endpoint or iam_endpoint(self.endpoint)


def checked_project_id(project_id: str) -> str:
    """
    Return a project ID, which becomes part of URLs.

    :raises ModelArtsConfigurationError: it contains anything but letters, digits, ``_`` and ``-``
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", project_id):
        raise ModelArtsConfigurationError(f"project_id: {project_id!r:.100} is not a project ID")
    return project_id


def ignored_text(fields: tuple[str, ...]) -> str:
    """Return the message about fields of the connection that have no effect."""
    return f"Ignored fields of the connection: {', '.join(fields)}"


def is_sendable(text: str) -> bool:
    """Return whether an AK, an SK or a token consists of visible ASCII characters only, as HTTP headers need."""
    return text.isascii() and text.isprintable() and " " not in text
