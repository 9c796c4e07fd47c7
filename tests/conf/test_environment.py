"""SRS's variables, as far as they are directives."""

from __future__ import annotations

from edge.conf.environment import from_environment, variables_in
from edge.conf.findings import Findings


def read(**environ: str) -> tuple[dict[str, object], list[str]]:
    findings = Findings()
    given = from_environment(environ, findings)
    return {name: each.value for name, each in given.items()}, [str(each) for each in findings.items]


def test_variables_are_paths_of_directives() -> None:
    values, said = read(
        SRS_LISTEN="1935 1936",
        SRS_MAX_CONNECTIONS="900",
        SRS_HTTP_SERVER_ENABLED="on",
        SRS_HTTP_SERVER_LISTEN="8080",
        SRS_VHOST_HLS_ENABLED="on",
        SRS_VHOST_HLS_HLS_FRAGMENT="3",
        SRS_VHOST_PLAY_QUEUE_LENGTH="5",
        SRS_VHOST_CLUSTER_MODE="remote",
        SRS_VHOST_CLUSTER_ORIGIN="a b",
        OTHER="x",
    )
    assert said == []
    assert values == {
        "port": 1935,
        "listen": (1936, 8080),
        "max_connections": 900,
        "hls": True,
        "hls_default": "classic",
        "hls_fragment_s": 3.0,
        "queue_length_s": 5,
        "proxy_to": "list://a:1935,b:1935",
        "proxy_lb": "rr",
    }


def test_what_is_wrong_is_said_with_the_variable() -> None:
    values, said = read(SRS_LISTEN="x", SRS_RTC_SERVER_ENABLED="on", SRS_HOME="/x", SRS_IS_FULL="yes")
    assert values == {}
    assert said == [
        "environment SRS_HOME: note: no directive of SRS has this name; it is ignored",
        "environment SRS_IS_FULL: error: is_full yes: write on or off; SRS reads this as off",
        "environment SRS_RTC_SERVER_ENABLED: warning: rtc_server is not offered: WebRTC clients will not connect",
        "environment SRS_LISTEN: error: x is no port, [address:]port is accepted",
    ]


def test_the_one_that_names_the_file_is_none_of_them() -> None:
    assert variables_in({"SRS_LISTEN": "1", "SRS_CONFIG_FILE": "x", "A": "b"}) == ["SRS_LISTEN"]
