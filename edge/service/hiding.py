"""What clients say beside a stream's name is secret: it is taken out of what logs, pages and other nodes are told."""

from __future__ import annotations

import re
from urllib.parse import unquote

#: Values shorter than this are no secrets, and would be found in innocent words.
_LEAST_SECRET = 6
#: Of those that stand alone, as whole words, shorter ones are hidden too.
_LEAST_WORD = 2
_QUERY = re.compile(r"\?[^\s\"'<>()]+")
_PASSWORD = re.compile(r"(://)[^/@\s]+@")


def hide_query(text: str, query: str) -> str:
    """``text``, which an upstream wrote and logs and pages show, without the query and its values."""
    if not query:
        return text
    values = [part.partition("=")[2] for part in query.split("&")]
    values += [unquote(value) for value in values]  # an upstream may have decoded what it quotes
    for secret in (query, *sorted(values, key=len, reverse=True)):
        if len(secret) >= _LEAST_SECRET:
            text = text.replace(secret, "...")
    return text


def without_queries(text: str, query: str = "") -> str:
    """``text`` without anything behind a question mark, passwords of URLs, and values of ``query`` as whole words."""
    text = hide_query(text, query)
    for part in query.split("&") if query else ():
        value = part.partition("=")[2]
        for word in {value, unquote(value)}:
            if len(word) >= _LEAST_WORD and word in text:  # a stranger's query has thousands
                text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "...", text)
    if "?" in text:
        text = _QUERY.sub("?...", text)
    return _PASSWORD.sub(r"\1...@", text) if "@" in text else text
