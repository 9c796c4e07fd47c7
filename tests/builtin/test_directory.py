from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from edge.builtin.config import DebugConfig
from edge.builtin.directory import DIR, DirData
from edge.builtin.page import PageContext, PageFormat, Visit
from edge.builtin.site import render, site_routes
from tests.builtin import sample
from tests.httpd.serving import body_of, serving, status_of


def context_of(root: Path) -> PageContext:
    config = DebugConfig(enable_dir_service=True, dir_service_root=str(root))
    return sample.context(debugging=sample.debugging(config))


async def collected(root: Path, path: str) -> DirData:
    data = await DIR.collect(context_of(root), Visit(path=path, peer="10.0.0.9:5"))
    assert isinstance(data, DirData)
    return data


async def test_folder_in_three_forms(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a b.txt").write_text("x")
    (tmp_path / "sub" / "deep").mkdir()
    data = await collected(tmp_path, "sub")
    assert DIR.text(data) == "a b.txt\ndeep/\n"
    assert [each["url"] for each in json.loads(render(DIR, PageFormat.JSON, data))["entries"]] == [
        "/dir/sub/a%20b.txt",
        "/dir/sub/deep",
    ]
    html = render(DIR, PageFormat.HTML, data)
    assert '<a href="/dir">..</a>' in html and '<a href="/dir/sub/deep">deep/</a>' in html
    assert ">..<" not in render(DIR, PageFormat.HTML, await collected(tmp_path, ""))
    assert "dir asked path=sub peer=10.0.0.9:5" in caplog.text


async def test_file_and_what_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.builtin.folder.MAX_BYTES", 5)
    (tmp_path / "f").write_bytes(b"hell\xffo!")
    data = await collected(tmp_path, "f")
    assert DIR.text(data) == "hell\ufffd <2 more bytes>"
    assert "2 more bytes" in render(DIR, PageFormat.HTML, data)


async def test_X6_names_and_contents_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "<script>x\"'&").mkdir()
    (tmp_path / "f").write_text(sample.EVIL)
    (tmp_path / "a\nb").touch()
    (tmp_path / "link<script>").symlink_to("f")
    html = render(DIR, PageFormat.HTML, await collected(tmp_path, ""))
    assert "<script" not in html and html.count("&lt;script&gt;") == 2 and "a\\x0ab" in html
    assert "a\\x0ab\n" in DIR.text(await collected(tmp_path, ""))
    assert "<script" not in render(DIR, PageFormat.HTML, await collected(tmp_path, "f"))
    inner = await collected(tmp_path, "<script>x\"'&")
    assert "<script" not in render(DIR, PageFormat.HTML, inner)


async def test_name_that_is_no_text(tmp_path: Path) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    data = await collected(tmp_path, "")
    assert [(each.name, each.url) for each in data.entries] == [("\\xff", "")]
    for view in PageFormat:
        assert render(DIR, view, data).encode()


@pytest.mark.parametrize(("path", "status"), [("none", 404), ("f/x", 404), ("link", 403), ("pipe", 403), ("shut", 500)])
async def test_what_is_not_shown(tmp_path: Path, path: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").touch()
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    if path == "shut":

        def fail(*_: object) -> None:
            raise OSError("the disk is gone")

        monkeypatch.setattr("edge.builtin.folder.look", fail)
    data = await collected(tmp_path, path)
    assert DIR.status(data) == status and str(tmp_path) not in DIR.text(data)


async def test_X9_off_unless_it_is_switched_on() -> None:
    data = await DIR.collect(sample.context(), Visit(path=""))
    assert DIR.status(data) == 403 and "-enable_dir_service" in DIR.text(data)


async def test_X9_no_spelling_climbs_out(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "inside").write_text("inside")
    (tmp_path / "secret").write_text("geheim")
    async with serving(routes=site_routes(context_of(root))) as server:
        assert body_of(await server.get("/dir/inside")) == b"inside"
        for target in (
            *(
                "/dir/../secret",
                "/dir/../../secret",
                "/dir/%2e%2e/secret",
                "/dir/..%2fsecret",
                "/dir/%2e%2e%2f%2e%2e%2f",
            ),
            *("/dir/inside/../../secret", "/dir/..%5csecret", "/dir/%252e%252e/secret", f"/dir/{tmp_path}/secret"),
        ):
            answer = await server.get(target)
            assert status_of(answer) in (400, 403, 404), target
            assert b"geheim" not in answer
