"""Whether the DNS server that a target names has an answer now: a slip in a name shows before the first play."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import cast

from edge.runtime.bounded import found_within
from naming import registry as schemes
from naming.base import NamingContext, NamingError, NamingOptions
from naming.lookup import parse_question
from naming.node import ServerNode
from naming.resolver import Resolver
from naming.url import Address

_SCHEMES = frozenset(("dns", "srv"))


class _RoundIsOver(Exception):
    """The service wants to wait for its next question."""


def why_no_answer(address: Address, budget_s: float) -> str:
    """Why a ``dns`` or ``srv`` URL with ``?server=`` names no server now, "" if it does or is another URL.

    Silence until ``budget_s`` is over is a reason as well.
    """
    if address.scheme not in _SCHEMES or not parse_question(address.name).servers:
        return ""

    def reasons() -> Iterator[str]:
        yield asyncio.run(_ask(address, budget_s))

    silence = f"no answer for {address.shown} within {budget_s:g} s"
    return next(iter(found_within(budget_s, reasons, name="check-dns")), silence)


async def _ask(address: Address, budget_s: float) -> str:
    """One question; what went wrong, or ""."""
    failures: list[str] = []

    async def end_round(seconds: float) -> None:
        raise _RoundIsOver

    # Less than all of it, so that the reason comes before the end.
    options = NamingOptions(dns_timeout_ms=max(1, int(budget_s * 800)))
    context = NamingContext(options, Resolver(), failures.append, end_round, failures.append)
    answers = cast(
        AsyncGenerator[Sequence[ServerNode], None], schemes.create(address.scheme, context).watch(address.name)
    )
    with contextlib.suppress(_RoundIsOver, NamingError):
        async with contextlib.aclosing(answers):
            async for servers in answers:
                return "" if servers else f"{address.shown} names no server now"
    return failures[-1] if failures else ""
