"""Frames, and descriptors with them, over a socket of the same machine."""

from __future__ import annotations

import array
import os
import socket
import time
from collections.abc import Sequence

from edge.errors import HandoverError
from edge.handover.frames import MAX_DESCRIPTORS, Frame, FrameReader, Kind, encode_frame
from edge.net import system

_READ_BYTES = 262144


class Channel:
    """One end of a hand-over; owns its socket and the descriptors that nobody has taken.

    Waiting blocks the thread: while connections are on their way nothing else may happen to them.

    Attributes:
        until: when patience ends, by ``time.monotonic``; None for never.
        has_heard: something has come.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.until: float | None = None
        self.has_heard = False
        self.reader = FrameReader()
        self._sock = sock

    def fileno(self) -> int:
        """Of the socket."""
        return self._sock.fileno()

    def set_deadline(self, within_ms: int) -> None:
        """Wait no longer than that, all told, from now on."""
        self.until = time.monotonic() + within_ms / 1000

    def _arm(self) -> None:
        if self.until is None:
            self._sock.settimeout(None)
            return
        left_s = self.until - time.monotonic()
        if left_s <= 0:
            raise HandoverError("the other process takes too long", reason="handover_broken")
        self._sock.settimeout(left_s)

    def send(
        self, kind: Kind, body: bytes = b"", descriptors: Sequence[int] = (), *, is_acknowledged: bool = True
    ) -> None:
        """Say one thing; with descriptors, and wait until they have been taken out, unless ``is_acknowledged`` is off.

        Raises:
            HandoverError: the other end is gone, silent for too long, or says no.
        """
        data = memoryview(encode_frame(kind, body, len(descriptors)))
        try:
            if descriptors:
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
                self._arm()
                data = data[self._sock.sendmsg([data], rights) :]
            while data:
                self._arm()
                data = data[self._sock.send(data) :]
        except OSError as error:
            raise _broken(error) from error
        if descriptors and is_acknowledged:
            self.expect(Kind.ACK)

    def receive(self) -> Frame:
        """Wait for the next frame; its descriptors are the caller's, and acknowledged.

        Raises:
            HandoverError: as ``send``, or what came is no frame.
        """
        while (frame := self.reader.next_frame()) is None:
            try:
                self._arm()
                self._read()
            except OSError as error:
                raise _broken(error) from error
        if frame.descriptors:
            self.send(Kind.ACK)
        if frame.kind is Kind.REFUSED:
            raise HandoverError(frame.body.decode(errors="replace"), reason="handover_refused")
        return frame

    def expect(self, kind: Kind) -> Frame:
        """Wait for that; anything else raises HandoverError."""
        frame = self.receive()
        if frame.kind is not kind:
            for descriptor in frame.descriptors:
                os.close(descriptor)
            raise HandoverError(f"{frame.kind.name} instead of {kind.name}", reason="handover_malformed")
        return frame

    def read_ready(self) -> None:
        """Take what there is without waiting: ``reader.next_frame`` has it. Raises HandoverError at the end."""
        self._sock.settimeout(0)
        try:
            self._read()
        except BlockingIOError:
            return
        except OSError as error:
            raise _broken(error) from error

    def _read(self) -> None:
        data, descriptors, is_cut = system.receive_descriptors(self._sock, _READ_BYTES, MAX_DESCRIPTORS)
        self.reader.feed(data, descriptors)
        if is_cut:
            raise HandoverError("descriptors were lost: too many files are open", reason="handover_broken")
        self.has_heard |= bool(data)
        if not data:
            raise HandoverError("the other process has gone", reason="handover_broken")

    def peer_ids(self) -> tuple[int, int]:
        """Process and user at the other end, as the kernel says; (0, -1) where it does not."""
        return system.peer_ids(self._sock)

    def check_user(self, what: str) -> int:
        """The process at the other end, whose user is ours or root; ``what`` it may do then. Raises HandoverError."""
        pid, uid = self.peer_ids()
        if uid not in (-1, 0, os.geteuid()):
            raise HandoverError(f"user {uid} may not {what}", reason="handover_refused")
        return pid

    def close(self) -> None:
        """Let go; the other end sees that. Descriptors that nobody has taken are closed."""
        for descriptor in self.reader.take_descriptors():
            os.close(descriptor)
        self._sock.close()


def _broken(error: OSError) -> HandoverError:
    what = "the other process takes too long" if isinstance(error, TimeoutError) else error.strerror or str(error)
    return HandoverError(what, reason="handover_broken")
