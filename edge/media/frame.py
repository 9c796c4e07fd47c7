"""Frames: what a publisher's messages become, and what they are.

A frame is one audio, video or data message body with its place on the
stream's clock. Nothing here decodes media: the first bytes of the body tell
whether it is a keyframe or a sequence header, for the classic codecs
(FLV 10.1 §E.4.2, §E.4.3) and for Enhanced RTMP (E-RTMP v1 and v2), whose
unknown FourCCs are relayed as they are.
"""

from __future__ import annotations

AUDIO = 8
VIDEO = 9
DATA = 18

TRACK_BIT = {AUDIO: 1, VIDEO: 2, DATA: 4}
ALL_TRACKS = 7

#: What a frame is for, in the order in which a new player gets the headers.
MEDIA = 0
METADATA = 1
VIDEO_HEADER = 2
AUDIO_HEADER = 3

_AAC = 10
_EX_AUDIO = 9
_CODECS_WITH_HEADER = frozenset({7, 12, 13})

_COMMAND_FRAME = 5
_AVC_END_OF_SEQUENCE = 2

_PACKET_SEQUENCE_START = 0
_CODED_FRAMES = (1, 3)
_PACKET_MPEG2TS_SEQUENCE_START = 5
_VIDEO_PACKET_MULTITRACK = 6
_AUDIO_PACKET_MULTICHANNEL_CONFIG = 4
_AUDIO_PACKET_MULTITRACK = 5
_PACKET_MOD_EX = 7
_VIDEO_PACKET_METADATA = 4
_AUDIO_HEADER_PACKETS = (_PACKET_SEQUENCE_START, _AUDIO_PACKET_MULTICHANNEL_CONFIG)

_ONE_TRACK = 0
_MANY_TRACKS_MANY_CODECS = 2
#: Reading them takes time, and a body may hold millions: what is beyond these is not looked at.
_MAX_TRACKS_OF_MESSAGE = 32
_MAX_MOD_EX = 32
#: Sound that is seconds behind the pictures is in step again after fewer frames.
_MAX_MOVED = 4096

#: Classic codecs that Enhanced RTMP names too: a publisher may change the form and keep the codec.
_FOURCCS = {
    (VIDEO, 7): b"avc1",
    (VIDEO, 12): b"hvc1",
    (VIDEO, 13): b"av01",
    (AUDIO, 2): b".mp3",
    (AUDIO, 10): b"mp4a",
    (AUDIO, 14): b".mp3",
}

#: First bytes of media that may be of another track than the medium's own (multitrack and ModEx packets), or, of
#: video, without a picture: see ``tracks_of`` and ``has_picture``.
UNUSUAL = {
    AUDIO: frozenset({_EX_AUDIO << 4 | _AUDIO_PACKET_MULTITRACK, _EX_AUDIO << 4 | _PACKET_MOD_EX}),
    VIDEO: frozenset(
        first
        for first in range(256)
        if (first & 15 not in _CODED_FRAMES if first & 0x80 else first >> 4 in (1, _COMMAND_FRAME))
    ),
    DATA: frozenset[int](),
}


class Epoch:
    """One publish: from a publisher's arrival to its end.

    Attributes:
        id: chosen by the origin, the same on every node that relays it.
        shift_ms: this node's stream clock minus the origin's.
        next_index: index that the next frame of the epoch gets.
        started_wall_ms: wall clock at the origin when the epoch began (ms since 1970), for people: clocks differ.
        moved: stamps by the origin's clock of frames that have another place here, by index: those from before this
            node's clock began, and those behind a header of their medium that a hop gave with a later frame.
        moved_index: newest of these frames, -1 for none.
        began_ms: when it began by this node's monotonic clock, as far as the sender's word of its age goes.
    """

    __slots__ = ("began_ms", "id", "moved", "moved_index", "next_index", "shift_ms", "started_wall_ms")

    def __init__(
        self, epoch_id: str, shift_ms: int = 0, next_index: int = 0, started_wall_ms: int = 0, began_ms: int = 0
    ) -> None:
        self.id = epoch_id
        self.shift_ms = shift_ms
        self.next_index = next_index
        self.moved: dict[int, int] = {}
        self.moved_index = -1
        self.started_wall_ms = started_wall_ms
        self.began_ms = began_ms

    def note_moved(self, index: int, origin_ms: int) -> None:
        """A frame could not have its own place here."""
        if len(self.moved) >= _MAX_MOVED:
            del self.moved[next(iter(self.moved))]
        self.moved[index], self.moved_index = origin_ms, index

    def origin_ms(self, frame: Frame) -> int:
        """Stamp of one of its frames by the origin's clock, which all nodes know alike."""
        origin_ms = self.moved.get(frame.index) if self.moved and frame.kind == MEDIA else None
        return frame.dts_ms - self.shift_ms if origin_ms is None else origin_ms


