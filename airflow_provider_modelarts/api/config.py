"""All that a client needs to know, checked once: endpoint, credentials, project, network."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from airflow_provider_modelarts.api.endpoints import iam_endpoint, modelarts_endpoint, normalized_endpoint

_LINE: Final = r"[^\x00-\x1f\x7f]+"
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
    :param proxies: URL of a proxy by scheme, as `requests` takes it; by default from the environment
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
        if self.project_id is not None and not re.fullmatch(r"[A-Za-z0-9_-]+", self.project_id):
            raise ValueError(f"project_id: {self.project_id!r} is no project id")
        if bool(self.login) != bool(self.password):
            raise ValueError(f"{'password' if self.login else 'login'}: login and password go together, one is missing")
        if self.domain_name and not self.login:
            raise ValueError("domain_name: needs an IAM user in login and its password")
        if self.security_token and (self.domain_name or not self.login):
            raise ValueError("security_token: belongs to an AK and SK in login and password")
        for name in ("login", "password", "security_token", "domain_name"):
            if not re.fullmatch(_LINE, getattr(self, name) or "-"):
                raise ValueError(f"{name}: has a line break or another character that cannot be sent")
        for name in ("connect_timeout", "read_timeout"):
            if not 0 < getattr(self, name) <= _DAY:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not a number of seconds above 0, a day at most")
        for scheme, url in (self.proxies or {}).items():
            if not _is_proxy_url(url):
                raise ValueError(f"proxies: the address for {scheme} is no URL such as http://proxy:3128")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        proxy_secrets = (secret for url in (self.proxies or {}).values() for secret in _secrets_of_proxy(url))
        return tuple(secret for secret in (self.password, self.security_token, *proxy_secrets) if secret)

    @property
    def iam_url(self) -> str:
        """
        IAM endpoint in use.

        :raises ValueError: it is not given and cannot be told from the rest
        """
        return self.iam_endpoint or iam_endpoint(self.endpoint)


def _secrets_of_proxy(url: str) -> tuple[str, ...]:
    """Return a proxy's password as its URL has it, as it is, and as it is sent."""
    parts = urlsplit(url)
    if not parts.password:
        return ()
    user, password = unquote(parts.username or ""), unquote(parts.password)
    basic = base64.b64encode(f"{user}:{password}".encode("latin-1", errors="replace")).decode()
    return tuple(dict.fromkeys((parts.password, password, basic)))


def _is_proxy_url(url: str) -> bool:
    """Return whether this is the URL of a proxy for `urllib3`, too, which would show all of one that it cannot read."""
    try:
        parts = urlsplit(url)
        is_host = re.fullmatch(r"[\w.-]+|[0-9a-f:.]+", parts.hostname or "") and not re.search(r"[\s\\]", url)
        return bool(parts.scheme and is_host) and parts.port != 0
    except ValueError:
        return False
