"""A publisher whose sound and picture are put into order of time."""

from __future__ import annotations

from edge.hub.config import HubConfig
from edge.hub.handover import StreamExport, StreamImport
from edge.hub.key import StreamKey
from edge.hub.ordered_publisher import OrderedPublisher
from edge.hub.publisher import Publisher
from edge.hub.registry import Registry
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, DATA, MEDIA, VIDEO
from edge.media.metadata import encode_metadata
from tests.hub.test_stream import AAC, AVC, AVC2

KEY = StreamKey("_", "live", "s")
ON = HubConfig(mix_correct=True)


class World:
    """A hub with one publisher."""

    def __init__(self, config: HubConfig = ON) -> None:
        self.registry = Registry(config, new_id=lambda: "e1", wall_ms=lambda: 0)
        self.publisher = self.registry.claim_publisher(KEY, "a", 0).publisher
        self.stream = self.publisher.stream
        self.now_ms = 0

    def push(self, *messages: tuple[int, int, bytes]) -> None:
        self.publisher.push_all(list(messages), self.now_ms)
        self.publisher.commit()

    @property
    def frames(self) -> list[tuple[int, int]]:
        return frames_of(self.stream)


def frames_of(stream: Stream) -> list[tuple[int, int]]:
    return [(frame.type_id, frame.dts_ms) for frame in stream.queue.frames if frame.kind == MEDIA]


def picture(at_ms: int) -> tuple[int, int, bytes]:
    return VIDEO, at_ms, b"\x17\x01\0\0\0" + b"%d" % at_ms


def sound(at_ms: int) -> tuple[int, int, bytes]:
    return AUDIO, at_ms, b"\xaf\x01%d" % at_ms


def test_pictures_before_their_sound_come_out_in_order() -> None:
    world = World()
    world.push((VIDEO, 0, AVC), (AUDIO, 0, AAC))
    world.push(*map(picture, range(0, 320, 40)))
    assert world.frames == []
    for at_ms in (0, 50, 100):
        world.push(sound(at_ms))
    assert world.frames == [(9, 0), (8, 0), (9, 40), (8, 50), (9, 80), (8, 100)]


def test_off_nothing_waits_and_a_node_of_ours_is_taken_as_it_is() -> None:
    world = World(HubConfig())
    assert type(world.publisher) is Publisher
    world.push(picture(40), sound(0))
    assert [type_id for type_id, _ in world.frames] == [VIDEO, AUDIO]
    assert type(World().registry.claim_publisher(KEY, "b", 0, is_hop=True).publisher) is Publisher


def test_the_end_of_the_publish_brings_all_before_it() -> None:
    world = World()
    world.push(*map(picture, (0, 40, 80)))
    world.registry.release_publisher(world.publisher, 100, "ended")
    assert world.stream.is_ended
    assert world.frames == [(9, 0), (9, 40), (9, 80)]


def test_what_nothing_comes_after_goes_on_after_a_moment() -> None:
    """A slide without sound, which the next one follows in a minute."""
    world = World()
    world.push(picture(0))
    world.publisher.flush_if_quiet(400)
    assert world.frames == []
    world.publisher.flush_if_quiet(600)
    assert world.frames == [(9, 0)]
    assert world.publisher.last_media_ms == 0, "it has sent nothing since"


def test_metadata_and_headers_are_before_what_they_describe() -> None:
    world = World()
    world.push((VIDEO, 0, AVC), (AUDIO, 0, AAC), picture(40))
    world.publisher.push(DATA, 0, encode_metadata({"width": 320.0}), 0)
    world.push((VIDEO, 0, AVC2), picture(80), sound(60), sound(90))
    frames = world.stream.queue.frames
    payloads = [frame.payload for frame in frames]
    assert payloads.index(AVC) < payloads.index(picture(40)[2]) < payloads.index(AVC2)
    assert payloads.index(AVC2) < payloads.index(picture(80)[2])
    assert world.stream.metadata == {"width": 320.0}


def test_one_that_is_muted_comes_back_with_its_frames_in_order() -> None:
    world = World()
    world.push(picture(0), sound(0))
    other = world.registry.claim_publisher(KEY, "b", 5000).publisher
    world.now_ms = 5100
    world.push(picture(5040), picture(5080), sound(5060))
    assert world.publisher.refused_count > 0
    world.registry.release_publisher(other, 9000, "ended")
    world.now_ms = 9100
    world.push(picture(9040), picture(9120), picture(9160), sound(9080), sound(9130))
    assert world.publisher.is_active
    assert [type_id for type_id, _ in world.frames][-4:] == [VIDEO, AUDIO, VIDEO, AUDIO]


def test_one_that_is_muted_is_not_seen_by_what_it_leaves() -> None:
    world = World()
    world.push(picture(0), sound(0))
    other = world.registry.claim_publisher(KEY, "b", 5000).publisher
    world.push(picture(5040), picture(5080))
    world.stream.config = HubConfig(mix_correct=True, publisher_grace_ms=10000)
    world.registry.release_publisher(other, 9000, "ended")
    held = world.stream.queue.end
    world.registry.release_publisher(world.publisher, 9000, "ended")
    assert world.stream.queue.end == held
    assert not world.publisher.is_active


def moved(world: World, config: HubConfig) -> tuple[Stream, Publisher[Stream]]:
    export = StreamExport(world.stream, [world.publisher])
    found = StreamImport(export.document())
    for document in export.frame_documents():
        found.add_frames(document)
    stream = Stream(KEY, config, 0)
    found.resume(stream)
    return stream, found.publishers[0]


def test_what_waits_moves_to_another_process() -> None:
    for config in (ON, HubConfig()):  # the other may have been given other settings
        world = World()
        world.push(sound(0), *map(picture, (0, 40, 80)))
        stream, publisher = moved(world, config)
        assert isinstance(publisher, OrderedPublisher)
        publisher.push_all([sound(50), sound(100)], 100)
        publisher.commit()
        assert frames_of(stream) == [(8, 0), (9, 0), (9, 40), (8, 50), (9, 80)]
        publisher.flush(200)
        assert frames_of(stream)[-1] == (8, 100)


def test_a_header_that_waits_first_is_not_lost_on_the_way_to_another_process() -> None:
    """What it described before has gone on already."""
    world = World()
    world.push((VIDEO, 0, AVC), picture(0), (VIDEO, 0, AVC2), *map(picture, range(40, 360, 40)))
    assert world.publisher.waiting()[0] == (VIDEO, 0, AVC2)
    stream, publisher = moved(world, ON)
    publisher.flush(200)
    assert [frame.payload for frame in stream.queue.frames][:4] == [AVC, picture(0)[2], AVC2, picture(40)[2]]


def test_nothing_is_told_of_what_waits_where_nothing_does() -> None:
    """A program that knows nothing of it is told nothing of it."""
    world = World()
    assert b"waiting" not in StreamExport(world.stream, [world.publisher]).document()
    assert type(moved(World(HubConfig()), HubConfig())[1]) is Publisher
