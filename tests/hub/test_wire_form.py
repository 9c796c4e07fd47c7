"""Encoders that make many messages in one pass make those of one by one."""

from __future__ import annotations

from typing import Any

import pytest

from edge.hub.wire_form import BulkEncoder, encode_each
from edge.media.frame import AUDIO, DATA, MEDIA, METADATA, VIDEO, VIDEO_HEADER, Frame
from tests.net.forms import FORMS

_MESSAGES = (
    (DATA, 0, 2, 90, METADATA),
    (VIDEO, 0, 0x17, 10, VIDEO_HEADER),
    (VIDEO, 0, 0x17, 300, MEDIA),
    (AUDIO, 10, 0xAF, 63, MEDIA),
    (AUDIO, 33, 0xAF, 64, MEDIA),
    (VIDEO, 0x1000000, 0x27, 20, MEDIA),
    (VIDEO, 0x1000000 + 0xFFFFFF, 0x27, 200, MEDIA),
    (AUDIO, 33, 0xAF, 0, MEDIA),
)
BULK = [form for form in FORMS if isinstance(form.new_encoder([]), BulkEncoder)]


def test_rtmp_is_encoded_in_one_pass() -> None:
    assert {type(form).__name__ for form in BULK} == {"RtmpForm", "EncoderForm"}


@pytest.mark.parametrize("form", BULK, ids=repr)
def test_many_messages_are_encoded_as_each_by_itself(form: Any) -> None:
    frames = [Frame(kind[0], kind[1], bytes([kind[2]]) + bytes(kind[3]), kind[4]) for kind in _MESSAGES]
    found = []
    for is_bulk in (False, True):
        pieces: list[Any] = []
        ends: list[int] = []
        last_dts: dict[int, int] = {}
        encoder = form.new_encoder([])
        if is_bulk:
            end = encoder.encode_all(frames, last_dts, pieces, ends, 1000)
        else:
            end = encode_each(encoder, frames, last_dts, pieces, ends, 1000)
        assert ends[-1] == end > 1700
        found.append(([b"".join(each) for each in pieces], ends, last_dts))
    assert found[0] == found[1]
