"""Settings of the log; frozen, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogConfig:
    """The fields bear the names of the flags that set them.

    Severities are glog's: 0 INFO, 1 WARNING, 2 ERROR, 3 FATAL.
    """

    v: int = 0
    vmodule: str = ""
    minloglevel: int = 0
    logtostderr: bool = False
    alsologtostderr: bool = False
    stderrthreshold: int = 2
    log_dir: str = ""
    max_log_size: int = 1800
    log_hostname: bool = False
    log_pid: bool = False
    log_year: bool = False
    log_as_json: bool = False
    log_prefix: bool = True
    log_utc_time: bool = False
    log_queue_lines: int = 10000
