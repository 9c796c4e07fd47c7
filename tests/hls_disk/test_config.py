"""What follows from the settings."""

from __future__ import annotations

from edge.flags.gflags import parse
from edge.flags.hls import disk_config
from edge.flags.hub import hub_config
from edge.hls_disk.config import DiskConfig


def test_kind_and_window() -> None:
    assert DiskConfig().kind == "ts"
    assert DiskConfig(hls_use_fmp4=True).kind == "m4s"
    assert DiskConfig(hls_window_s=6.5).window_ms == 6500


def test_flags_reach_it_with_its_defaults() -> None:
    assert disk_config(parse([]).flags) == DiskConfig()
    flags = parse(["-hls_path=/x", "-hls_keep_s=9", "-hls_on_error=ignore", "-nohls_cleanup"]).flags
    assert disk_config(flags) == DiskConfig(hls_path="/x", hls_keep_s=9, hls_on_error="ignore", hls_cleanup=False)


def test_streams_are_cut_for_files_without_HLS_over_HTTP() -> None:
    assert not hub_config(parse(["-nohls"]).flags).hls
    assert hub_config(parse(["-nohls", "-hls_path=/x"]).flags).hls
