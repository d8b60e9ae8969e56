"""IAM tokens: issued for a scope, valid for a while."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Literal

Scope = Literal["project", "domain", "none"]


@dataclass(frozen=True)
class Token:
    """A token; times in seconds since the epoch."""

    secret: str
    scope: Scope
    issued_at: float
    expires_at: float


class TokenStore:
    """The tokens that were issued."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}

    def issue(self, scope: Scope, now: float, lifetime: float) -> Token:
        """Make a token. It is as long as real ones, which break clients and proxies with small header limits."""
        token = Token("MII" + secrets.token_urlsafe(1500), scope, now, now + lifetime)
        self._tokens[token.secret] = token
        return token

    def get(self, secret: str) -> Token | None:
        """Return the token, expired or not; None when it was never issued."""
        return self._tokens.get(secret)

    def expire_all(self, now: float) -> None:
        """Let every token end now."""
        for secret, token in self._tokens.items():
            self._tokens[secret] = replace(token, expires_at=min(token.expires_at, now))
