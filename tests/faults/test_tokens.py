"""Tokens with the programs that people use: who publishes and plays by one, and who is refused, once and for good."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.access.tokens import by_hand, claims, pem, token
from tests.faults.test_access import play_by_librtmp, publish_by_ffmpeg, run
from tests.harness.clock import deadline, require_program, wait_until_sync
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.faults


def said(action: str, **more: Any) -> dict[str, Any]:
    """Claims of a token for ``live/cam1``, an hour long."""
    return claims(action, **{"exp": int(time.time()) + 3600, **more})


def probe(url: str) -> tuple[int, str, float]:
    """What ffprobe says of what it plays: the codec, or why it plays nothing."""
    quick = ("-analyzeduration", "200000", "-probesize", "8192")
    shown = ("-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0")
    return run(require_program("ffprobe"), *quick, *shown, url)


def curl(server: EdgeServer, path: str, *options: str, is_page: bool = False) -> tuple[int, bytes]:
    """Status and body; of a stream, what comes of it in a moment."""
    url = f"http://127.0.0.1:{server.internal_port if is_page else server.port}{path}"
    command = [require_program("curl"), "-s", "-w", "%{stderr}%{http_code}", "--max-time", "3", *options, url]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=deadline(10), check=False)
    return int(done.stderr[-3:]), done.stdout


def test_programs_publish_and_play_by_token_and_are_refused_once_and_for_good(tmp_path: Path) -> None:
    keys = tmp_path / "keys.pem"
    keys.write_text(pem("RS256") + pem("ES256"))
    gate = ("-publish_auth=jwt", "-play_auth=jwt", f"-jwt_keys={keys}", "-v=1", "-log_stats", "-enable_rpcz")
    publish, play = token(said("publish"), "RS256"), token(said("play"), "ES256")
    late, forged = token(said("play", exp=int(time.time()) - 60), "ES256"), by_hand({"alg": "HS256"}, said("play"))
    tokens = (publish, play, late, forged)
    with EdgeServer(*gate) as origin:
        url = origin.rtmp_url("live", "cam1")
        source = ("-f", "lavfi", "-i", "testsrc=s=64x64:r=10:d=60", "-c:v", "flv1", "-g", "5")
        command = [require_program("ffmpeg"), "-v", "error", "-re", *source, "-f", "flv", f"{url}?token={publish}"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as publisher:
            try:
                wait_until_sync(lambda: origin.has_stream("cam1"), deadline(5), "the publish")
                place = origin.rtmp_url("live", "")
                for played in (f"{place}cam1?jwt={play}", f"{place.rstrip('/')}?token={play}/cam1"):
                    code, shown, _ = probe(played)
                    assert (code, shown.strip()) == (0, "flv1"), (played, shown)
                for query, word in (
                    ("", "TokenMissing"),
                    (f"?token={forged}", "TokenInvalid"),
                    (f"?token={publish}", "TokenInvalid"),
                ):
                    code, shown, took_s = probe(f"{place}cam1{query}")
                    assert code and f"Server error: {word}" in shown and took_s < deadline(3), (query, shown)
                code, shown, took_s = play_by_librtmp(f"{place}cam1?token={late}")
                assert code == 1 and "NetStream.Play.Failed" in shown and "TokenExpired" in shown
                assert took_s < deadline(3)
                code, shown, _ = publish_by_ffmpeg(f"{url}?token={play}")
                assert code and "Server error: TokenInvalid" in shown

                status, body = curl(origin, "/live/cam1.flv", "-H", f"Authorization: Bearer {play}")
                assert status == 200 and body.startswith(b"FLV\x01")
                for bearer, word in (
                    ([play, play], b"TokenInvalid\n"),
                    ([forged], b"TokenInvalid\n"),
                    ([late], b"TokenExpired\n"),
                    ([], b"TokenMissing\n"),
                ):
                    lines = [option for each in bearer for option in ("-H", f"Authorization: Bearer {each}")]
                    assert curl(origin, "/live/cam1.flv", *lines) == (403, word)
                both = curl(origin, f"/live/cam1.flv?token={play}", "-H", f"Authorization: Bearer {play}")
                assert both == (403, b"TokenInvalid\n")
            finally:
                publisher.terminate()
                publisher.communicate()
        pages = ("/why?address=127.0.0.1", "/why?stream=live/cam1", "/rpcz", "/connections", "/streams", "/vars")
        text = origin.log + "".join(str(curl(origin, page, is_page=True)) for page in pages)
        assert "auth_expired" in text
        for each in tokens:
            for part in each.split(".")[1:]:
                assert part[:16] not in text, text[max(text.find(part[:16]) - 300, 0) :][:400]
