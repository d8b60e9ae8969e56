"""All that a client needs to know, checked once: endpoint, credentials, project, network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_modelarts.api.endpoints import iam_endpoint, modelarts_endpoint, normalized_endpoint
from airflow_provider_modelarts.api.errors import ModelArtsConfigurationError
from airflow_provider_modelarts.api.proxies import environment_proxies, is_proxy_url, secrets_of_proxy

_LINE: Final = r"[^\x00-\x1f\x7f]+"
_HEADER_VALUE: Final = r"[!-~]+"
_DAY: Final = 24 * 3600


@dataclass(frozen=True)
class ModelArtsConfig:
    """
    Where ModelArts is and who calls it.

    ``login`` and ``password`` are AK and SK, or, when ``domain_name`` is given, IAM user and password. With neither,
    the credential chain of Huawei's SDK is asked: environment, profile file, ECS agency.

    :param endpoint: explicit endpoint (host or URL), for Huawei Cloud Stack and others; by default from ``region``
    :param region: region id such as ``cn-north-4``
    :param project_id: by default taken from the token, or looked up by the region's name
    :param domain_name: account of an IAM user
    :param security_token: belongs to a temporary AK/SK
    :param iam_endpoint: by default derived from ``region`` or ``endpoint``
    :param workspace_id: workspace of lists and new jobs; by default the API's own default
    :param verify: whether to verify TLS certificates, or the path of a CA bundle
    :param proxies: URL of a proxy by scheme, as `requests` takes it; empty for none; by default from the environment
    :param connect_timeout: seconds until a connection must stand
    :param read_timeout: seconds that the server may be silent; the whole of an answer may take 4 times as long
    :raises ValueError: something is missing or cannot be; the text names the field, never a secret's value
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
    verify: bool | str = True
    proxies: Mapping[str, str] | None = field(default=None, repr=False)
    connect_timeout: float = 10.0
    read_timeout: float = 30.0

    def __post_init__(self) -> None:
        if not self.endpoint and not self.region:
            raise ValueError("region: needed when there is no explicit endpoint (host)")
        endpoint = self.endpoint or modelarts_endpoint(self.region or "")
        object.__setattr__(self, "endpoint", normalized_endpoint(endpoint, field="host"))
        if self.iam_endpoint:
            object.__setattr__(self, "iam_endpoint", normalized_endpoint(self.iam_endpoint, field="iam_endpoint"))
        if self.project_id is not None:
            checked_project_id(self.project_id)
        if bool(self.login) != bool(self.password):
            raise ValueError(f"{'password' if self.login else 'login'}: login and password go together, one is missing")
        if self.domain_name and not self.login:
            raise ValueError("domain_name: needs an IAM user in login and its password")
        if self.security_token and (self.domain_name or not self.login):
            raise ValueError("security_token: belongs to an AK and SK in login and password")
        for name in ("login", "password", "security_token", "domain_name"):
            if not re.fullmatch(_LINE, getattr(self, name) or "-"):
                raise ValueError(f"{name}: has a line break or another character that cannot be sent")
        for name in ("security_token",) if self.domain_name else ("login", "security_token"):
            if not re.fullmatch(_HEADER_VALUE, getattr(self, name) or "-"):
                raise ValueError(f"{name}: has a blank, an invisible or another character that cannot be in a key")
        for name in ("connect_timeout", "read_timeout"):
            if not 0 < getattr(self, name) <= _DAY:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not a number of seconds above 0, a day at most")
        for scheme, url in (self.proxies or {}).items():
            if not is_proxy_url(url):
                raise ValueError(f"proxies: the address for {scheme} is no URL such as http://proxy:3128")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        proxies = environment_proxies() if self.proxies is None else self.proxies.values()
        proxy_secrets = (secret for url in proxies for secret in secrets_of_proxy(url))
        return tuple(secret for secret in (self.password, self.security_token, *proxy_secrets) if secret)

    @property
    def iam_url(self) -> str:
        """
        IAM endpoint in use.

        :raises ValueError: it is not given and cannot be told from the rest
        """
        return self.iam_endpoint or iam_endpoint(self.endpoint)


def checked_project_id(project_id: str) -> str:
    """
    Return a project's id, as it goes into URLs.

    :raises ModelArtsConfigurationError: it is not made of letters, digits, ``_`` and ``-``
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", project_id):
        raise ModelArtsConfigurationError(f"project_id: {project_id!r:.100} is not a project ID")
    return project_id
