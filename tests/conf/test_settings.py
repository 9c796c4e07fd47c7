"""Files in every style of SRS and of ours, each with what comes of it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.conf.findings import Level
from edge.conf.grammar import parse_text
from edge.conf.settings import Configuration, Settings, build, told
from edge.conf.srs_names import ROOT, VHOST, Takes
from edge.flags.classes import VHOST as OF_VHOSTS
from edge.flags.gflags import parse
from edge.flags.registry import DEFINITIONS, format_value, value_of
from edge.runtime.vhost_files import with_vhosts

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.conf"))
_EXPECTED = re.compile(
    r"^# (expect|until (?P<flag>\w+)): (?P<level>warning|error) (?P<line>\d+) (?P<text>.*?)\r?$", re.M
)
_SETS = re.compile(r"^# sets:(?P<vhost> [^ =]+)?(?P<values>(?: \w+=\S*)+)\r?$", re.M)


def configuration(text: str) -> Configuration:
    return build(list(parse_text(text, "f")))


def said(text: str) -> list[str]:
    """Findings without notes."""
    return [str(each) for each in configuration(text).findings if each.level is not Level.NOTE]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_each_sample_has_its_outcome(path: Path, tmp_path: Path) -> None:
    text = path.read_text(encoding="utf-8-sig")
    path = Path(shutil.copy(path, tmp_path))
    path.chmod(0o600)
    parsed = parse([f"-vhost_config={path}", *(["-lenient_vhost_config"] if "# lenient" in text else [])])
    with_vhosts(parsed, {})
    expected = sorted(
        (found["level"], int(found["line"]), found["text"].replace("FILE", str(path)))
        for found in _EXPECTED.finditer(text)
        if found["flag"] is None or found["flag"] not in DEFINITIONS
    )
    problems = sorted(
        ("warning" if each.is_warning else "error", int(each.where.rpartition(":")[2]), each.message)
        for each in parsed.problems
    )
    assert [each[:2] for each in problems] == [each[:2] for each in expected], problems
    for problem, wanted in zip(problems, expected, strict=True):
        assert wanted[2] in problem[2]
    sets = list(_SETS.finditer(text))
    assert expected or sets or "# expect: clean" in text or "# until" in text
    for found in sets:
        check_values(parsed.vhosts, parsed.flags, (found["vhost"] or "").strip(), found["values"].split())


def check_values(vhosts: object, flags: object, vhost: str, pairs: list[str]) -> None:
    assert isinstance(vhosts, Configuration)
    values = dict(next(each.settings.items for each in vhosts.vhosts if each.name == vhost)) if vhost else {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        found = values[name] if name in values else value_of(flags, name)  # type: ignore[arg-type]
        assert (name, format_value(found)) == (name, value)


def test_samples_are_many_and_name_every_directive() -> None:
    assert len(SAMPLES) >= 60
    text = "".join(path.read_text(encoding="utf-8-sig") for path in SAMPLES)
    words = set(re.findall(r"[a-z_0-9]+", text))
    missing = [row.path for row in (*ROOT, *VHOST) if row.name not in words]
    assert not missing
    seen = {pair.partition("=")[0] for found in _SETS.finditer(text) for pair in found["values"].split()}
    unseen = [row.path for row in (*ROOT, *VHOST) if row.flag in DEFINITIONS and not row.how and row.flag not in seen]
    assert not unseen, "what these set is looked at in no sample"


def test_no_inheritance_between_vhosts_and_equal_settings_are_one_object() -> None:
    text = (
        "vhost _ { queue_length 5; } vhost a { } vhost b { queue_length 5; } vhost c { gop_cache on; queue_length 5; }"
    )
    default, a, b, c = configuration(text).vhosts
    assert (default.name, a.settings) == ("__defaultVhost__", Settings({}))
    assert default.settings is b.settings
    assert dict(c.settings.items)["queue_length_s"] == 5


def test_lines_are_no_part_of_settings() -> None:
    one, other = (configuration(f"{before}vhost a {{ queue_length 5; }}").vhosts[0] for before in ("", "\n\n# x\n"))
    assert one.settings == other.settings
    assert one.given["queue_length_s"].where == "f:1"
    assert other.given["queue_length_s"].where == "f:4"


def test_a_vhost_may_be_switched_off() -> None:
    assert [vhost.is_enabled for vhost in configuration("vhost a { enabled off; } vhost b { }").vhosts] == [False, True]


def test_what_has_no_effect_is_said_in_one_line_of_each_kind() -> None:
    text = "daemon on; work_dir x; vhost a { tcp_nodelay on; dvr { enabled off; } } vhost b { tcp_nodelay on; }"
    notes = [str(each) for each in configuration(text).findings]
    assert notes == [
        "f:1: note: about processes and hosts, without effect here: daemon, work_dir",
        "f:1: note: without effect here: tcp_nodelay x2",
        "all files: note: sections that are switched off: 1",
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../x", "f:1: error: vhost ../x: not a name of a host"),
        ("*", "f:1: error: vhost *: * stands in an alias only, as *.name"),
        ('""', "f:1: error: vhost takes one name; further ones are given by alias"),
        ("a" * 300, f"f:1: error: vhost {'a' * 200}...: longer than 255 characters"),
        ("A.Example.com", "f:1: note: vhost A.Example.com is a.example.com: names of hosts have no capitals"),
        ("a.com:1935", "f:1: error: vhost a.com:1935: a port is no part of a name"),
        ("10.0.0.1", "f:1: warning: vhost 10.0.0.1: who asks for an address gets the default vhost"),
    ],
)
def test_VC8_names_of_vhosts(name: str, said: str) -> None:
    found = configuration(f"vhost {name} {{ }}")
    (finding,) = found.findings
    assert str(finding).startswith(said)
    is_taken = finding.level is not Level.ERROR
    assert [each.name for each in found.vhosts] == ([name.lower()] if is_taken else [])


def test_VC18_programs_that_a_file_names_are_not_started() -> None:
    text = "vhost v { exec { enabled on; publish /bin/x; }\n transcode { enabled on; ffmpeg /tmp/x.sh; } }"
    found = configuration(text)
    assert [str(each) for each in found.findings] == [
        "f:1: warning: exec is not offered: no program is started",
        "f:2: warning: transcode is not offered: streams are passed on as they are",
    ]
    assert found.vhosts[0].settings.items == ()


def test_VC9_of_aliases_that_overlap_the_longer_wins_and_that_is_said() -> None:
    (note,) = configuration("vhost a { alias *.x.com; } vhost b { alias y.x.com; }").findings
    assert str(note) == "f:1: note: alias y.x.com lies in *.x.com of vhost a: the longer one wins"


def test_VC10_what_a_later_match_takes_from_the_same_streams_is_said() -> None:
    text = "vhost a { match x/* { queue_length 1; }\n match x/* { queue_length 2; }\n match y/* { } }"
    (note,) = configuration(text).findings
    assert str(note) == "f:1: note: match x/* is there again, in f:2, whose queue_length_s wins"


def test_VC10_a_thousand_matches_are_read() -> None:
    text = (
        "vhost a {" + "".join(f"match app/s{number} {{ queue_length {number + 1}; }}" for number in range(1000)) + "}"
    )
    assert len(configuration(text).vhosts[0].matches) == 1000


def test_a_change_is_told_by_setting_with_its_vhosts() -> None:
    before = configuration("vhost a { queue_length 5; } vhost b { queue_length 5; } vhost c { } vhost gone { }")
    text = "vhost a { queue_length 6; } vhost b { queue_length 6; match x/* { hls off; } } "
    text += "vhost c { alias d; } vhost new { }"
    after = configuration(text)
    assert told(before.vhosts, before.vhosts) == ()
    assert after.told(before) == (
        'alias "" -> d (c)',
        'match "" -> x/* (b)',
        "queue_length_s 5 -> 6 (a, b)",
        "vhost added (new)",
        "vhost removed (gone)",
    )
    assert after.told(None) == ("vhost added (a, b, c, new)",)


def test_secrets_are_masked_where_a_change_is_told() -> None:
    assert "swordfish" not in repr(said("nacos_password swordfish more;"))


_NAMES = st.sampled_from(sorted({row.name for row in (*ROOT, *VHOST)} | {"alias", "match", "queue_length_s", "nosuch"}))
_WORDS = st.sampled_from(["on", "off", "0", "-1", "10", "1935", "a", "*.a", "live/*", "1.5", "x:y", "all", "publish"])
_LINES = st.recursive(
    st.builds(lambda name, words: f"{name} {' '.join(words)};", _NAMES, st.lists(_WORDS, max_size=3)),
    lambda inside: st.builds(
        lambda name, word, lines: f"{name} {word} {{ {' '.join(lines)} }}",
        st.one_of(_NAMES, st.just("vhost")),
        st.one_of(_WORDS, st.just("")),
        st.lists(inside, max_size=4),
    ),
    max_leaves=12,
)


@given(st.lists(_LINES, max_size=5))
def test_whatever_stands_in_a_block_is_a_setting_or_a_finding_with_its_place(lines: list[str]) -> None:
    found = configuration("\n".join(lines))
    assert all(each.where.startswith("f:") or each.where == "all files" for each in found.findings)
    for vhost in found.vhosts:
        assert dict(vhost.settings.items).keys() == vhost.given.keys()
        assert all(DEFINITIONS[name].scope is OF_VHOSTS for name in vhost.given)


def test_blocks_and_values_are_not_taken_for_each_other() -> None:
    assert said("vhost a;") == ["f:1: error: vhost takes a block, in braces"]
    assert said("http_server on;") == ["f:1: error: http_server takes a block, in braces"]
    assert all(row.takes is Takes.BLOCK for row in ROOT if row.is_opaque)
