"""Where ModelArts and IAM answer: from the region, unless an endpoint is given."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_REGION: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

_DOMAINS: Final = {
    "eu-de": "otc.t-systems.com",
    "eu-nl": "otc.t-systems.com",
    "eu-west-101": "myhuaweicloud.eu",
}
"""Regions outside Huawei Cloud's own domain: Open Telekom Cloud, and Huawei Cloud Europe (Dublin)."""

_DEFAULT_DOMAIN: Final = "myhuaweicloud.com"


def modelarts_endpoint(region: str) -> str:
    """
    Return the ModelArts endpoint of a region of Huawei Cloud or Open Telekom Cloud, ``https://modelarts.…``.

    :raises ValueError: this cannot be a region's id, or ModelArts is not there
    """
    region = _checked_region(region)
    if region == "eu-nl":
        raise ValueError("region: Open Telekom Cloud has ModelArts in eu-de only, not in eu-nl")
    return f"https://modelarts.{region}.{_domain(region)}"


def iam_endpoint(modelarts: str) -> str:
    """
    Return the IAM endpoint that belongs to a ModelArts endpoint.

    :param modelarts: ModelArts endpoint in use; ``modelarts.`` at its start is replaced
    :raises ValueError: it cannot be told, as with Huawei Cloud Stack; credentials are not sent to a guess
    """
    parts = urlsplit(modelarts)
    first, _, domain = parts.netloc.partition(".")
    if first == "modelarts" and domain:
        return f"{parts.scheme}://iam.{domain}"
    raise ValueError(f"iam_endpoint: needed, it cannot be told from the endpoint {modelarts}")


def normalized_endpoint(endpoint: str, *, field: str, port: int | None = None) -> str:
    """
    Return an endpoint as ``scheme://host[:port][/path]``, without a slash at its end.

    :param endpoint: host, or URL; ``https`` unless it says otherwise
    :param field: what to call it in an error
    :param port: used when the endpoint has none
    :raises ValueError: it is no http(s) address, or holds credentials, a query or a fragment
    """
    url = endpoint if "://" in endpoint else f"https://{endpoint}"
    try:
        parts = urlsplit(url)
    except ValueError:
        # Its text would repeat credentials.
        raise ValueError(f"{field}: not an http(s) address") from None
    try:
        own_port = parts.port
    except ValueError:
        raise ValueError(f"{field}: the port of {parts.netloc.rpartition('@')[2]!r} is no port number") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", endpoint):
        raise ValueError(f"{field}: not an http(s) address")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"{field}: give scheme, host, port and path only")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = own_port or port
    default = {"http": 80, "https": 443}[parts.scheme]
    netloc = host if port in (None, default) else f"{host}:{port}"
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}"


def _checked_region(region: str) -> str:
    if not _REGION.fullmatch(region):
        raise ValueError(f"region: {region!r} is no region id such as cn-north-4 or eu-de")
    return region


def _domain(region: str) -> str:
    return _DOMAINS.get(region, _DEFAULT_DOMAIN)
