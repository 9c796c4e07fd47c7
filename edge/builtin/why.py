"""``/why``: why a stream plays or does not, and what was decided about a client."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from edge.builtin.page import Page, PageContext, Visit, register
from edge.facts.rows import plain
from edge.service.answers import AddressAnswer, Diagnosis
from edge.service.wording import text_of

#: Longest stream or address that is looked for.
MAX_ASKED = 1024


def asked(visit: Visit) -> tuple[str, str]:
    """The stream and the address that a query names, "" for what it does not."""
    values = parse_qs(visit.query, keep_blank_values=True)
    stream, address = (values.get(name, [""])[-1].strip()[:MAX_ASKED] for name in ("stream", "address"))
    return stream, address


@dataclass(frozen=True, slots=True)
class WhyData:
    """What was asked, and what is known of it; None for what was not asked.

    What stands behind a question mark in a stream's URL is left out.
    """

    stream: str
    address: str
    about_stream: Diagnosis | None
    about_address: AddressAnswer | None


async def collect(context: PageContext, visit: Visit) -> WhyData:
    """Return the answers; other nodes are asked for those about a stream."""
    stream, address = asked(visit)
    return WhyData(
        stream.partition("?")[0],
        address,
        await context.why.about_stream(stream, visit.host) if stream else None,
        await context.why.about_address(address) if address else None,
    )


def text(data: WhyData) -> str:
    """The sentence first, then the causes with advice, then what the nodes know."""
    return text_of(plain(data.about_stream), plain(data.about_address))


def policy(_visit: Visit) -> str:
    """As of other pages, but for a form that leads to this server."""
    from edge.builtin.html import CONTENT_SECURITY_POLICY

    return CONTENT_SECURITY_POLICY.replace("form-action 'none'", "form-action 'self'")


WHY = register(
    Page(
        "/why",
        "Why",
        collect,
        text,
        template="why.html",
        place=4,
        policy=policy,
        about="why a stream plays or does not, over all nodes on its way; what a client was told",
    )
)
