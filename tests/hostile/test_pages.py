"""Requests for pages that do more than show: profiles, files, and what pages of other sites make browsers send."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.clock import deadline, wait_until_sync
from tests.hostile._arena import Row


def get(row: Row, target: str, *, on_internal: bool = True, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    """Status and body of a page; ``_`` in the name of a header stands for a dash."""
    port = row.server.internal_port if on_internal else row.server.port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=deadline(20))
    try:
        connection.request(method, target, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Asking(threading.Thread):
    """One who waits for a page."""

    def __init__(self, row: Row, target: str) -> None:
        super().__init__(daemon=True)
        self.answer: tuple[int, bytes] = (0, b"")
        self._row, self._target = row, target
        self.start()

    def run(self) -> None:
        self.answer = get(self._row, self._target)


def test_X9_two_profiles_at_once(row: Row) -> None:
    asked, before = "profile asked kind=cpu", row.server.log.count("profile asked kind=cpu")
    first = Asking(row, "/hotspots/cpu?seconds=4")
    wait_until_sync(lambda: row.server.log.count(asked) > before, deadline(5), "the first profile")
    assert get(row, "/hotspots/contention?seconds=0.01")[0] == 503
    same = [Asking(row, "/hotspots/cpu?seconds=4"), Asking(row, "/pprof/profile?seconds=4")]
    for each in (first, *same):
        each.join(deadline(20))
        assert each.answer[0] == 200
    wait_until_sync(lambda: get(row, "/hotspots/growth?seconds=0.01")[0] == 200, deadline(5), "the next one")
    row.assert_loop_was_free()


def test_HEAD_changes_no_flag_and_makes_no_profile(row: Row) -> None:
    before = get(row, "/flags/retry_interval_ms")[1]
    for target in ("/flags/retry_interval_ms?setvalue=4321", "/hotspots/cpu?seconds=0.01"):
        assert get(row, target, method="HEAD") == (405, b"")
    assert get(row, "/flags/retry_interval_ms")[1] == before
    assert b"4321" not in before
    assert get(row, "/flags/retry_interval_ms", method="HEAD")[0] == 200


@pytest.mark.parametrize("seconds", ["-1", "NaN", "nan", "inf", "0", "1e999", "x", "", "%00", "1" * 2000 + "x"])
def test_X9_seconds_of_no_use(row: Row, seconds: str) -> None:
    for page in ("/hotspots/cpu", "/hotspots/growth", "/pprof/profile"):
        assert get(row, f"{page}?seconds={seconds}")[0] == 400


def test_X9_seconds_are_clamped(custom: Callable[..., Row]) -> None:
    row = custom("-max_profiling_seconds=1")
    for seconds in ("1e9", "9" * 30):
        assert get(row, f"/hotspots/contention?seconds={seconds}")[0] == 200


@pytest.mark.parametrize("path", ["/hotspots/heap", "/threads", "/dir", "/dir/etc/passwd", "/dir/x"])
def test_X9_what_is_off(row: Row, path: str) -> None:
    status, body = get(row, path)
    assert status == 403 and b"root:" not in body


def test_X9_files_outside_stay_outside(custom: Callable[..., Row], tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir(exist_ok=True)
    (root / "inside").write_text("inside")
    (tmp_path / "secret").write_text("geheim")
    for name, target in (("link", tmp_path / "secret"), ("up", tmp_path), ("null", Path("/dev/zero"))):
        if not (root / name).is_symlink():
            (root / name).symlink_to(target)
    row = custom("-enable_dir_service", f"-dir_service_root={root}")
    assert get(row, "/dir/inside") == (200, b"inside")
    for path in ("link", "up", "up/secret", "null"):
        status, body = get(row, f"/dir/{path}")
        assert status == 403 and b"geheim" not in body
    for path in ("../secret", "%2e%2e/secret", "..%2fsecret", "inside/../../secret", "%252e%252e/secret"):
        status, body = get(row, f"/dir/{path}")
        assert status in (400, 403, 404) and b"geheim" not in body
    status, _ = get(row, "/dir/../../x")  # above the root of all paths
    assert status == 400
    row.fails("bad_target", 1)


FOREIGN: tuple[dict[str, str], ...] = (
    {"Origin": "http://evil.example"},
    {"Referer": "http://evil.example/page"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
)


def test_X4_page_elsewhere_starts_nothing(row: Row) -> None:
    for headers in FOREIGN:
        status, body = get(row, "/hotspots/cpu?seconds=0.01", **headers)
        assert (status, body) == (403, b"a page of another site asked for this\n")
        row.fails("csrf")
    assert get(row, "/hotspots/cpu?seconds=0.01")[0] == 200


def test_X5_name_of_somebody_else(row: Row) -> None:
    assert get(row, "/hotspots/cpu?seconds=0.01", Host="rebound.example")[0] == 403
    row.fails("bad_host")
    assert get(row, "/hotspots/cpu?seconds=0.01", Host="localhost:1")[0] == 200


def test_X9_nobody_profiles_on_the_public_port(row: Row) -> None:
    for path in ("/hotspots/cpu?seconds=1", "/pprof/profile?seconds=1", "/dir", "/sockets/1", "/list"):
        assert get(row, path, on_internal=False)[0] == 403
