"""Counters and log lines of one loop."""

from __future__ import annotations

import logging

from edge.errors import HandshakeError, RemoteProtocolError
from edge.net.aio import now_ms
from tests.net.serving import Nodes


async def test_W5_ends_are_counted_and_logged_at_most_ten_times_a_second(caplog) -> None:
    async with Nodes() as nodes:
        context = nodes.add().context
        context.counters._log_second = now_ms() // 1000
        for _ in range(50):
            context.counters.report(RemoteProtocolError("x", reason="chunk_size"), "[c1]")
        assert context.counters["error_chunk_size_count"] == 50
        lines = [record for record in caplog.records if "reason=chunk_size" in record.message]
        assert 10 <= len(lines) <= 21
        assert lines[0].message == "[c1] reason=chunk_size x"


async def test_quiet_ends_are_information(caplog) -> None:
    caplog.set_level(logging.INFO)
    async with Nodes() as nodes:
        context = nodes.add().context
        context.counters.report(HandshakeError("x"), "[c1]")
        context.counters.notice("c2_mismatch")
        assert context.counters["c2_mismatch_count"] == 1
        assert caplog.records[-1].levelno == logging.INFO


async def test_faults_of_peers_that_are_known_are_told() -> None:
    async with Nodes() as nodes:
        counters, told = nodes.add().context.counters, list[tuple[str, str]]()
        counters.on_fault = lambda error, peer: told.append((error.reason, peer))
        counters.report(RemoteProtocolError("x", reason="chunk_size"), "[c1]", peer="10.0.0.9:5")
        counters.report(RemoteProtocolError("x", reason="chunk_size"), "[c2]")
        counters.report(HandshakeError("x"), "[c3]", peer="10.0.0.8:5", is_logged=False)
        counters.tell_fault(HandshakeError("x"), "10.0.0.7:5")
        assert told == [("chunk_size", "10.0.0.9:5"), ("handshake", "10.0.0.8:5"), ("handshake", "10.0.0.7:5")]
        assert counters["error_handshake_count"] == 1
