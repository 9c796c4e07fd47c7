"""Certificates for tests, made with openssl: authorities, and what they sign."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.harness.clock import deadline, require_program

_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[member]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, in PEM files."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates for 127.0.0.1, of servers and of clients alike."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self.pair = _make(folder, name, "authority")

    @property
    def ca_file(self) -> str:
        return str(self.pair.cert)

    def sign(self, name: str) -> Pair:
        """A new key, and a certificate whose common name is ``name``."""
        return _make(self._folder, name, "member", "-CA", str(self.pair.cert), "-CAkey", str(self.pair.key))

    def server_context(self, pair: Pair) -> ssl.SSLContext:
        """For a server that wants a certificate of this authority from everybody."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(pair.cert, pair.key)
        return context

    def client_context(self, pair: Pair) -> ssl.SSLContext:
        """For a client that shows ``pair``."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.load_cert_chain(pair.cert, pair.key)
        return context


def _make(folder: Path, name: str, kind: str, *signer: str) -> Pair:
    config, pair = folder / f"{name}.conf", Pair(folder / f"{name}.pem", folder / f"{name}.key")
    config.write_text(_CONFIG.format(name=name))
    command = [require_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-config", str(config), "-extensions", kind, *signer]
    command += ["-keyout", str(pair.key), "-out", str(pair.cert)]
    subprocess.run(command, check=True, capture_output=True, timeout=deadline(30))
    return pair
