"""Flags of the log, with the names of glog and brpc."""

from __future__ import annotations

from dataclasses import dataclass

from edge.flags.classes import LIVE
from edge.flags.registry import FlagValues, define_bool, define_int32, define_string, pick

_TOPIC = "logging"


@dataclass(frozen=True, slots=True)
class LogConfig:
    """Settings of the log; the fields bear the names of the flags that set them.

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
    async_log: bool = True
    log_queue_lines: int = 10000


define_int32(
    "v",
    0,
    "Detail of the log: 0 none, 1 and above everything of level DEBUG.",
    topic=_TOPIC,
    reload=LIVE,
    lower=0,
)
define_string(
    "vmodule",
    "",
    "Detail by module: comma-separated name=level, name with * and ?, such as rtmp_server=1,edge.hub.*=1.",
    topic=_TOPIC,
    reload=LIVE,
)
define_int32(
    "minloglevel",
    0,
    "Lowest severity logged: 0 INFO, 1 WARNING, 2 ERROR, 3 FATAL.",
    topic=_TOPIC,
    reload=LIVE,
    lower=0,
    upper=3,
)
define_bool("logtostderr", False, "Log to standard error only, whatever -log_dir says.", topic=_TOPIC)
define_bool("alsologtostderr", False, "With -log_dir, log to standard error as well.", topic=_TOPIC)
define_int32(
    "stderrthreshold",
    2,
    "With -log_dir, lowest severity that goes to standard error as well.",
    topic=_TOPIC,
    lower=0,
    upper=3,
)
define_string(
    "log_dir", "", "Directory of log files, one per start and -max_log_size; empty: standard error only.", topic=_TOPIC
)
define_int32(
    "max_log_size", 1800, "A log file is followed by a new one at this size.", topic=_TOPIC, unit="MiB", lower=1
)
define_bool("log_hostname", False, "Add the host's name to each line.", topic=_TOPIC)
define_bool("log_pid", False, "Add the process id to each line.", topic=_TOPIC)
define_bool("log_year", False, "Write the year before month and day.", topic=_TOPIC)
define_bool("log_as_json", False, "Write each line as a JSON object.", topic=_TOPIC)
define_bool("log_prefix", True, "Begin each line with severity, time, thread and place.", topic=_TOPIC)
define_bool("log_utc_time", False, "Times in UTC instead of local time.", topic=_TOPIC)
define_bool(
    "async_log",
    True,
    "Lines are written by a thread of their own. -noasync_log: each is written before the program goes on, so that a "
    "crash loses none, and a reader of the log that stands still stops the program.",
    topic=_TOPIC,
)
define_int32(
    "log_queue_lines",
    10000,
    "Lines that wait for a slow reader of the log; more are dropped and counted.",
    topic=_TOPIC,
    lower=1,
    upper=10000000,
)


def log_config(flags: FlagValues) -> LogConfig:
    """Settings of the log."""
    return pick(LogConfig, flags)
