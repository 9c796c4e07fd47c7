"""Names of files: what stays, what is made safe, and templates that would not do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.hls_disk.template import TEMPLATE_FLAGS, fill, template_fault, time_values


def playlist(stream: str, app: str = "live", *, folds_case: bool = False) -> str:
    values = {"vhost": "_", "app": app, "stream": stream}
    return fill("[app]/[stream].m3u8", values, folds_case=folds_case)


@pytest.mark.parametrize("name", ["cam1", "Cam 1", "käse", "a/b/c", "a#b?c%2F", "x:y", "~a", "a.b"])
def test_plain_names_stay_as_they_are(name: str) -> None:
    assert playlist(name) == f"live/{name}.m3u8"


HOSTILE = (
    *("", ".", "..", "../../etc/passwd", "/etc/passwd", "a//b", "a/../b", ".hidden", "a\0b", "a\nb", "a\\b"),
    *("\ud800", "x" * 500, "ä" * 100, "a\u202eb", "cam.m3u8", "cam-5.ts", "a/5.ts/b", "cam~0123456789abcdef"),
)


@pytest.mark.parametrize("name", HOSTILE)
def test_L10_others_are_made_safe_and_stay_apart(name: str) -> None:
    path = playlist(name)
    parts = path.split("/")
    assert all(part and not part.startswith(".") and part.isprintable() for part in parts)
    assert all(len(part.encode()) <= 255 - len(".edge-tmp.") for part in parts)
    assert path.startswith("live/") and path.endswith(".m3u8") and "~" in path
    assert len({playlist(other) for other in HOSTILE}) == len(HOSTILE)


@given(st.text(max_size=300), st.text(max_size=300))
def test_two_names_are_never_one_file(one: str, other: str) -> None:
    assert (playlist(one) == playlist(other)) == (one == other)


@given(st.text(max_size=20), st.text(max_size=20))
def test_nor_where_case_does_not_count(one: str, other: str) -> None:
    paths = [playlist(name, folds_case=True).casefold() for name in (one, other)]
    assert (paths[0] == paths[1]) == (one == other)


def test_case_is_told_apart_where_the_file_system_does_not() -> None:
    assert playlist("Cam", folds_case=True).startswith("live/cam~")
    assert playlist("cam", folds_case=True) == "live/cam.m3u8"


def test_a_name_too_long_for_a_template_keeps_its_end() -> None:
    values = {"vhost": "v" * 110, "app": "a" * 110, "stream": "s" * 110, "seq": "7"}
    path = fill("[vhost]-[app]-[stream]-[seq].ts", values)
    assert len(path) <= 230
    assert path.endswith("-7.ts")


def test_variables_of_a_moment_are_those_of_the_local_clock() -> None:
    values = time_values(1_796_000_000_123)
    assert values["timestamp"] == "1796000000123"
    assert values["999"] == "123"
    assert [len(values[name]) for name in ("2006", "01", "02", "15", "04", "05")] == [4, 2, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("flag", "template", "fault"),
    [
        ("hls_ts_file", "[vhost]/[app]/[2006][01][02]/[stream]-[15].[04].[05].[999]-[seq]-[duration].ts", ""),
        ("hls_ts_file", "[app]/[stream]-[timestamp]-[epoch]-[seq].ts", ""),
        ("hls_m3u8_file", "[stream].m3u8", ""),
        ("hls_m3u8_file", "[app].m3u8", "[stream] is missing"),
        ("hls_m3u8_file", "[stream]-[2006].m3u8", "[2006] is no variable here"),
        ("hls_ts_file", "[app]/[stream].ts", "[seq] is missing"),
        ("hls_ts_file", "[app]/[stream]-[sequence]-[seq].ts", "[sequence] is no variable"),
        ("hls_ts_file", "[stream]-[seq].m4s", "does not end in .ts"),
        ("hls_fmp4_file", "[stream]-[seq].m4s", ""),
        ("hls_init_file", "[stream]-init.mp4", "[digest] is missing"),
        ("hls_ts_file", "/[stream]-[seq].ts", "must be relative"),
        ("hls_ts_file", "../[stream]-[seq].ts", "must be relative"),
        ("hls_ts_file", "a//[stream]-[seq].ts", "must be relative"),
        ("hls_ts_file", ".h/[stream]-[seq].ts", "must be relative"),
        ("hls_ts_file", "[stream]-[seq]\0.ts", "a sign"),
        ("hls_ts_file", "[stream]-[seq]].ts", "a bracket"),
        ("hls_ts_file", "x" * 200 + "[stream]-[seq].ts", "more than 120 bytes"),
    ],
)
def test_templates_that_would_not_do_are_told(flag: str, template: str, fault: str) -> None:
    found = template_fault(flag, template)
    assert found.startswith(fault) if not fault else fault in found
    assert bool(found) == bool(fault)


def test_each_flag_of_a_template_is_known() -> None:
    assert TEMPLATE_FLAGS == ("hls_m3u8_file", "hls_ts_file", "hls_fmp4_file", "hls_init_file")
