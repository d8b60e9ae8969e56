"""IAM's state: the tokens that it has issued, and the failures of the access key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import Final, Literal

MAX_FAILURES: Final = 5
LOCK_SECONDS: Final = 5 * 60

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
        """Issue a token, as long as real ones, which exceed the header limits of some clients and proxies."""
        token = Token("MII" + secrets.token_urlsafe(1500), scope, now, now + lifetime)
        self._tokens[token.secret] = token
        return token

    def get(self, secret: str) -> Token | None:
        """Return the token, expired or not; None if it was never issued."""
        return self._tokens.get(secret)

    def expire_all(self, now: float) -> None:
        """Expire every token now."""
        for secret, token in self._tokens.items():
            self._tokens[secret] = replace(token, expires_at=min(token.expires_at, now))


class AccessKeyLock:
    """Refuses the access key for LOCK_SECONDS after more than MAX_FAILURES consecutive failures, like the gateway."""

    def __init__(self) -> None:
        self._failures = 0
        self._locked_until = 0.0

    def is_locked(self, now: float) -> bool:
        """Return whether the key is refused at this time, in seconds since the epoch."""
        return now < self._locked_until

    def failed(self, now: float) -> None:
        """Count a failure."""
        self._failures += 1
        if self._failures > MAX_FAILURES:
            self._failures = 0
            self._locked_until = now + LOCK_SECONDS

    def succeeded(self) -> None:
        """Start counting again from zero."""
        self._failures = 0


@dataclass(frozen=True)
class Iam:
    """The state of IAM."""

    tokens: TokenStore = field(default_factory=TokenStore)
    access_key_lock: AccessKeyLock = field(default_factory=AccessKeyLock)
