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
subjectAltName = {names}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ca]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = policy
[policy]
commonName = supplied
"""
_NAMES = "IP:127.0.0.1, DNS:localhost"


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

    def sign(self, name: str, names: str = _NAMES) -> Pair:
        """A new key, and a certificate whose common name is ``name``, for ``names``."""
        signer = ("-CA", str(self.pair.cert), "-CAkey", str(self.pair.key))
        return _make(self._folder, name, "member", *signer, names=names)

    def sign_between(self, name: str, start: str, end: str) -> Pair:
        """The same, valid from ``start`` to ``end``, each as ``20200131235959Z``."""
        folder = self._folder
        pair, config = Pair(folder / f"{name}.pem", folder / f"{name}.key"), _configure(folder, name, _NAMES)
        (folder / "index").write_text("")
        (folder / "serial").write_text("01")
        request = str(folder / f"{name}.request")
        _openssl("req", "-new", *_NEW_KEY, "-config", config, "-keyout", str(pair.key), "-out", request)
        command = ["ca", "-batch", "-notext", "-config", config, "-name", "ca", "-in", request, "-out", str(pair.cert)]
        command += ["-cert", str(self.pair.cert), "-keyfile", str(self.pair.key)]
        _openssl(*command, "-extensions", "member", "-startdate", start, "-enddate", end)
        return pair

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


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _make(folder: Path, name: str, kind: str, *signer: str, names: str = _NAMES) -> Pair:
    config, pair = _configure(folder, name, names), Pair(folder / f"{name}.pem", folder / f"{name}.key")
    command = ["req", "-x509", *_NEW_KEY, "-days", "2", "-config", config, "-extensions", kind, *signer]
    _openssl(*command, "-keyout", str(pair.key), "-out", str(pair.cert))
    return pair


def _configure(folder: Path, name: str, names: str) -> str:
    config = folder / f"{name}.conf"
    config.write_text(_CONFIG.format(name=name, names=names, folder=folder))
    return str(config)


def _openssl(*command: str) -> None:
    subprocess.run([require_program("openssl"), *command], check=True, capture_output=True, timeout=deadline(30))
