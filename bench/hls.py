"""HLS of ours, and classic HLS of nginx with its RTMP module, beside each other: ``python bench/hls.py --help``."""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

if __package__ in (None, ""):  # started as a script, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.command import machine
from bench.load import BenchError, Load, Meter, Row, built_tool, cores, usage
from bench.report import HLS_TITLE, number, table, with_section
from bench.scenarios import raise_descriptor_limit
from bench.servers import NGINX_HEAD, Edge, Nginx, Running, installed_nginx, leave_on_sigterm

VIEWERS = 1000
#: CPU in percent of a core.
GOALS = {"classic": 20.0, "low latency": 60.0}
STREAMS = 1000
#: Of them with sound, which is nine of ten frames.
SOUNDING = 300
_AUDIO_KBPS = 64
LAG_GOAL_MS = 50.0
#: Bytes held for a stream by the bytes of its window.
MEMORY_GOAL = 1.2
_SETTLE_S, _WINDOW_S = 4.0, 15.0
_LIMIT_S = 120.0
_SEGMENTS_S = 9.0  # until there are some
_LAG_EACH_S = 0.05
_ASK_AT_ONCE = 32

#: Segments and a window of the length that ours has; sendfile as Debian's configuration has it.
NGINX_HLS = (
    NGINX_HEAD
    + """    application live {{
      live on; hls on; hls_path hls; hls_fragment 2s; hls_playlist_length 30s;
    }}
  }}
}}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{http_port}; root .; }}
}}
"""
)


class NginxHls(Nginx):
    """Writes segments as files and serves them."""

    name = "nginx"

    def __init__(self, nginx: Nginx) -> None:
        super().__init__(nginx._program, nginx._module)
        self.http_port = 0

    def command(self, port: int, flags: Sequence[str], folder: Path) -> list[str]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.http_port = probe.getsockname()[1]
        configuration = folder / "nginx.conf"
        text = NGINX_HLS.format(module=self._module, port=port, http_port=self.http_port)
        configuration.write_text(text.replace("hls_path hls", f"hls_path {folder}/hls"))
        return [self._program, "-p", f"{folder}/", "-c", str(configuration), "-e", str(folder / "error.log")]


def viewers(server: Edge | NginxHls, form: str, tool: Path, count: int, window_s: float) -> Row:
    """What ``count`` viewers of one stream cost a server."""
    server_core, load_core = cores()
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(Running(server, (), server_core))
        publish = ["publish", "--port", str(running.port), "--streams", "1", "--kbps", "500"]
        publisher = Load(tool, load_core, publish, _LIMIT_S)
        stack.callback(publisher.stop)
        publisher.wait_for("publishing")
        time.sleep(_SEGMENTS_S)
        suffix = "ll.media.m3u8" if form == "low latency" else "classic.media.m3u8"
        path = "/hls/s0.m3u8" if isinstance(server, NginxHls) else f"/live/s0.{suffix}"
        port = server.http_port if isinstance(server, NginxHls) else running.port
        arguments = [str(Path(__file__).with_name("hls_load.py")), "--port", str(port), "--path", path]
        arguments += ["--viewers", str(count), "--settle", str(_SETTLE_S), "--window", str(window_s)]
        arguments += ["--low-latency"] if form == "low latency" else []
        load = Load(Path(sys.executable), load_core, arguments, _LIMIT_S)
        stack.callback(load.stop)
        load.wait_for("window")
        meter = Meter(running.program.session, server_core)
        meter.start()
        done = load.wait_for("done")
        return {"scenario": "viewers", "server": server.name, "form": form, "viewers": count, **meter.stop(), **done}


