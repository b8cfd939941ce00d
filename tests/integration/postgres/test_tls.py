"""TLS to PostgreSQL: the chain and the name are checked, and Nagle's algorithm stays off."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tradewind.adapters.postgres import connection as connection_module
from tradewind.adapters.postgres.connection import DatabaseAddress, open_session
from tradewind.errors import DatabaseUnavailableError
from tradewind_local.postgres_server import PostgresServer

ROOTS = connection_module._ROOT_CERTIFICATES


@dataclass(frozen=True)
class SecureServer:
    """The embedded PostgreSQL is built without TLS: this stands before it and speaks TLS."""

    server: PostgresServer
    port: int
    certificate: Path

    def address(self, host: str) -> DatabaseAddress:
        server = self.server
        return DatabaseAddress(
            host, self.port, server.database, server.user, "verify-full", lambda: server.password
        )


@pytest.fixture(scope="module")
def secure_server(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecureServer]:
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "server.key", folder / "server.pem"
    _self_signed(key, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        accepting = Thread(target=_accept, args=(listening, context, postgres_server.port))
        accepting.start()
        yield SecureServer(postgres_server, listening.getsockname()[1], certificate)
        listening.shutdown(socket.SHUT_RDWR)
        accepting.join()


def _accept(listening: socket.socket, context: ssl.SSLContext, port: int) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return  # closed at the end of the tests
        with client, contextlib.suppress(OSError):
            _serve(client, context, port)


def _serve(client: socket.socket, context: ssl.SSLContext, port: int) -> None:
    """One client at a time: answer its request for TLS, then carry bytes both ways."""
    client.recv(8)
    client.sendall(b"S")
    with (
        context.wrap_socket(client, server_side=True) as secure,
        socket.create_connection(("127.0.0.1", port)) as plain,
    ):
        while True:
            readable = [secure] if secure.pending() else select.select([secure, plain], [], [])[0]
            for source, target in ((secure, plain), (plain, secure)):
                if source in readable:
                    data = source.recv(65536)
                    if not data:
                        return
                    target.sendall(data)


def _self_signed(key_file: Path, certificate_file: Path) -> None:
    """A certificate for 127.0.0.1 alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


@pytest.fixture
def trusting(
    secure_server: SecureServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SecureServer]:
    """The server, with its certificate in the place of the RDS roots."""
    monkeypatch.setattr(connection_module, "_ROOT_CERTIFICATES", secure_server.certificate)
    connection_module._verify_full.cache_clear()
    yield secure_server
    connection_module._verify_full.cache_clear()


def test_a_certificate_of_a_known_root_and_the_right_name_is_taken(
    trusting: SecureServer,
) -> None:
    session = open_session(trusting.address("127.0.0.1"), "tests")
    opened = session._connection._usock
    assert session.rows("SELECT 1") == [[1]]
    assert isinstance(opened, ssl.SSLSocket)
    # Set on the plain socket, it holds for the one that pg8000 made of it.
    assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    session.close()


def test_another_name_is_refused(trusting: SecureServer) -> None:
    with pytest.raises(DatabaseUnavailableError, match="localhost"):
        open_session(trusting.address("localhost"), "tests")


def test_an_unknown_root_is_refused(secure_server: SecureServer) -> None:
    with pytest.raises(DatabaseUnavailableError, match="self-signed certificate"):
        open_session(secure_server.address("127.0.0.1"), "tests")


def test_a_server_without_tls_is_refused(postgres_server: PostgresServer) -> None:
    there = SecureServer(postgres_server, postgres_server.port, Path()).address("127.0.0.1")
    with pytest.raises(DatabaseUnavailableError, match="refuses SSL"):
        open_session(there, "tests")


def test_the_bundle_holds_the_roots_of_every_region() -> None:
    context = ssl.create_default_context(cafile=ROOTS)
    subjects = str([root["subject"] for root in context.get_ca_certs()])
    for region in ("us-east-1", "us-east-2", "us-west-2", "eu-central-1", "ap-northeast-1"):
        for algorithm in ("RSA2048", "RSA4096", "ECC384"):
            assert f"'Amazon RDS {region} Root CA {algorithm} G1'" in subjects
