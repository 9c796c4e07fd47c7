"""Where the CPU of a connect, a message and a send goes, step by step in one process: ``python bench/budget.py``."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

if __package__ in (None, ""):  # started as a script, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.log import StreamLog
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, VIDEO, Epoch
from edge.net.config import NetConfig
from edge.net.context import NetContext
from edge.net.fan.player import Player
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.opening import RtmpOpening
from edge.rtmp.chunk import ChunkReader
from edge.rtmp.chunk_writer import ChunkWriter, encode_message
from edge.rtmp.commands import encode_command
from edge.rtmp.config import RtmpConfig
from edge.rtmp.events import ConnectRequested, PlayRequested, PublishRequested
from edge.rtmp.server import ServerSession

#: A publisher of 500 kbit/s as the load generator makes it, read each 74 ms, as where there are very many.
_SECONDS, _READ_MS = 20, 74
_CHUNK_BYTES = 4096
_CONFIG = RtmpConfig()
Row = tuple[str, float, str]


def cpu_us(action: Callable[[], object], count: int, rounds: int = 5) -> float:
    """CPU time of one of ``count`` units that ``action`` works off, in microseconds; median of the rounds."""
    times = []
    for _ in range(rounds):
        began = time.thread_time_ns()
        action()
        times.append((time.thread_time_ns() - began) / count / 1000)
    return statistics.median(times)


def published() -> tuple[list[bytes], int]:
    """What the reads of one publisher hold, and how many messages that is."""
    chance, writer = random.Random(1), ChunkWriter(_CHUNK_BYTES)
    messages = []
    for n in range(25 * _SECONDS):
        head, size = (b"\x17", 11_000) if n % 50 == 0 else (b"\x27", 1900)
        messages.append((n * 40, VIDEO, head + b"\x01\0\0\0" + chance.randbytes(size)))
    for n in range(43 * _SECONDS):
        messages.append((n * 1000 // 43, AUDIO, b"\xaf\x01" + chance.randbytes(180)))
    reads: dict[int, list[bytes]] = {}
    for at_ms, type_id, body in sorted(messages, key=lambda message: message[0]):
        pieces = writer.pieces({VIDEO: 6, AUDIO: 4}[type_id], type_id, 1, at_ms, body)
        reads.setdefault(at_ms // _READ_MS, []).extend(bytes(piece) for piece in pieces)
    return [b"".join(pieces) for _, pieces in sorted(reads.items())], len(messages)


def new_stream() -> tuple[Stream, Publisher[Stream]]:
    """A stream whose headers have come."""
    stream = Stream(StreamKey("_", "live", "s"), HubConfig(), 0)
    publisher = Publisher(stream, "192.0.2.1:1", 0)
    stream.begin_publish(publisher, Epoch("e"), 0)
    for type_id, body in ((VIDEO, b"\x17\0\0\0\0header"), (AUDIO, b"\xaf\0header")):
        publisher.push(type_id, 0, body, 0)
    return stream, publisher


class _Owner:
    """A connection of a player that is never in trouble."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args: None