def streams(tool: Path, count: int, kbps: int, window_s: float, *, audio_kbps: int = 0) -> Row:
    """What it costs to make segments of many streams, and how long others then wait for the loop."""
    server_core, load_core = cores()
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(Running(Edge(), ("-hls_viewer_timeout_ms=600000",), server_core))
        session = running.program.session
        publish = ["publish", "--port", str(running.port), "--streams", str(count), "--kbps", str(kbps)]
        publish += ["--audio-kbps", str(audio_kbps), "--fps", "5", "--ramp", "150"]
        publisher = Load(tool, load_core, publish, _LIMIT_S * 3)
        stack.callback(publisher.stop)
        published = publisher.wait_for("publishing")
        if published["failed"]:
            raise BenchError(f"{published['failed']} of {count} publishers failed")
        time.sleep(12)  # the log holds 10 s
        plain = Meter(session, server_core)
        plain.start()
        time.sleep(window_s / 2)
        before = plain.stop()
        began_s = time.monotonic()
        with ThreadPoolExecutor(_ASK_AT_ONCE) as pool:  # each waits for a first segment
            paths = [f"/live/s{number_of_stream}.classic.media.m3u8" for number_of_stream in range(count)]
            sizes = list(pool.map(partial(_ask, running.port), paths))
        filled_s = 40.0  # the window and the segment in progress
        time.sleep(max(began_s + filled_s - time.monotonic(), 0))
        lags: list[float] = []
        is_over = threading.Event()
        watch = threading.Thread(target=_watch_lag, args=(running.port, lags, is_over), daemon=True)
        meter = Meter(session, server_core)
        meter.start()
        watch.start()
        time.sleep(window_s)
        figures = meter.stop()
        is_over.set()
        watch.join()
        window = _window_bytes(running.port, count)
        rss_mb = usage(session)[2] / 1e6
    lags.sort()
    return {
        "scenario": "streams",
        "streams": count,
        "kbps": kbps,
        "audio_kbps": audio_kbps,
        "asked": len(sizes),
        "unsegmented_cpu_pct": before["cpu_pct"],
        "unsegmented_rss_mb": before["rss_mb"],
        **figures,
        "rss_mb": rss_mb,
        "lag_p50_ms": lags[len(lags) // 2],
        "lag_p99_ms": lags[int(len(lags) * 0.99)],
        "lag_max_ms": lags[-1],
        "window_kb": window / 1000,
        "memory_kb": (rss_mb - before["rss_mb"]) * 1000 / count,
    }


def _ask(port: int, path: str) -> bytes:
    for _ in range(10):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise BenchError(f"{path}: {error.code}") from error
        time.sleep(0.3)
    raise BenchError(f"{path}: nothing after ten tries")


def _watch_lag(port: int, lags: list[float], is_over: threading.Event) -> None:
    """How long the loop takes for the smallest answer that it has."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        while not is_over.wait(_LAG_EACH_S):
            began_s = time.monotonic()
            sock.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            sock.recv(4096)
            lags.append((time.monotonic() - began_s) * 1000)


def _window_bytes(port: int, count: int) -> float:
    """Of the segments that a stream lists, on average over some streams."""
    sizes = []
    for number_of_stream in range(0, count, max(count // 10, 1)):
        text = _ask(port, f"/live/s{number_of_stream}.classic.media.m3u8").decode()
        names = [line for line in text.splitlines() if line and not line.startswith("#")]
        sizes.append(sum(len(_ask(port, f"/live/{name}")) for name in names))
    return statistics.mean(sizes)


def measure(rounds: int, only: str | None, *, count: int, window_s: float, stream_count: int, kbps: int) -> Row:
    """All of it, the servers in turn."""
    raise_descriptor_limit()
    leave_on_sigterm()
    nginx = installed_nginx()
    results: Row = {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": machine(nginx),
        "runs": [],
    }
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        tool = built_tool(Path(folder))
        for number_of_round in range(rounds if only != "streams" else 0):
            plans: list[tuple[Edge | NginxHls, str]] = [(Edge(), "classic"), (Edge(), "low latency")]
            plans += [(NginxHls(nginx), "classic")] if nginx is not None else []
            for server, form in plans:
                row = viewers(server, form, tool, count, window_s)
                results["runs"].append({**row, "round": number_of_round})
                _say(f"{server.name}, {form}: {json.dumps(row)}")
        for total, audio_kbps in ((stream_count, 0), (min(stream_count, SOUNDING), _AUDIO_KBPS)) * (only != "viewers"):
            try:
                row = streams(tool, total, kbps, window_s, audio_kbps=audio_kbps)
            except BenchError as error:  # more than the server takes; the viewers' figures are good all the same
                row = {"scenario": "failed", "error": f"{total} streams: {error}"}
            results["runs"].append(row)
            _say(json.dumps(row))
    return results


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _middle(rows: Sequence[Row], field: str, digits: int = 1) -> str:
    """The median, and the range of several rounds."""
    values = [float(row[field]) for row in rows]
    middle = number(statistics.median(values), digits)
    return middle if len(values) < 2 else f"{middle} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def viewers_table(results: Row) -> list[str]:
    """What viewers cost by form and server."""
    rows = []
    runs = [run for run in results["runs"] if run["scenario"] == "viewers"]
    for form, server in (("classic", "edge"), ("classic", "nginx"), ("low latency", "edge")):
        found = [run for run in runs if (run["form"], run["server"]) == (form, server)]
        if not found:
            continue
        per_s = [run["media_per_s"] + run["playlists_per_s"] for run in found]
        each_us = [run["cpu_pct"] * 1e4 / count for run, count in zip(found, per_s, strict=True)]
        delays = [statistics.median(run[f"media_{name}_ms"] for run in found) for name in ("p50", "p99")]
        rows.append(
            [
                form,
                server,
                f"{statistics.median(per_s):.0f}",
                _middle(found, "mbps", 0),
                _middle(found, "cpu_pct"),
                f"{statistics.median(each_us):.0f}",
                " / ".join(map(number, delays)),
                _middle(found, "behind_p99_ms", 0) if form == "low latency" else "",
                str(sum(sum(run["statuses"].values()) for run in found)),
                _middle(found, "rss_mb", 0),
                _middle(found, "own_cpu_pct", 0),
                _middle(found, "other_pct", 0),
            ]
        )
    head = ["form", "server", "requests/s", "Mbit/s", "CPU %", "µs per request", "segment or part p50 / p99 ms"]
    return table([*head, "last to know of a part p99 ms", "faults", "RSS MB", "load %", "other %"], rows)


def streams_table(results: Row) -> list[str]:
    """What many segmented streams cost."""
    rows = [
        [
            f"{run['streams']} of {run['kbps']} kbit/s" + (", with sound" if run["audio_kbps"] else ""),
            number(run["unsegmented_cpu_pct"]),
            number(run["cpu_pct"]),
            f"{run['lag_p50_ms']:.1f} / {run['lag_p99_ms']:.1f} / {run['lag_max_ms']:.1f}",
            number(run["window_kb"], 0),
            number(run["memory_kb"], 0),
            number(run["memory_kb"] / run["window_kb"], 2),
            number(run["other_pct"], 0),
        ]
        for run in results["runs"]
        if run["scenario"] == "streams"
    ]
    head = ["streams", "CPU % before", "CPU % with segments", "wait for the loop p50 / p99 / max ms"]
    return table([*head, "KB of the window", "KB of memory per stream", "ratio", "other %"], rows)


def section(results: Row, rest: str = "") -> str:
    """The section of ``docs/performance.md``; ``rest`` is what people wrote below the tables."""
    lines = [
        f"## {HLS_TITLE}",
        "",
        "Written by `python bench/hls.py --write docs/performance.md`; viewers of one 500 kbit/s stream, the servers",
        f"in turn. Goals for {VIEWERS} viewers: {GOALS['classic']:.0f} % of a core for classic ones, which ask for",
        f"playlist and segment each 2 s, and {GOALS['low latency']:.0f} % for low latency, a blocking reload and a",
        "part each 280 ms. Medians with the range of the rounds. nginx writes files with its RTMP module.",
        "",
        *(f"- {name}: {value}" for name, value in results["machine"].items()),
        f"- date: {results['when']}",
        "",
        *viewers_table(results),
        "",
    ]
    if any(run["scenario"] == "streams" for run in results["runs"]):
        lines += [
            "Many streams of 5 pictures a second, and 43 frames of AAC where they have sound, all segmented at",
            "once (a playlist of each was asked for). Wait: that of a small request each 50 ms, goal "
            f"{LAG_GOAL_MS:.0f}.",
            f"Memory: what the RSS grew by, goal {MEMORY_GOAL} times the bytes of the window.",
            "",
            *streams_table(results),
            "",
        ]
    return "\n".join(lines) + rest


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="bench/hls.py", description=__doc__)
    parser.add_argument("--only", choices=("viewers", "streams"), help="half of it")
    parser.add_argument("--rounds", type=int, default=3, help="of the viewers, the servers in turn")
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--window", type=float, default=_WINDOW_S, help="seconds of each measurement")
    parser.add_argument("--streams", type=int, default=STREAMS, help="that are segmented at once")
    parser.add_argument("--kbps", type=int, default=100, help="of each of them")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--read", type=Path, help="report the results in this file instead of measuring")
    parser.add_argument("--write", type=Path, help="put the section into this page")
    arguments = parser.parse_args(argv)
    try:
        if arguments.read:
            results = json.loads(arguments.read.read_text())
        else:
            results = measure(
                arguments.rounds,
                arguments.only,
                count=arguments.viewers,
                window_s=arguments.window,
                stream_count=arguments.streams,
                kbps=arguments.kbps,
            )
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=1) + "\n")
        if arguments.write:
            page = arguments.write.read_text()
            arguments.write.write_text(with_section(page, HLS_TITLE, section(results, _kept(page))))
    except (BenchError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(section(results))
    return 1 if any(run["scenario"] == "failed" for run in results["runs"]) else 0


def _kept(page: str) -> str:
    """What people wrote in the section, from its first subheading on."""
    found = page.partition(f"\n## {HLS_TITLE}\n")[2].partition("\n## ")[0]
    below = found.partition("\n### ")
    return f"\n### {below[2]}" if below[1] else ""


if __name__ == "__main__":
    sys.exit(main())
