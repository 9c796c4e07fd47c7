"""``edge-ctl``: tells what a node does, and tells it what to do, by gRPC.

Exit code 0: done, or it plays. 1: the node says no: there is no such thing, or it does not play.
2: the node could not be asked. 3: of ``why``, it is not known.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from edge.tools import ctl_access
from edge.tools import ctl_commands as commands
from edge.tools.ctl_client import CANNOT_ASK, DEFAULT_ADDRESS, DONE, TIMEOUT_S, Client, CtlError
from edge.tools.why import seconds

_CODES = "exit code 0: done, or it plays; 1: the node says no; 2: the node could not be asked; 3: not known (why)"
_ADDRESS_HELP = "internal port of the node, or any port of it on this machine where none is set (%(default)s)"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="edge-ctl", description="Tells what a node does, and tells it what to do.")
    made.epilog = _CODES
    made.add_argument("--address", default=DEFAULT_ADDRESS, metavar="HOST:PORT", help=_ADDRESS_HELP)
    made.add_argument("--timeout", type=seconds, default=TIMEOUT_S, help="seconds to wait for an answer (%(default)s)")
    made.add_argument("--tls", action="store_true", help="speak TLS")
    made.add_argument("--ca", default="", metavar="FILE", help="believe the certificates of this file")
    made.add_argument("--json", action="store_true", help="print data for programs")
    subs = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, command: commands.Command, about: str) -> argparse.ArgumentParser:
        sub = subs.add_parser(name, help=about, description=about)
        sub.set_defaults(run=command)
        # Also behind the command; what stands before it is not undone.
        sub.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print data for programs")
        return sub

    one_stream: dict[str, Any] = {
        **{"dest": "key", "nargs": "?", "default": "", "metavar": "KEY"},
        "help": "APP/STREAM, or a key with its vhost, as streams shows it: that one alone",
    }
    add("status", commands.status, "what the node is and how it does")
    add("streams", commands.streams, "the streams").add_argument(**one_stream)
    sub = add("players", commands.players, "who plays")
    sub.add_argument(**one_stream)
    sub.add_argument("--limit", type=int, default=1000, help="show so many at most (%(default)s)")
    add("connections", commands.connections, "open connections")
    add("upstreams", commands.upstreams, "upstream servers")
    sub = add("flags", commands.flags, "the flags; NAME=VALUE gives one of them a value")
    sub.add_argument("name", nargs="?", default="", metavar="NAME[=VALUE]", help="a flag, or a pattern with *")
    sub.add_argument("--save", action="store_true", help="write what was set into -save_flagfile")
    sub = add("kick", commands.kick, "end the connection of a publisher or player")
    sub.add_argument("connection", type=int, help="its number, which connections shows")
    sub = add("end", commands.end, "end a stream for all")
    sub.add_argument("key", metavar="KEY", help="APP/STREAM, or its key with the vhost, as streams shows it")
    sub.add_argument("--service", default="", help="front or merge, in a process with both")
    add("reload", commands.reload, "read the flagfiles again")
    sub = add("drain", commands.drain, "see everybody off, and end the node")
    sub.add_argument("--within", type=int, metavar="SECONDS", help="end who is left after so long; 0: now")
    add("upgrade", commands.upgrade, "have a new process take over from the node, connections and all")
    sub = add("watch", commands.watch, "what becomes of streams, a line each")
    sub.add_argument(**one_stream)
    sub.add_argument("--interval-ms", type=int, default=1000, help="time between two looks (%(default)s)")
    sub.add_argument("--seconds", type=seconds, help="end after so long")
    sub = add("why", commands.why, "why a stream plays or does not")
    asked = sub.add_mutually_exclusive_group(required=True)
    asked.add_argument("stream", nargs="?", default="", help="APP/STREAM or a URL")
    asked.add_argument("--client", default="", metavar="IP", help="what was this client told?")
    ctl_access.add_parsers(subs)
    sub = add("hook-demo", _hook_demo, "serve hooks to be tried with: prints what they tell, answers as bid")
    sub.add_argument("--port", type=int, default=8085, help="to listen on (%(default)s)")
    sub.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    sub.add_argument(
        "--answer", default="yes", help="yes, no [REASON], nothing, slow SECONDS, wrong, rename STREAM ..."
    )
    return made


def _hook_demo(_node: Client, options: argparse.Namespace) -> int:
    """Asks no node."""
    from edge.tools.hook_demo import hook_demo

    return hook_demo(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one command; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        if hasattr(options, "run_alone"):
            return int(options.run_alone(options))
        client = Client(
            options.address, timeout_s=options.timeout, is_tls=options.tls or bool(options.ca), ca=options.ca
        )
        try:
            run: commands.Command = options.run
            return run(client, options)
        finally:
            client.close()
    except CtlError as error:
        print(f"edge-ctl: {error.text}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return DONE
    except BrokenPipeError:  # whoever reads has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CANNOT_ASK


def run() -> None:
    """The console script."""
    sys.exit(main())


if __name__ == "__main__":
    run()
