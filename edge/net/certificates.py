"""The certificates that TLS listeners show: which one to whom, renewed while the server runs."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from edge.errors import ConfigError
from edge.net.plain_file import UnreadableError, read_plain
from edge.net.x509 import Certificate, date_text, read_certificate

logger = logging.getLogger(__name__)

# In the order of our choice: HTTP/2 is for gRPC alone, and browsers, which offer both, are to speak HTTP/1.1.
DEFAULT_ALPN = ("http/1.1", "h2")
# A bundle of all CAs of a system has a quarter of that.
MAX_FILE_BYTES = 1 << 20
# The two files of a pair are renewed one after the other.
_SETTLE_MS = 500
# What ends the lines that such blocks of PEM begin with, of whatever kind (RFC 7468 §3).
_CERTIFICATE_MARK, _KEY_MARK = b"CERTIFICATE-----", b"PRIVATE KEY-----"
# OpenSSL's words for a key of another certificate, of one of another kind the last two.
_MISMATCHES = frozenset(("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"))
_WARN_AHEAD_S = 14 * 86400
_WARN_EVERY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Paths of PEM files: a certificate with its chain, and its key."""

    certificate: str
    private_key: str


@dataclass(frozen=True, slots=True)
class Reload:
    """What came of reading files again: the certificates' paths that are new in force, and why others are not."""

    taken: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def load_pair(context: ssl.SSLContext, certificate: str, private_key: str) -> Certificate:
    """Make ``context`` show a certificate; blocks. Raises ConfigError, which names the file."""
    shown, key = read_file(certificate), read_file(private_key)
    try:
        context.load_cert_chain(certificate, private_key, password=_no_passphrase)
    except ssl.SSLError as error:
        fault = _pem_fault(certificate, shown, private_key, key)
        if not fault and error.reason in _MISMATCHES:
            fault = f"{private_key}: not the key of the first certificate in {certificate}"
        raise ConfigError(fault or f"{certificate} with {private_key}: {error.reason or error}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{certificate} with {private_key}: {error}") from error
    try:
        return read_certificate(shown)
    except ValueError as error:
        raise ConfigError(f"{certificate}: {error}") from error


def _pem_fault(certificate: str, shown: bytes, private_key: str, key: bytes) -> str:
    """Which file of a pair does not hold what it must, "" for neither; OpenSSL says "PEM lib" of both."""
    if _CERTIFICATE_MARK not in shown:
        is_swapped = _KEY_MARK in shown and _CERTIFICATE_MARK in key
        return f"{certificate}: no certificate in PEM form" + (
            ", but a key: the files are swapped" if is_swapped else ""
        )
    return "" if _KEY_MARK in key else f"{private_key}: no private key in PEM form"


def read_file(path: str) -> bytes:
    """A file of moderate size; raises ConfigError. OpenSSL does not tell which it means, and would wait for a pipe."""
    try:
        return read_plain(path, MAX_FILE_BYTES)[0]
    except UnreadableError as error:
        raise ConfigError(f"{path}: {error}") from error


def _no_passphrase() -> str:
    """A daemon cannot ask anybody for one."""
    raise ValueError("the key is protected by a passphrase")


