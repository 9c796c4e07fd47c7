"""The JSON gateway of etcd's API version 3, with a login where there is a user.

``/v3/auth/authenticate`` gives a token for a user and a password (etcd
documentation, "gRPC gateway", "Using authentication"). Tokens end at their time,
with a restart of etcd, and when users and roles change: whoever is refused gets
a new one and asks again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from naming.base import NamingError, NamingOptions
from naming.fetch import Fetcher, StatusError
from naming.origins import Origins
from naming.secret_file import read_secret
from naming.threads import PatientCalls

# "invalid auth token"; "revision of auth store is old" comes as a bad request.
_REFUSED = (400, 401)
# gRPC's FAILED_PRECONDITION: "authentication is not enabled".
_NO_LOGIN_HERE = 9


class Gateway:
    """Requests of one watch; each has ``ns_fetch_timeout_ms``."""

    __slots__ = ("_calls", "_fetcher", "_options", "_origins", "_token")

    def __init__(self, fetcher: Fetcher, origins: Origins, options: NamingOptions) -> None:
        self._fetcher, self._origins, self._options = fetcher, origins, options
        self._calls = PatientCalls(name="naming-file", timeout_ms=options.ns_fetch_timeout_ms)
        self._token = ""

    async def ask(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST, and the answer as JSON; raises NamingError without one."""
        had_token = bool(self._token)
        try:
            return await self._post(path, body, await self._headers())
        except StatusError as error:
            if not had_token or error.status not in _REFUSED:
                raise
        self._token = ""
        return await self._post(path, body, await self._headers())

    async def listen(self, path: str, body: Mapping[str, Any], is_wanted: Callable[[Any], bool]) -> None:
        """As :meth:`naming.fetch.Fetcher.listen`."""
        headers = await self._headers()
        await self._fetcher.listen(self._origins, path, json.dumps(body).encode(), is_wanted, headers=headers)

    async def _post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        answer = await self._fetcher.request(
            "POST", self._origins, path, body=json.dumps(body).encode(), headers=headers
        )
        return answer.json()

    async def _headers(self) -> dict[str, str]:
        """What shows who we are; raises NamingError when the login fails."""
        if self._options.etcd_user and not self._token:
            self._token = await self._log_in()
        return {"Authorization": self._token} if self._token else {}

    async def _log_in(self) -> str:
        """A token; "" while etcd asks nobody who he is."""
        user, path = self._options.etcd_user, self._options.etcd_password_file
        password = await self._calls.call(lambda: read_secret(path))
        try:
            found = await self._post("/v3/auth/authenticate", {"name": user, "password": password}, {})
        except StatusError as error:
            refusal = _read_refusal(error.body)
            if refusal.get("code") == _NO_LOGIN_HERE:
                return ""
            raise NamingError(f'the login of "{user}" at etcd: {str(refusal.get("error") or error)[:200]}') from error
        token = found.get("token") if isinstance(found, dict) else None
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise NamingError(f'the login of "{user}" at etcd gave no token')
        return token


def _read_refusal(body: bytes) -> dict[str, Any]:
    """The ``error`` and gRPC ``code`` of a refusal, {} when it has another form."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
