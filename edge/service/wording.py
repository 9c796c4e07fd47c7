"""Answers in plain words for a terminal: the sentence, the causes with advice, the nodes, and what happened.

They are taken as rows, as they come in JSON: see ``answers.py`` for the names.
"""

from __future__ import annotations

from typing import Any

Data = dict[str, Any]

_HOW_TO_ASK = ("/why?stream=APP/STREAM says why a stream plays or does not,", "/why?address=IP what a client was told")


def text_of(about_stream: Data | None, about_address: Data | None) -> str:
    """What the page ``/why`` has found, one line each; control characters of peers are made visible."""
    lines: list[str] = []
    if about_stream is not None:
        lines += lines_of(about_stream)
    if about_address is not None:
        lines += address_lines(about_address)
    return "".join(f"{_visible(line)}\n" for line in lines or _HOW_TO_ASK)


def _visible(line: str) -> str:
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in line)


def address_lines(data: Data) -> list[str]:
    """What is known of an address, see ``Why.about_address``."""
    lines = [f"{data['address']}: {data['verdict']}"]
    for cause in data["causes"]:
        lines += _cause(cause, f"{spoken_time(cause['age_s'])} ago")
    for row in data["connections"]:
        what = " ".join(each for each in (row["protocol"], row["role"], row["keys"]) if each)
        lines.append(f"  connection c{row['id']}: {what}, {spoken_time(row['uptime_s'])}")
    return lines


def spoken_time(seconds: int) -> str:
    """As people say it: seconds up to two minutes, then minutes up to two hours, then hours."""
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _cause(cause: Data, when: str) -> list[str]:
    often = f" ({cause['count']} times)" if cause["count"] > 1 else ""
    amount = f" ({cause['amount']} frames)" if cause["amount"] else ""
    whom = f" [{cause['client']}]" if cause["client"] else ""
    lines = [f"  {when}: {cause['text']}{often}{amount}{whom}"]
    return [*lines, f"    -> {cause['advice']}"] if cause["advice"] else lines


def lines_of(data: Data) -> list[str]:
    """All of what ``diagnose`` has found; causes of the past are in the stories only."""
    found = [f"{data['stream']}: {data['verdict']}"]
    for cause in data["causes"]:
        if not cause["is_in_force"]:
            continue
        when = "now" if cause["is_now"] else f"{spoken_time(cause['age_s'])} ago"
        found += _cause(cause, f"{when}, node {cause['node'] + 1}")
    for place, node in enumerate(data["nodes"], 1):
        found += ["", f"node {place}: {node['name']}, {node['role']}, {_stands(node)}"]
        found += [f"  {_way(way)}" for way in node["ways"]]
        found += [f"  {_happened(row)}" for row in node["story"]]
    return found


def _stands(node: Data) -> str:
    fed = {"client": "published here", "node": "brought by another node", "pulled": "pulled"}.get(node["publisher"])
    codecs = " ".join(each for each in (node["video"], node["audio"]) if each)
    count = node["players"]
    parts = (node["state"], fed, codecs, "1 player" if count == 1 else f"{count} players")
    return ", ".join(part for part in parts if part)


def _way(way: Data) -> str:
    error = f", last error: {way['error']}" if way["error"] else ""
    return f"{way['use']} {way['state']} at {way['server'] or 'no server'}, attempt {way['attempt_count']}{error}"


def _happened(row: Data) -> str:
    often = f" ({row['count']} times in {spoken_time(row['first_age_s'])})" if row["count"] > 1 else ""
    amount = f" ({row['amount']} frames)" if row["amount"] else ""
    where = next((f" [{each}]" for each in (row["server"], row["client"]) if each and each not in row["text"]), "")
    return f"{spoken_time(row['age_s'])} ago: {row['text']}{often}{amount}{where}"
