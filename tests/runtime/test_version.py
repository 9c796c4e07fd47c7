"""The version, without and with the library that knows of every way to install."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from edge.runtime.version import installed_version


def test_it_is_what_the_library_says() -> None:
    try:
        known = metadata.version("edge-media")
    except metadata.PackageNotFoundError:
        known = "0.0.0+source"
    assert installed_version() == known


def test_the_first_place_that_has_the_distribution_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, version in (("a", "1.2.3.dev4+gabc"), ("b", "9")):
        (tmp_path / place / f"edge_media-{version}.dist-info").mkdir(parents=True)
    (tmp_path / "a" / "edge_media_tools-5.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "absent.zip"), str(tmp_path / "a"), str(tmp_path / "b")])
    assert installed_version() == "1.2.3.dev4+gabc"


def test_a_checkout_that_is_not_installed_has_a_version_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", fail)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert installed_version() == "0.0.0+source"


def test_other_ways_to_install_are_asked_of_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: f"7 of {name}")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert installed_version() == "7 of edge-media"
