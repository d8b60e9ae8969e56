"""Advice for TLS errors, by the message of OpenSSL."""

from __future__ import annotations

from typing import Final

_ADVICE: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (
        ("has expired", "not yet valid"),
        "The certificate is out of date: have it renewed on the server, and check the clock of this machine.",
    ),
    (
        ("mismatch", "doesn't match"),
        "The certificate belongs to another host: correct host or iam_endpoint, or have the certificate reissued.",
    ),
    (
        ("Missing Authority Key Identifier", "Missing Subject Key Identifier", "Basic Constraints", "key usage"),
        "Python 3.13 and later refuse this certificate, because it violates RFC 5280: have it, or its CA, reissued.",
    ),
    (
        ("self-signed certificate", "self signed certificate", "unable to get"),
        "The issuer of the certificate is not trusted: set verify to the path of a bundle that contains its CA.",
    ),
    (
        ("WRONG_VERSION_NUMBER", "wrong version number", "record layer failure", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"),
        "The server does not speak TLS on this port: write http:// in front of the address, or correct the port.",
    ),
    (
        ("CA certificate bundle", "NO_CERTIFICATE_OR_CRL_FOUND", "PEM lib", "unknown error"),
        "Set verify to the path of a file with certificates in PEM form, which this process can read.",
    ),
)
_OTHER_ADVICE: Final = "TLS failed: check host, verify, and whether a proxy or a firewall interferes."


def tls_advice(error: str) -> str:
    """Return advice for a TLS error with this text."""
    return next((advice for marks, advice in _ADVICE if any(mark in error for mark in marks)), _OTHER_ADVICE)
