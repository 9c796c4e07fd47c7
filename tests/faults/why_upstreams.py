"""Faults of the servers up the way, of the lines to them, of TLS and of naming services."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

from edge.service.refusal import Reason
from edge.service.request import PublishRequest
from naming.url import parse_address
from tests.faults.why_clients import pictures
from tests.faults.why_publishers import No, rule
from tests.faults.why_rows import fault
from tests.harness.chain import Chain
from tests.harness.fault_proxy import FaultProxy
from tests.harness.foreign import ForeignServer, status
from tests.harness.ports import free_port
from tests.harness.wire import RtmpPeer
from tests.net.live import eventually
from tests.net.tls_pairs import authority, server_pair

# --- the next server --------------------------------------------------------------------


@fault("takes no connection", "Connection refused")
async def middle_is_down(chain: Chain) -> None:
    await chain.relays["middle"].refuse()
    await chain.player()


@fault("takes no connection", "Connection refused", "node 2")
async def origin_is_down(chain: Chain) -> None:
    await chain.relays["origin"].refuse()
    await chain.player()


@fault("does not answer", "node 2")
async def origin_is_a_black_hole(chain: Chain) -> None:
    chain.relays["origin"].mode = "black_hole"
    await chain.player()


@fault("does not answer")
async def middle_is_a_black_hole(chain: Chain) -> None:
    chain.relays["middle"].mode = "black_hole"
    await chain.player()


@fault("has closed the connection", "node 2")
async def origin_resets_connections(chain: Chain) -> None:
    chain.relays["origin"].mode = "reset"
    await chain.player()


async def served_by(chain: Chain, says: bytes, *, is_closing: bool = False) -> int:
    """A port where a program answers so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(1)
            writer.write(says)
            await writer.drain()
            if not is_closing:
                await reader.read()
        except OSError:
            pass
        finally:
            writer.close()

    server = await chain.enter(await asyncio.start_server(serve, "127.0.0.1", 0))
    return int(server.sockets[0].getsockname()[1])


