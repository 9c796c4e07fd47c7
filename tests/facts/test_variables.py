from __future__ import annotations

import pytest

from edge.facts.metrics import Distribution, Sample
from edge.facts.variables import lines_of, name_of, normalise, text_of, variables_of


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Foo.BarApple", "foo_bar_apple"),
        ("HTTPServer", "httpserver"),
        ("a::b-c", "a_b_c"),
        ("example.com/live/camÖ1", "example_com_live_cam_1"),
        ("fooBar", "foo_bar"),
        ("foo_Bar", "foo_bar"),
        ("A", "a"),
    ],
)
def test_names_are_brpcs(name: str, shown: str) -> None:
    assert normalise(name) == shown


def test_samples_are_named_with_their_labels() -> None:
    assert name_of(Sample("error_*_count", 1, ("slow_player",))) == "error_slow_player_count"
    assert name_of(Sample("upstream_ok_count", 1, ("10.0.0.1:1935",))) == "upstream_ok_count_10_0_0_1_1935"
    assert name_of(Sample("loop_lag_ms", 1)) == "loop_lag_ms"


def test_second_names_are_left_out() -> None:
    assert variables_of([Sample("srs_clients", 1), Sample("connection_count", 1)]) == {"connection_count": 1}


def test_histograms_are_latencies_in_microseconds() -> None:
    found = variables_of([Sample("hop_delay_ms", Distribution((10.0, 100.0), (0, 4, 0), 200.0), ("1",))])
    assert found["hop_delay_1_count"] == 4
    assert found["hop_delay_1_latency"] == 50_000
    assert found["hop_delay_1_latency_99"] == pytest.approx(99_100)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (True, "1"),
        (1.25, "1.25"),
        (2.0, "2"),
        (0.12345, "0.123"),
        ("a", '"a"'),
        ("", '""'),
        ('a"b\n\\', r'"a\"b\x0a\\"'),
        ((1, 2, 3), '"[1,2,3]"'),
    ],
)
def test_strings_and_vectors_are_quoted(value: str | float, text: str) -> None:
    assert text_of(value) == text


def test_lines_are_those_that_operators_grep() -> None:
    assert lines_of({"a": 1, "b": "x"}) == 'a : 1\r\nb : "x"\r\n'
