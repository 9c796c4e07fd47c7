"""Checks of the pairs of ``-certificate`` and ``-private_key``: whether they can be shown, and from when to when."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from edge.errors import ConfigError
from edge.flags.gflags import Parsed
from edge.flags.problem import Problem
from edge.flags.registry import value_of
from edge.flags.tls import tls_config
from edge.net.aio import wall_ms
from edge.net.certificates import dates_fault, load_pair, read_file
from edge.runtime.bounded import found_within


def check_own_certificates(parsed: Parsed, budget_s: float) -> Iterator[Problem]:
    """A pair that cannot be used is an error.

    Dates that are out of order, or will be in 14 days, are a warning of ``--check`` only: a
    server that starts gives it by itself. What is not known within ``budget_s`` is no finding.
    """
    config = tls_config(parsed.flags)
    if not config.https:
        return
    certificates, private_keys = config.certificate, config.private_key
    if len(certificates) != len(private_keys):
        message = f"-certificate names {len(certificates)} files and -private_key {len(private_keys)}"
        yield Problem(_where(parsed, "private_key", "certificate"), f"{message}; each needs one of the other")
        return

    def find() -> Iterator[Problem]:
        for certificate, private_key in zip(certificates, private_keys, strict=True):
            yield from _check_pair(parsed, certificate, private_key)

    yield from found_within(budget_s, find, name="check-certificates")


def _check_pair(parsed: Parsed, certificate: str, private_key: str) -> Iterator[Problem]:
    is_read = True
    for name, path in (("certificate", certificate), ("private_key", private_key)):
        try:
            if not path:
                raise ConfigError(": a comma too many")
            read_file(path)
        except ConfigError as error:
            is_read = False
            yield Problem(_where(parsed, name, "https"), f"-{name}={error.detail}")
    if not is_read:
        return
    try:
        found = load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, private_key)
    except ConfigError as error:
        # It begins with the file that is wrong, or with the first of both.
        name = "certificate" if error.detail.startswith((f"{certificate}:", f"{certificate} ")) else "private_key"
        yield Problem(_where(parsed, name, "private_key", "certificate", "https"), f"-{name}={error.detail}")
        return
    fault = dates_fault(found, wall_ms() // 1000)
    if fault and value_of(parsed.flags, "check"):
        message = f"-certificate={certificate}: the certificate {fault}"
        yield Problem(_where(parsed, "certificate", "https"), message, is_warning=True)


def _where(parsed: Parsed, *names: str) -> str:
    """Of flags that belong together the one that somebody set, so that the message leads there."""
    return parsed.where(next((name for name in names if name in parsed.origins), names[0]))
