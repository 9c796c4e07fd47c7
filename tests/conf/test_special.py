"""Directives of which several make one value, or one makes several."""

from __future__ import annotations

import pytest

from edge.conf.block import Kind
from tests.conf.test_block import read, said, values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("listen 1935;", {"port": 1935}),
        ("listen 1935 1936 1935;", {"port": 1935, "listen": (1936,)}),
        ("rtmp { listen 1935 1936; }", {"port": 1935, "listen": (1936,)}),
        ("http_server { enabled on; listen 8080; }", {"listen": (8080,)}),
        ("listen 8080; http_server { enabled on; listen 8080; }", {"port": 8080}),
        ("listen [::]:1935 0.0.0.0:1936;", {"port": 1935, "listen": (1936,)}),
        ("listen 10.0.0.1:1935 10.0.0.1:1936;", {"bind": ("10.0.0.1",), "port": 1935, "listen": (1936,)}),
        ("listen [::1]:1935;", {"bind": ("::1",), "port": 1935}),
        ("srs_log_tank console; srs_log_file ./x.log;", {"logtostderr": True}),
        ("srs_log_tank file;", {"log_dir": "./objs"}),
        ("srs_log_file /var/log/srs.log;", {"log_dir": "/var/log"}),
        ("srs_log_file srs.log;", {"log_dir": "."}),
        ("srs_log_level trace;", {"v": 0}),
        ("srs_log_level warn;", {"minloglevel": 1}),
        ("srs_log_level_v2 trace;", {"v": 2}),
        ("pithy_print { play 5; edge 6; }", {"pithy_print_stage": ("play:5", "pull:6")}),
        ("circuit_breaker { }", {"circuit_breaker": True}),
        ("circuit_breaker { enabled off; }", {"circuit_breaker": False}),
        (
            "rtmps { enabled on; listen 443; key k; cert c; }",
            {"https": True, "listen": (443,), "private_key": "k", "certificate": "c"},
        ),
    ],
)
def test_at_the_root(text: str, expected: dict[str, object]) -> None:
    assert values(text, Kind.ROOT) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("min_latency on; mw_latency 100;", {"flush_interval_ms": 0}),
        ("min_latency off; mw_latency 100;", {"flush_interval_ms": 100}),
        ("gop_cache_max_frames 500;", {"max_cached_frames": 500}),
        ("play { gop_cache_max_frames 0; }", {"max_cached_frames": 2147483647}),
        ("publish { mr on; }", {"ingest_tick_ms": 350}),
        ("publish { mr off; mr_latency 400; }", {}),
        ("mr { enabled on; latency 400; }", {"ingest_tick_ms": 400}),
        ("mode local;", {"proxy_to": ""}),
        ("origin a;", {}),
        ("mode remote; origin a;", {"proxy_to": "list://a:1935", "proxy_lb": "rr"}),
        ("mode remote; origin a:1; origin b [::1]:2;", {"proxy_to": "list://a:1,b:1935,[::1]:2", "proxy_lb": "rr"}),
        ("mode remote; origin a; proxy_lb random;", {"proxy_to": "list://a:1935", "proxy_lb": "random"}),
    ],
)
def test_in_a_vhost(text: str, expected: dict[str, object]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "kind", "fault"),
    [
        ("listen 0;", Kind.ROOT, "0 is no port"),
        ("listen 70000;", Kind.ROOT, "70000 is no port"),
        ("listen a:b:1;", Kind.ROOT, "a:b:1 is no port"),
        ("listen 10.0.0.1:1 2;", Kind.ROOT, "ports at different addresses"),
        ("srs_log_tank disk;", Kind.ROOT, "srs_log_tank disk: not one of file, console"),
        ("mode remote;", Kind.VHOST, "mode remote needs an origin"),
        ("mode edge;", Kind.VHOST, "mode edge: not one of local, remote"),
    ],
)
def test_what_is_wrong(text: str, kind: Kind, fault: str) -> None:
    (found,) = said(text, kind)
    assert fault in found


def test_a_vhost_is_enabled_unless_it_says_otherwise() -> None:
    assert [read(text).is_enabled for text in ("", "enabled on;", "enabled off;")] == [True, True, False]


def test_other_mounts_than_those_that_are_served_are_told() -> None:
    for mount in ("[vhost]/[app]/[stream].flv", "/[app]/[stream].ts"):
        assert said(f"http_remux {{ enabled on; mount {mount}; }}") == []
    assert len(said("http_remux { enabled on; mount [vhost]/x.flv; }")) == 1
