"""A DNS server for tests, on UDP, with an answer per question that the test sets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from dnslib import QTYPE, RCODE, RR, DNSRecord

# Zone text of an answer by "name TYPE", or a function from the question to the bytes to send; b"": be silent.
Rule = str | Callable[[DNSRecord], bytes]


class FakeDns(asyncio.DatagramProtocol):
    """Answers by ``rules``; a name without any rule does not exist, one with others has no data.

    The rule ``*`` is for all questions that have no other.
    """

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self.asked: list[str] = []
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = DNSRecord.parse(data)
        name = str(query.q.qname).rstrip(".")
        self.asked.append(f"{name} {QTYPE[query.q.qtype]}")
        rule = self.rules.get(self.asked[-1]) or self.rules.get(f"{name} *") or self.rules.get("*")
        reply = query.reply()
        if callable(rule):
            answer = rule(query)
        else:
            if rule is not None:
                reply.add_answer(*RR.fromZone(rule))
            elif not any(key.startswith(f"{name} ") for key in self.rules):
                reply.header.rcode = RCODE.NXDOMAIN
            answer = reply.pack()
        if answer:
            assert self._transport is not None
            self._transport.sendto(answer, addr)


def refusal(code: str) -> Callable[[DNSRecord], bytes]:
    """A rule that answers with an error such as ``SERVFAIL``."""

    def answer(query: DNSRecord) -> bytes:
        reply = query.reply()
        reply.header.rcode = getattr(RCODE, code)
        return bytes(reply.pack())

    return answer


@contextlib.asynccontextmanager
async def serving_dns(address: str = "127.0.0.1", port: int = 0) -> AsyncIterator[FakeDns]:
    loop = asyncio.get_running_loop()
    transport, fake = await loop.create_datagram_endpoint(FakeDns, local_addr=(address, port))
    try:
        yield fake
    finally:
        transport.close()
        await asyncio.sleep(0)