def server_context(alpn: Sequence[str] = DEFAULT_ALPN) -> ssl.SSLContext:
    """What all listeners agree on, without a certificate.

    Clients that offer none of ``alpn``, or no list at all, are served without one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_SINGLE_DH_USE | ssl.OP_SINGLE_ECDH_USE
    context.set_alpn_protocols(list(alpn))
    return context


FileSignature = tuple[int, int, int] | None


class _Shown:
    """One pair of files, and what was last read from them."""

    __slots__ = ("_alpn", "certificate", "changed_ms", "context", "pair", "seen", "told", "told_wall_ms", "used")

    def __init__(self, pair: KeyPair, alpn: Sequence[str]) -> None:
        self.pair = pair
        self._alpn = alpn
        self.changed_ms: int | None = None
        self.told = ""
        self.told_wall_ms = 0
        self.load()

    def load(self) -> None:
        """Read the files; what was in force stays so when that fails. Raises ConfigError."""
        # Looked at before they are read: a change in between counts next time.
        self.seen = self.used = self.look()
        context = server_context(self._alpn)
        certificate = load_pair(context, self.pair.certificate, self.pair.private_key)
        self.context, self.certificate = context, certificate

    def look(self) -> tuple[FileSignature, FileSignature]:
        """By what a change of the files shows; None for one that cannot be looked at."""
        return signature_of(self.pair.certificate), signature_of(self.pair.private_key)

    def has_changed(self, now_ms: int) -> bool:
        """Other files stand there than were used last, and have for a moment."""
        seen = self.look()
        if seen != self.seen:
            self.seen, self.changed_ms = seen, now_ms
        if self.seen == self.used:
            self.changed_ms = None
        return self.changed_ms is not None and now_ms - self.changed_ms >= _SETTLE_MS


def signature_of(path: str) -> FileSignature:
    """What a change of a file shows by; None for one that cannot be looked at."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class CertificateStore:
    """The pairs of ``-certificate`` and ``-private_key``: by exact name, by wildcard, else the first.

    Where several certificates bear the same name the first of them is shown. What is read
    anew is for connections to come. Time is given: ``now_ms`` monotonic, ``wall_ms`` since 1970.
    """

    def __init__(
        self, pairs: Sequence[KeyPair], *, strict_sni: bool = False, alpn: Sequence[str] = DEFAULT_ALPN
    ) -> None:
        """Read all files; raises ConfigError when one cannot be used, or there is no pair."""
        if not pairs:
            raise ConfigError("no certificate")
        self._strict_sni = strict_sni
        self._shown = [_Shown(pair, alpn) for pair in pairs]
        self._by_name: dict[str, ssl.SSLContext] = {}
        self._index()

    def _index(self) -> None:
        self._by_name = {}
        for shown in self._shown:
            for name in shown.certificate.names:
                self._by_name.setdefault(name, shown.context)

    @property
    def certificates(self) -> tuple[tuple[str, Certificate], ...]:
        """Path and content of each in force; the first is the default."""
        return tuple((shown.pair.certificate, shown.certificate) for shown in self._shown)

    def context_for(self, server_name: str | None) -> ssl.SSLContext | None:
        """For a client that asks for this host.

        None refuses it: with ``strict_sni``, where no certificate has the name, or it names none.
        A wildcard stands for one label (RFC 6125 §6.4.3).
        """
        if server_name:
            found = self._by_name.get(server_name) or self._by_name.get(f"*.{server_name.partition('.')[2]}")
            if found is not None:
                return found
        return None if self._strict_sni else self._shown[0].context

    def reload(self) -> Reload:
        """Read all files now. A pair that cannot be used keeps what it had, which one WARNING says."""
        return self._load(self._shown)

    def check_files(self, now_ms: int, wall_ms: int) -> Reload:
        """Take what has changed on disk, and see to ``warn_of_dates``; meant for once a second."""
        result = self._load([shown for shown in self._shown if shown.has_changed(now_ms)])
        self.warn_of_dates(wall_ms)
        return result

    def _load(self, some: Sequence[_Shown]) -> Reload:
        taken, refused = [], []
        for shown in some:
            try:
                shown.load()
            except ConfigError as error:
                refused.append(error.detail)
                text = "certificate kept reason=reload_failed %s"
                logger.warning(text, error.detail, extra={"cause": shown.pair.certificate})
            else:
                shown.told = ""
                taken.append(shown.pair.certificate)
                logger.info("certificate loaded file=%s names=%s", taken[-1], ",".join(shown.certificate.names))
        if taken:
            self._index()
        return Reload(tuple(taken), tuple(refused))

    def warn_of_dates(self, wall_ms: int) -> None:
        """Log a WARNING for each that has expired, is not valid yet or will expire in 14 days; once a day."""
        for shown in self._shown:
            state = dates_fault(shown.certificate, wall_ms // 1000)
            is_old = abs(wall_ms - shown.told_wall_ms) >= _WARN_EVERY_MS  # the wall clock may be set back
            if state and (state != shown.told or is_old):
                file = shown.pair.certificate
                logger.warning("certificate %s file=%s", state, file, extra={"cause": file})
                shown.told_wall_ms = wall_ms
            shown.told = state

    def expires_in_s(self, wall_ms: int) -> int:
        """Until the first of them expires; negative once that has."""
        return min(shown.certificate.not_after_s for shown in self._shown) - wall_ms // 1000


def dates_fault(certificate: Certificate, wall_s: int) -> str:
    """What is wrong with its dates, or will be in 14 days, behind its name; "" for nothing."""
    if wall_s > certificate.not_after_s:
        return f"expired on {date_text(certificate.not_after_s)}"
    if wall_s < certificate.not_before_s:
        return f"is not valid before {date_text(certificate.not_before_s)}"
    if wall_s > certificate.not_after_s - _WARN_AHEAD_S:
        return f"expires on {date_text(certificate.not_after_s)}"
    return ""
