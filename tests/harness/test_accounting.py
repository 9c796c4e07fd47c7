"""The judge is judged first: every kind of harm must show in the account."""

from __future__ import annotations

import pytest

from tests.harness.accounting import (
    Account,
    CorruptFrameError,
    Delivery,
    Frame,
    audit,
    back_steps,
    decode_frame,
    encode_frame,
    unwrap,
)


def frame(sequence: int, *, generation: int = 1, is_keyframe: bool = False, is_video: bool = True) -> Frame:
    return Frame(7, generation, sequence, 12.5, 300, is_video, is_keyframe)


def account_of(*frames: Frame) -> Account:
    return audit(Delivery(13.0 + i, 40 * i, each) for i, each in enumerate(frames))


@pytest.mark.parametrize("is_video", [True, False])
def test_frame_survives_its_payload(is_video: bool) -> None:
    sent = frame(3, is_video=is_video, is_keyframe=is_video)
    payload = encode_frame(sent)
    assert len(payload) == sent.size
    assert decode_frame(payload) == sent


@pytest.mark.parametrize("at", [0, 4, 9, 10, 40, 70, 200, 299])
def test_any_changed_byte_is_noticed(at: int) -> None:
    payload = bytearray(encode_frame(frame(3, is_keyframe=True)))
    payload[at] ^= 0x01
    with pytest.raises(CorruptFrameError):
        decode_frame(bytes(payload))


def test_shortened_payload_is_noticed() -> None:
    with pytest.raises(CorruptFrameError):
        decode_frame(encode_frame(frame(3))[:-1])


def test_whole_run_is_complete() -> None:
    account = account_of(frame(4, is_keyframe=True), frame(5), frame(6))
    account.assert_complete()
    assert account.frame_count == 3 and not account.bad_resumes


def test_lost_frames_are_named_and_a_bad_resume_with_them() -> None:
    account = account_of(frame(0, is_keyframe=True), frame(1), frame(4), frame(7, is_keyframe=True))
    assert account.lost == [(1, 2, 3), (1, 5, 6)] and account.lost_count == 4
    assert account.bad_resumes == [(1, 4)]
    account.assert_in_order()
    with pytest.raises(AssertionError, match="lost 4"):
        account.assert_complete()


def test_doubled_and_reordered_frames_are_told_apart() -> None:
    account = account_of(frame(0, is_keyframe=True), frame(2), frame(1), frame(2))
    assert account.reordered == [(1, 1)] and account.doubled == [(1, 2)]
    with pytest.raises(AssertionError, match="doubled"):
        account.assert_in_order()


def test_new_generation_counts_from_its_own_keyframe() -> None:
    account = account_of(frame(8, is_keyframe=True), frame(0, generation=2, is_keyframe=True), frame(1, generation=2))
    account.assert_complete()
    assert account.generations == [1, 2]


def test_frame_of_an_earlier_generation_is_out_of_order() -> None:
    account = account_of(frame(8, is_keyframe=True), frame(0, generation=2, is_keyframe=True), frame(9))
    assert account.reordered == [(1, 9)]


def test_gaps_and_delays_are_measured() -> None:
    account = account_of(frame(0, is_keyframe=True), frame(1))
    assert account.largest_gap_s == 1.0 and account.largest_delay_s == 1.5


def test_wrap_is_a_step_forward_and_a_fall_is_not() -> None:
    assert unwrap([0xFFFFFFF0, 4]) == [0xFFFFFFF0, 0x100000004]
    assert back_steps([0xFFFFFFF0, 4, 8]) == []
    assert back_steps([100, 60]) == [(100, 60)]
