"""Signed URLs as a vhost has them: some schemes, any of which suffices, and keys, of which each may be the one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from edge.access.edge_scheme import EdgeScheme
from edge.access.schemes import PRESETS, Scheme, Terms, parse_template
from edge.access.token import MAX_QUERY, MISSING, TOO_LONG, Admitted, Arguments, Asked, MalformedError, malformed
from edge.service.refusal import Reason, Refusal

LEAST_KEY_BYTES = 16
_LIST = re.compile(r"(?:[a-z0-9-]+:[a-z0-9]+:[^:]*:[^:]*:[a-z]+|[^,:]+)(?=,|$)")
#: Of several schemes, what is said: the nearest to being right.
_NEARNESS = (Reason.TOKEN_EXPIRED, Reason.TOKEN_INVALID, Reason.TOKEN_MALFORMED, Reason.TOKEN_MISSING)


def parse_schemes(text: str) -> tuple[Scheme, ...]:
    """The schemes of ``-sign_scheme``: presets and templates with commas between.

    Raises:
        ValueError: one is none; the text says which there are.
    """
    items = [found.group().strip() for found in _LIST.finditer(text)]
    if ",".join(items).replace(" ", "") != text.replace(" ", "") or not items:
        raise ValueError(f"{text!r} is no list of schemes: {', '.join(names())}, or templates")
    return tuple(_scheme(item) for item in items)


def names() -> list[str]:
    """Of the schemes that there are."""
    return [EdgeScheme.name, *PRESETS]


def _scheme(item: str) -> Scheme:
    if item == EdgeScheme.name:
        return EdgeScheme()
    if item in PRESETS:
        return PRESETS[item]
    if ":" not in item:
        raise ValueError(f"there is no scheme {item!r}: {', '.join(names())}, or a template")
    return parse_template(item)


def parse_keys(text: str) -> tuple[bytes, ...]:
    """The keys of a file, one per line; lines that are empty or begin with ``#`` are left out.

    Raises:
        ValueError: with the number of the line and a colon before the reason.
    """
    keys: list[bytes] = []
    for number, line in enumerate(text.splitlines(), 1):
        key = line.strip().encode()
        if not key or key.startswith(b"#"):
            continue
        if len(key) < LEAST_KEY_BYTES:
            raise ValueError(f"{number}: a key has {LEAST_KEY_BYTES} bytes or more")
        if key in keys:
            raise ValueError(f"{number}: the key of line {keys.index(key) + 1} once more")
        keys.append(key)
    if not keys:
        raise ValueError("0: there is no key in it")
    return tuple(keys)


class Signatures:
    """Looks at the signature of a request."""

    def __init__(self, schemes: Sequence[Scheme], keys: Iterable[bytes], terms: Terms) -> None:
        self._schemes = tuple(schemes)
        self._keys = tuple(keys)
        self._terms = terms
        self.parameters = frozenset().union(*(scheme.parameters for scheme in schemes))

    def check(self, asked: Asked, query: str) -> Admitted | Refusal:
        """Whether one of the schemes lets it in; else what the nearest of them says."""
        if len(query) > MAX_QUERY:
            return TOO_LONG
        arguments = Arguments(query)
        answers: list[Refusal] = []
        for scheme in self._schemes:
            try:
                answer = scheme.check(asked, arguments, self._keys, self._terms)
            except MalformedError as error:
                answer = malformed(error)
            if isinstance(answer, Admitted):
                return answer
            answers.append(answer)
        return min(answers, key=lambda each: _NEARNESS.index(each.reason), default=MISSING)


def without(query: str, parameters: frozenset[str]) -> str:
    """``query`` without what belongs to these, however their names are written (``Arguments``)."""
    if not query:
        return query
    return "&".join(part for part in query.split("&") if unquote(part.partition("=")[0]) not in parameters)