def of_messages(context: NetContext) -> Iterator[Row]:
    """Yield the steps from the bytes of a read to the call that sends them, each for one message."""
    reads, count = published()
    runs: list[list[tuple[int, int, bytes]]] = []

    def read_chunks() -> None:
        runs.clear()
        reader = ChunkReader(_CONFIG)
        reader.in_chunk_size, reader.media_of = _CHUNK_BYTES, 1
        for data in reads:
            reader.feed(data, 0, [])
            runs.append(reader.media)
            reader.media = []

    yield "bytes to messages", cpu_us(read_chunks, count), "edge/rtmp/chunk.py"

    def push() -> Stream:
        stream, publisher = new_stream()
        for number, run in enumerate(runs):
            publisher.push_all(run, number * _READ_MS)
        return stream

    yield "messages to frames", cpu_us(push, count), "edge/hub/intake.py"
    stream, form = push(), RtmpForm(60000)
    yield "frames to the log", cpu_us(lambda: StreamLog(stream.queue, form, 0), count), "edge/net/rtmp/form.py"

    def whole(*, is_played: bool) -> None:
        stream, publisher = new_stream()
        if is_played:
            player = Player(_Owner(), len, RtmpOpening.of(stream, form, 1))  # type: ignore[arg-type]
            context.fanout.attach(player, stream, form)
        reader = ChunkReader(_CONFIG)
        reader.in_chunk_size, reader.media_of = _CHUNK_BYTES, 1
        for number, data in enumerate(reads):
            reader.feed(data, 0, [])
            run, reader.media = reader.media, []
            publisher.push_all(run, number * _READ_MS)
            publisher.commit()

    yield "all of it, nobody plays", cpu_us(lambda: whole(is_played=False), count), "with what is let go"
    yield "all of it, one plays", cpu_us(lambda: whole(is_played=True), count), "with the flush, without the kernel"


def of_connects() -> Iterator[Row]:
    """Yield what the session alone takes from the handshake to Play.Start."""

    def command(stream_id: int, *values: object) -> bytes:
        name, number, *rest = values
        body = encode_command(str(name), float(str(number)), *rest)
        return encode_message(3, 20, stream_id, 0, body, 128)

    properties = {"app": "live", "tcUrl": "rtmp://192.0.2.1/live", "flashVer": "LNX 9,0,124,2", "audioCodecs": 4071}
    said = (
        b"\x03" + bytes(1536),
        bytes(1536) + command(0, "connect", 1, properties),
        command(0, "createStream", 2, None),
        command(1, "play", 3, None, "s0", -2000),
    )
    entropy = random.Random(2).randbytes

    def converse(session: ServerSession) -> None:
        for data in said:
            session.receive_data(data, 0)
            while (event := session.next_event()) is not None:
                if isinstance(event, ConnectRequested):
                    session.accept_connect(event.request_id)
                elif isinstance(event, PlayRequested):
                    session.accept_play(event.request_id)
                elif isinstance(event, PublishRequested):
                    raise AssertionError(event)
            session.data_to_send()

    def run() -> None:
        for _ in range(1000):
            converse(ServerSession(_CONFIG, entropy=entropy, now_ms=0))

    yield "session to Play.Start", cpu_us(run, 1000), "edge/rtmp, no socket"


def of_sends() -> Iterator[Row]:
    """Yield what ``send`` takes on the loopback, called from a plain loop; the reader drains beside it."""
    listening = socket.create_server(("127.0.0.1", 0))
    with listening, socket.create_connection(listening.getsockname()) as ours:
        theirs, _ = listening.accept()
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with theirs:
            for size in (1500, 7000):
                data, spent, buffer = bytes(size), 0, bytearray(65536)
                for _ in range(5000):
                    began = time.thread_time_ns()
                    ours.send(data)
                    spent += time.thread_time_ns() - began
                    left = size
                    while left:
                        left -= theirs.recv_into(buffer)
                yield f"send of {size} bytes", spent / 5000 / 1000, "the kernel, nearly all of it"


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table of microseconds; they are those of warm caches, which a server with little to do has not."""
    parser = argparse.ArgumentParser(prog="bench/budget.py", description=__doc__)
    parser.parse_args(argv)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(10_000, 20, 1_000)  # as the daemon does
    loop = asyncio.new_event_loop()
    context = NetContext(loop, NetConfig())
    try:
        print("| step | us of CPU | what |\n| --- | --- | --- |")
        for rows, unit in ((of_messages(context), "message in"), (of_connects(), "connect"), (of_sends(), "call")):
            for name, value, what in rows:
                print(f"| each {unit}: {name} | {value:.2f} | {what} |", flush=True)
    finally:
        context.close()
        loop.close()
        gc.unfreeze()
        gc.set_threshold(*thresholds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
