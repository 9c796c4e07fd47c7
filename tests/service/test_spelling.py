from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from edge.hub.key import StreamKey
from edge.service.refusal import Reason, Refusal
from edge.service.spelling import hint_of, is_known, key_meant, near_names
from edge.service.story import Kind
from tests.service.fakes import SERVER_URL, Door

CAM = StreamKey("_", "live", "cam")


@pytest.mark.parametrize(
    ("text", "host", "wanted"),
    [
        ("live/cam", "", CAM),
        (" live/cam ", "10.0.0.1", CAM),
        ("_/live/cam", "other.example", CAM),
        ("live/cam", "other.example", StreamKey("other.example", "live", "cam")),
        ("live/a/cam", "", StreamKey("_", "live", "a/cam")),
        ("rtmp://10.0.0.1:1935/live/cam?token=x", "", CAM),
        ("rtmp://other.example/live/cam", "", StreamKey("other.example", "live", "cam")),
        ("rtmp://10.0.0.1/live/cam?vhost=other.example", "", StreamKey("other.example", "live", "cam")),
        ("rtmps://10.0.0.1/live/a/cam", "", StreamKey("_", "live", "a/cam")),
        ("http://10.0.0.1:8080/live/cam.flv?x=1", "", CAM),
        ("https://10.0.0.1/live/cam.ll.m3u8", "", CAM),
    ],
)
def test_what_a_person_means(text: str, host: str, wanted: StreamKey) -> None:
    assert key_meant(Door().service, text, host) == wanted


@pytest.mark.parametrize("text", ["", "cam", "live/", "live//cam", "live/../cam", "rtmp://10.0.0.1/live", "live/a\\b"])
def test_what_is_no_name(text: str) -> None:
    found = key_meant(Door().service, text)
    assert isinstance(found, Refusal) and found.reason is Reason.BAD_NAME


def test_key_that_is_known_goes_before_an_app_of_that_name() -> None:
    door = Door()
    door.registry.find_or_create(StreamKey("v.example", "live", "cam"), 0)
    assert key_meant(door.service, "v.example/live/cam") == StreamKey("v.example", "live", "cam")
    assert is_known(door.service, StreamKey("v.example", "live", "cam")) and not is_known(door.service, CAM)


def test_stream_of_the_default_vhost_is_found_from_any_host() -> None:
    door = Door()
    door.publish("cam")
    assert key_meant(door.service, "live/cam", "edge3.example") == CAM


@pytest.mark.parametrize(
    ("fed", "words"),
    [
        ("cam?app=liv", "in another app"),
        ("cam?vhost=other.example", "in another vhost"),
        ("CAM", "upper and lower case"),
        ("live/cam", "another path before it"),
        ("camm", "a few letters"),
        ("cma", "a few letters"),
        ("cam01", "a few letters"),
        ("bam", "a few letters"),
    ],
)
def test_names_that_are_much_alike(fed: str, words: str) -> None:
    door = Door()
    door.publish(fed)
    (name,) = near_names(door.service, CAM)
    hint = hint_of(door.service, CAM)
    assert words in hint and name not in hint


def test_names_that_are_not_alike_and_the_same_one_are_no_hint() -> None:
    door = Door()
    for name in ("football", "cam", "cam001", "dog"):
        door.publish(name)
    assert near_names(door.service, CAM) == [] and hint_of(door.service, CAM) == ""


def test_name_that_was_refused() -> None:
    door = Door()
    refusal = Refusal(Reason.BAD_NAME, "stream name has an empty part")
    door.service.chronicle.refused_name("/cam/", SERVER_URL, refusal, "10.0.0.9:5")
    assert near_names(door.service, CAM) == ["_/live//cam/, which was refused"]
    assert "stream name has an empty part" in hint_of(door.service, CAM)


def test_stream_that_is_pulled_and_has_nothing_yet_is_no_hint() -> None:
    door = Door()
    door.publish("camm")
    stream = door.registry.find(StreamKey("_", "live", "camm"))
    assert stream is not None and near_names(door.service, CAM) == ["_/live/camm"]
    stream.pull = object()
    assert near_names(door.service, CAM) == []


def test_stream_that_nobody_feeds_is_no_hint() -> None:
    door = Door()
    door.registry.find_or_create(StreamKey("_", "live", "camm"), 0)
    assert near_names(door.service, CAM) == []


def seconds_to_compare(name_of: Callable[[int], str], asked: str) -> float:
    """With 500 names that were heard of; the least of three."""
    door = Door()
    for number in range(500):
        door.service.chronicle.stories.note(Kind.JOINED, "a player came", name=name_of(number))
    key, taken = StreamKey(*asked.split("/")), []
    for _ in range(3):
        began = time.process_time()
        assert hint_of(door.service, key) == ""
        taken.append(time.process_time() - began)
    return min(taken)


def test_question_costs_no_more_where_long_names_begin_alike() -> None:
    same = "v" * 500 + "/" + "a" * 500 + "/" + "n" * 480
    alike = seconds_to_compare(lambda number: f"{same}{number:04d}xxxx{number:04d}", f"{same}9999yyyy9999")
    other = seconds_to_compare(lambda number: f"{number:04d}xxxx{same}{number:04d}", f"9999yyyy{same}9999")
    assert alike < 4 * other + 0.01