class Frame:
    """One message of a stream; shared by the queue, the logs and all players.

    Attributes:
        type_id: ``AUDIO``, ``VIDEO`` or ``DATA`` (the RTMP and FLV type ids).
        dts_ms: place on this node's stream clock, never wraps.
        payload: message body (FLV tag body), shared and immutable.
        kind: ``MEDIA`` or one of the header kinds.
        is_keyframe: video that can be decoded without what came before.
        track: the track it is of (see ``tracks_of``); of a message of several, the first.
        epoch, index: the frame's name throughout the tree of nodes. Only media
            is numbered; headers are recognised by their content.
    """

    __slots__ = ("dts_ms", "epoch", "index", "is_keyframe", "kind", "payload", "track", "type_id")

    def __init__(
        self,
        type_id: int,
        dts_ms: int,
        payload: bytes,
        kind: int = MEDIA,
        is_keyframe: bool = False,
        epoch: Epoch | None = None,
        index: int = 0,
    ) -> None:
        self.type_id = self.track = type_id
        self.dts_ms = dts_ms
        self.payload = payload
        self.kind = kind
        self.is_keyframe = is_keyframe
        self.epoch = epoch
        self.index = index

    def __repr__(self) -> str:
        name = {AUDIO: "audio", VIDEO: "video", DATA: "data"}.get(self.type_id, str(self.type_id))
        mark = "K" if self.is_keyframe else "H" if self.kind else ""
        return f"Frame({name}{mark} #{self.index} dts_ms={self.dts_ms} {len(self.payload)} bytes)"


def classify_video(payload: bytes) -> tuple[int, bool]:
    """Return ``(kind, is_keyframe)`` of a non-empty video message body.

    Classic: frame type in the high nibble, codec in the low one (FLV 10.1
    §E.4.3.1); AVC and HEVC say in byte 1 whether it is a sequence header, or
    the end of a sequence, which is no keyframe whatever its frame type says.
    Enhanced: bit 7 set, frame type in bits 4-6, packet type in the low nibble.
    """
    first = payload[0]
    if first & 0x80:
        return _classify_enhanced_video(payload)
    frame_type = first >> 4
    if frame_type == 1:
        if (first & 15) in _CODECS_WITH_HEADER and len(payload) > 1 and payload[1] in (0, _AVC_END_OF_SEQUENCE):
            return (VIDEO_HEADER if payload[1] == 0 else MEDIA), False
        return MEDIA, True
    return MEDIA, False


def has_picture(payload: bytes) -> bool:
    """Whether a video body may bear a picture: no colour metadata, no end of sequence, no command to the player."""
    if not payload:
        return False
    first = payload[0]
    if not first & 0x80:
        is_end = (first & 15) in _CODECS_WITH_HEADER and len(payload) > 1 and payload[1] == _AVC_END_OF_SEQUENCE
        return first >> 4 != _COMMAND_FRAME and not is_end
    packet_type, offset = skip_mod_ex(payload, first & 15)
    if packet_type == _VIDEO_PACKET_MULTITRACK and offset < len(payload):
        packet_type = payload[offset] & 15
    return packet_type in _CODED_FRAMES and first >> 4 & 7 != _COMMAND_FRAME


def _classify_enhanced_video(payload: bytes) -> tuple[int, bool]:
    packet_type, offset = skip_mod_ex(payload, payload[0] & 15)
    if packet_type == _VIDEO_PACKET_MULTITRACK:
        if offset >= len(payload):
            return MEDIA, False
        packet_type = payload[offset] & 15
    frame_type = payload[0] >> 4 & 7
    if packet_type in (_PACKET_SEQUENCE_START, _PACKET_MPEG2TS_SEQUENCE_START):
        return VIDEO_HEADER, False
    return MEDIA, frame_type == 1 and packet_type in _CODED_FRAMES


