"""Endpoints of ModelArts and IAM: derived from the region, unless the connection names them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_REGION: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VERSION: Final = re.compile(r"(/v[0-9.]+)?/*$")
"""Versions at the end of the addresses in catalogs and ``OS_AUTH_URL``. Each request adds its own version."""

_HUAWEI_CLOUD: Final = """
    af-north-1 af-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 cn-east-2 cn-east-3 cn-east-4
    cn-east-5 cn-north-1 cn-north-2 cn-north-4 cn-north-9 cn-north-11 cn-north-12 cn-south-1 cn-south-2 cn-southwest-2
    cn-southwest-3 la-north-2 la-south-2 me-east-1 na-mexico-1 sa-brazil-1 tr-west-1
"""

_DOMAINS: Final = {
    "eu-de": "otc.t-systems.com",
    "eu-west-101": "myhuaweicloud.eu",
    **dict.fromkeys(_HUAWEI_CLOUD.split(), "myhuaweicloud.com"),
}
"""Domains of the regions of Open Telekom Cloud, Huawei Cloud Europe and Huawei Cloud; partner clouds have others."""


def modelarts_endpoint(region: str) -> str:
    """
    Return the ModelArts endpoint of a region of Huawei Cloud or Open Telekom Cloud, ``https://modelarts.…``.

    :raises ValueError: the region is unknown or has no ModelArts; credentials are not sent to a guessed address
    """
    if not _REGION.fullmatch(region):
        raise ValueError(f"region: {region!r:.100} is not a region ID such as cn-north-4 or eu-de")
    if region == "eu-nl":
        raise ValueError("region: Open Telekom Cloud has ModelArts in eu-de only, not in eu-nl")
    if region not in _DOMAINS:
        raise ValueError(
            f"region: {region!r:.100} is not a known region of Huawei Cloud or Open Telekom Cloud. "
            "Set host to its ModelArts endpoint"
        )
    return f"https://modelarts.{region}.{_DOMAINS[region]}"


def iam_endpoint(modelarts: str) -> str:
    """
    Return the IAM endpoint that belongs to a ModelArts endpoint.

    :param modelarts: ModelArts endpoint in use; ``iam.`` replaces ``modelarts.`` at its start
    :raises ValueError: the endpoint starts with something else, as on Huawei Cloud Stack; credentials are not sent to
        a guessed address
    """
    parts = urlsplit(modelarts)
    first, _, domain = parts.netloc.partition(".")
    if first == "modelarts" and domain:
        return f"{parts.scheme}://iam.{domain}"
    raise ValueError(f"iam_endpoint: needed, because it cannot be derived from the endpoint {modelarts}")


def console_url(modelarts: str) -> str | None:
    """
    Return the start of the addresses of ModelArts' console; None where it is not known.

    :param modelarts: ModelArts endpoint in use
    """
    match = re.fullmatch(r"https://modelarts\.(cn-[a-z0-9-]+)\.myhuaweicloud\.com", modelarts)
    return f"https://console.huaweicloud.com/modelarts/?region={match[1]}" if match else None


def normalized_endpoint(endpoint: str, *, field: str, port: int | None = None) -> str:
    """
    Return an endpoint as ``scheme://host[:port][/path]``, without a trailing slash or API version (``/v3``).

    :param endpoint: host or URL; the default scheme is ``https``
    :param field: name of the connection's field, for the error
    :param port: used if the endpoint has no port of its own
    :raises ValueError: not an http(s) address, or it contains credentials, a query or a fragment
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
        raise ValueError(
            f"{field}: the port of {parts.netloc.rpartition('@')[2]!r:.100} is not a port number"
        ) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not endpoint.isprintable() or " " in endpoint:
        raise ValueError(f"{field}: not an http(s) address")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"{field}: give scheme, host, port and path only")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = own_port or port
    default = {"http": 80, "https": 443}[parts.scheme]
    netloc = host if port in (None, default) else f"{host}:{port}"
    return f"{parts.scheme}://{netloc}{_VERSION.sub('', parts.path)}"
