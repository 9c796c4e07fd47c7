"""TLS towards registries: a private CA, and a certificate of our own, in files that may be renewed at any time."""

from __future__ import annotations

import ssl

from naming.base import NamingError, NamingOptions
from naming.file import Signature, look_at, read_list
from naming.threads import PatientCalls

# The bundle of a system with all its CAs has a fifth of that.
_MAX_BYTES = 1 << 20


class TlsFileError(NamingError):
    """A file of TLS cannot be used.

    Attributes:
        flag: the flag that names it.
    """

    def __init__(self, flag: str, path: str, reason: str) -> None:
        super().__init__(f"-{flag}={path}: {reason}")
        self.flag = flag


def load_context(options: NamingOptions) -> ssl.SSLContext:
    """The settings of connections that the files ask for; blocks. Raises TlsFileError.

    ``ns_ca_file`` takes the place of the CAs of the system. Without ``ns_key_file``
    the key stands in ``ns_cert_file``.
    """
    ca, cert, key = options.ns_ca_file, options.ns_cert_file, options.ns_key_file
    if key and not cert:
        raise TlsFileError("ns_key_file", key, "there is no -ns_cert_file that it belongs to")
    for flag, path in (("ns_ca_file", ca), ("ns_cert_file", cert), ("ns_key_file", key)):
        if path:
            _check_readable(flag, path)
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise TlsFileError("ns_ca_file", ca, _reason(error)) from error
    if cert:
        try:
            context.load_cert_chain(cert, key or None, password=_no_passphrase)
        except (ssl.SSLError, OSError, ValueError) as error:
            reason = f"{_reason(error)} (with -ns_key_file={key})" if key else _reason(error)
            raise TlsFileError("ns_cert_file", cert, reason) from error
    return context


class TlsSettings:
    """What the next connection by ``https://`` is to be made with."""

    __slots__ = ("_calls", "_context", "_options", "_seen")

    def __init__(self, options: NamingOptions) -> None:
        self._options = options
        self._calls = PatientCalls(name="naming-file", timeout_ms=options.ns_fetch_timeout_ms)
        self._context: ssl.SSLContext | None = None
        self._seen: tuple[Signature, ...] = ()

    async def get(self) -> ssl.SSLContext | bool:
        """The settings of the files as they are now; True, the default of aiohttp, without files.

        The object is the same as before while no file has changed, so that connections
        are kept until then. Raises NamingError when a file is of no use now.
        """
        options = self._options
        if not (options.ns_ca_file or options.ns_cert_file or options.ns_key_file):
            return True
        return await self._calls.call(self._refresh)

    def _refresh(self) -> ssl.SSLContext:
        options = self._options
        # Looked at before they are read: a change in between counts at the next question.
        seen = tuple(
            _look_at(flag, path)
            for flag, path in (
                ("ns_ca_file", options.ns_ca_file),
                ("ns_cert_file", options.ns_cert_file),
                ("ns_key_file", options.ns_key_file),
            )
            if path
        )
        if self._context is None or seen != self._seen:
            self._context, self._seen = load_context(options), seen
        return self._context


def _look_at(flag: str, path: str) -> Signature:
    try:
        return look_at(path)
    except OSError as error:
        raise TlsFileError(flag, path, error.strerror or str(error)) from error


def _check_readable(flag: str, path: str) -> None:
    """OpenSSL does not tell which of its files it means, and would wait for the writer of a pipe."""
    try:
        read_list(path, _MAX_BYTES)
    except OSError as error:
        raise TlsFileError(flag, path, error.strerror or str(error)) from error
    except NamingError as error:
        raise TlsFileError(flag, path, str(error)) from error


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error)


def _no_passphrase() -> str:
    """A daemon cannot ask anybody for one."""
    raise ValueError("the key is protected by a passphrase")
