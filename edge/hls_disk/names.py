"""Where the files of a stream are, below the directory, and how its playlist calls them."""

from __future__ import annotations

import posixpath
from urllib.parse import quote

from edge.hls.names import SegmentName
from edge.hls_disk.config import DiskConfig
from edge.hls_disk.template import fill, time_values
from edge.hub.key import StreamKey


class Names:
    """Fills the templates."""

    def __init__(self, config: DiskConfig, *, folds_case: bool = False) -> None:
        """``folds_case``: as in :func:`edge.hls_disk.template.fill`."""
        self._config = config
        self._folds_case = folds_case

    def _fill(self, template: str, key: StreamKey, **values: str) -> str:
        of_stream = {"vhost": key.vhost, "app": key.app, "stream": key.stream_name}
        return fill(template, {**of_stream, **values}, folds_case=self._folds_case)

    def playlist(self, key: StreamKey) -> str:
        """Of its playlist."""
        return self._fill(self._config.hls_m3u8_file, key)

    def segment(self, key: StreamKey, kind: str, seq: int, name: SegmentName, duration_ms: int, wall_ms: int) -> str:
        """Of a segment; ``seq``: its number in the playlist."""
        template = self._config.hls_ts_file if kind == "ts" else self._config.hls_fmp4_file
        values = {"seq": str(seq), "duration": str(duration_ms), "epoch": name.epoch}
        return self._fill(template, key, **values, **time_values(wall_ms))

    def init(self, key: StreamKey, digest: str) -> str:
        """Of a decoder configuration."""
        return self._fill(self._config.hls_init_file, key, digest=digest)


def uri_of(path: str, playlist: str, prefix: str = "") -> str:
    """How ``playlist`` calls the file at ``path``; both are relative to the directory.

    ``prefix``: what absolute URIs begin with; "" for relative ones.
    """
    if prefix:
        return f"{prefix.rstrip('/')}/{quote(path)}"
    relative = posixpath.relpath(path, posixpath.dirname(playlist) or ".")
    return "/".join(part if part == ".." else quote(part, safe="") for part in relative.split("/"))


def state_path(playlist: str) -> str:
    """Of what a playlist does not say and the next process needs; hidden, beside it."""
    folder, name = posixpath.split(playlist)
    return posixpath.join(folder, f".{name}{STATE_SUFFIX}")


#: Ends the names of such files.
STATE_SUFFIX = ".edge-state"
