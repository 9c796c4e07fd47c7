"""What an operator may end or have done: POST only, and only from where changes may come.

``/api/kick`` and ``/api/end``, ``/api/reload`` and ``/api/save_flags``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from edge.builtin.addresses import key_of
from edge.builtin.page import Page, PageContext, PageFormat, Visit, register
from edge.builtin.query import arguments
from edge.facts.orders import EndStream, Kick, Order, Outcome, Reload, Result, SaveFlags

_STATUSES = {Result.DONE: 200, Result.NOT_FOUND: 404, Result.REFUSED: 409, Result.BAD_VALUE: 422}
# More digits are of no connection, and Python refuses thousands of them.
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class OrderData:
    """What became of an order: a word, and the same for people. ``code`` is the HTTP status."""

    result: str
    text: str
    code: int


def kick_of(asked: dict[str, str]) -> Order | str:
    """The order to kick ``connection``, or why there is none."""
    number = asked.get("connection", "")
    if not (number.isascii() and number.isdigit() and len(number) <= _MAX_DIGITS):
        return "connection=NUMBER must say which one"
    return Kick(int(number))


def end_of(asked: dict[str, str]) -> Order | str:
    """The order to end the stream ``key`` (of ``service``), or why there is none."""
    if not asked.get("key"):
        return "key=VHOST/APP/STREAM must say which one"
    return EndStream(asked["key"], asked.get("service", ""))


def _collect(order_of: Callable[[dict[str, str]], Order | str]) -> Callable[[PageContext, Visit], Awaitable[OrderData]]:
    async def collect(context: PageContext, visit: Visit) -> OrderData:
        order = order_of(arguments(visit))
        if isinstance(order, str):
            return OrderData("bad_order", order, 400)
        if isinstance(order, EndStream):
            order = replace(order, key=key_of(context, visit, order.key, await context.facts.streams()))
        return _data_of(await context.orders.carry_out(order, visit.peer))

    return collect


def _data_of(outcome: Outcome) -> OrderData:
    return OrderData(outcome.result.value, outcome.text, _STATUSES[outcome.result])


def text(data: OrderData) -> str:
    """The sentence."""
    return f"{data.text}\n"


def _page(path: str, title: str, order_of: Callable[[dict[str, str]], Order | str], about: str) -> Page[OrderData]:
    return register(
        Page(
            path,
            title,
            _collect(order_of),
            text,
            plain_format=PageFormat.JSON,
            status=lambda data: data.code,
            is_listed=False,
            changes=lambda _visit: True,
            about=about,
            methods=("POST",),
        )
    )


KICK = _page("/api/kick", "Kick", kick_of, "POST connection=NUMBER: disconnects a publisher or player")
RELOAD = _page("/api/reload", "Reload", lambda _asked: Reload(), "POST: reads the flagfiles again, as SIGHUP does")
SAVE = _page("/api/save_flags", "Save flags", lambda _asked: SaveFlags(), "POST: writes what was set to -save_flagfile")
END = _page("/api/end", "End a stream", end_of, "POST key=KEY: ends a stream for all")
