"""What to do about an error of TLS: the advice fits the error, whatever verify is set to."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_modelarts.api.client import ModelArtsClient
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.api.errors import ModelArtsConnectionError
from airflow_provider_modelarts.api.tls import tls_advice
from tests.faults.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def serve() -> Iterator[Callable[[ssl.SSLContext | None], str]]:
    """Return what starts a server that shakes hands, or answers plain HTTP, and then hangs up."""
    listeners = []

    def start(context: ssl.SSLContext | None) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            with suppress(OSError):
                while True:
                    accepted, _ = listener.accept()
                    with suppress(OSError), closing(accepted):
                        if context:
                            context.wrap_socket(accepted, server_side=True)
                        else:
                            accepted.recv(100)
                            accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=run, daemon=True).start()
        return f"https://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.close()


def failure(endpoint: str, verify: bool | str) -> ModelArtsConnectionError:
    config = ModelArtsConfig(endpoint=endpoint, project_id="p", login="AK", password="SK", verify=verify)
    with (
        ModelArtsClient(config, sleep=lambda seconds: None) as client,
        pytest.raises(ModelArtsConnectionError) as error,
    ):
        client.visualization_jobs.create(job_name="board", train_url="/bucket/dir/")
    assert error.value.part == "TLS"
    return error.value


Serve = Callable[[ssl.SSLContext | None], str]


def test_an_expired_certificate(authority: Authority, serve: Serve) -> None:
    url = serve(authority.server(age=timedelta(days=7)))
    assert "have it renewed" in str(failure(url, str(authority.bundle)))


def test_a_certificate_of_another_host(authority: Authority, serve: Serve) -> None:
    url = serve(authority.server(address="127.0.0.2"))
    assert "belongs to another host" in str(failure(url, str(authority.bundle)))


@pytest.mark.parametrize("verify", [True, "another authority's"])
def test_an_unknown_authority(authority: Authority, serve: Serve, verify: bool | str, tmp_path: Path) -> None:
    bundle = verify if verify is True else str(Authority(tmp_path).bundle)
    assert "set verify to the path of a bundle that contains its CA" in str(failure(serve(authority.server()), bundle))


def test_plain_http(authority: Authority, serve: Serve) -> None:
    assert "write http:// in front of the address" in str(failure(serve(None), str(authority.bundle)))


def test_a_bundle_that_is_not_there() -> None:
    error = failure("https://127.0.0.1:9", "/no/such/bundle.pem")
    assert "Set verify to the path of a file" in str(error)
    assert error.may_have_happened is False


def test_a_bundle_that_is_not_a_bundle(authority: Authority, serve: Serve, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("no certificate\n")
    assert "Set verify to the path of a file" in str(failure(serve(authority.server()), str(bundle)))


def test_a_certificate_that_python_3_13_refuses(authority: Authority, serve: Serve) -> None:
    """Python 3.13 sets this flag by itself; the text of the error is OpenSSL's."""
    url = serve(authority.server(identifies_authority=False))
    strict = ssl.create_default_context(cafile=str(authority.bundle))
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    port = int(url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        pytest.raises(ssl.SSLCertVerificationError) as refused,
    ):
        strict.wrap_socket(connection, server_hostname="127.0.0.1")
    assert "Python 3.13 and later refuse this certificate" in tls_advice(str(refused.value))


def test_any_other_error_names_no_cause_that_it_does_not_know() -> None:
    assert tls_advice("[SSL: BAD_ECPOINT] bad ecpoint").startswith("TLS failed: check host")


@pytest.mark.parametrize(
    ("texts", "advice"),
    [
        (["certificate has expired", "certificate is not yet valid"], "is out of date"),
        (["Hostname mismatch, certificate is not valid for 'x'", "hostname 'x' doesn't match 'y'"], "another host"),
        (
            [
                "Missing Authority Key Identifier",
                "Missing Subject Key Identifier",
                "Basic Constraints of CA cert not marked critical",
                "CA cert does not include key usage extension",
            ],
            "violates RFC 5280",
        ),
        (
            ["self-signed certificate", "self signed certificate in chain", "unable to get local issuer certificate"],
            "is not trusted",
        ),
        (
            [
                "[SSL: WRONG_VERSION_NUMBER]",
                "wrong version number",
                "record layer failure",
                "[SSL: HTTP_REQUEST]",
                "[SSL: UNKNOWN_PROTOCOL]",
            ],
            "does not speak TLS",
        ),
        (
            [
                "Could not find a suitable TLS CA certificate bundle",
                "[X509: NO_CERTIFICATE_OR_CRL_FOUND]",
                "[SSL] PEM lib",
                "unknown error (_ssl.c:3900)",
            ],
            "certificates in PEM form",
        ),
        (["anything else"], "TLS failed: check host"),
    ],
)
def test_advice_by_the_text_of_openssl(texts: list[str], advice: str) -> None:
    for text in texts:
        assert advice in tls_advice(text)
