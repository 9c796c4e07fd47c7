from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from naming.base import NamingError, NamingOptions
from naming.base_urls import RTMP, BaseUrlWatcher, base_url_of, check_base_urls, parse_base_url, parse_base_urls
from naming.node import ServerNode
from tests.harness.clock import deadline, wait_until


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://a", "http://a"),
        ("HTTPS://Edge-1.Example.com:8443/", "https://edge-1.example.com:8443"),
        ("https://cdn.example/live/eu/", "https://cdn.example/live/eu"),
        ("http://[2001:db8::1]:8079", "http://[2001:db8::1]:8079"),
        ("http://10.0.0.1:80/a%20b", "http://10.0.0.1:80/a%20b"),
    ],
)
def test_good_base_urls(text: str, found: str) -> None:
    assert parse_base_url(text) == found


@pytest.mark.parametrize(
    "text",
    [
        *("", "a:80", "ftp://a", "http://", "http://a:0", "http://a:99999", "http://a:b", "http://u:p@a", "http://a?b"),
        *(
            "http://a#b",
            "http://a/?",
            'http://a/"',
            "http://a/<b>",
            "http://a b",
            "http://[1.2.3.4]",
            "http://[::1",
            "//a",
        ),
        *("http://-a", "http://1.2.3", "javascript://a", "http://a/\u00e9", "http://a/\n"),
    ],
)
def test_bad_base_urls(text: str) -> None:
    with pytest.raises(NamingError):
        parse_base_url(text)


def test_base_urls_of_rtmp() -> None:
    assert parse_base_url("RTMP://Edge-1.Example.com:8079/", RTMP) == "rtmp://edge-1.example.com:8079"
    assert parse_base_url("rtmps://a", RTMP) == "rtmps://a"
    for text in ("http://a", "rtmp://a/live", "rtmpt://a"):
        with pytest.raises(NamingError, match=r"expected rtmp\[s\]://host\[:port\]$"):
            parse_base_url(text, RTMP)
    assert base_url_of(ServerNode("10.0.0.1", 1935), RTMP) == "rtmp://10.0.0.1:1935"
    assert base_url_of(ServerNode("10.0.0.1", 443, "2", name="a.example"), RTMP) == "rtmps://a.example"
    check_base_urls("list://rtmp://a,rtmps://b:8443", RTMP)
    with pytest.raises(NamingError):
        check_base_urls("list://http://a", RTMP)


def test_lists_have_comments_and_name_each_once() -> None:
    found, faults = parse_base_urls(["http://a # near", "", "# http://x", "nonsense", "http://b tag", "http://a/"])
    assert found == ["http://a", "http://b"]
    assert len(faults) == 1 and "nonsense" in faults[0]


def test_servers_of_naming_services() -> None:
    assert base_url_of(ServerNode("10.0.0.1", 8079)) == "http://10.0.0.1:8079"
    assert base_url_of(ServerNode("2001:db8::1", 8079, "3")) == "http://[2001:db8::1]:8079"
    assert base_url_of(ServerNode("10.0.0.1", 443, name="a.example")) == "https://a.example"
    assert base_url_of(ServerNode("10.0.0.1", 443, "https://cdn.example/a")) == "https://cdn.example/a"


@pytest.mark.parametrize(
    "text", ["list://http://a,https://b/c", "file:///no/such", "dns://edges:8079", "LIST://http://a"]
)
def test_naming_urls(text: str) -> None:
    check_base_urls(text)


@pytest.mark.parametrize(
    "text", ["http//a", "a:80", "bns://a", "none://a", "list://", "list://a:80", "list://http://a,b", "file://"]
)
def test_bad_naming_urls(text: str) -> None:
    with pytest.raises(NamingError):
        check_base_urls(text)


async def watching(text: str, updates: list[tuple[str, ...]]) -> asyncio.Task[None]:
    async def sleep(_: float) -> None:
        await asyncio.sleep(0.01)

    watcher = BaseUrlWatcher(text, updates.append, options=NamingOptions(), sleep=sleep)
    return asyncio.create_task(watcher.run())


async def test_a_list_and_a_service() -> None:
    for text, found in (
        ("list://http://b,http://a", ("http://a", "http://b")),
        ("dlist://127.0.0.2:81,127.0.0.1:80", ("http://127.0.0.1:80", "http://127.0.0.2:81")),
    ):
        updates: list[tuple[str, ...]] = []
        task = await watching(text, updates)
        await wait_until(lambda seen=updates: seen, deadline(3), text)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert updates == [found]


async def test_a_file_is_read_again_and_an_outage_keeps_the_list(tmp_path: Path) -> None:
    file, updates = tmp_path / "edges", list[tuple[str, ...]]()
    file.write_text("http://a\n# http://x\n")
    task = await watching(f"file://{file}", updates)
    await wait_until(lambda: updates == [("http://a",)], deadline(3), "the first list")
    file.unlink()
    await asyncio.sleep(0.05)
    file.write_text("")
    await asyncio.sleep(0.05)
    assert len(updates) == 1
    file.write_text("http://b\nhttp://a\n")
    await wait_until(lambda: updates[1:] == [("http://a", "http://b")], deadline(3), "the second list")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
