"""The console in Chromium: from an empty server to a stream that plays, is watched, kicked and ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser.page import BrowserPage, published
from tests.browser.player import BrowserPlayer
from tests.harness.client import RtmpClient, decode_command
from tests.harness.clock import deadline, missing, wait_until_sync
from tests.harness.server import EdgeServer
from tests.harness.wire import COMMAND

pytestmark = pytest.mark.browser

WIDTHS = [1280, 390]
_AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
_GRAVE = ("serious", "critical")
_STATE = """
    const byId = (id) => document.getElementById(id), video = byId("preview");
    const text = (id) => byId(id).textContent;
    return {
        state: byId("console").dataset.state, link: text("link-text"), trouble: text("trouble"), said: text("said"),
        is_empty: !byId("empty").hidden, streams: text("streams-count"), live: text("now-streams"),
        rows: [...byId("stream-rows").rows].map((row) => row.innerText),
        is_open: !byId("detail").hidden, preview: text("preview-status"), current: video.currentTime,
        muted: video.muted, width: video.videoWidth,
        players: [...byId("player-rows").rows].map((row) => row.innerText),
        audience: byId("audience").innerText, servers: byId("server-rows").innerText,
        curves: [...document.querySelectorAll(".curve")].map((curve) => curve.getAttribute("d")),
        scroll: document.documentElement.scrollWidth,
    };
"""
_RUN_AXE = """
    const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ["violations"] }).then((found) => done(found.violations.map((each) => ({
        id: each.id, impact: each.impact, nodes: each.nodes.slice(0, 3).map((node) => node.html),
    }))), (error) => done([{ id: String(error), impact: "critical", nodes: [] }]));
