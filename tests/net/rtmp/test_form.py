"""How frames look on the wire to shared-log players."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.media.frame import AUDIO, DATA, METADATA, VIDEO, Frame
from edge.media.metadata import decode_metadata, encode_metadata
from edge.net.rtmp.form import CHUNK_STREAM_IDS, EncoderForm, RtmpForm, RtmpForms
from edge.rtmp import amf0
from tests.net.fakes import decode


@pytest.mark.parametrize("delta_ms", [0, 40, 0xFFFFFE, 0xFFFFFF, 0x1000000, 2**31])
@pytest.mark.parametrize("size", [1, 127, 128, 129, 400])
def test_shared_message_goes_on_from_a_private_one(delta_ms: int, size: int) -> None:
    form = RtmpForm(128)
    first, second = Frame(VIDEO, 0, b"\x17\x01first"), Frame(VIDEO, delta_ms, b"x" * size)
    third = Frame(VIDEO, delta_ms, b"third")
    data = form.encode_private(first, 1000, 7)
    data += b"".join(form.encode(second, delta_ms)) + b"".join(form.encode(third, 40))
    messages = decode(data, 128)
    assert [m.payload for m in messages] == [first.payload, second.payload, b"third"]
    assert [m.wire_timestamp for m in messages] == [1000, 1000 + delta_ms, 1040 + delta_ms]
    assert {(m.message_stream_id, m.chunk_stream_id) for m in messages} == {(7, CHUNK_STREAM_IDS[VIDEO])}


@given(
    frames=st.lists(
        st.tuples(st.sampled_from([AUDIO, VIDEO, DATA]), st.integers(0, 10**8), st.binary(min_size=1, max_size=300)),
        max_size=20,
    ),
    begin=st.integers(0, 2**32 - 1),
)
def test_tracks_interleave_on_chunk_streams_of_their_own(frames, begin: int) -> None:
    form, data, clocks, wanted = RtmpForm(64), b"", {}, []
    for type_id, delta_ms, payload in frames:
        frame = Frame(type_id, 0, payload)
        if type_id not in clocks:
            clocks[type_id] = begin
            data += form.encode_private(frame, begin, 1)
        else:
            clocks[type_id] = (clocks[type_id] + delta_ms) & 0xFFFFFFFF
            data += b"".join(form.encode(frame, delta_ms))
        wanted.append((type_id, clocks[type_id], payload))
    if any(delta_ms >= 0xFFFFFF for _, delta_ms, _ in frames):
        wanted = [(type_id, None, payload) for type_id, _, payload in wanted]
    got = [
        (m.type_id, m.wire_timestamp if not wanted or wanted[0][1] is not None else None, m.payload)
        for m in decode(data, 64)
    ]
    assert got == wanted


def test_payload_is_not_copied() -> None:
    payload = b"x" * 100
    assert RtmpForm(60000).encode(Frame(VIDEO, 0, payload), 40)[1] is payload


def test_forms_of_a_filter() -> None:
    forms = RtmpForms(60000)
    assert forms.choose(only_audio=False, only_video=False) is forms.all
    assert forms.choose(only_audio=True, only_video=False) is forms.audio
    assert forms.choose(only_audio=False, only_video=True) is forms.video
    for only_audio, only_video, has_audio, has_video, form in (
        (False, False, True, False, forms.audio),
        (False, False, False, True, forms.video),
        (False, False, False, False, forms.data),
        (True, False, False, True, forms.data),
        (True, False, True, True, forms.audio),
        (False, True, True, False, forms.data),
    ):
        chosen = forms.choose(only_audio=only_audio, only_video=only_video, has_audio=has_audio, has_video=has_video)
        assert chosen is form
    sound, picture = Frame(AUDIO, 0, b"a"), Frame(VIDEO, 0, b"v")
    assert [forms.audio.accepts(sound), forms.audio.accepts(picture)] == [True, False]
    assert [forms.video.accepts(sound), forms.video.accepts(picture)] == [False, True]


def test_metadata_of_a_filter_loses_the_other_medium() -> None:
    body = encode_metadata({"width": 16.0, "stereo": True})
    frame = Frame(DATA, 0, body, METADATA)
    forms = RtmpForms(60000)
    assert forms.all.payload_of(frame) is body
    assert decode_metadata(forms.audio.payload_of(frame)) == {"stereo": True}
    assert decode_metadata(forms.video.payload_of(frame)) == {"width": 16.0}


def test_metadata_are_set_for_the_stream_where_an_encoder_would_set_them() -> None:
    body, cue = encode_metadata({"width": 16.0}), amf0.encode_all("onCuePoint", {"a": 1.0})
    form = EncoderForm(60000)
    assert form.payload_of(Frame(DATA, 0, body, METADATA)) == amf0.encode("@setDataFrame") + body
    assert form.payload_of(Frame(DATA, 0, cue)) is cue
    assert form.payload_of(Frame(VIDEO, 0, body)) is body


def test_equal_forms_share_a_log_and_others_do_not() -> None:
    forms = {RtmpForm(64), RtmpForm(64), RtmpForm(64, 5), RtmpForm(128), EncoderForm(64), EncoderForm(64)}
    assert len(forms) == 4
    assert RtmpForms(64).audio == RtmpForm(64, 5)
