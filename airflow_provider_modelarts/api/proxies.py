"""Proxies of a connection and of the environment: which URLs can be one, and what is secret in them."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from requests.exceptions import InvalidProxyURL
from requests.utils import select_proxy


def is_proxy_url(url: str) -> bool:
    """Return whether this is the URL of a proxy for `urllib3`, too, which would show all of one that it cannot read."""
    try:
        parts = urlsplit(url)
        is_host = re.fullmatch(r"[\w.-]+|[0-9a-f:.]+", parts.hostname or "") and not re.search(r"[\s\\]", url)
        # What stands behind the host is the rest of a password whose #, / or ? is not escaped.
        return bool(parts.scheme and is_host) and parts.port != 0 and parts[2:] in (("", "", ""), ("/", "", ""))
    except ValueError:
        return False


def check_environment_proxy(url: str, proxies: Mapping[str, str]) -> None:
    """
    Check the proxy that the environment names for a URL.

    :raises InvalidProxyURL: it is not a URL of a proxy; the text names the variable and shows nothing of its value
    """
    proxy = select_proxy(url, proxies)
    # Without a scheme, `requests` takes a user for one.
    if proxy is None or (is_proxy_url(_with_scheme(proxy)) and ("://" in proxy or "@" not in proxy)):
        return
    names = [name for name, value in os.environ.items() if name.lower().endswith("_proxy") and value == proxy]
    raise InvalidProxyURL(
        f"{' and '.join(sorted(names)) or 'the proxy of this machine'} is not a URL such as http://proxy:3128; in a "
        "password, write # as %23, / as %2F and ? as %3F"
    )


def environment_proxies() -> Iterable[str]:
    """Return the URLs of all proxies that the environment names."""
    return map(_with_scheme, getproxies().values())


def secrets_of_proxy(url: str) -> tuple[str, ...]:
    """Return a proxy's password as its URL has it, as it is, and as it is sent."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ()
    if not parts.password:
        return ()
    user, password = unquote(parts.username or ""), unquote(parts.password)
    basic = base64.b64encode(f"{user}:{password}".encode("latin-1", errors="replace")).decode()
    return tuple(dict.fromkeys((parts.password, password, basic)))


def _with_scheme(url: str) -> str:
    """Return a proxy's URL as `requests` reads it: with http if it has no scheme."""
    return url if "://" in url else f"http://{url}"
