"""What is in targets and answers that nobody else should read: values of tokens and passwords, and who logs in."""

from __future__ import annotations

import re

#: What a query may hold that nobody else should read: ?token=x, &tok=x, &accessToken=x, &sign=x ...
_SECRET = re.compile(
    r"""([?&/][^?&=/\s]*(?:tok|secret|passw|pwd|auth|credential|sign|key|jwt)[^?&=/\s]*=)[^&\s"']*""", re.IGNORECASE
)
#: ``user:password@`` before a host, and whatever stands there in a URL.
_LOGIN = re.compile(r"""//[^/@\s"',]+@|(?<![^\s"'(,=/])[^\s/@"'(,=]+:[^\s/@"',]+@""")


def without_secrets(text: str) -> str:
    """Text of or about a target with ``***`` for the values of parameters that look like secrets, and for logins."""
    return _LOGIN.sub(_without_login, _SECRET.sub(r"\1***", text))


def _without_login(found: re.Match[str]) -> str:
    return "//***@" if found[0].startswith("//") else "***@"
