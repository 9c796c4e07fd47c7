"""``edge-why``: what it says of streams, and of nodes that cannot be asked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from edge.tools.why import (
    CANNOT_ASK,
    DOES_NOT,
    PLAYS,
    UNKNOWN,
    CannotAskError,
    Place,
    exit_code,
    main,
    place_of,
    seconds,
)
from tests.harness.ports import free_port
from tests.net.tls_pairs import server_pair
from tests.runtime.nodes import running
from tests.runtime.test_why import fed


@pytest.mark.parametrize(
    ("url", "stream", "port", "wanted"),
    [
        (
            *("rtmp://edge3:8079/live/cam?token=x&vhost=v", "", None),
            Place("edge3", 8079, False, "rtmp://edge3:8079/live/cam?vhost=v"),
        ),
        ("rtmp://edge3/live/cam", "", None, Place("edge3", 1935, False, "rtmp://edge3/live/cam")),
        ("rtmps://edge3/live/cam", "", None, Place("edge3", 443, True, "rtmps://edge3/live/cam")),
        ("rtmps://edge3/live/cam", "", 8080, Place("edge3", 8080, False, "rtmps://edge3/live/cam")),
        ("http://edge3:8079", "live/cam", None, Place("edge3", 8079, False, "live/cam")),
        ("edge3:8079", "live/cam", None, Place("edge3", 8079, False, "live/cam")),
        ("http://[::1]:8079/", "live/cam", 8080, Place("::1", 8080, False, "live/cam")),
    ],
)
def test_where_and_what_is_asked(url: str, stream: str, port: int | None, wanted: Place) -> None:
    assert place_of(url, stream, port) == wanted


@pytest.mark.parametrize("url", ["ftp://edge3/live/cam", "rtmp:///live/cam", "http://edge3:port/x", "http://[::1/x"])
def test_urls_that_name_no_node(url: str) -> None:
    with pytest.raises(CannotAskError):
        place_of(url, "live/cam", None)


@pytest.mark.parametrize(
    ("stream", "address", "code"),
    [
        ({"plays": True}, None, PLAYS),
        ({"plays": False}, None, DOES_NOT),
        ({"plays": False, "state": "does_not_play"}, None, DOES_NOT),
        ({"plays": False, "state": "not_known"}, None, UNKNOWN),
        ({"plays": True}, {"causes": [1]}, PLAYS),
        (None, {"causes": [1]}, DOES_NOT),
        (None, {"causes": []}, PLAYS),
    ],
)
def test_exit_code(stream: dict[str, bool | str] | None, address: dict[str, list[int]] | None, code: int) -> None:
    assert exit_code({"about_stream": stream, "about_address": address}) == code


async def edge_why(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run it; returns the exit code and what it printed."""
    code = await asyncio.to_thread(main, arguments)
    shown = capsys.readouterr()
    return code, shown.out + shown.err


async def test_stream_that_plays_and_one_that_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    async with running() as one:
        async with fed(one, "cam"):
            code, said = await edge_why(capsys, f"rtmp://127.0.0.1:{one.port()}/live/cam")
            assert code == PLAYS and said.startswith("_/live/cam: it plays (H264, AAC)")
            code, said = await edge_why(capsys, f"http://127.0.0.1:{one.port()}", "live/cm")
            assert code == DOES_NOT and "there is _/live/cam" in said and "-> Start the encoder" in said
        code, said = await edge_why(capsys, f"127.0.0.1:{one.port()}", "--address=10.0.0.9", "--json")
        assert code == PLAYS and '"nothing is known of this address"' in said


async def test_page_that_is_hidden_says_which_port_is_to_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    async with running(f"-internal_port={free_port()}") as one:
        url = f"rtmp://127.0.0.1:{one.port()}/live/cam"
        code, said = await edge_why(capsys, url)
        assert code == CANNOT_ASK and "ask the internal port" in said
        code, said = await edge_why(capsys, url, f"--port={one.port('internal')}")
        assert code == DOES_NOT and "nobody publishes it here" in said


def test_nothing_to_ask_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["http://127.0.0.1:1"])
    assert ended.value.code == CANNOT_ASK and "name a stream" in capsys.readouterr().err


# --- nodes that cannot be asked -----------------------------------------------------------

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A program that is no edge."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def says(data: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(data)
            await writer.drain()
        writer.close()

    return serve


def answers(status: str, body: bytes) -> Serve:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return says(head.encode() + body)