@fault("speaks something else", "HTTP", is_started=False)
async def upstream_is_a_web_server(chain: Chain) -> None:
    port = await served_by(chain, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" + bytes(4000))
    chain.targets["middle"] = f"127.0.0.1:{port}"
    await chain.start()
    await chain.player()


@fault("speaks something else", is_started=False)
async def upstream_speaks_nothing_known(chain: Chain) -> None:
    port = await served_by(chain, b"SSH-2.0-OpenSSH_9.2\r\n" * 200)
    chain.targets["middle"] = f"127.0.0.1:{port}"
    await chain.start()
    await chain.player()


@fault("has closed the connection", is_started=False)
async def upstream_hangs_up(chain: Chain) -> None:
    port = await served_by(chain, b"", is_closing=True)
    chain.targets["middle"] = f"127.0.0.1:{port}"
    await chain.start()
    await chain.player()


async def foreign(chain: Chain, code: str = "", *, level: str = "error") -> None:
    """A server of another make behind the middle, that answers a play so, or not at all."""

    async def on_play(peer: RtmpPeer) -> None:
        if code:
            status(peer, code, level=level)
        await asyncio.Event().wait()

    server = await chain.enter(ForeignServer(on_play))
    chain.targets["middle"] = f"127.0.0.1:{server.port}"
    await chain.start()
    await chain.player()


@fault("does not have the stream", is_started=False)
async def foreign_server_has_no_such_stream(chain: Chain) -> None:
    await foreign(chain, "NetStream.Play.StreamNotFound")


@fault("refuses", "NetStream.Play.Failed", is_started=False)
async def foreign_server_refuses(chain: Chain) -> None:
    await foreign(chain, "NetStream.Play.Failed")


@fault("has sent nothing yet", is_started=False)
async def foreign_server_sends_nothing(chain: Chain) -> None:
    await foreign(chain, "NetStream.Play.Start", level="status")


@fault("does not answer", is_started=False)
async def foreign_server_does_not_answer_a_play(chain: Chain) -> None:
    await foreign(chain)


@fault("fetch the stream from each other", is_started=False)
async def nodes_in_a_ring(chain: Chain) -> None:
    port = free_port()
    chain.flags["far"] = (f"-port={port}",)
    chain.targets["origin"] = f"127.0.0.1:{port}"
    await chain.start()
    await chain.player()


@fault("being stopped", "node 3")
async def origin_is_stopping(chain: Chain) -> None:
    await chain.publisher()
    await chain.player()
    await chain.runs()
    chain.nodes["origin"].node.units[0].service.is_draining = True


@fault("does not have the stream", middle="-nopull_wait_for_stream")
async def nobody_waits(chain: Chain) -> None:
    await chain.player()


# --- lines ------------------------------------------------------------------------------


@fault("has not answered in", "node 2")
async def line_to_the_origin_falls_silent(chain: Chain) -> None:
    await chain.publisher()
    await chain.player()
    await chain.runs()
    for way in (chain.relays["origin"].up, chain.relays["origin"].down):
        way.is_flowing.clear()


@fault("has not answered in")
async def line_to_the_middle_falls_silent(chain: Chain) -> None:
    await chain.publisher()
    await chain.player()
    await chain.runs()
    for way in (chain.relays["middle"].up, chain.relays["middle"].down):
        way.is_flowing.clear()


@fault("has closed the connection", "node 2")
async def line_to_the_origin_is_cut_again_and_again(chain: Chain) -> None:
    chain.relays["origin"].down.cut_after_bytes = 3500
    await chain.publisher()
    await chain.player()


@fault("has closed the connection")
async def line_is_cut_and_nobody_listens_any_more(chain: Chain) -> None:
    await chain.publisher()
    await chain.player()
    await chain.runs()
    chain.relays["middle"].mode = "reset"
    await chain.relays["middle"].reset_all()


@fault("of the speed at which they are shown", "node 2")
async def line_to_the_origin_is_slow(chain: Chain) -> None:
    chain.relays["origin"].down.rate_bps = 400_000
    chain.relays["origin"].down.slice_bytes = 4000
    client = await chain.publisher()
    await chain.player()
    chain.keep(pictures(client, size=5000))


@fault("takes it too slowly")
async def line_of_a_push_is_slow(chain: Chain) -> None:
    relay = chain.relays["origin"]
    relay.up.rate_bps, relay.up.slice_bytes = 200_000, 4000
    client = await chain.publisher(at="middle")
    await chain.player()
    chain.keep(pictures(client, size=40_000))


@fault("push", "takes no connection")
async def push_reaches_nobody(chain: Chain) -> None:
    await chain.relays["origin"].refuse()
    await chain.publisher(at="middle")
    await chain.player()


@fault("a publish was refused", "not on this server")
async def push_is_refused(chain: Chain) -> None:
    rule(chain, "origin", No(PublishRequest, "not on this server", Reason.FORBIDDEN))
    await chain.publisher(at="middle")
    await chain.player()


@fault("another publisher came")
async def push_is_replaced_by_a_younger_publish(chain: Chain) -> None:
    chain.keep(pictures(await chain.publisher(at="middle")))
    await chain.player()
    await chain.runs()
    await asyncio.sleep(1.1)  # -republish_min_interval_ms
    chain.keep(pictures(await chain.publisher()))


# --- TLS ----------------------------------------------------------------------------------


async def behind_tls(chain: Chain, name: str = "", *, start: str = "", end: str = "", believes: bool = True) -> None:
    """The middle asks over TLS a relay that shows a certificate of this kind."""
    pair = server_pair()
    if start:
        pair = authority().sign_between(f"dated-{start}", start, end)
    elif name:
        pair = authority().sign(f"named-{name}", f"DNS:{name}")
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(pair.cert, pair.key)
    relay = await chain.enter(FaultProxy(1, tls=shown))
    chain.targets["middle"] = f"rtmps://127.0.0.1:{relay.port}"
    if believes:
        chain.flags["middle"] = (f"-upstream_ca_file={authority().ca_file}",)
    await chain.start()
    relay.retarget(chain.port("origin"))
    await chain.player()


@fault("unknown CA", is_started=False)
async def certificate_of_an_unknown_authority(chain: Chain) -> None:
    await behind_tls(chain, believes=False)


@fault("certificate is for other.example", is_started=False)
async def certificate_of_another_name(chain: Chain) -> None:
    await behind_tls(chain, "other.example")


@fault("certificate expired on 2021", is_started=False)
async def certificate_has_expired(chain: Chain) -> None:
    await behind_tls(chain, start="20200101000000Z", end="20210101000000Z")


@fault("not valid before 2090", is_started=False)
async def clock_is_behind_the_certificate(chain: Chain) -> None:
    await behind_tls(chain, start="20900101000000Z", end="20910101000000Z")


@fault("does not speak TLS", is_started=False)
async def plain_server_is_asked_over_tls(chain: Chain) -> None:
    port = free_port()
    chain.flags["origin"] = (f"-port={port}",)
    chain.targets["middle"] = f"rtmps://127.0.0.1:{port}"
    await chain.start()
    await chain.player()


@fault("no end of the handshake", is_started=False)
async def black_hole_is_asked_over_tls(chain: Chain) -> None:
    port = await served_by(chain, b"")
    chain.targets["middle"] = f"rtmps://127.0.0.1:{port}"
    await chain.start()
    await chain.player()


# --- naming -------------------------------------------------------------------------------


def list_file(chain: Chain, text: str) -> Path:
    folder = Path(chain.folder())
    path = folder / "servers"
    path.write_text(text)
    return path


@fault("gives no answer", "node 2", is_started=False)
async def list_of_servers_is_missing(chain: Chain) -> None:
    path = list_file(chain, "")
    path.unlink()
    chain.targets["middle"] = f"file://{path}"
    await chain.start()
    await chain.player()


@fault("names no server that may be used", "node 2", is_started=False)
async def list_of_servers_is_empty(chain: Chain) -> None:
    chain.targets["middle"] = f"file://{list_file(chain, '')}"
    await chain.start()
    await chain.player()


@fault("gives no answer", "node 2", is_started=False)
async def registry_is_down(chain: Chain) -> None:
    chain.targets["middle"] = f"remotefile://127.0.0.1:{free_port()}/servers"
    await chain.start()
    await chain.player()


@fault("gives no answer", is_started=False)
async def host_name_is_unknown(chain: Chain) -> None:
    chain.targets["far"] = "no-such-host.invalid:1935"
    await chain.start()
    await chain.player()


@fault("gives no answer any more", "known before are used", is_started=False)
async def registry_went_down_and_the_server_too(chain: Chain) -> None:
    port, answers = 0, [b"127.0.0.1:%d\n" % free_port()]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            body = answers.pop() if answers else b""
            if body:
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
                writer.write(head + body)
                await writer.drain()
        writer.close()

    server = await chain.enter(await asyncio.start_server(serve, "127.0.0.1", 0))
    port = server.sockets[0].getsockname()[1]
    chain.targets["middle"] = f"remotefile://127.0.0.1:{port}/servers"
    chain.flags["middle"] = ("-ns_access_interval=1",)
    await chain.start()
    await chain.player()
    upstream = chain.nodes["middle"].node.units[0].upstream
    assert upstream is not None and parse_address(chain.targets["middle"])
    (target,) = upstream.targets
    await eventually(lambda: target.naming()["state"] == "kept in outage", "the outage", 6)


@fault("takes no connection", "node 2", is_started=False)
async def all_servers_of_a_list_are_down(chain: Chain) -> None:
    chain.targets["middle"] = f"list://127.0.0.1:{free_port()},127.0.0.1:{free_port()}"
    chain.flags["middle"] = ("-proxy_lb=rr",)
    await chain.start()
    await chain.player()
