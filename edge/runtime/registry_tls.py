"""Checks of the files for ``https://`` questions of naming services: ``-ns_ca_file`` and its kin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge.flags.gflags import Parsed
from edge.flags.problem import Problem
from edge.flags.registry import pick, value_of
from edge.runtime.bounded import found_within
from naming.base import NamingOptions
from naming.tls import TlsFileError, load_context
from naming.url import Address

_FLAGS = ("ns_ca_file", "ns_cert_file", "ns_key_file")
# Where the scheme asks. A discovery cluster names its nodes itself, by https:// or not.
_ASKED_AT = {"consul": "consul_agent_addr", "nacos": "nacos_address", "etcd": "etcd_address"}


def check_tls(parsed: Parsed, addresses: Sequence[Address], budget_s: float) -> Iterator[Problem]:
    """Files that cannot be used are errors, whoever asks; files that nobody uses are a warning.

    ``addresses`` are the targets. What is not known within ``budget_s`` is no finding.
    """
    used = [flag for flag in _FLAGS if value_of(parsed.flags, flag)]
    if not used:
        return
    error = _why_unusable(pick(NamingOptions, parsed.flags), budget_s)
    if error is not None:
        yield Problem(parsed.where(error.flag), str(error))
    if not any(_may_ask_by_tls(parsed, address) for address in addresses):
        message = f"-{used[0]} has no effect: no target asks a registry or list by https://"
        yield Problem(parsed.where(used[0]), message, is_warning=True)


def _may_ask_by_tls(parsed: Parsed, address: Address) -> bool:
    if address.scheme == "discovery":
        return True
    if address.scheme == "remotefile":
        return address.name.lower().startswith("https://")
    flag = _ASKED_AT.get(address.scheme)
    return flag is not None and "https://" in value_of(parsed.flags, flag).lower()


def _why_unusable(options: NamingOptions, budget_s: float) -> TlsFileError | None:
    """The first fault of the files."""

    def faults() -> Iterator[TlsFileError]:
        try:
            load_context(options)
        except TlsFileError as error:
            yield error

    return next(iter(found_within(budget_s, faults, name="check-tls")), None)
