"""A daemon that is not there: fixed answers for the pages, with markup in every place a peer controls."""

from __future__ import annotations

from typing import Any

from edge.builtin.page import Data, PageContext

EVIL = "<script>alert('x')</script>\"&"


def stream(name: str = "a", **changes: Any) -> Data:
    return {
        "key": f"_/live/{name}",
        "vhost": "_",
        "app": "live",
        "stream": name,
        "state": "live",
        "publisher": "10.0.0.9:51234",
        "players": 3,
        "video_codec": "H.264",
        "audio_codec": "AAC",
        "video_bps": 1_200_000,
        "audio_bps": 64_000,
        "fps": 25,
        "gop": 50,
        "fluency_pct": 99.5,
        "uptime_s": 3723.0,
        **changes,
    }


def context(**changes: Any) -> PageContext:
    values: dict[str, Any] = {
        "streams": lambda: [stream()],
        "counters": lambda: {"http_requests_count": 7, "error_handshake_count": 1},
        "health": lambda: {"is_ok": True, "is_draining": False, "loop_lag_ms": 1.5, "uptime_s": 12.0},
        "readiness": lambda: (True, []),
        "version": "1.2.3",
        "server_urls": lambda: {
            "host": "media1",
            "rtmp_port": 8079,
            "http_port": 8079,
            "has_flv": True,
            "has_ts": True,
            "role": "origin",
            "proxy_to": "",
        },
        "services": lambda: [{"role": "origin", "id": "5d5d5d5d5d5d5d5d", "stream_count": 1}],
        "naming": lambda: [{"use": "pull+push", "target": f"consul://{EVIL}", "state": "current", "answer_age_s": 3}],
        "upstreams": lambda: [{"endpoint": "10.0.0.1:1935", "state": "up"}],
        "connections": lambda: [{"id": 7, "peer": "10.0.0.9:51234", "protocol": "rtmp", "role": "publisher"}],
    }
    return PageContext(**{**values, **changes})
