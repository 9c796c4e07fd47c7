"""Content steering from whole nodes: the tag, the manifest, who is sent where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.m3u8 import parse_multivariant
from tests.httpd.hls_asking import ask
from tests.httpd.hls_watching import started
from tests.httpd.siblings import base_of, pathway_of, siblings
from tests.httpd.test_cmcd import EVENT, post
from tests.runtime.nodes import RunningNode, running

LIST = "-hls_siblings=list://http://127.0.0.1:1"


async def manifest(node: RunningNode, path: str) -> dict[str, Any]:
    """A steering manifest of which the form is right."""
    answer = await ask(node, path)
    assert answer.status == 200, answer
    assert answer.headers["content-type"].startswith("application/json")
    assert (answer.headers["cache-control"], answer.headers["access-control-allow-origin"]) == ("no-store", "*")
    found = json.loads(answer.body)
    assert (found["VERSION"], found["TTL"]) == (1, 1)
    return dict(found)


def question(home: RunningNode, viewer: str = "v", *, at: RunningNode | None = None, until: int = 0) -> str:
    """What a viewer asks who began at ``home``."""
    query = f"home={pathway_of(home)}&viewer={viewer}&variant=%2Flive%2Fs.ll.media.m3u8%3Ftoken%3Da%2520b"
    query += f"&until={until}" if until else ""
    return f"/-/steer?{query}&_HLS_pathway={pathway_of(at or home)}&_HLS_throughput=1000"


async def test_playlists_that_are_alike_on_all_nodes_bear_the_tag() -> None:
    async with running(LIST, "-hls_default=classic") as node:
        await started(node)
        for suffix, media in ((".classic", ".classic"), (".ll", ".ll"), ("", ".classic")):
            answer = await ask(node, f"{suffix}.m3u8?token=a%20b&vhost=_&CMCD=sid%3D%22me%22")
            assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
            found = parse_multivariant(answer.body.decode())
            assert found.steering is not None and found.steering.pathway_id == pathway_of(node)
            (variant,) = found.variants
            assert (variant.pathway_id, variant.stable_variant_id) == (pathway_of(node), "1")
            assert found.steering.server_uri.startswith("../-/steer?")
            said = parse_qs(urlsplit(found.steering.server_uri).query)
            path = f"/live/s{media}.media.m3u8?token=a%20b&vhost=_"
            assert said == {"home": [pathway_of(node)], "viewer": ["me"], "variant": [path]}
            assert variant.uri == path.removeprefix("/live/")
        answers = [parse_multivariant((await ask(node, ".ll.m3u8")).body.decode()).steering for _ in range(2)]
        assert answers[0] != answers[1], "who says nothing of itself is given an id"


async def test_without_siblings_or_where_nodes_differ_there_is_no_tag() -> None:
    async def has_tag(node: RunningNode, suffix: str) -> bool:
        answer = await ask(node, suffix)
        assert answer.status == 200
        return b"STEERING" in answer.body

    async with running() as node:
        await started(node)
        assert not await has_tag(node, ".classic.m3u8")
        assert (await ask(node, "/-/steer")).status == 404
    async with running(LIST) as node:
        await started(node)
        assert await has_tag(node, ".classic.m3u8") and not await has_tag(node, ".m3u8")
    async with running(LIST, "-hls_entry_prefix=http://cdn.example") as node:
        await started(node)
        assert not await has_tag(node, ".classic.m3u8")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "home=a&viewer=v",
        "home=a&viewer=&variant=/live/s.ll.media.m3u8",
        "home=&viewer=v&variant=/live/s.ll.media.m3u8",
        f"home=a&viewer={'v' * 65}&variant=/live/s.ll.media.m3u8",
        "home=a%22b&viewer=v&variant=/live/s.ll.media.m3u8",
        "home=a&viewer=v&variant=http://evil.example/s.ll.media.m3u8",
        "home=a&viewer=v&variant=/live/s.mp4",
        "home=a&viewer=v&variant=/live/%22s.ll.media.m3u8",
        "home=a&viewer=v&variant=/live/s.ll.media.m3u8%3F%0d%0aX",
        "home=a&viewer=v&variant=/live/s.ll.media.m3u8%3F%3Cscript%3E%20",
    ],
)
async def test_questions_that_make_no_sense(query: str) -> None:
    async with running(LIST) as node:
        answer = await ask(node, f"/-/steer?{query}")
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (400, "*")


async def test_viewers_of_a_node_that_drains_are_sent_on_and_back(tmp_path: Path) -> None:
    async with siblings(tmp_path) as (one, other):
        asked, names = question(one), [pathway_of(one), pathway_of(other)]
        found = await manifest(one, asked)
        assert found["PATHWAY-PRIORITY"] == names
        media = "/live/s.ll.media.m3u8?token=a%20b"
        assert found["PATHWAY-CLONES"] == [
            {
                "BASE-ID": names[0],
                "ID": names[1],
                "URI-REPLACEMENT": {"PER-VARIANT-URIS": {"1": f"{base_of(other)}{media}"}},
            }
        ]
        assert found["RELOAD-URI"].startswith(f"{base_of(one)}/-/steer?")
        one.node.is_draining = True
        found = await manifest(one, asked)
        assert found["PATHWAY-PRIORITY"] == names[::-1]
        reload = found["RELOAD-URI"]
        assert reload.startswith(f"{base_of(other)}/-/steer?") and "until" not in reload
        path = reload.removeprefix(base_of(other))

        async def first_at_other() -> str:
            return str((await manifest(other, path))["PATHWAY-PRIORITY"][0])

        steering = other.node.steering
        assert steering is not None
        await wait_until(lambda: steering._siblings.others()[0].share == 1, deadline(5), "the other one knows")
        assert await first_at_other() == names[1]
        assert (await one.facts.counters())["hls_steered_away_count"] == 1
        one.node.is_draining = False
        await wait_until(lambda: steering._siblings.others()[0].share == 0, deadline(5), "it is well again")
        assert await first_at_other() == names[0]


async def test_a_viewer_whose_player_has_run_dry_is_elsewhere_for_a_while(tmp_path: Path) -> None:
    async with siblings(tmp_path, "-hls_steer_hold_s=30") as (one, other):
        await one.publisher()
        assert (await manifest(one, question(one, "viewer")))["PATHWAY-PRIORITY"][0] == pathway_of(one)
        assert (await post(one, EVENT)).status == 204
        found = await manifest(one, question(one, "viewer"))
        assert found["PATHWAY-PRIORITY"] == [pathway_of(other), pathway_of(one)]
        path = found["RELOAD-URI"].removeprefix(base_of(other))
        assert "&until=" in path
        found = await manifest(other, f"{path}&_HLS_pathway={pathway_of(other)}")
        assert found["PATHWAY-PRIORITY"][0] == pathway_of(other)
        assert (await manifest(one, question(one, "another")))["PATHWAY-PRIORITY"][0] == pathway_of(one)
        # Nobody can stay for longer than that, or come from the past.
        far = await manifest(other, question(one, "another", at=other, until=10**11))
        (until,) = parse_qs(urlsplit(far["RELOAD-URI"]).query)["until"]
        assert int(until) < 10**10
        past = await manifest(other, question(one, "another", at=other, until=1))
        assert past["PATHWAY-PRIORITY"][0] == pathway_of(one) and "until" not in past["RELOAD-URI"]


async def test_a_node_alone_keeps_its_viewers() -> None:
    async with running(LIST) as node:
        node.node.is_draining = True
        found = await manifest_of_alone(node)
        assert found["PATHWAY-PRIORITY"] == [pathway_of(node)] and found["PATHWAY-CLONES"] == []
        assert found["RELOAD-URI"].startswith("?home=")


async def manifest_of_alone(node: RunningNode) -> dict[str, Any]:
    answer = await ask(node, question(node))
    assert answer.status == 200
    return dict(json.loads(answer.body))
