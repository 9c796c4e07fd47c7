"""Looks at passwords, which takes long: in threads, a few at a time; a right one is known again for a minute."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from edge.access.passwords import NOBODY, PasswordHash
from edge.access.users import Login, User

KNOWN_MS = 60_000
_MAX_KNOWN = 4096

InThread = Callable[[Callable[[], bool], Callable[[bool | None], None]], None]
"""Do the first in a thread and give the second its result, in the loop; None where there is too much to do."""


class LoginDesk:
    """Says whether a password is right; ``None`` for who has to wait too long."""

    def __init__(self, in_thread: InThread, now_ms: Callable[[], int], secret: bytes) -> None:
        """``secret``: random; what is remembered is known by it alone."""
        self._in_thread = in_thread
        self._now_ms = now_ms
        self._secret = secret
        self._known: OrderedDict[bytes, int] = OrderedDict()

    def check(
        self,
        user: User | None,
        login: Login,
        answer: Callable[[bool | None], None],
        nobody: PasswordHash = NOBODY,
    ) -> bool | None:
        """Whether the password is right, where that is known at once; else None, and ``answer`` is called later.

        ``user``: None for one that there is not: then ``nobody`` is looked at, which takes as long.
        """
        found = user.hash if user is not None else nobody
        if not found.is_slow:
            return found.check(login.password)
        mark = self._mark(found, login)
        until_ms = self._known.get(mark)
        if until_ms is not None and self._now_ms() < until_ms:
            return True
        self._in_thread(partial(found.check, login.password), partial(self._checked, mark, answer))
        return None

    def _mark(self, found: PasswordHash, login: Login) -> bytes:
        text = "\0".join((login.name, login.password)).encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, found.salt + found.digest + text, "sha256")

    def _checked(self, mark: bytes, answer: Callable[[bool | None], None], is_right: bool | None) -> None:
        if is_right:
            self._known[mark] = self._now_ms() + KNOWN_MS
            self._known.move_to_end(mark)
            while len(self._known) > _MAX_KNOWN:
                self._known.popitem(last=False)
        answer(is_right)
