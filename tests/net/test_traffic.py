from __future__ import annotations

from edge.net.traffic import Traffic


def test_bytes_of_each_protocol_add_up() -> None:
    traffic = Traffic()
    traffic.leave("rtmp", 10, 200)
    traffic.leave("rtmp", 1, 2)
    traffic.leave("flv", 3, 4)
    assert traffic.received == {"rtmp": 11, "flv": 3}
    assert traffic.sent == {"rtmp": 202, "flv": 4}
