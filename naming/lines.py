"""The ``address tag`` items of lists and files.

An item is an address, then blanks and a tag up to ``#``. Departures from brpc,
which takes a ``#`` directly behind the blanks for the tag and one directly
behind the address for a fault: both begin a comment here.
"""

from __future__ import annotations

from dataclasses import dataclass

from naming.base import NamingError
from naming.endpoint import parse_endpoint


@dataclass(frozen=True, slots=True)
class Item:
    """One server as written: ``host`` may be a name that is still to be looked up."""

    host: str
    port: int
    tag: str = ""


def parse_item(text: str) -> Item | None:
    """Read one item; None for a blank one or a comment. Raises NamingError for a bad address."""
    content = text.partition("#")[0].strip(" \t\r\n")
    if not content:
        return None
    address, *rest = content.split(maxsplit=1)
    host, port = parse_endpoint(address)
    if port == 0:
        raise NamingError(f'bad address "{address}": port 0 cannot be connected to')
    return Item(host, port, rest[0] if rest else "")


def parse_items(texts: list[str]) -> tuple[list[Item], list[str]]:
    """Read many items: the good ones in first-seen order without repeats, and what is wrong with the others."""
    items: dict[Item, None] = {}
    faults = []
    for text in texts:
        try:
            item = parse_item(text)
        except NamingError as error:
            faults.append(str(error))
        else:
            if item is not None:
                items[item] = None
    return list(items), faults
