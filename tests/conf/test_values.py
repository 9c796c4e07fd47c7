from __future__ import annotations

import pytest

from edge.conf.grammar import DUMP_MARK, Directive, parse_text
from edge.conf.values import PATHS, integer, number, own_value, quoted, switch, words_of
from edge.flags import all as all_flags
from edge.flags.registry import DEFINITIONS

# Texts about paths that are none of this machine's: of URLs, of registries, and templates.
NO_PATHS = frozenset(
    {
        *("hls_m3u8_file", "hls_ts_file", "hls_fmp4_file", "hls_init_file", "cdn_probe_file"),
        *("nacos_service_discovery_path", "nacos_service_auth_path"),
    }
)


def own(text: str) -> object:
    (directive,) = parse_text(text, "conf/a.conf")
    return own_value(DEFINITIONS[directive.name], directive)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("hls on;", True),
        ("queue_length_s 7;", 7),
        ("hls_fragment_s 2.5;", 2.5),
        ("proxy_to;", ""),
        ('proxy_to "";', ""),
        ("proxy_to rr://a;", "rr://a"),
        ("trusted_proxies 10.0.0.1 10.0.0.2,10.0.0.3;", ("10.0.0.1", "10.0.0.2", "10.0.0.3")),
        ("trusted_proxies;", ()),
        ("listen 1 2;", (1, 2)),
        ("ns_ca_file ca.pem;", "conf/ca.pem"),
        ("ns_ca_file ../ca.pem;", "ca.pem"),
        ("ns_ca_file /ca.pem;", "/ca.pem"),
        ("ns_ca_file;", ""),
        ("jwt_keys keys.pem;", "conf/keys.pem"),
        ("jwt_keys https://a.example/../jwks;", "https://a.example/../jwks"),
    ],
)
def test_values_of_flags(text: str, value: object) -> None:
    assert own(text) == value


@pytest.mark.parametrize(
    "text",
    ["hls true;", "hls 1;", "hls;", "queue_length_s;", "queue_length_s 1 2;", "queue_length_s 0x7;", "proxy_to a b;"],
)
def test_VC11_other_forms_than_those_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        own(text)


def test_a_dump_has_paths_as_they_are_used() -> None:
    (directive,) = parse_text(f"{DUMP_MARK}\nns_ca_file ca.pem; # a:1\n", "conf/a.conf")
    assert own_value(DEFINITIONS["ns_ca_file"], directive) == "ca.pem"


@pytest.mark.parametrize("text", ["10s", "1e9", "0x10", "NaN", "", "+1", "1_0", " 1", "١", "1" * 19])
def test_VC11_numbers_are_decimal_digits(text: str) -> None:
    for read in (integer, number):
        with pytest.raises(ValueError, match="not a"):
            read(text)


def test_numbers() -> None:
    assert (integer("-1"), integer("007"), number("2.50"), number("-3")) == (-1, 7, 2.5, -3.0)
    with pytest.raises(ValueError, match="SRS reads this as on"):
        switch("On", "on")


def test_each_flag_that_names_a_file_is_known_as_one() -> None:
    assert all_flags.AREAS
    endings = ("_file", "_path", "_dir", "_root", "_socket")
    named = {name for name, each in DEFINITIONS.items() if name.endswith(endings) and each.kind == "string"}
    of_reading = {name for name, each in DEFINITIONS.items() if each.topic == "cli"}
    assert named - PATHS - NO_PATHS - of_reading == set()


@pytest.mark.parametrize(
    "value", [True, False, 0, -1, 2.5, 10.0, "", "a", "a b", 'a"b', "it's", "a;b", "{", "#a", ("a b", "c"), ()]
)
def test_what_is_written_is_read_again(value: object) -> None:
    (directive,) = parse_text(f"name {words_of(value)};", "f")
    if isinstance(value, tuple):
        assert directive.args == value
    elif isinstance(value, bool):
        assert directive.args == ("on" if value else "off",)
    elif isinstance(value, (int, float)):
        assert float(directive.args[0]) == value
    else:
        assert "".join(directive.args) == value
    assert isinstance(directive, Directive)
    assert quoted("plain") == "plain"
