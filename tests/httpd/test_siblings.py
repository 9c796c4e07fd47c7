from __future__ import annotations

from pathlib import Path

import pytest

from edge.httpd.siblings import decode_state, encode_state
from naming.base import NamingOptions
from tests.harness.clock import deadline, wait_until
from tests.httpd.siblings import base_of, pathway_of, siblings
from tests.runtime.nodes import running


def test_a_state_and_back() -> None:
    assert decode_state(encode_state("5d5d", 0.25)) == ("5d5d", 0.25)
    assert decode_state(encode_state("5d5d", 1)) == ("5d5d", 1.0)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b"[]", b"null", b"\xff", b"<html>", b'{"id": 1, "share": 0}', b'{"id": "a"}', b"[" * 4000),
        *(b'{"id": "a", "share": 2}', b'{"id": "a", "share": -1}', b'{"id": "a", "share": true}'),
        *(b'{"id": "a", "share": "0"}', b'{"id": "a", "share": NaN}', b'{"id": ["a"], "share": 0}'),
    ],
)
def test_what_is_no_state(body: bytes) -> None:
    assert decode_state(body) is None


async def test_nodes_find_each_other_and_themselves(tmp_path: Path) -> None:
    async with siblings(tmp_path) as (one, other):
        found = one.node.steering
        assert found is not None
        assert found._siblings.own_base() == base_of(one)
        (path,) = found._siblings.others()
        assert (path.id, path.base, path.share) == (pathway_of(other), base_of(other), 0.0)
        other.node.is_draining = True
        await wait_until(lambda: found._siblings.others()[0].share == 1, deadline(5), "it drains")
        counters = await one.facts.counters()
        names = ("hls_sibling_count", "hls_sibling_up_count", "hls_steer_share")
        assert [counters[name] for name in names] == [1, 1, 0]
        assert (await other.facts.counters())["hls_steer_share"] == 1
        assert set((await one.facts.process()).addresses.siblings) == {base_of(one), base_of(other)}


async def test_who_does_not_answer_is_no_place_to_play_from() -> None:
    """Two are there: one is no server at all, the other one that is none of ours."""
    async with running() as stranger:
        dead = "http://127.0.0.1:1"
        urls = f"list://{dead},{base_of(stranger)}"
        async with running(f"-hls_siblings={urls}", "-hls_steer_ttl_s=1") as node:
            await node.get("/health")
            steering = node.node.steering
            assert steering is not None
            known = steering._siblings._siblings
            await wait_until(lambda: all(each.failed_count >= 2 for each in known.values()), deadline(10), "two looks")
            assert len(known) == 2 and steering._siblings.others() == []


async def test_other_settings_of_naming_ask_anew_and_keep_who_is_known(tmp_path: Path) -> None:
    async with siblings(tmp_path) as (one, other):
        steering = one.node.steering
        assert steering is not None
        known = steering.siblings
        assert len(known) == 2
        watching = steering._siblings._watching
        steering.reconfigure(NamingOptions())
        assert steering._siblings._watching is watching, "they are the same"
        steering.reconfigure(NamingOptions(ns_access_interval=1))
        assert steering.siblings == known
        (tmp_path / "siblings").write_text(f"{base_of(other)}\n")
        await wait_until(lambda: steering.siblings == (base_of(other),), deadline(5), "the new list")
        assert watching.cancelled()


async def test_a_load_that_is_too_high_is_told(tmp_path: Path) -> None:
    flags = ("-hls_steer_load_pct=50", "-hls_steer_return_pct=40")
    async with siblings(tmp_path, *flags) as (one, other):
        found = other.node.steering
        assert found is not None
        one.node.lag.mean_lag_ms = 1e6
        await wait_until(lambda: found._siblings.others()[0].share > 0, deadline(10), "the load")
