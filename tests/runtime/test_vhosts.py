"""A node with vhosts: what each of them says acts there, and a reload changes what it says, or nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.flags.classes import VHOST
from edge.flags.not_acted_on import NOT_ACTED_ON
from edge.flags.registry import DEFINITIONS
from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.runtime.command_line import read_command_line
from edge.runtime.rules import new_rulebook
from edge.runtime.vhosts import check_vhosts
from edge.service.rules import Rulebook
from tests.net.live import status
from tests.runtime.nodes import running, settings_of

TWO = "queue_length_s 9; vhost a.com { alias *.a.com; queue_length 5; match live/vip* { queue_length 3; } } vhost _ { }"


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return tmp_path / "a.conf"


def write(path: Path, text: str | bytes) -> None:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def remove(path: Path) -> None:
    path.unlink()


def queue(book: Rulebook, vhost: str, name: str = "s") -> int | None:
    rules = book.rules_of(StreamKey(vhost, "live", name))
    return rules.of(HubConfig).queue_length_s if rules is not None else None


def faults(conf: Path, text: str) -> list[str]:
    conf.write_text(text)
    parsed = read_command_line([f"-c={conf}"])
    assert parsed.problems == []
    return [str(each) for each in check_vhosts(parsed)]


def test_settings_become_rules(conf: Path) -> None:
    conf.write_text(TWO)
    book = new_rulebook(settings_of(f"-c={conf}"))
    assert [queue(book, name) for name in ("a.com", "x.a.com", "_", "other")] == [5, 5, 9, 9]
    assert (queue(book, "a.com", "vip1"), queue(book, "_", "vip1")) == (3, 9)
    assert book.vhost_of("x.a.com") == "a.com"


def test_the_default_vhost_is_spelled_as_its_flag_says(conf: Path) -> None:
    conf.write_text("vhost __defaultVhost__ { queue_length 5; }")
    book = new_rulebook(settings_of(f"-c={conf}", "-default_vhost=here"))
    assert (book.vhost_of("other"), queue(book, "other")) == ("here", 5)


def test_without_the_default_vhost_others_are_refused(conf: Path) -> None:
    conf.write_text("vhost a.com { } vhost b.com { enabled off; }")
    book = new_rulebook(settings_of(f"-c={conf}"))
    assert [book.vhost_of(name) for name in ("a.com", "b.com", "c.com")] == ["a.com", None, None]
    conf.write_text("listen 1935;")
    assert not new_rulebook(settings_of(f"-c={conf}")).has_vhosts


def test_later_matches_win(conf: Path) -> None:
    conf.write_text(
        "vhost _ { match **/** { queue_length 4; gop_cache_max_frames 7; } match live/* { queue_length 3; } }"
    )
    book = new_rulebook(settings_of(f"-c={conf}"))
    rules = book.rules_of(StreamKey("_", "live", "s"))
    assert rules is not None
    assert (rules.of(HubConfig).queue_length_s, rules.of(HubConfig).max_cached_frames) == (3, 7)


def test_what_only_the_whole_program_can_know_is_wrong(conf: Path) -> None:
    assert faults(conf, "vhost a { }") == []
    assert faults(conf, "vhost a { proxy_to nowhere://x; }") != []
    (balancer,) = (each for each in faults(conf, "vhost a { proxy_lb best; }") if "unknown" in each)
    assert balancer.startswith(f'{conf}:1: proxy_lb: unknown load balancer "best" (valid: ')
    (template,) = (each for each in faults(conf, "vhost a { match x/y { hls_ts_file a.ts; } }") if "missing" in each)
    assert template.startswith(f"{conf}:1: hls_ts_file: [stream] is missing")
    text = "vhost a { } vhost _ { }"
    conf.write_text(text)
    (same,) = check_vhosts(read_command_line([f"-c={conf}", "-default_vhost=a"]))
    assert "vhost a is the default one by -default_vhost" in str(same)


def test_what_does_not_act_yet_is_told(conf: Path) -> None:
    for name in sorted(NOT_ACTED_ON):
        if DEFINITIONS[name].scope is VHOST and DEFINITIONS[name].kind == "list":
            (line,) = faults(conf, f"vhost a {{ {name} http://127.0.0.1:1/; }}")
            assert line == f"{conf}:1: warning: {name} is accepted, and does nothing yet"


def test_a_name_that_always_means_the_default_vhost_is_told(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Node1")
    for text in ("vhost node1 { }", "vhost a { alias node1; }"):
        (line,) = faults(conf, text)
        assert line.endswith("node1 is this machine, and who asks for it gets the default vhost")
    assert faults(conf, "vhost _ { alias node1; }") == []


def test_two_vhosts_of_one_name_are_no_book(conf: Path) -> None:
    conf.write_text("vhost a { } vhost _ { }")
    with pytest.raises(ConfigError, match="two vhosts a"):
        new_rulebook(settings_of(f"-c={conf}", "-default_vhost=a"))


# --- reload ----------------------------------------------------------------------


def thousand(changed: int = -1) -> str:
    return "".join(
        f"vhost v{number}.com {{ queue_length {number + 1 + 5000 * (number == changed)}; }}\n" for number in range(1000)
    )


async def test_a_reload_of_one_setting_of_one_of_1000_vhosts_leaves_the_others_their_objects(conf: Path) -> None:
    write(conf, thousand())
    async with running(f"-c={conf}") as one:
        book = one.node.rulebook
        keys = [StreamKey(f"v{number}.com", "live", "s") for number in range(1000)]
        before = [book.rules_of(key) for key in keys]
        write(conf, "\n# lines move\n" + thousand(changed=7))
        report = await one.reloader.reload("test")
        after = [book.rules_of(key) for key in keys]
        assert [number for number in range(1000) if before[number] is not after[number]] == [7]
        assert (report.state, report.changed) == ("done", ())
        assert report.vhosts == ("queue_length_s 8 -> 5008 (v7.com)",)
        assert (await one.reloader.reload("test")).state == "unchanged"


async def test_streams_hear_of_what_their_vhost_says_since(conf: Path) -> None:
    write(conf, TWO)
    async with running(f"-c={conf}") as one:
        await one.publisher()
        (stream,) = one.node.units[0].registry.streams.values()
        assert stream.config.queue_length_s == 9
        write(conf, TWO.replace("queue_length_s 9", "queue_length_s 8"))
        report = await one.reloader.reload("test")
        assert (report.changed, report.vhosts) == (("queue_length_s",), ())
        assert stream.config.queue_length_s == 8
        write(conf, TWO.replace("vhost _ { }", "vhost _ { queue_length 7; }"))
        await one.reloader.reload("test")
        assert stream.config.queue_length_s == 7
        # A value of a page is behind what the vhost says.
        status, _ = await one.get("/flags/queue_length_s?setvalue=20")
        assert (status, stream.config.queue_length_s) == (200, 7)
        assert queue(one.node.rulebook, "a.com") == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file or directory"),
        (b"vhost a.com {", "FILE:1: the block of `vhost a.com` is never closed"),
        (b"vhost a.com { queue_length 6; }\nlisten 1935", "FILE:2: missing ';' after `listen 1935`?"),
        (b"vhost a.com { queue_length 6; nosuch 1; }", 'FILE:1: unknown directive "nosuch" in a vhost'),
        (b"vhost a.com { queue_length 6; }\n\xff", "FILE:2: byte 32: not valid UTF-8"),
        (b"vhost a.com { queue_length 6; proxy_to nowhere://a; } vhost b { }", "FILE:1: proxy_to: "),
        (b"vhost a.com { queue_length 6; }\nlisten 1935 TAKEN;", "FILE:2: -listen=TAKEN: Fail to listen"),
        (b"vhost a.com { queue_length 6; alias b.com; } vhost b.com { }", "FILE:1: alias b.com of vhost a.com"),
    ],
)
async def test_VC12_VC15_a_fault_of_the_file_changes_nothing(conf: Path, text: bytes | None, said: str) -> None:
    write(conf, TWO)
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = str(taken.sockets[0].getsockname()[1])
    async with taken, running(f"-c={conf}") as one:
        ports = [listener.port for listener in one.node.listeners]
        if text is None:
            remove(conf)
        else:
            write(conf, text.replace(b"TAKEN", port.encode()))
        report = await one.reloader.reload("test")
        assert report.state == "refused"
        assert said.replace("FILE", str(conf)).replace("TAKEN", port) in report.error
        assert queue(one.node.rulebook, "a.com") == 5
        assert [listener.port for listener in one.node.listeners] == ports
        write(conf, TWO.replace("queue_length 5", "queue_length 6"))
        assert (await one.reloader.reload("test")).vhosts == ("queue_length_s 5 -> 6 (a.com)",)


async def test_VC16_many_requests_are_two_readings_at_most(conf: Path) -> None:
    write(conf, TWO)
    async with running(f"-c={conf}") as one:
        reports = await asyncio.gather(*(one.reloader.reload("test") for _ in range(100)))
        assert len({report.id for report in reports}) <= 2


async def test_ten_thousand_vhosts_are_read_again_while_others_are_served(conf: Path) -> None:
    """In slices, beside the loop: it turns all the while."""
    count = 10_000
    text = "".join(f"vhost v{number}.com {{ queue_length {number % 500 + 1}; }}\n" for number in range(count))
    write(conf, text)
    async with running(f"-c={conf}") as one:
        write(conf, text.replace("queue_length 1;", "queue_length 77777;", 1))
        turns, task = 0, asyncio.ensure_future(one.reloader.reload("test"))
        while not task.done():
            turns += 1
            await asyncio.sleep(0.001)
        assert task.result().vhosts == ("queue_length_s 1 -> 77777 (v0.com)",)
        assert turns > 20
        assert queue(one.node.rulebook, "v9999.com") == 500


async def test_who_may_publish_differs_by_vhost(conf: Path) -> None:
    write(conf, "vhost _ { security { enabled on; deny publish all; } } vhost a.com { }")
    async with running(f"-c={conf}") as one:
        closed = await one.client()
        closed.publish("s")
        assert (await status(closed, "NetStream.Publish.Rejected"))["description"] == "AccessDenied"
        open_ = await one.client()
        open_.publish("s?vhost=a.com")
        await status(open_, "NetStream.Publish.Start")
        assert [key.vhost for key in one.node.units[0].registry.streams] == ["a.com"]
