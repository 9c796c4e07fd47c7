"""Traps of the language, and that nobody steps into them: what the sources do, and what parsers make of odd words."""

from __future__ import annotations

import ast
import asyncio
import re._constants as constants
import re._parser as parser
import resource
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from edge.hls.names import parse_path
from edge.httpd.hls_paths import parse_directives
from edge.httpd.routes import BadTargetError, parse_target
from edge.httpd.screening import _CONTENT_LENGTH, _name_in_host
from edge.media.metadata import number_field
from edge.net.proxy_header import ProxyHeaderError, parse_proxy_header
from edge.rtmp.commands import parse_resume
from edge.service.refusal import Reason, Refusal
from naming.base import NamingError
from naming.endpoint import parse_port
from naming.fetch import Answer
from tests.net.live import eventually, serving
from tests.net.test_listener import Broke
from tests.service.fakes import Door

ROOT = Path(__file__).resolve().parents[2]


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in ("edge", "naming", "lb"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Calls by the last word of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield name, node


async def test_Y1_a_real_lack_of_descriptors_is_met_once_per_pause() -> None:
    """The library's own listener went on thousands of times a second."""
    async with serving() as server:
        listener = server.listener
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        counting = Broke(listener.sock, 0)
        listener.sock = counting  # type: ignore[assignment]
        with socket.socket() as peer:
            spare = socket.socket()
            highest = spare.fileno()
            spare.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, before[1]))
            try:
                peer.connect(("127.0.0.1", server.port))
                await eventually(lambda: listener.accept_paused, "the pause")
                await asyncio.sleep(0.05)
                assert counting.calls == 1
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            await eventually(lambda: server.counters.get("conn_accepted_count"), "accepting again")


def test_Y2_nobody_uses_the_threads_that_the_loop_shares_out() -> None:
    shared = {"run_in_executor", "to_thread", "getaddrinfo", "getnameinfo"}
    found = [
        f"{name}:{node.lineno} {word}"
        for name, tree in sources()
        for word, node in calls(tree)
        if word in shared and isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") != "socket"
    ]
    assert found == []


async def test_Y3_what_a_peer_does_not_take_is_counted_before_more_is_written() -> None:
    async with serving() as server:
        with server.plain() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.sendall(b"\x03")
            await eventually(lambda: server.connections, "the connection")
            (connection,) = server.connections
            sent = 0
            for _ in range(200):
                connection.send(bytes(65536))
                sent += 65536
            assert connection.queued_bytes == sent - connection.sent_bytes > 1 << 20


#: None of these is a number that a peer may write; the language would take most of them, and fail at the longest.
ODD_NUMBERS = ("+5", " 5", "5 ", "1_0", "\uff15", "\u00b2", "\u0665", "0x5", "5.0", "-5", "5e0", "9" * 5000)


def _proxy_port(text: str) -> object:
    return parse_proxy_header(f"PROXY TCP4 192.0.2.1 192.0.2.2 {text} 1\r\n".encode("latin-1", "replace"))


READERS: dict[str, Callable[[str], object]] = {
    "length of a body": _CONTENT_LENGTH.fullmatch,
    "port of a Host": lambda text: _name_in_host(f"h:{text}"),
    "port of a balancer's client": _proxy_port,
    "port of a server": lambda text: parse_port(text, "here"),
    "number of a segment": lambda text: parse_path(f"/live/s-0123456789ab-{text}-0.ts"),
    "blocking playlist": lambda text: parse_directives(f"_HLS_msn={text}"),
}


@pytest.mark.parametrize("odd", ODD_NUMBERS, ids=lambda odd: ascii(odd)[:20])
@pytest.mark.parametrize("reader", READERS)
def test_Y4_numbers_are_ascii_digits_and_not_too_many(reader: str, odd: str) -> None:
    try:
        found = READERS[reader](odd)
    except (ProxyHeaderError, NamingError) as error:
        found = None if "Exceeds the limit" not in str(error) else error
    assert found is None


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf"), 1e300, -1.0, "7", None])
def test_Y5_numbers_of_peers_that_are_none_become_nothing(odd: Any) -> None:
    assert parse_resume({"edgeResume": {"epoch": "0" * 16, "nextIndex": odd}}) is None
    shown = number_field({"framerate": odd}, "framerate")
    assert shown is None or shown == shown


def test_Y6_deep_json_of_a_registry_is_a_bad_answer() -> None:
    for body in (b"[" * 200_000, b'{"a":' * 100_000, b"9" * 100_000):
        with pytest.raises(NamingError):
            Answer(200, {}, body).json()


def _repeats(pattern: Any, *, is_inside: bool = False) -> Iterator[str]:
    """Unbounded repeats within unbounded repeats, of which backtracking makes powers."""
    for operation, argument in pattern:
        if operation in (constants.MAX_REPEAT, constants.MIN_REPEAT):
            is_many = argument[1] == constants.MAXREPEAT
            if is_many and is_inside:
                yield str(argument[2])
            yield from _repeats(argument[2], is_inside=is_inside or is_many)
        elif operation is constants.SUBPATTERN:
            yield from _repeats(argument[3], is_inside=is_inside)
        elif operation is constants.BRANCH:
            for branch in argument[1]:
                yield from _repeats(branch, is_inside=is_inside)


def test_Y6_no_pattern_repeats_what_repeats() -> None:
    # Labels of a name, each of which ends in a dot, and parts of a path, each of which begins with a slash.
    seen, known = 0, {"naming/endpoint.py", "naming/base_urls.py"}
    for name, tree in sources():
        for _, node in calls(tree):
            is_pattern = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "re"
            if not is_pattern or not node.args:
                continue
            text = node.args[0]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                seen += 1
                is_bad = list(_repeats(parser.parse(text.value))) and name not in known
                assert not is_bad, f"{name}:{node.lineno} {text.value}"
    assert seen > 20, "the patterns were not found"
    assert list(_repeats(parser.parse(r"(a+b?)*c"))), "the test sees nothing"


def test_Y9_no_buffer_is_shortened_at_its_front_but_in_lots() -> None:
    known = {
        "edge/hub/log.py",  # lists, when 32 frames or more go
        "edge/hub/track.py",  # a list of keyframes
        "edge/hub/held_frames.py",
        "edge/media/flv.py",  # once per feed, whatever it holds
        "edge/handover/frames.py",  # from a process of ours, some frames in all
    }
    found = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Delete)
        for target in node.targets
        if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice) and target.slice.lower is None
    }
    assert found <= known


#: What Python's own functions make harmless things of, or other things: a tab in a URL, escapes, letters that grow.
ODD_NAMES = ("a\tb", "a\nb", "a%09b", "a%0ab", "a%00b", "a%7fb", "a\x00b")


@pytest.mark.parametrize("odd", ODD_NAMES, ids=ascii)
def test_Y10_names_are_looked_at_after_they_were_decoded(odd: str) -> None:
    door = Door()
    found = door.service.resolve_path("h", f"/live/{unquote(odd)}", "")
    assert isinstance(found, Refusal) and found.reason is Reason.BAD_NAME
    with pytest.raises(BadTargetError):
        parse_target(f"/live/{odd}")
