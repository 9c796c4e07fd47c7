"""What is in targets and answers that nobody else should read: values of tokens and passwords, and who logs in."""

from __future__ import annotations

import re
from urllib.parse import unquote

#: The name of a parameter of a query, its value, and the words of those that nobody else should read: ?token=x,
#: &accessToken=x, &sign=x ...
_NAME = re.compile(r"""[?&/]([^?&=/\s]*)=""")
_VALUE = re.compile(r"""[^&\s"']*""")
_SECRET = re.compile("tok|secret|passw|pwd|auth|credential|sign|key|jwt", re.IGNORECASE)
#: ``user:password@`` before a host, and whatever stands there in a URL. One without ``@`` is taken whole, so that its
#: end is not looked for again from each of its colons.
_LOGIN = re.compile(r"""//[^/@\s"',]+@|(?<![^\s"'(,=/])(?::*[^\s/@"'(,=:]+|:+):[^\s/@"',]++(@)?""")


def without_secrets(text: str) -> str:
    """Text of or about a target with ``***`` for the values of parameters that look like secrets, and for logins."""
    return _LOGIN.sub(_without_login, _without_values(text))


def _without_values(text: str) -> str:
    parts, end = list[str](), 0
    while (found := _NAME.search(text, end)) is not None:
        parts.append(text[end : found.end()])
        end = found.end()
        if _SECRET.search(unquote(found[1]) if "%" in found[1] else found[1]):
            parts.append("***")
            value = _VALUE.match(text, end)
            end = value.end() if value is not None else end
    return "".join((*parts, text[end:]))


def _without_login(found: re.Match[str]) -> str:
    if found[0].startswith("//"):
        return "//***@"
    return "***@" if found[1] else found[0]
