"""What every way to authenticate has in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import requests
from requests.auth import AuthBase

OnSecret: TypeAlias = Callable[[str], None]
"""Told of each secret that comes up at run time (a token, a temporary key), before it is used."""


class ModelArtsAuth(AuthBase):
    """Authenticates requests of one client. Calls may come from several threads."""

    @abstractmethod
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add to a request, otherwise complete, what proves who calls."""

    def project_id(self) -> str | None:
        """Return the project that the credentials themselves name, None when they do not."""
        return None

    def renew(self, refused: requests.PreparedRequest) -> bool:
        """Drop what a request was refused with (401). Return whether there is something new to try, once."""
        return False
