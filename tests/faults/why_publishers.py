"""Faults of names, of tokens, of who publishes and of what it sends."""

from __future__ import annotations

import asyncio
import time

from edge.service.admission import Answer
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest
from tests.faults.why_clients import pictures
from tests.faults.why_rows import fault
from tests.harness.chain import Chain
from tests.harness.wire import AUDIO, VIDEO
from tests.net.fakes import audio, video
from tests.net.live import eventually, send, send_audio, send_video, status

# --- names ----------------------------------------------------------------------------


@fault("in another app")
async def wrong_app(chain: Chain) -> None:
    await chain.publisher(app="liv")
    await chain.player()


@fault("differs in a few letters")
async def wrong_letter(chain: Chain) -> None:
    await chain.publisher("cm")
    await chain.player()


@fault("upper and lower case")
async def wrong_case(chain: Chain) -> None:
    await chain.publisher("Cam")
    await chain.player()


@fault("another vhost")
async def wrong_vhost(chain: Chain) -> None:
    await chain.publisher("cam?vhost=other.example")
    await chain.player()


@fault("another path before it")
async def doubled_path(chain: Chain) -> None:
    await chain.publisher("live/cam")
    await chain.player()


@fault("the name may not be used", "empty or relative", stream="live/../cam/.")
async def name_that_is_none(chain: Chain) -> None:
    """Nobody can publish or play it."""


@fault("the name may not be used", "exceeds 64", stream=f"live/{'x' * 80}", far="-max_name_bytes=64")
async def name_too_long(chain: Chain) -> None:
    """Nobody can publish or play it."""


@fault("refused", "empty or relative")
async def publisher_with_a_bad_name(chain: Chain) -> None:
    await chain.asks_to_publish("/cam//", at="origin")
    await chain.asks_to_publish("x//cam", at="origin")
    await chain.player()


# --- who may --------------------------------------------------------------------------


class No:
    """A rule that refuses one kind of request."""

    def __init__(self, kind: type, text: str, reason: Reason = Reason.FORBIDDEN) -> None:
        self._kind, self._refusal = kind, Refusal(reason, text)

    def check(self, request: PlayRequest | PublishRequest, later: Answer) -> Refusal | None:
        return self._refusal if isinstance(request, self._kind) else None


class Breaks:
    """A rule with a bug of its own."""

    def check(self, request: PlayRequest | PublishRequest, later: Answer) -> Refusal | None:
        raise RuntimeError("a bug in a rule")


def rule(chain: Chain, name: str, one: No | Breaks) -> None:
    chain.nodes[name].node.units[0].service.admission.rules.append(one)


@fault("a publish was refused", "token expired")
async def token_of_the_publisher(chain: Chain) -> None:
    rule(chain, "origin", No(PublishRequest, "token expired"))
    await chain.asks_to_publish("cam?token=secret77")
    await chain.player()


@fault("token is wrong")
async def token_of_the_player_at_the_origin(chain: Chain) -> None:
    await chain.publisher()
    rule(chain, "origin", No(PlayRequest, "the token is wrong"))
    await chain.player("cam?token=secret77")


@fault("a play was refused", "not from this country")
async def player_is_refused_at_the_far_end(chain: Chain) -> None:
    rule(chain, "far", No(PlayRequest, "not from this country"))
    await chain.player()


@fault("the server could not decide")
async def rule_that_fails(chain: Chain) -> None:
    rule(chain, "far", Breaks())
    await chain.player()


@fault("a publish was refused", "Fail to replace publisher", origin="-reject_second_stream_when_republish")
async def second_publisher(chain: Chain) -> None:
    chain.keep(pictures(await chain.publisher()))
    await chain.player()
    await chain.runs()
    await chain.asks_to_publish()


@fault("too many streams already", far="-max_pulls=1")
async def too_many_pulls(chain: Chain) -> None:
    await chain.player("other")
    await chain.player()


# --- who publishes ----------------------------------------------------------------------


@fault("nobody publishes it here")
async def no_publisher(chain: Chain) -> None:
    await chain.player()


@fault("the publisher has ended it")
async def publisher_has_left(chain: Chain) -> None:
    await chain.player()
    client = await chain.publisher()
    await chain.runs()
    client.delete_stream("cam")


@fault("its publisher is gone", "waited for", "broke", origin="-publisher_grace_ms=20000")
async def publisher_was_cut_off_and_is_waited_for(chain: Chain) -> None:
    await chain.player()
    client = await chain.publisher()
    await chain.runs()
    client.peer.abort()


@fault("the connection of the publisher broke")
async def publisher_was_cut_off(chain: Chain) -> None:
    await chain.player()
    client = await chain.publisher()
    await chain.runs()
    client.peer.abort()


