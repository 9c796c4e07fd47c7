"""What a start and ``--check`` say of keys of tokens: the extra, and URLs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge.runtime.jwt_extra import doubt_of_url, missing_extra
from tests.harness.clock import ROOT, deadline

_WITHOUT = """
import sys
sys.modules["jwt"] = None  # as if it were not installed
from edge.runtime.main import main
sys.exit(main(sys.argv[1:]))
"""
_LOADED = """
import sys
from edge.runtime.main import main
code = main(["--check", *sys.argv[1:]])
sys.exit(code or any(name.partition(".")[0] in ("jwt", "cryptography") for name in sys.modules))
"""
_KEYS = "-jwt_keys=flagfiles/access/jwt.keys"
_WORDS = "jwt needs the extra auth, which is not installed (pip install edge-media[auth])"


def run(program: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=deadline(30))


@pytest.mark.parametrize("keys", [_KEYS, "-jwt_keys=https://127.0.0.1:9/jwks"])
@pytest.mark.parametrize("use", [("--check",), ("-port=0", "-bind=127.0.0.1")])
def test_the_missing_extra_is_an_error_where_it_is_asked_for(use: tuple[str, ...], keys: str) -> None:
    done = run(_WITHOUT, *use, "-play_auth=jwt", keys)
    assert done.returncode == 1 and _WORDS in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_vhost_that_asks_for_it_is_named(tmp_path: Path) -> None:
    conf = tmp_path / "edge.conf"
    keys = ROOT / "flagfiles" / "access" / "jwt.keys"
    conf.write_text(f"vhost a.example {{\n  play_auth jwt;\n  jwt_keys {keys};\n}}\n")
    done = run(_WITHOUT, "--check", f"-vhost_config={conf}")
    assert done.returncode == 1 and f"{conf}:3: " in done.stdout and _WORDS in done.stdout


def test_without_the_flag_nobody_misses_it_and_nothing_of_it_is_loaded() -> None:
    assert run(_WITHOUT, "--check").returncode == 0
    assert run(_LOADED).returncode == 0
    assert run(_LOADED, "-play_auth=jwt", _KEYS).returncode == 1


def test_urls() -> None:
    assert missing_extra() == ""
    assert not doubt_of_url("https://a.example/jwks") and "TLS" in doubt_of_url("http://a.example/jwks")
    for own in ("127.0.0.1", "localhost", "[::1]"):
        assert not doubt_of_url(f"http://{own}:80/jwks")
