"""The right to feed a stream."""

from __future__ import annotations

from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import VIDEO, Epoch


def test_only_the_present_publisher_feeds() -> None:
    stream = Stream(StreamKey("_", "live", "s"), HubConfig(), 0)
    first, second = Publisher(stream, "a", 0, query="x=1", hops=("n1",)), Publisher(stream, "b", 0)
    assert not first.is_active
    stream.begin_publish(first, Epoch("e1"), 0)
    first.push(VIDEO, 0, b"\x17\x01x", 50)
    first.commit()
    assert (first.last_media_ms, stream.queue.end) == (50, 1)
    stream.begin_publish(second, Epoch("e2"), 60)
    first.push(VIDEO, 40, b"\x17\x01y", 90)
    first.commit()
    assert not first.is_active
    assert (first.refused_count, first.last_media_ms, stream.queue.end) == (1, 90, 1)
    assert (first.query, first.hops) == ("x=1", ("n1",))
