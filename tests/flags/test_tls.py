"""The flags of this area become the frozen settings."""

from __future__ import annotations

from edge.flags.gflags import parse
from edge.flags.registry import new_flags
from edge.flags.tls import tls_config
from edge.net.config import TlsConfig


def test_the_defaults_of_the_flags_are_those_of_the_settings() -> None:
    assert tls_config(new_flags()) == TlsConfig()


def test_lists_of_files_become_tuples() -> None:
    config = tls_config(
        parse(["-certificate=a.pem, b.pem", "-private_key=a.key,b.key", "-noupstream_tls_verify"]).flags
    )
    assert (config.certificate, config.private_key) == (("a.pem", "b.pem"), ("a.key", "b.key"))
    assert not config.upstream_tls_verify
