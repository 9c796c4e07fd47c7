"""Which headers are in force where: codecs that come and go, tracks, publishes, and what is repeated."""

from __future__ import annotations

from edge.hub.headers import MAX_HEADERS, HeaderHistory
from edge.media.frame import AUDIO, AUDIO_HEADER, DATA, METADATA, VIDEO, VIDEO_HEADER, Epoch, Frame

AVC, HEVC, AAC = b"\x17\x00avc", b"\x90hvc1hevc", b"\xaf\x00aac"
PICTURE, HEVC_PICTURE, H263, SOUND, G711 = b"\x17\x01", b"\x91hvc1", b"\x22", b"\xaf\x01", b"\x82"


class Row:
    """A queue of messages of which only the headers and the order count."""

    def __init__(self, *bodies: bytes, published_bytes: int = 10**9) -> None:
        self.headers = HeaderHistory()
        self.count = 0
        self.published_bytes = published_bytes
        self.repeated: list[bytes] = []
        self.push(*bodies)

    def push(self, *bodies: bytes) -> None:
        for body in bodies:
            frame = self.frame(body)
            if frame.kind:
                self.headers.push(frame, self.count, 0)
            else:
                for repeat in self.repeats(frame):
                    self.repeated.append(repeat.payload)
                    self.headers.push(repeat, self.count, 0)
                    self.count += 1
            self.count += 1

    def repeats(self, frame: Frame) -> list[Frame]:
        """Note a frame; as the queue does, with or without a close look."""
        track = self.headers.usual[frame.type_id].get(frame.payload[:1])
        if track is None:
            return self.headers.repeats(frame, self.count, self.published_bytes)
        track.last_seq = self.count
        return []

    def frame(self, body: bytes) -> Frame:
        if body[0] == 2:
            return Frame(DATA, 0, body, METADATA)
        if body[0] in (0x17, 0x27) or (body[0] & 0x80 and body[1:5] in (b"hvc1", b"av01")):
            is_header = body[:2] == b"\x17\x00" or body[0] == 0x90
            return Frame(VIDEO, 0, body, VIDEO_HEADER if is_header else 0)
        if body[0] == 0x96:
            return Frame(VIDEO, 0, body, VIDEO_HEADER if body[1] & 15 == 0 else 0)
        if body in (H263,):
            return Frame(VIDEO, 0, body)
        is_header = body[:2] == b"\xaf\x00" or body[0] in (0x90, 0x94)
        return Frame(AUDIO, 0, body, AUDIO_HEADER if is_header else 0)

    def at(self, seq: int | None = None) -> list[bytes]:
        return [frame.payload for frame in self.headers.at(self.count if seq is None else seq)]


def test_order_is_metadata_video_audio() -> None:
    assert Row(AAC, AVC, b"\x02m").at() == [b"\x02m", AVC, AAC]


def test_header_of_another_codec_is_out_of_force_from_its_last_use_on() -> None:
    row = Row(AVC, AAC, PICTURE, SOUND, PICTURE, G711)
    assert [AAC in row.at(seq) for seq in range(1, 7)] == [False, True, True, False, False, False]
    assert row.at() == [AVC]


def test_silent_track_keeps_its_header() -> None:
    assert Row(AVC, AAC, PICTURE, *[SOUND] * 1000).at() == [AVC, AAC]


def test_header_alone_announces_its_codec() -> None:
    assert Row(AVC, PICTURE, HEVC).at() == [HEVC]


def test_codec_that_is_back_is_repeated_once() -> None:
    row = Row(AVC, PICTURE, H263, H263, PICTURE, PICTURE)
    assert (row.repeated, row.at()) == ([AVC], [AVC])
    row.push(HEVC, HEVC_PICTURE, PICTURE, HEVC_PICTURE)
    assert row.repeated == [AVC, AVC, HEVC]


def test_repeat_stands_with_the_frame_that_needs_it() -> None:
    row = Row(AVC, PICTURE, H263)
    picture = Frame(VIDEO, 4000, PICTURE)
    picture.epoch = Epoch("e1")
    (repeat,) = row.repeats(picture)
    assert (repeat.dts_ms, repeat.epoch, repeat.kind) == (4000, picture.epoch, VIDEO_HEADER)


def test_repeats_take_no_more_than_what_is_published() -> None:
    """A publisher that changes its codec with each tiny frame must not have us send a large header each time."""
    large = AVC + bytes(60_000)
    row = Row(large, published_bytes=60_000)
    for _ in range(100):
        row.push(H263, PICTURE)
    assert row.repeated == [large]
    row.published_bytes = 200_000
    row.push(PICTURE)
    assert (row.repeated, row.at()) == ([large, large], [large])


def test_commands_are_of_no_codec() -> None:
    row = Row(AVC, PICTURE)
    assert row.repeats(Frame(VIDEO, 0, b"\x52\x00")) == []
    assert row.at() == [AVC]


