"""Makes what the gates take: signed URLs, secret stream keys, lines of users. No node is asked."""

from __future__ import annotations

import argparse
import getpass
import re
import secrets
import sys
from pathlib import Path

from edge.access.edge_scheme import EVERYTHING, EdgeScheme, is_scope
from edge.access.passwords import SALT_BYTES, new_hash
from edge.access.signing import names, parse_keys, parse_schemes
from edge.access.stream_keys import new_line
from edge.access.token import Asked
from edge.access.users import ACTIONS
from edge.net.aio import wall_ms
from edge.tools.ctl_client import DONE, NOT_DONE, CtlError

DEFAULT_KEYS = "sign.keys"
_KEY_GROUPS, _GROUP_SIGNS = 5, 5
#: Without those that look alike.
_SIGNS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_TIME = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def duration_s(text: str) -> int:
    """``90``, ``90s``, ``15m``, ``1h``, ``7d`` in seconds; raises ArgumentTypeError."""
    found = _TIME.fullmatch(text)
    if found is None or not int(found.group(1)):
        raise argparse.ArgumentTypeError("a time is 90s, 15m, 1h or 7d")
    return int(found.group(1)) * _SECONDS[found.group(2)]


def add_parsers(subs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands ``sign``, ``key`` and ``user``."""
    about = "the query of a signed URL"
    sign = subs.add_parser("sign", help=about, description=f"Prints {about}, signed with the first key of a file.")
    sign.add_argument("action", choices=("play", "publish"))
    sign.add_argument("stream", metavar="APP/STREAM")
    sign.add_argument("--ttl", type=duration_s, default=3600, metavar="TIME", help="valid for 90s, 15m, 1h, 7d (1h)")
    sign.add_argument("--keys", default=DEFAULT_KEYS, metavar="FILE", help="-sign_keys_file of the node (%(default)s)")
    sign.add_argument("--scheme", default="edge", help=f"{', '.join(names())}, or a template (%(default)s)")
    sign.add_argument("--vhost", default="_", help="of the stream; _ is the default one")
    sign.add_argument("--suffix", default="", help="of a URL of HTTP, as .flv, for schemes that sign the path")
    sign.add_argument("--scope", default="", help="app/* or * in place of the stream (edge only)")
    sign.add_argument("--ip", default="", help="good from this address only (edge, nginx, templates)")
    sign.set_defaults(run_alone=_sign)
    key = subs.add_parser("key", help="a secret stream key").add_subparsers(dest="what", required=True)
    new_key = key.add_parser("new", help="make one", description="Prints a new key, and its line of -stream_keys_file.")
    new_key.add_argument("name", metavar="[VHOST/]APP/STREAM")
    new_key.set_defaults(run_alone=_new_key)
    user = subs.add_parser("user", help="a user").add_subparsers(dest="what", required=True)
    new_user = user.add_parser("new", help="make one", description="Asks for a password; prints a line of -users_file.")
    new_user.add_argument("name")
    new_user.add_argument("--actions", default="play", help=f"of {', '.join(sorted(ACTIONS))} (%(default)s)")
    new_user.add_argument("--paths", default="", help="app/stream, app/* or *, with commas between; all without")
    new_user.set_defaults(run_alone=_new_user)


def _sign(options: argparse.Namespace) -> int:
    try:
        (scheme,) = parse_schemes(options.scheme)
        key = parse_keys(Path(options.keys).read_text())[0]
    except OSError as error:
        raise CtlError(f"{options.keys}: {error.strerror}", NOT_DONE) from error
    except ValueError as error:
        raise CtlError(str(error), NOT_DONE) from error
    app, _, stream = options.stream.partition("/")
    if not app or not stream or EVERYTHING in options.stream:
        raise CtlError("a stream is APP/STREAM", NOT_DONE)
    path = f"/{options.stream}{options.suffix}"
    asked = Asked(options.action, options.vhost, app, stream, path, options.ip, wall_ms() / 1000)
    ends_s = int(asked.now_s) + options.ttl
    if isinstance(scheme, EdgeScheme):
        if options.scope and not is_scope(options.scope):
            raise CtlError("a scope is app/stream, app/* or *", NOT_DONE)
        print(scheme.sign(asked, key, ends_s, scope=options.scope, binds=bool(options.ip)))
    else:
        print(scheme.sign(asked, key, ends_s))
    return DONE


def new_key() -> str:
    """A key that can be read out: 25 signs of 56, which are 145 bits."""
    groups = ("".join(secrets.choice(_SIGNS) for _ in range(_GROUP_SIGNS)) for _ in range(_KEY_GROUPS))
    return "-".join(groups)


def _new_key(options: argparse.Namespace) -> int:
    key = new_key()
    try:
        line = new_line(options.name, key)
    except ValueError as error:
        raise CtlError(str(error).partition(":")[2].strip(), NOT_DONE) from error
    print(f"key, for the publisher:      {key}")
    print(f"line, for -stream_keys_file: {line}")
    return DONE


def _new_user(options: argparse.Namespace) -> int:
    if not options.name or ":" in options.name or not ACTIONS.issuperset(options.actions.split(",")):
        raise CtlError(f"a name has no colon; actions are of {', '.join(sorted(ACTIONS))}", NOT_DONE)
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not password:
        raise CtlError("there is no password", NOT_DONE)
    parts = [options.name, new_hash(password, secrets.token_bytes(SALT_BYTES)), options.actions]
    print(":".join([*parts, options.paths] if options.paths else parts))
    return DONE
