"""Flags of the process: how it leaves, and the files by which others find it."""

from __future__ import annotations

from dataclasses import dataclass

from edge.flags.registry import FlagValues, define_bool, define_int32, define_string, pick

_TOPIC = "server"

define_string(
    "pid_file",
    "",
    "Write the process id into this file, and keep it locked: a second server with the same file does not start. "
    "Folders are made, and the file is removed at the end. Empty writes none.",
    topic=_TOPIC,
)
define_string(
    "port_file",
    "",
    "Write the ports in use into this file once all are open, as lines such as public=8079,1935 and internal=8080; it "
    "is removed at the end. Empty writes none.",
    topic=_TOPIC,
)
define_int32(
    "grace_term_s",
    8,
    "Longest time that SIGTERM gives those who are served: within it the server says that it is not ready, closes to "
    "newcomers, waits until they have left, and ends the others. A server that serves nobody leaves at once. 0 waits "
    "for nobody, as SIGINT does.",
    topic=_TOPIC,
    unit="s",
    lower=0,
    upper=86400,
)
define_int32(
    "grace_start_wait_ms",
    2300,
    "A draining server answers probes that it is not ready this long before it closes to newcomers, so that load "
    "balancers have turned away by then; of -grace_term_s a quarter at most.",
    topic=_TOPIC,
    unit="ms",
    lower=0,
)
define_int32(
    "grace_final_wait_ms",
    3200,
    "A server that drains without a deadline waits this long after the last has left before it exits.",
    topic=_TOPIC,
    unit="ms",
    lower=0,
)
define_string(
    "rtmp_siblings",
    "",
    "Public base URLs, rtmp[s]://host[:port], of the nodes that RTMP clients may go to when this one drains, this one "
    "among them, by a naming URL: list://rtmp://a,rtmp://b:8079 or file://edges.txt, a line each. Those that know "
    "E-RTMP's ReconnectRequest are told the tcUrl of one that is ready. Empty: to go to the URL that they have.",
    topic=_TOPIC,
)
define_int32(
    "grace_max_wait_s",
    0,
    "Longest whole drain, also without a deadline; then those who are left are ended. 0 sets no limit.",
    topic=_TOPIC,
    unit="s",
    lower=0,
)
define_bool(
    "graceful_quit_on_sigterm",
    False,
    "SIGTERM drains without a deadline, as SIGQUIT does.",
    topic=_TOPIC,
)
define_string(
    "vhost_remove_action",
    "close",
    "What becomes of the streams of a vhost that a reload takes away: close ends them for all; drain lets who is here "
    "stay, and newcomers are refused.",
    topic=_TOPIC,
    choices=("close", "drain"),
)


@dataclass(frozen=True, slots=True)
class ProcessConfig:
    """Settings of the process, named as their flags."""

    pid_file: str = ""
    vhost_remove_action: str = "close"
    port_file: str = ""
    grace_term_s: int = 8
    grace_start_wait_ms: int = 2300
    grace_final_wait_ms: int = 3200
    grace_max_wait_s: int = 0
    rtmp_siblings: str = ""
    graceful_quit_on_sigterm: bool = False


def process_config(flags: FlagValues) -> ProcessConfig:
    """Settings of the process."""
    return pick(ProcessConfig, flags)