def test_places_of_the_channels_go_with_their_codec() -> None:
    opus, places, frame = b"\x90Opushead", b"\x94Opus\x01\x02", b"\x91Opus"
    row = Row(opus, places, frame, G711)
    assert row.at() == []
    row.push(frame)
    assert (row.repeated, row.at()) == ([opus, places], [opus, places])


def many(*tracks: int, text: bytes = b"") -> bytes:
    """One message with the headers of several tracks."""
    return b"\x96\x10hvc1" + b"".join(bytes([track, 0, 0, len(text)]) + text for track in tracks)


def one(track: int, *, fourcc: bytes = b"hvc1", packet_type: int = 0) -> bytes:
    return b"\x96" + bytes([packet_type]) + fourcc + bytes([track]) + b"x"


def test_header_of_several_tracks_holds_for_those_that_have_no_newer_one() -> None:
    row = Row(many(1, 2), one(2))
    assert row.at() == [many(1, 2), one(2)]
    row.push(one(1))
    assert row.at() == [one(2), one(1)]
    row.push(many(1, 2, text=b"new"))
    assert row.at() == [many(1, 2, text=b"new")]
    assert not row.headers.confirm(row.frame(many(1, 2)))


def test_header_of_several_tracks_is_withheld_when_all_have_changed() -> None:
    row = Row(many(1, 2), one(1, packet_type=1), one(2, packet_type=1), one(1, fourcc=b"av01", packet_type=1))
    assert row.at() == [many(1, 2)]
    row.push(one(2, fourcc=b"av01", packet_type=1))
    assert row.at() == []
    row.push(one(2, packet_type=1))
    assert (row.repeated, row.at()) == ([many(1, 2)], [many(1, 2)])


def test_of_the_publish_before_only_what_is_confirmed_stays() -> None:
    row = Row(b"\x02m", AVC, AAC, PICTURE, SOUND)
    row.headers.begin_publish()
    assert row.at() == [b"\x02m", AVC, AAC], "nothing of the new one has come yet"
    assert row.headers.slots() == set()
    assert row.headers.confirm(row.frame(AAC))
    assert not row.headers.confirm(row.frame(AVC + b"2"))
    row.headers.end_former(row.count)
    assert row.at() == [AAC]
    row.push(SOUND, PICTURE)
    assert (row.repeated, row.at()) == ([], [AAC]), "what is over is forgotten, not withheld"


def test_withheld_header_is_no_part_of_the_next_publish_and_is_not_confirmed() -> None:
    row = Row(AAC, SOUND, G711)
    row.headers.begin_publish()
    assert not row.headers.confirm(row.frame(AAC))
    row.headers.end_former(row.count)
    row.push(SOUND)
    assert (row.repeated, row.at()) == ([], [])


def test_what_was_known_at_a_frame_does_not_change_with_what_comes_later() -> None:
    """A header of which no frame came is gone for players as soon as it is replaced; segments had it by then."""
    row = Row(AVC, AAC, PICTURE, SOUND)
    seen: list[tuple[int, list[bytes]]] = []
    for body in (AAC + b"x", PICTURE, AAC, PICTURE, HEVC, HEVC_PICTURE, PICTURE):
        row.push(body)
        seen.append((row.count - 1, [frame.payload for frame in row.headers.known_at(row.count - 1)]))
    assert seen[1][1] == [AVC, AAC + b"x"] and row.at(seen[1][0]) == [AVC]
    for seq, known in seen:
        assert [frame.payload for frame in row.headers.known_at(seq)] == known


def test_between_two_places() -> None:
    row = Row(AVC, AAC, PICTURE, SOUND, AVC + b"2", PICTURE, G711, SOUND)

    def between(after: int, seq: int) -> list[bytes]:
        return [frame.payload for frame in row.headers.between(after, seq)]

    assert between(2, 4) == []
    assert between(2, 5) == [AVC + b"2"]
    assert between(0, 2) == [AVC, AAC]
    assert between(5, row.count) == [AAC], "repeated on the way"


def test_lowest_track_counts_for_people() -> None:
    row = Row(one(3), one(1), AVC, b"\x94Opus\x01\x02")
    current = row.headers.current(VIDEO_HEADER)
    assert current is not None and current.payload == AVC
    assert row.headers.current(METADATA) is None


def test_memory_is_bounded() -> None:
    row = Row()
    for n in range(2000):
        row.headers.push(Frame(VIDEO, 0, b"\x90" + n.to_bytes(4, "big"), VIDEO_HEADER), row.count, row.count - 5)
        row.count += 1
        row.push(AAC + b"%d" % n)
    assert len(row.headers._known) <= MAX_HEADERS
    row = Row()
    for n in range(2000):
        row.headers.push(Frame(VIDEO, 0, AVC + b"%d" % n, VIDEO_HEADER), n, n - 5)
    assert len(row.headers._headers) < 6 * MAX_HEADERS
    assert [frame.payload for frame in row.headers.at(2000)] == [AVC + b"1999"]
