"""The table of message streams."""

from __future__ import annotations

from edge.rtmp.server_streams import ServerStreams, Use


def test_M4_ids_count_up_and_are_never_used_again() -> None:
    streams = ServerStreams()
    first = streams.create()
    streams.delete(first.message_stream_id)
    assert (first.message_stream_id, streams.create().message_stream_id) == (1, 2)


def test_active_and_idle_streams_are_counted() -> None:
    streams = ServerStreams()
    first, second = streams.create(), streams.create()
    streams.set_use(first, Use.PLAY_ASKED)
    streams.set_use(first, Use.PLAYING)
    streams.set_use(second, Use.PUBLISH_ASKED)
    assert (streams.active_count, streams.idle_count) == (2, 0)
    streams.set_use(first, Use.IDLE)
    streams.delete(second.message_stream_id)
    assert (streams.active_count, streams.idle_count) == (0, 1)


def test_publisher_is_muted_from_its_end_to_the_next_publish() -> None:
    streams = ServerStreams()
    stream = streams.create()
    seen = []
    for use in (
        Use.IDLE,
        Use.PUBLISH_ASKED,
        Use.PUBLISHING,
        Use.IDLE,
        Use.IDLE,
        Use.PUBLISH_ASKED,
        Use.IDLE,
        Use.PLAYING,
    ):
        streams.set_use(stream, use)
        seen.append((stream.is_receiving, stream.is_muted))
    assert seen == [
        (False, False),
        (True, False),
        (True, False),
        (False, True),
        (False, True),
        (True, False),
        (False, True),
        (False, False),
    ]


def test_only_stream_may_be_addressed_as_0_or_1() -> None:
    streams = ServerStreams()
    assert streams.find_for_request(0) is None
    streams.delete(streams.create().message_stream_id)
    stream = streams.create()
    assert streams.find(0) is None
    assert streams.find_for_request(3) is None
    assert streams.find_for_request(1) is stream
    assert streams.find(1) is stream
    assert streams.find(0) is None
    streams.create()
    assert streams.find(1) is None
    assert streams.find_for_request(0) is None


def publishing(streams: ServerStreams) -> int:
    stream = streams.create()
    stream.stream_name = "cam"
    streams.set_use(stream, Use.PUBLISHING)
    return stream.message_stream_id


def test_C22_only_publish_gets_what_can_be_meant_for_no_other() -> None:
    streams = ServerStreams()
    assert streams.only_publish_for(0) is None
    first = publishing(streams)
    playing, unused = streams.create(), streams.create()
    playing.stream_name = "other"
    streams.set_use(playing, Use.PLAYING)
    for wrong_id in (0, playing.message_stream_id, unused.message_stream_id, 99):
        assert streams.only_publish_for(wrong_id) is streams[first]
    streams.set_use(playing, Use.IDLE)
    assert streams.only_publish_for(playing.message_stream_id) is None, "it was used for something"
    streams.delete(unused.message_stream_id)
    assert streams.only_publish_for(unused.message_stream_id) is None, "it has been deleted"
    publishing(streams)
    assert streams.only_publish_for(0) is None, "either may be meant"