"""


class ConsolePage(BrowserPage):
    """The page in the browser."""

    look = _STATE

    def __init__(self, browser: BrowserPlayer, width: int) -> None:
        super().__init__(browser)
        self.width = width
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, node: EdgeServer) -> None:
        self.driver.get(f"http://127.0.0.1:{node.internal_port}/console")

    def wait_playing(self) -> dict[str, Any]:
        began = self.state()["current"]
        return self.wait(
            lambda now: now["preview"] == "Playing, muted." and now["current"] > began + 0.5 and now["width"] > 0,
            15,
            "the preview to play",
        )

    def press(self, selector: str) -> None:
        """By keyboard, as whoever has no mouse does."""
        is_there = "return document.querySelector(arguments[0]) !== null"
        self.wait(lambda _: self.driver.execute_script(is_there, selector), 10, selector)
        self.driver.execute_script("document.querySelector(arguments[0]).focus()", selector)
        ActionChains(self.driver).send_keys(Keys.ENTER).perform()

    def answer(self, *, yes: bool) -> str:
        """Answer the question that is on the screen; returns it."""
        self.wait(lambda _: self.driver.execute_script("return document.getElementById('ask').open"), 5, "a question")
        asked = str(self.driver.execute_script("return document.getElementById('ask').innerText"))
        self.press("#ask-yes" if yes else "#ask button[value=no]")
        return asked

    def grave_findings(self) -> list[dict[str, Any]]:
        """What axe-core finds that keeps people out."""
        self.driver.execute_script(_AXE.read_text(encoding="utf-8"))
        found = self.driver.execute_async_script(_RUN_AXE)
        return [each for each in found if each["impact"] in _GRAVE]

    def check(self) -> None:
        """It fits, and nothing is wrong with it for those who see or move differently."""
        assert self.state()["scroll"] <= self.width
        assert self.grave_findings() == []

    def errors(self) -> list[str]:
        """What the browser complains of; mpegts.js tells of all that it mends in the clip, too."""
        return [line for line in self.browser.console() if "favicon" not in line and "/-/player/mpegts" not in line]


@pytest.fixture(params=WIDTHS)
def page(request: pytest.FixtureRequest, browser: BrowserPlayer) -> Iterator[ConsolePage]:
    if not _AXE.is_file():
        missing("axe-core")
    found = ConsolePage(browser, request.param)
    yield found
    found.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    found.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    found.driver.get(browser.page_url)


def rtmp_player(node: EdgeServer, key: str) -> str:
    """Address of the one who plays by RTMP."""
    found: list[str] = []

    def is_there() -> object:
        players = json.loads(node.http(f"/players/{key}?format=json"))["players"]
        found[:] = [player["peer"] for player in players if player["protocol"] == "rtmp"]
        return found

    wait_until_sync(is_there, deadline(5), "a player by RTMP")
    return found[0]


async def rest_of(client: RtmpClient) -> list[Any]:
    """The commands that come until the server closes."""
    commands = []
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        async with asyncio.timeout(deadline(5)):
            while True:
                message = await client.next_message()
                if message.type_id == COMMAND:
                    commands.append(decode_command(message))
    return commands


async def test_E3_first_minutes(page: ConsolePage, clips: Callable[[str], Path]) -> None:
    with EdgeServer() as node:
        await asyncio.to_thread(page.open, node)
        state = await asyncio.to_thread(page.wait, lambda now: now["state"] == "live", 10, "the first answer")
        assert state["is_empty"] and state["streams"] == "0 live of 0"
        lines = page.driver.find_element("id", "empty").text
        assert f"-f flv rtmp://127.0.0.1:{node.port}/live/livestream" in lines and "Service: Custom" in lines
        await asyncio.to_thread(page.press, "button[data-copies=line-ffmpeg]")
        copied = "return document.getElementById('copied').textContent"
        await asyncio.to_thread(
            page.wait, lambda _: page.driver.execute_script(copied) != "", 5, "a word about what was copied"
        )
        await asyncio.to_thread(page.check)
        before = (await asyncio.to_thread(page.state))["curves"]
        page.driver.execute_script("window.isTheSame = true")
        async with published(node, clips("bbb-360p-10s.flv")):
            state = await asyncio.to_thread(page.wait, lambda now: now["rows"], 10, "the stream")
            assert not state["is_empty"] and "_/live/clip" in state["rows"][0]
            await asyncio.to_thread(page.press, "#stream-rows .pick")
            state = await asyncio.to_thread(page.wait_playing)
            assert state["is_open"] and state["muted"]
            state = await asyncio.to_thread(
                page.wait, lambda now: "http-flv" in now["audience"] and now["players"], 10, "the preview as a player"
            )
            assert re.search(r"127\.0\.0\.1:\d+", state["players"][0])
            await asyncio.to_thread(page.wait, lambda now: "\t0 kbit/s" not in now["rows"][0], 10, "a rate")
            await asyncio.to_thread(page.wait, lambda now: now["curves"] != before and all(now["curves"]), 30, "charts")
            await asyncio.to_thread(page.check)
            assert page.errors() == []
        state = await asyncio.to_thread(page.wait, lambda now: now["is_empty"], 15, "the end")
        assert not state["is_open"] and state["said"] == "The stream has ended."
        assert page.driver.execute_script("return window.isTheSame"), "it was loaded anew"
        # The preview may have asked once more before it was told.
        assert [line for line in page.errors() if "404" not in line] == []


async def test_kick_ends_the_player_and_end_the_stream(page: ConsolePage, clips: Callable[[str], Path]) -> None:
    with EdgeServer() as node:
        async with published(node, clips("bbb-360p-10s.flv")):
            player, _ = await RtmpClient.open(node.rtmp_url("live", "clip"))
            player.play("clip")
            own = await asyncio.to_thread(rtmp_player, node, "_/live/clip")
            await asyncio.to_thread(page.open, node)
            await asyncio.to_thread(page.wait, lambda now: now["rows"], 10, "the stream")
            await asyncio.to_thread(page.press, "#stream-rows .pick")
            await asyncio.to_thread(page.wait_playing)
            await asyncio.to_thread(page.wait, lambda now: own in str(now["players"]), 10, "the player")
            kick = f"button[aria-label='Kick {own}']"
            await asyncio.to_thread(page.press, kick)
            assert own in await asyncio.to_thread(page.answer, yes=False)
            assert own in str((await asyncio.to_thread(page.state))["players"])
            await asyncio.to_thread(page.press, kick)
            await asyncio.to_thread(page.answer, yes=True)
            state = await asyncio.to_thread(page.wait, lambda now: own not in str(now["players"]), 10, "its leave")
            assert state["said"] == f"{own} was disconnected."
            assert "Kicked" in str(await rest_of(player))
            player.peer.abort()
            assert "kick" in node.log and "result=done" in node.log
            await asyncio.to_thread(page.press, "#end-stream")
            assert "_/live/clip" in await asyncio.to_thread(page.answer, yes=True)
            state = await asyncio.to_thread(page.wait, lambda now: now["is_empty"], 10, "the end")
            assert not node.has_stream("clip")


async def test_a_server_that_is_gone_and_comes_back_is_said(page: ConsolePage) -> None:
    with EdgeServer() as node:
        await asyncio.to_thread(page.open, node)
        await asyncio.to_thread(page.wait, lambda now: now["state"] == "live", 10, "the first answer")
        await asyncio.to_thread(node.kill)
        state = await asyncio.to_thread(page.wait, lambda now: now["state"] == "gone", 15, "the loss")
        assert state["trouble"].startswith("The server does not answer.")
        await asyncio.to_thread(page.check)
        await asyncio.to_thread(node.restart)
        state = await asyncio.to_thread(page.wait, lambda now: now["state"] == "live", 20, "its return")
        assert state["trouble"] == ""


async def test_an_edge_shows_its_upstreams_and_why_they_fail(page: ConsolePage) -> None:
    with EdgeServer("-proxy_to=list://127.0.0.1:1,127.0.0.1:2", "-proxy_lb=rr", "-retry_interval_ms=100") as edge:
        await asyncio.to_thread(page.open, edge)
        state = await asyncio.to_thread(page.wait, lambda now: "127.0.0.1:1" in now["servers"], 10, "the servers")
        player, _ = await RtmpClient.open(edge.rtmp_url("live", "none"))
        player.play("none")
        state = await asyncio.to_thread(
            page.wait, lambda now: "refused" in now["servers"].lower(), 15, "why it has nothing"
        )
        assert "127.0.0.1:2" in state["servers"]
        player.peer.abort()
        await asyncio.to_thread(page.check)


async def test_a_refused_order_says_why(page: ConsolePage, clips: Callable[[str], Path]) -> None:
    with EdgeServer() as node:
        async with published(node, clips("bbb-360p-10s.flv")):
            await asyncio.to_thread(page.open, node)
            await asyncio.to_thread(page.wait, lambda now: now["rows"], 10, "the stream")
            said = page.driver.execute_async_script(
                """const done = arguments[0];
                fetch("/api/kick?connection=99999", { method: "POST" }).then(async (answer) => {
                    done([answer.status, (await answer.json()).text]);
                });"""
            )
            assert said == [404, "There is no connection 99999 any more."]
            asked = f"http://127.0.0.1:{node.internal_port}/api/kick?connection=1"
            elsewhere = page.driver.execute_async_script(
                """const done = arguments[1];
                const asked = fetch(arguments[0], { method: "POST", mode: "no-cors" });
                asked.then(() => done("sent"), () => done("blocked"));
                """,
                asked.replace("127.0.0.1", "localhost"),
            )
            assert elsewhere == "blocked", "the policy lets the page speak to its own server only"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_contrast_in_both_schemes(scheme: str, page: ConsolePage, clips: Callable[[str], Path]) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    with EdgeServer() as node:
        async with published(node, clips("bbb-360p-10s.flv")):
            await asyncio.to_thread(page.open, node)
            await asyncio.to_thread(page.wait, lambda now: now["rows"], 10, "the stream")
            await asyncio.to_thread(page.press, "#stream-rows .pick")
            await asyncio.to_thread(page.wait_playing)
            await asyncio.to_thread(page.press, "#end-stream")
            await asyncio.to_thread(page.check)
            await asyncio.to_thread(page.answer, yes=False)
            await asyncio.to_thread(page.check)