def skip_mod_ex(payload: bytes, packet_type: int) -> tuple[int, int]:
    """Step over chained ModEx prefixes (E-RTMP v2); return the real packet type and the next offset.

    A prefix is its size less one (1 byte, or 255 and 2 more bytes), that many bytes, and a byte whose low
    half is the next packet type. Of prefixes that are cut short or too many the packet type is theirs (7).
    """
    offset = 1
    for _ in range(_MAX_MOD_EX):
        if packet_type != _PACKET_MOD_EX or offset >= len(payload):
            break
        size = payload[offset] + 1
        offset += 1
        if size == 256:
            if offset + 2 > len(payload):
                return packet_type, offset
            size = int.from_bytes(payload[offset : offset + 2], "big") + 1
            offset += 2
        offset += size
        if offset >= len(payload):
            return packet_type, offset
        packet_type = payload[offset] & 15
        offset += 1
    return packet_type, offset


def classify_audio(payload: bytes) -> int:
    """Return the kind of a non-empty audio message body (FLV 10.1 §E.4.2.1, E-RTMP v2 ExAudioTagHeader)."""
    codec = payload[0] >> 4
    if codec == _AAC:
        return AUDIO_HEADER if len(payload) > 1 and payload[1] == 0 else MEDIA
    is_header = codec == _EX_AUDIO and _audio_packet_type(payload) in _AUDIO_HEADER_PACKETS
    return AUDIO_HEADER if is_header else MEDIA


def is_media(type_id: int, payload: bytes) -> bool:
    """Whether a non-empty message body is a picture or sound; metadata and other data count as headers."""
    if type_id == VIDEO:
        return classify_video(payload)[0] == MEDIA
    return type_id == AUDIO and classify_audio(payload) == MEDIA


def _audio_packet_type(payload: bytes) -> int:
    """Packet type of an audio message, that of the tracks where it is multitrack; -1 for a classic one."""
    if payload[0] >> 4 != _EX_AUDIO:
        return -1
    packet_type, offset = skip_mod_ex(payload, payload[0] & 15)
    if packet_type == _AUDIO_PACKET_MULTITRACK and offset < len(payload):
        return payload[offset] & 15
    return packet_type


def is_enhanced(type_id: int, payload: bytes) -> bool:
    """Whether a non-empty video or audio message names its codec by a FourCC (Enhanced RTMP)."""
    return bool(payload[0] & 0x80) if type_id == VIDEO else payload[0] >> 4 == _EX_AUDIO


def codecs_of(type_id: int, payload: bytes) -> dict[int, bytes]:
    """Codec of each track in a non-empty video or audio message, by track id.

    A message that names no track is of track 0 (E-RTMP v2, multitrack). A codec is named by
    its FourCC, a classic one that has none by its number. Empty for a command and for a
    message that is cut short; of a message of very many tracks the first ones only.
    """
    first = payload[0]
    if type_id == VIDEO:
        is_command = first >> 4 & 7 == _COMMAND_FRAME
        codec, multitrack = first & 15, _VIDEO_PACKET_MULTITRACK
    else:
        is_command, codec, multitrack = False, first >> 4, _AUDIO_PACKET_MULTITRACK
    if not is_enhanced(type_id, payload):
        return {} if is_command else {0: _FOURCCS.get((type_id, codec)) or bytes([codec])}
    packet_type, offset = skip_mod_ex(payload, first & 15)
    if is_command and packet_type != _VIDEO_PACKET_METADATA:
        return {}
    if packet_type == multitrack:
        return _codecs_of_tracks(payload, offset)
    fourcc = payload[offset : offset + 4]
    return {0: fourcc} if len(fourcc) == 4 else {}


