"""What the tools make, the gates take."""

from __future__ import annotations

import argparse
import io
import time
from pathlib import Path

import pytest

from edge.access.passwords import parse_hash
from edge.access.schemes import Terms
from edge.access.signing import Signatures, parse_keys, parse_schemes
from edge.access.stream_keys import StreamKeys
from edge.access.token import Admitted, Asked
from edge.access.users import parse_users
from edge.tools.ctl import main
from edge.tools.ctl_access import duration_s

KEYS = "0123456789abcdef0123456789abcdef\nan older key of sixteen bytes\n"


@pytest.fixture
def keys(tmp_path: Path) -> str:
    path = tmp_path / "sign.keys"
    path.write_text(KEYS)
    return str(path)


@pytest.mark.parametrize(
    ("more", "scheme"),
    [
        ([], "edge"),
        (["--scope", "live/*"], "edge"),
        (["--ip", "203.0.113.9"], "edge"),
        (["--scheme", "tencent"], "tencent"),
        (["--scheme", "aliyun-a", "--suffix", ".flv"], "aliyun-a"),
    ],
)
def test_signed_url_lets_in(more: list[str], scheme: str, keys: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sign", "play", "live/cam1", "--ttl", "1h", "--keys", keys, *more]) == 0
    query = capsys.readouterr().out.strip()
    path = "/live/cam1.flv" if "--suffix" in more else "/live/cam1"
    asked = Asked("play", "_", "live", "cam1", path, "203.0.113.9", time.time())
    answer = Signatures(parse_schemes(scheme), parse_keys(KEYS), Terms()).check(asked, query)
    assert isinstance(answer, Admitted) and 3500 < answer.ends_s - asked.now_s <= 3600


def test_new_key_is_taken_and_its_line_holds_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "new", "live/hall"]) == 0
    key_line, file_line = (line.partition(":")[2].strip() for line in capsys.readouterr().out.splitlines())
    assert StreamKeys(file_line).stream_of("_", "live", key_line) == "hall" and key_line not in file_line


def test_new_user_is_taken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("right\n"))
    assert main(["user", "new", "ann", "--actions", "play,publish", "--paths", "live/*"]) == 0
    line = capsys.readouterr().out
    user = parse_users(line)["ann"]
    assert user.hash == parse_hash(line.split(":")[1]) and user.hash.check("right")
    assert user.may("play", "live", "x", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["sign", "play", "cam1"],
        ["sign", "play", "live/*"],
        ["sign", "play", "live/cam1", "--scope", "../x"],
        ["sign", "play", "live/cam1", "--scheme", "akamai"],
        ["sign", "play", "live/cam1", "--keys", "/nowhere"],
        ["key", "new", "hall"],
        ["user", "new", "a:b"],
    ],
)
def test_what_cannot_be_made_is_said(arguments: list[str], keys: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = [] if "--keys" in arguments or arguments[0] != "sign" else ["--keys", keys]
    assert main([*arguments, *more]) == 1
    assert capsys.readouterr().err.startswith("edge-ctl: ")


def test_times_have_units() -> None:
    assert [duration_s(text) for text in ("90", "90s", "15m", "1h", "7d")] == [90, 90, 900, 3600, 604800]
    for text in ("", "0", "1w", "-1", "1.5h"):
        with pytest.raises(argparse.ArgumentTypeError):
            duration_s(text)
