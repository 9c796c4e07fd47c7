"""Of each flag of the callbacks: it acts in its vhost, and not in another one. All in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from edge.flags.registry import DEFINITIONS
from edge.hooks.config import HookConfig
from edge.hooks.event import Segment
from edge.hub.key import StreamKey
from edge.runtime.rules import rules_of, with_values
from edge.service.grants import Publish
from edge.service.names import parse_tc_url
from edge.service.request import PublishRequest
from edge.service.rules import Rulebook, Vhost
from tests.hooks.test_desk import CLIENT, Rig
from tests.hooks.virtual_time import Scripted, nothing, now_ms, run, yes
from tests.runtime.nodes import settings_of
from tests.vhosts.world import PLAIN, SET

URL = "http://h/"
_ASKED = {"hooks_on_publish": (URL,)}


class World(Rig):
    """Two vhosts that differ by one flag; ``vhost`` is the one that is looked at."""

    def __init__(self, flag: str, text: str, both: Mapping[str, Any], vhost: str) -> None:
        super().__init__(Scripted(yes))
        root = with_values(rules_of(settings_of()), both)
        others = with_values(root, {flag: DEFINITIONS[flag].parser.parse(text)})
        self.book = Rulebook(root, [Vhost(SET, others), Vhost(PLAIN, root)])
        self.door.service.rulebook.replace(self.book)
        self.vhost = vhost
        self.client = replace(CLIENT, server_url=parse_tc_url(f"rtmp://{vhost}/live"))

    def config_of(self, key: StreamKey) -> HookConfig:
        rules = self.door.service.rulebook.rules_of(key)
        assert rules is not None
        return rules.of(HookConfig)

    @property
    def stream(self) -> str:
        return f"s?vhost={self.vhost}"

    def events(self) -> set[str]:
        """What the server was asked and told."""
        return {json.loads(call.body)["action"] for call in self.caller.calls if call.body}


async def all_happens(world: World) -> Any:
    """Somebody comes, publishes, plays, and leaves; a segment is listed."""
    service = world.door.service
    service.connect(world.client.server_url, world.client, lambda _: None)
    await asyncio.sleep(1)
    publish = await world.publish(world.client, world.stream)
    play = await world.play(replace(world.client, number=8), world.stream)
    world.desk.on_segment_listed(publish.name.key, Segment(3, 2.0, "f", "live/s-3.ts", "m", "v"))
    await asyncio.sleep(60)
    world.desk.tick(now_ms())
    await asyncio.sleep(1)
    service.end_play(play, now_ms())
    service.end_publish(publish, now_ms())
    service.disconnected(world.client, 10, 20)
    await world.teller.drain(10)
    return world.events() or {call.url for call in world.caller.calls}


async def first_byte(world: World) -> Any:
    await world.publish(world.client, world.stream)
    return world.caller.calls[0].body[:1]


async def waits_ms(world: World) -> Any:
    world.caller.react = nothing
    began_ms, found = now_ms(), asyncio.get_running_loop().create_future()
    request = PublishRequest(world.client, world.door.name(world.stream, is_play=False))
    world.door.service.publish(request, found.set_result, 1000)
    await found
    return round((now_ms() - began_ms) / 1000)


async def let_in_without_an_answer(world: World) -> Any:
    world.caller.react = nothing
    return isinstance(await world.publish(world.client, world.stream), Publish)


async def let_in_again(world: World) -> Any:
    first = await world.publish(world.client, world.stream)
    world.door.service.end_publish(first, now_ms())
    await asyncio.sleep(20)
    return await let_in_without_an_answer(world)


async def questions(world: World) -> Any:
    for _ in range(2):
        world.door.service.end_publish(await world.publish(world.client, world.stream), now_ms())
        await asyncio.sleep(5)
    return len(world.caller.calls)


async def updates(world: World) -> Any:
    await world.publish(world.client, world.stream)
    for _ in range(20):
        await asyncio.sleep(1)
        world.desk.tick(now_ms())
    return sum(b'"on_update"' in call.body for call in world.caller.calls)


async def signed(world: World) -> Any:
    world.judge._signing.secrets["secret"] = b"0123456789abcdef"
    await world.publish(world.client, world.stream)
    return any("webhook-signature" in headers for headers in world.caller.headers)


@dataclass(frozen=True)
class Row:
    """A value, what is seen in the vhost with it, and what in the other; ``both`` holds in both."""

    text: str
    observe: Callable[[World], Awaitable[Any]]
    there: Any
    elsewhere: Any
    both: Mapping[str, Any] = field(default_factory=lambda: _ASKED)


def event(name: str, *needs: str) -> Row:
    """An event that is told in the one vhost alone; an end needs a beginning that was asked about."""
    both = dict.fromkeys(needs, (URL,))
    others = {need.removeprefix("hooks_") for need in needs}
    return Row(URL, all_happens, {name, *others}, others, both)


ROWS = {
    "hooks_on_connect": event("on_connect"),
    "hooks_on_close": event("on_close", "hooks_on_connect"),
    "hooks_on_publish": event("on_publish"),
    "hooks_on_unpublish": event("on_unpublish", "hooks_on_publish"),
    "hooks_on_play": event("on_play"),
    "hooks_on_stop": event("on_stop", "hooks_on_play"),
    "hooks_on_update": event("on_update"),
    "hooks_on_hls": event("on_hls"),
    "hooks_on_hls_notify": Row("http://n/[ts_url]", all_happens, {"http://n/live/s-3.ts"}, set(), {}),
    "hook_form": Row("nginx", first_byte, b"a", b"{"),
    "hook_timeout_ms": Row("1000", waits_ms, 1, 3),
    "hook_failure": Row("allow", let_in_without_an_answer, True, False),
    "hook_grace_s": Row("0", let_in_again, False, True),
    "hook_cache_s": Row("60", questions, 1, 2),
    "hook_update_s": Row("5", updates, 4, 0, {"hooks_on_update": (URL,)}),
    "hook_secret_file": Row("secret", signed, True, False),
}


@pytest.mark.parametrize("flag", ROWS)
def test_a_flag_of_callbacks_acts_in_its_vhost_and_in_no_other(flag: str) -> None:
    row = ROWS[flag]
    assert row.there != row.elsewhere

    async def look(vhost: str) -> Any:
        return await row.observe(World(flag, row.text, row.both, vhost))

    assert {vhost: run(look(vhost)) for vhost in (SET, PLAIN)} == {SET: row.there, PLAIN: row.elsewhere}