@fault("the publisher was ended", "by an operator")
async def publisher_is_kicked(chain: Chain) -> None:
    await chain.player()
    await chain.publisher()
    await chain.runs()
    service = chain.nodes["origin"].node.units[0].service
    for publisher in list(service.publishes):
        service.stop_publisher(publisher, Refusal(Reason.KICKED, "by an operator"))


@fault("another publisher came")
async def publisher_is_replaced(chain: Chain) -> None:
    await chain.player()
    await chain.publisher()
    await chain.runs()
    await chain.publisher()


@fault("the publisher was ended", "no media", origin="-publish_firstpkt_timeout_ms=300")
async def publisher_timed_out(chain: Chain) -> None:
    await chain.player()
    await chain.publisher(pictures=0, has_headers=False)


@fault("more than 50 kbit/s", origin="-max_publish_kbps=50")
async def publisher_sends_too_much(chain: Chain) -> None:
    await chain.player()
    client = await chain.publisher()
    for number in range(3, 300):
        send(client, VIDEO, number * 10, video(number, size=4000))
        await asyncio.sleep(0.01)
        if chain.stream("origin") is None:
            return


# --- what it sends ----------------------------------------------------------------------


@fault("has sent no media")
async def publisher_sends_nothing(chain: Chain) -> None:
    await chain.player()
    await chain.publisher(pictures=0, has_headers=False)


@fault("has sent nothing for")
async def publisher_fell_silent(chain: Chain) -> None:
    await chain.player()
    await chain.publisher()
    await chain.runs()


@fault("none of its pictures is a keyframe")
async def no_keyframe(chain: Chain) -> None:
    await chain.player()
    client = await chain.publisher(pictures=0)
    for number in range(1, 20):
        send_video(client, number)
        send_audio(client, number)


@fault("without the header")
async def no_header(chain: Chain) -> None:
    await chain.player()
    client = await chain.publisher(pictures=0, has_headers=False)
    for number in range(20):
        send_video(client, number, is_keyframe=number % 10 == 0)


@fault("codec H263")
async def old_codec(chain: Chain) -> None:
    await chain.player()
    client = await chain.publisher(pictures=0, has_headers=False)
    for number in range(20):
        send(client, VIDEO, number * 40, (b"\x12" if number % 10 == 0 else b"\x22") + b"%08d" % number)


@fault("codec zzzz")
async def codec_nobody_knows(chain: Chain) -> None:
    await chain.player()
    client = await chain.publisher(pictures=0, has_headers=False)
    for number in range(20):
        send(
            client,
            VIDEO,
            number * 40,
            (b"\x91" if number % 10 == 0 else b"\xa1") + b"zzzz" + b"\0\0\0" + b"%d" % number,
        )


@fault("codec Nellymoser")
async def old_sound(chain: Chain) -> None:
    await chain.player()
    client = await chain.publisher(pictures=0, has_headers=False)
    for number in range(20):
        send(client, AUDIO, number * 40, b"\x62" + b"%08d" % number)


@fault("its keyframes are", "s apart")
async def long_gop(chain: Chain) -> None:
    await chain.player()
    client = await chain.publisher(pictures=0)
    for number in range(700):
        send_video(client, number, is_keyframe=number % 300 == 0)
    await chain.runs()
    for number in range(700, 800):
        send_video(client, number)
        await asyncio.sleep(0.04)


async def send_at(chain: Chain, *, pictures: float = 1.0, sounds: float = 1.0, seconds: float = 6.0) -> None:
    """A publisher whose clocks run at these parts of real time."""
    await chain.player()
    client = await chain.publisher(pictures=0)
    began, number = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        at_ms = int(passed * 1000)
        send(client, VIDEO, int(at_ms * pictures), video(number, is_keyframe=number % 25 == 0))
        send(client, AUDIO, int(at_ms * sounds), audio(number))
        number += 1
        await asyncio.sleep(0.04)


@fault("of the speed at which they are shown")
async def line_of_the_publisher_is_slow(chain: Chain) -> None:
    await send_at(chain, pictures=0.5, sounds=0.5)


@fault("sound's clock runs", "ahead of its pictures'")
async def clocks_differ(chain: Chain) -> None:
    await send_at(chain, sounds=1.6)


@fault("its timestamps have jumped")
async def clock_jumps(chain: Chain) -> None:
    await chain.player()
    client = await chain.publisher()
    await chain.runs()
    for number in range(3, 30):
        send(client, VIDEO, number * 40 + 90_000_000, video(number, is_keyframe=number % 10 == 0))
        send(client, AUDIO, number * 40 + 90_000_000, audio(number))
    await eventually(lambda: chain.stream("origin").timeline.jump_count, "the jump")


@fault("has sent no media")
async def publisher_at_the_middle_sends_nothing(chain: Chain) -> None:
    await chain.player()
    client = await chain.asks_to_publish(at="middle")
    await status(client, "NetStream.Publish.Start")
