"""Orders of who calls, and how a refusal is said."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from edge.control.context import CALLER, ControlContext, ControlError
from edge.facts.orders import Kick, Outcome, Result
from edge.net.address import Address
from edge.net.splice import Peer


class Orders:
    def __init__(self, result: Result) -> None:
        self.result = result
        self.who = ""

    async def carry_out(self, order: Any, who: str) -> Outcome:
        self.who = who
        return Outcome(self.result, "said")


def control(orders: Orders) -> ControlContext:
    nothing: Any = None
    return ControlContext(nothing, orders, nothing, nothing)


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (Result.NOT_FOUND, grpc.StatusCode.NOT_FOUND),
        (Result.REFUSED, grpc.StatusCode.FAILED_PRECONDITION),
        (Result.BAD_VALUE, grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_orders_bear_who_gave_them_and_refusals_a_status(result: Result, code: grpc.StatusCode) -> None:
    CALLER.set(Peer(Address("192.0.2.1", 7), is_internal=True, is_encrypted=False))
    done, refused = Orders(Result.DONE), Orders(result)
    assert await control(done).carry_out(Kick(1)) == "said" and done.who == "192.0.2.1:7"
    with pytest.raises(ControlError) as caught:
        await control(refused).carry_out(Kick(1))
    assert (caught.value.code, caught.value.text) == (code, "said")
