"""Bills of the plays and publishes of a node, written as they are due (``-dump_stats_interval``)."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Sequence

from edge.hub.key import StreamKey
from edge.logbook.billing import Bill, Bills, Line, segment_lines
from edge.logbook.request_id import RequestIds
from edge.net.aio import wall_ms
from edge.net.lines import Lines
from edge.runtime.passing import HLS_PROTOCOLS, received_bytes
from edge.service.grants import Play, Publish
from edge.service.watch import GrantWatcher

lines = Lines(__name__)

#: Behind the event; RTMP has no word of its own, and HLS is billed by the segment.
_WORDS = {"http-flv": "flv_play", "https-flv": "flv_play", "ws-flv": "flv_play", "wss-flv": "flv_play"} | {
    "http-ts": "ts_play",
    "https-ts": "ts_play",
}
#: For documentation (RFC 5737): nothing is sent there, the kernel only says from where it would be.
_ANYWHERE = ("192.0.2.1", 9)


def own_address(bind: Sequence[str]) -> str:
    """The numeric address that stands for this machine: the first of ``-bind``, or that which the kernel would use."""
    for host in bind:
        address = ipaddress.ip_address(host.strip("[]"))
        if not address.is_unspecified:
            return str(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ANYWHERE)
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


class BillWatcher(GrantWatcher):
    """Opens a bill with each grant, closes it with its end."""

    def __init__(self, bind: Sequence[str], port: int, *, write: Callable[[Line], None] | None = None) -> None:
        """``port`` is that of the flag; ``write`` takes the lines, the log unless given."""
        self._ids = RequestIds(own_address(bind), port, os.getpid())
        self._write = write or _log
        self._bills = Bills(self._new_id, self._write)

    def _new_id(self) -> str:
        return self._ids.new(wall_ms() * 1000)

    def __len__(self) -> int:
        return len(self._bills)

    def tick(self, now_ms: int, interval_ms: int) -> None:
        """Write what is due."""
        self._bills.tick(now_ms, interval_ms)

    # --- plays -----------------------------------------------------------------

    def on_play(self, play: Play) -> None:
        """Its first line comes with its first byte."""
        client = play.client
        if client.protocol in HLS_PROTOCOLS:
            return
        word = _WORDS.get(client.protocol, "play")
        bill = Bill(
            word,
            str(play.key),
            client.peer,
            play.is_internal or client.is_hop,
            lambda: play.served.sent_bytes,
            begins_at_zero=word != "play",
        )
        self._bills.open(play, bill)

    def on_play_paused(self, play: Play) -> None:
        """What comes when it goes on is another request."""
        self._bills.pause(play)

    def on_play_over(self, play: Play) -> None:
        """The sum."""
        self._bills.close(play)

    def on_segment(self, key: StreamKey, peer: str, size_bytes: int, *, is_internal: bool) -> None:
        """A segment of HLS, or a part of one, is answered with."""
        bill = Bill("hls_play", str(key), peer, is_internal, lambda: size_bytes)
        for line in segment_lines(bill, self._new_id(), size_bytes):
            self._write(line)

    # --- publishes -------------------------------------------------------------

    def on_publish(self, publish: Publish) -> None:
        """Its first line comes with its first media."""
        client = publish.client
        meter = _PublishMeter(publish)
        bill = Bill("publish", str(publish.name.key), client.peer, client.is_hop, meter.count, is_received=True)
        self._bills.open(publish, bill)

    def on_publish_over(self, publish: Publish) -> None:
        """The sum."""
        self._bills.close(publish)


class _PublishMeter:
    """Message bodies that a publisher has brought while it was the one that is seen."""

    __slots__ = ("_before", "_count", "_publish")

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._count = 0
        self._before = received_bytes(publish.stream)

    def count(self) -> int:
        now = received_bytes(self._publish.stream)
        if self._publish.publisher.is_active:
            self._count += now - self._before
        self._before = now
        return self._count


def _log(line: Line) -> None:
    text, values = line
    lines.info(text, *values)
