"""Checks of the flags for upstreams reached over TLS: ``-upstream_tls``, ``-upstream_ca_file`` and their kin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge.errors import ConfigError
from edge.flags.gflags import Parsed
from edge.flags.problem import Problem
from edge.flags.registry import value_of
from edge.flags.tls import tls_config
from edge.net.config import TlsConfig
from edge.net.tls_client import client_context
from edge.runtime.bounded import found_within
from naming.url import Address

_FILES = ("upstream_ca_file", "upstream_cert_file", "upstream_key_file")
_TARGETS = ("proxy_to", "cdn_merge_to")


def check_upstream_tls(parsed: Parsed, addresses: Sequence[Address], budget_s: float) -> Iterator[Problem]:
    """Files that cannot be used are errors; what has no effect is a warning, and so is belief in any certificate.

    ``addresses`` are the targets. What is not known within ``budget_s`` is no finding.
    """
    has_flag, is_verified = value_of(parsed.flags, "upstream_tls"), value_of(parsed.flags, "upstream_tls_verify")
    used = [flag for flag in _FILES if value_of(parsed.flags, flag)]
    fault = _why_unusable(tls_config(parsed.flags), budget_s) if used else ""
    if fault:
        named = next((flag for flag in _FILES if fault.startswith(f"-{flag}")), used[0])
        yield Problem(parsed.where(named), fault)
    if not has_flag:
        for flag in _TARGETS:
            if value_of(parsed.flags, flag).lower().startswith("https://"):
                message = f"-{flag}: https:// says how servers are found, without -upstream_tls they get plain text"
                yield Problem(parsed.where(flag), message, is_warning=True)
    if has_flag and all(address.is_plain for address in addresses):
        message = "-upstream_tls has no effect: no target is a naming URL; one server is reached over TLS as rtmps://"
        yield Problem(parsed.where("upstream_tls"), message, is_warning=True)
    if not any(address.is_tls or (has_flag and not address.is_plain) for address in addresses):
        if used:
            # Redirects to rtmps:// are not known of before they come.
            message = f"-{used[0]} is for redirects only: no target is reached over TLS"
            yield Problem(parsed.where(used[0]), message, is_warning=True)
    elif not is_verified:
        message = "-noupstream_tls_verify: whoever answers in the place of an upstream is believed, certificate or not"
        yield Problem(parsed.where("upstream_tls_verify"), message, is_warning=True)


def _why_unusable(config: TlsConfig, budget_s: float) -> str:
    """The first fault of the files, "" for none."""

    def faults() -> Iterator[str]:
        try:
            client_context(config)
        except ConfigError as error:
            yield error.detail

    return next(iter(found_within(budget_s, faults, name="check-upstream-tls")), "")
