"""The commands of ``edge-ctl``: each asks a node, prints what it says, and returns the exit code."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from edge.builtin.present import bit_rate, cell, duration, pairs, table
from edge.control.convert import plain_of
from edge.service.answers import NOT_KNOWN
from edge.service.wording import text_of
from edge.tools.ctl_client import DONE, NOT_DONE, UNKNOWN, Client, CtlError
from proto.edge.v1 import clients_pb2, flags_pb2, node_pb2, streams_pb2, upstreams_pb2

Options = argparse.Namespace
Command = Callable[[Client, Options], int]
Row = dict[str, Any]

_STREAM_COLUMNS = (
    "key",
    "service",
    "state",
    "publisher",
    "players",
    "video",
    "audio",
    "bitrate",
    "fps",
    "uptime",
    "why",
)
_PLAYER_COLUMNS = ("key", "service", "connection", "peer", "protocol", "kind", "age", "sent_bytes", "behind_ms")
_CONNECTION_COLUMNS = ("id", "service", "peer", "protocol", "role", "key", "stream_count", "uptime", "received_bytes")
_SERVER_COLUMNS = ("endpoint", "service", "use", "state", "streams_count", "ok_count", "failure_count", "tag", "why")
_SOURCE_COLUMNS = ("target", "service", "use", "state", "servers_count", "last_error")
_FLAG_COLUMNS = ("name", "value", "default", "reload", "origin", "after_restart")
#: Columns that are left out where no row has anything in them.
_RARE = frozenset({"service", "why", "tag", "last_error", "after_restart"})


def _show(options: Options, rows: list[Row], names: tuple[str, ...], shown: Callable[[Row], Row], none: str) -> int:
    """Print rows as a table, or as they are in JSON."""
    if options.json:
        print(json.dumps(rows, indent=1))
    elif not rows:
        print(none)
    else:
        cells = [shown(row) for row in rows]
        empty = {name for name in _RARE if not any(row.get(name) for row in cells)}
        print(table(cells, [name for name in names if name not in empty]), end="")
    return DONE


def _pages(client: Client, method: Callable[..., Any], request: Any, field: str) -> Iterator[Row]:
    """Rows of all pages."""
    while True:
        answer = client.call(method, request)
        yield from map(plain_of, getattr(answer, field))
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


def streams(client: Client, options: Options) -> int:
    """The streams of a node."""
    request = streams_pb2.ListStreamsRequest(key=options.key)
    rows = list(_pages(client, client.streams.List, request, "streams"))
    if options.key and not rows:
        raise CtlError(f"no stream {options.key}", NOT_DONE)
    return _show(options, rows, _STREAM_COLUMNS, _shown_stream, "no streams")


def _shown_stream(row: Row) -> Row:
    state = row["state"] if row["push_state"] in (None, "live") else f"push {row['push_state']}"
    return row | {
        "state": state,
        "video": row["video_codec"],
        "audio": row["audio_codec"],
        "bitrate": bit_rate(row["video_bps"] + row["audio_bps"]),
        "uptime": duration(row["uptime_s"]),
        "why": row["push_error"] or row["pull_error"],
    }


def players(client: Client, options: Options) -> int:
    """Who plays."""
    answer = client.call(
        client.clients.ListPlayers, clients_pb2.ListPlayersRequest(key=options.key, limit=options.limit)
    )
    rows = [plain_of(player) for player in answer.players]
    if options.key and not rows:
        there = client.call(client.streams.List, streams_pb2.ListStreamsRequest(key=options.key, page_size=1))
        if not there.streams:
            raise CtlError(f"no stream {options.key}", NOT_DONE)
    code = _show(
        options, rows, _PLAYER_COLUMNS, lambda row: row | {"age": duration(row["age_ms"] / 1000)}, "no players"
    )
    if answer.has_more and not options.json:
        print(f"... and more than these {len(rows)}")
    return code


def connections(client: Client, options: Options) -> int:
    """Open connections."""
    request = clients_pb2.ListConnectionsRequest()
    rows = list(_pages(client, client.clients.ListConnections, request, "connections"))
    columns = (*_CONNECTION_COLUMNS, "sent_bytes")
    return _show(options, rows, columns, lambda row: row | {"uptime": duration(row["uptime_s"])}, "no connections")


def upstreams(client: Client, options: Options) -> int:
    """Upstream servers, and where their lists come from."""
    answer = client.call(client.upstreams.List, upstreams_pb2.ListUpstreamsRequest())
    data = plain_of(answer)
    if options.json:
        print(json.dumps(data, indent=1))
        return DONE
    _show(
        options, data["servers"], _SERVER_COLUMNS, lambda row: row | {"why": row["last_error"]}, "no upstream servers"
    )
    if data["sources"]:
        print()
        _show(options, data["sources"], _SOURCE_COLUMNS, dict, "")
    return DONE


def status(client: Client, options: Options) -> int:
    """What the node is and how it does."""
    data = plain_of(client.call(client.node.Status, node_pb2.StatusRequest()))
    if options.json:
        print(json.dumps(data, indent=1))
        return DONE
    process = data["process"]
    health, ready = process["health"], process["readiness"]
    print(pairs({"version": process["version"], "host": process["addresses"]["host"]}), end="")
    print(pairs({"up": duration(health["uptime_s"]), "loop_lag_ms": health["loop_lag_ms"]}), end="")
    print(pairs({"ready": "yes" if ready["is_ready"] else f"no: {', '.join(ready['reasons'])}"}), end="")
    for service in data["services"]:
        what = f"{_count(service['stream_count'], 'stream')}, {_count(service['player_count'], 'player')}"
        where = f", pulls from {service['pulls_from']}" if service["pulls_from"] else ""
        print(f"{cell(service['service'] or 'service')}: {service['role']}, {what}{where}")
    return DONE


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def flags(client: Client, options: Options) -> int:
    """Show flags, give one of them a value, or keep what was given."""
    if options.save:
        return _say(options, client.call(client.flags.Save, flags_pb2.SaveFlagsRequest()))
    name, is_set, value = options.name.partition("=")
    if is_set:
        return _say(options, client.call(client.flags.Set, flags_pb2.SetFlagRequest(name=name, value=value)))
    request = flags_pb2.ListFlagsRequest(names=[name] if name else [])
    rows = [plain_of(flag) for flag in client.call(client.flags.List, request).flags]
    if not rows and "*" not in name:
        raise CtlError(f"no flag {name}", NOT_DONE)
    return _show(options, rows, _FLAG_COLUMNS, dict, "no such flags")


def kick(client: Client, options: Options) -> int:
    """End the connection of a client."""
    return _say(options, client.call(client.clients.Kick, clients_pb2.KickRequest(connection=options.connection)))


def end(client: Client, options: Options) -> int:
    """End a stream."""
    request = streams_pb2.EndStreamRequest(key=options.key, service=options.service)
    return _say(options, client.call(client.streams.End, request))


def reload(client: Client, options: Options) -> int:
    """Read the flagfiles again."""
    return _say(options, client.call(client.node.Reload, node_pb2.ReloadRequest()))


def drain(client: Client, options: Options) -> int:
    """See everybody off."""
    return _say(options, client.call(client.node.Drain, node_pb2.DrainRequest(within_s=options.within)))


def upgrade(client: Client, options: Options) -> int:
    """Have a new process take over."""
    return _say(options, client.call(client.node.Upgrade, node_pb2.UpgradeRequest()))


def _say(options: Options, answer: Any) -> int:
    print(json.dumps(plain_of(answer)) if options.json else cell(answer.text))
    return DONE


def why(client: Client, options: Options) -> int:
    """Why a stream plays or does not, or what a client was told."""
    if options.client:
        request = clients_pb2.WhyClientRequest(address=options.client)
        data = plain_of(client.call(client.clients.Why, request).answer)
        print(json.dumps(data, indent=1) if options.json else text_of(None, data), end="\n" if options.json else "")
        return NOT_DONE if data["causes"] else DONE
    data = plain_of(client.call(client.streams.Why, streams_pb2.WhyStreamRequest(stream=options.stream)).diagnosis)
    print(json.dumps(data, indent=1) if options.json else text_of(data, None), end="\n" if options.json else "")
    if data["state"] == NOT_KNOWN:
        return UNKNOWN
    return DONE if data["plays"] else NOT_DONE


def watch(client: Client, options: Options) -> int:
    """What becomes of streams, a line for each event, until it is interrupted or its time is over."""
    ends_s = time.monotonic() + options.seconds if options.seconds else None
    request = streams_pb2.WatchStreamsRequest(key=options.key, interval_ms=options.interval_ms)
    while ends_s is None or time.monotonic() < ends_s:
        within_s = None if ends_s is None else max(ends_s - time.monotonic(), 0.01)
        for answer in client.stream(client.streams.Watch, request, within_s):
            for event in answer.events:
                _tell(options, plain_of(event))
            if answer.left_out and not options.json:
                print(f"... and {answer.left_out} more, which follow", flush=True)
    return DONE


def _tell(options: Options, event: Row) -> None:
    what, stream = event["kind"].removeprefix("KIND_").lower(), event["stream"]
    if options.json:
        print(json.dumps({"event": what, "stream": stream}), flush=True)
        return
    shown = _shown_stream(stream)
    parts = (shown["state"], f"publisher {cell(shown['publisher'])}", f"players {shown['players']}", shown["why"])
    print(time.strftime("%H:%M:%S"), f"{what:8}", cell(shown["key"]), *map(cell, filter(None, parts)), flush=True)