async def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = await edge_why(capsys, f"rtmp://127.0.0.1:{free_port()}/live/cam")
    assert code == CANNOT_ASK and "connection refused" in said and "a port that was taken" in said


async def test_fresh_edge_does_not_say_that_nobody_publishes_what_its_origin_has_live(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with running() as origin, fed(origin, "cam"), running(f"-proxy_to=127.0.0.1:{origin.port()}") as edge:
        url = f"rtmp://127.0.0.1:{edge.port()}/live/cam"
        code, said = await edge_why(capsys, url)
        assert code == UNKNOWN and "encoder" not in said and "nobody" not in said
        text = "not known: this edge has not asked its upstream for it yet; play it once, or ask the origin"
        assert said.startswith(f"_/live/cam: {text}\n")
        code, said = await edge_why(capsys, url, "--json")
        assert code == UNKNOWN and '"state": "not_known"' in said
        code, said = await edge_why(capsys, f"http://127.0.0.1:{origin.port()}", "live/other")
        assert code == DOES_NOT and "it does not play: nobody publishes it here" in said


def test_help_names_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert all(f"{code}: " in said for code in (PLAYS, DOES_NOT, CANNOT_ASK, UNKNOWN))


async def test_host_that_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = await edge_why(capsys, "rtmp://no-such-host.invalid/live/cam")
    assert code == CANNOT_ASK and "the name of the host is not known" in said


async def test_node_that_hangs(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as sock:  # accepted by the kernel, and by nobody else
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        url = f"rtmp://127.0.0.1:{sock.getsockname()[1]}/live/cam"
        code, said = await edge_why(capsys, url, "--timeout=0.2")
    assert code == CANNOT_ASK and "no answer in 0.2 s" in said


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "does not speak HTTP"),
        (says(b""), "does not speak HTTP"),
        (answers("200 OK", b"<html>welcome</html>"), "not as an edge does"),
        (answers("200 OK", b"[]"), "not as an edge does"),
        (answers("404 Not Found", b"no"), "it answers 404"),
        (answers("503 Service Unavailable", b"not loaded"), "does not serve pages now"),
    ],
)
async def test_another_program_has_the_port(serve: Serve, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with listening(serve) as port:
        code, said = await edge_why(capsys, f"rtmp://127.0.0.1:{port}/live/cam")
    assert code == CANNOT_ASK and words in said


async def test_tls_that_is_not_believed_or_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    pair = server_pair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    async with listening(answers("404 Not Found", b"no"), context) as port:
        code, said = await edge_why(capsys, f"rtmps://127.0.0.1:{port}/live/cam")
        assert code == CANNOT_ASK and "its certificate is not believed" in said
        code, said = await edge_why(capsys, f"rtmps://127.0.0.1:{port}/live/cam", "--insecure")
        assert code == CANNOT_ASK and "it answers 404" in said
    async with listening(says(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        code, said = await edge_why(capsys, f"https://127.0.0.1:{port}", "live/cam", "--timeout=2")
        assert code == CANNOT_ASK


@pytest.mark.parametrize(
    "body",
    [
        *(b'{"about_stream": 5, "about_address": null}', b'{"about_stream": {}, "about_address": null}'),
        *(b'{"about_stream": null, "about_address": []}', b'{"about_stream": null}', b"[" * 100_000),
    ],
)
async def test_answer_that_makes_no_sense_is_said_to_be_so(body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    async with listening(answers("200 OK", body)) as port:
        code, said = await edge_why(capsys, f"http://127.0.0.1:{port}", "live/cam")
    assert code == CANNOT_ASK and said.startswith("edge-why: 127.0.0.1:") and "Traceback" not in said


async def test_node_whose_answer_trickles(capsys: pytest.CaptureFixture[str]) -> None:
    is_over = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.1)
        writer.close()
        is_over.set()

    async with listening(trickle) as port:
        code, said = await edge_why(capsys, f"http://127.0.0.1:{port}", "live/cam", "--timeout", "0.5")
        async with asyncio.timeout(5):
            await is_over.wait()
    assert code == CANNOT_ASK and "no answer in 0.5 s" in said


@pytest.mark.parametrize("url", ["http://a..b", f"http://{'x' * 300}"])
async def test_what_can_be_no_host(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = await edge_why(capsys, url, "live/cam")
    assert code == CANNOT_ASK and "no name of a host" in said


@pytest.mark.parametrize("text", ["-1", "0", "nan", "inf", "x"])
def test_what_is_no_time_to_wait(text: str) -> None:
    with pytest.raises(ValueError):
        seconds(text)