def _codecs_of_tracks(payload: bytes, offset: int) -> dict[int, bytes]:
    """The tracks of a multitrack body, by id, each with its codec.

    Layout from ``offset`` on: multitrack type in the high nibble, packet type in
    the low one; a FourCC, unless each track has its own; then per track its FourCC (with
    many codecs), its id (1 byte), its size (3 bytes, unless it is the only one) and its body.
    """
    found: dict[int, bytes] = {}
    multitrack_type = payload[offset] >> 4 if offset < len(payload) else _ONE_TRACK
    offset += 1
    fourcc = payload[offset : offset + 4]
    if multitrack_type != _MANY_TRACKS_MANY_CODECS:
        offset += 4
    for _ in range(_MAX_TRACKS_OF_MESSAGE):
        if multitrack_type == _MANY_TRACKS_MANY_CODECS:
            fourcc = payload[offset : offset + 4]
            offset += 4
        if offset >= len(payload):
            break
        found.setdefault(payload[offset], fourcc)
        if multitrack_type == _ONE_TRACK:
            break
        offset += 4 + int.from_bytes(payload[offset + 1 : offset + 4], "big")
    return found


def header_tracks(frame: Frame) -> tuple[bytes, dict[int, bytes]]:
    """What a header describes, and the codec of each track that it is for.

    Headers that describe the same replace each other, track by track: ``m`` metadata, ``v`` and
    ``a`` the codec's configuration, ``c`` the places of the channels (multichannel config).
    """
    if frame.kind == METADATA:
        return b"m", {0: b""}
    payload = frame.payload
    codecs = codecs_of(frame.type_id, payload) or {0: b""}
    if frame.kind == VIDEO_HEADER:
        return b"v", codecs
    return b"c" if _audio_packet_type(payload) == _AUDIO_PACKET_MULTICHANNEL_CONFIG else b"a", codecs


def tracks_of(type_id: int, payload: bytes) -> tuple[int, ...]:
    """Tracks that a message has frames of, each as ``type_id | track id << 8``; at least one.

    Messages that name no track are of track 0 (E-RTMP v2, Enhanced Audio and Video),
    and so are those that cannot be read: they are relayed as they are.
    """
    if not payload or payload[0] not in UNUSUAL[type_id] or not payload[0] & 0x80:
        return (type_id,)
    multitrack = _VIDEO_PACKET_MULTITRACK if type_id == VIDEO else _AUDIO_PACKET_MULTITRACK
    packet_type, offset = skip_mod_ex(payload, payload[0] & 15)
    if packet_type != multitrack:
        return (type_id,)
    return tuple(type_id | track << 8 for track in _codecs_of_tracks(payload, offset)) or (type_id,)


def header_slot(frame: Frame) -> bytes:
    """Name of what this header replaces: what it describes, and the codec of each of its tracks.

    A codec change thus leaves the header of the codec before, which may be back later.
    """
    what, codecs = header_tracks(frame)
    return what + b"".join([bytes([track]) + codecs[track] for track in sorted(codecs)])


_VIDEO_CODECS = {1: "JPEG", 2: "H263", 3: "screen", 4: "VP6", 5: "VP6A", 6: "screen2", 7: "H264", 12: "HEVC", 13: "AV1"}
_AUDIO_CODECS = {
    0: "PCM",
    1: "ADPCM",
    2: "MP3",
    3: "PCM",
    4: "Nellymoser",
    5: "Nellymoser",
    6: "Nellymoser",
    7: "G711A",
    8: "G711U",
    10: "AAC",
    11: "Speex",
    14: "MP3",
}


def codec_name(type_id: int, payload: bytes) -> str:
    """Short name of the codec for people, e.g. ``H264``, ``AAC``, a FourCC, or ``?<id>``."""
    if not payload:
        return ""
    first = payload[0]
    if type_id == VIDEO:
        if first & 0x80:
            return _fourcc(payload, first & 15, _VIDEO_PACKET_MULTITRACK)
        return _VIDEO_CODECS.get(first & 15, f"?{first & 15}")
    codec = first >> 4
    if codec == _EX_AUDIO:
        return _fourcc(payload, first & 15, _AUDIO_PACKET_MULTITRACK)
    return _AUDIO_CODECS.get(codec, f"?{codec}")


def _fourcc(payload: bytes, packet_type: int, multitrack: int) -> str:
    packet_type, offset = skip_mod_ex(payload, packet_type)
    if packet_type == multitrack:
        offset += 1
    code = payload[offset : offset + 4]
    return code.decode("ascii") if len(code) == 4 and code.isalnum() else "?"
