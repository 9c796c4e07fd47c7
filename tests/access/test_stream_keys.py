"""Secret keys that stand for public names."""

from __future__ import annotations

import pytest

from edge.access.stream_keys import StreamKeys, lines_of, new_line

KEY = "b7Qk-9sXw2-Lm4Tz8Rv1"
HASH = "60c71cd94db7ab0fc672047d3b279520f10340c8bbfff2b9a1fbf6e05388ca4e"


def test_key_and_its_hash_stand_for_the_same_name() -> None:
    for line in (f"live/hall {KEY}", f"live/hall sha256:{HASH} the hall", new_line("live/hall", KEY)):
        keys = StreamKeys(f"\ufeff# keys\r\n{line}\r\nlive/hall another-key-of-it-00\r\n")
        assert keys.stream_of("_", "live", KEY) == keys.stream_of("x", "live", "another-key-of-it-00") == "hall"
        assert keys.has(KEY) and not keys.has("hall") and len(keys) == 2


def test_app_and_vhost_are_those_of_the_name() -> None:
    keys = StreamKeys(f"media.example.com/live/a/b {KEY}\n")
    assert keys.stream_of("media.example.com", "live", KEY) == "a/b"
    assert keys.stream_of("_", "live", KEY) is None
    assert keys.stream_of("media.example.com", "other", KEY) is None


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("live/hall", "1:", "NAME KEY"),
        ("hall b7Qk-9sXw2-Lm4Tz8Rv1", "1:", "app/stream"),
        ("\nlive/../x b7Qk-9sXw2-Lm4Tz8Rv1", "2:", "relative"),
        ("live/hall short-key", "1:", "16 characters"),
        ("live/hall sha256:abc", "1:", "64"),
        (f"live/a {KEY}\n\nlive/b {KEY}\n", "3:", "line 1"),
        ("", "0:", "no key"),
        ("# only\n", "0:", "no key"),
    ],
)
def test_AU28_fault_is_named_by_its_line_and_no_key_is_in_the_words(text: str, where: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        StreamKeys(text)
    assert str(caught.value).startswith(where)
    assert not any(word in str(caught.value) for word in (KEY, "short-key"))


def test_lines_keep_their_numbers() -> None:
    assert [line.number for line in lines_of(f"# a\n\nlive/x {KEY}\n")] == [3]
