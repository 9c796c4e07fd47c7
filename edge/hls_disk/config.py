"""Settings of HLS as files; frozen, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DiskConfig:
    """The fields bear the names of the flags that set them, which are SRS's where it has such a one.

    ``hls_path`` is "" where no files are written.
    """

    hls_path: str = ""
    hls_m3u8_file: str = "[app]/[stream].m3u8"
    hls_ts_file: str = "[app]/[stream]-[seq].ts"
    hls_fmp4_file: str = "[app]/[stream]-[seq].m4s"
    hls_init_file: str = "[app]/[stream]-[digest].init.mp4"
    hls_use_fmp4: bool = False
    hls_window_s: float = 30.0
    hls_keep_s: int = 0
    hls_cleanup: bool = True
    hls_dispose_s: int = 120
    hls_on_error: str = "continue"
    hls_end_list_on_unpublish: bool = False
    hls_entry_prefix: str = ""
    hls_disk_queue_bytes: int = 67108864

    @property
    def kind(self) -> str:
        """What segments are in: ``ts`` or ``m4s``."""
        return "m4s" if self.hls_use_fmp4 else "ts"

    @property
    def window_ms(self) -> int:
        """How much a playlist lists."""
        return int(self.hls_window_s * 1000)
