"""Whether a client may stay is asked when it connects, and may be answered late; what it says of itself is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from edge.service.admission import LATER, Answer, Later
from edge.service.refusal import Reason, Refusal
from edge.service.request import ConnectRequest
from tests.harness.clock import deadline
from tests.net.live import LiveServer, eventually, send_video, serving

NO = Refusal(Reason.PAGE, "page evil.example")
LATE_S = 0.05


class Asked:
    """A rule that answers at once, or later."""

    def __init__(self, server: LiveServer, verdict: Refusal | None, *, is_late: bool) -> None:
        self.verdict, self.is_late = verdict, is_late
        self.requests: list[ConnectRequest] = []
        self.say: Callable[[], object] = lambda: None
        server.service.admission.connect_rules.append(self)

    def check_connect(self, request: ConnectRequest, later: Answer) -> Refusal | Later | None:
        self.requests.append(request)
        self.say = lambda: later(self.verdict)
        if not self.is_late:
            return self.verdict
        asyncio.get_running_loop().call_later(LATE_S, self.say)
        return LATER


@pytest.mark.parametrize("is_late", [False, True])
async def test_client_that_may_stay_goes_on(is_late: bool) -> None:
    async with serving() as server:
        rule = Asked(server, None, is_late=is_late)
        publisher = await server.publisher()
        send_video(publisher, 0, is_keyframe=True)
        await eventually(lambda: server.stream().queue.frames, "frames")
        (request,) = rule.requests
        assert (request.vhost, request.app, request.client.page_url) == ("_", "live", "")


@pytest.mark.parametrize("is_late", [False, True])
async def test_client_that_may_not_stay_is_told_so_by_the_answer_to_its_connect(is_late: bool) -> None:
    async with serving() as server:
        Asked(server, NO, is_late=is_late)
        with pytest.raises(Exception, match="RefererDenied"):
            async with asyncio.timeout(deadline(5)):
                await server.client()
        await eventually(lambda: not server.context.connections, "the end")
        assert server.counters["error_referer_denied_count"] == 1
        stories = server.service.chronicle.stories.of_address("127.0.0.1")
        assert [entry.text for entry in stories if "RefererDenied" in entry.text]


async def test_answer_to_one_who_has_gone_is_of_no_interest() -> None:
    async with serving() as server:
        rule = Asked(server, None, is_late=True)
        opening = asyncio.ensure_future(server.client())
        await eventually(lambda: rule.requests, "the question")
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        for connection in list(server.connections):
            connection.close_now("test")
        rule.say()
        assert not server.service.publishes
