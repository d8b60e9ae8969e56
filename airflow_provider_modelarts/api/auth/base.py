"""Base class of the auth objects."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import requests
from requests.auth import AuthBase

OnSecret: TypeAlias = Callable[[str], None]
"""Gets each new secret (a token, a temporary key) before it is used."""


class ModelArtsAuth(AuthBase):
    """Authenticates requests of one client. Calls may come from several threads."""

    @abstractmethod
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add a signature or a token to a request that is otherwise complete."""

    def project_id(self) -> str | None:
        """Return the project of the credentials, if they have one."""
        return None

    def renew(self, refused: requests.PreparedRequest) -> bool:
        """Drop credentials that were refused (401). Return whether a request with new ones is worth a try."""
        return False
