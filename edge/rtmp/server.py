"""The server's session: the client's commands come in, the owner's answers go out.

    ConnectRequested  -> accept_connect / reject_connect
    PublishRequested  -> accept_publish / reject_publish
    PlayRequested     -> accept_play / reject_play

An answer may come at any time; given before the next bytes are fed, replies
are the same however the client's bytes were cut. It is void, and silently so,
when the client has meanwhile ended the stream, asked something else on it, or
gone. Media are delivered even while their publish waits for a late answer: the
owner holds what comes for a message stream that it has not decided about, or
feeds no bytes meanwhile, and drops what comes for one that it has refused.

``reject_publish``, ``reject_play`` and ``end_stream`` say why and leave the
connection open: the owner closes it when ``should_close_on_error``. Refusals by
the session itself end with ``SessionEnded`` in that case.
"""

from __future__ import annotations

from collections.abc import Callable

from edge.errors import CommandError, LocalProtocolError
from edge.rtmp.commands import LOST_CODE, NOTHING_YET_CODE, RECONNECT_CODE, VIA_CODE
from edge.rtmp.config import RtmpConfig
from edge.rtmp.events import AmfObject
from edge.rtmp.messages import UserControl
from edge.rtmp.server_commands import PendingConnect, ServerCommands
from edge.rtmp.server_replies import ConnectAnswer, connected, encode_connected, encode_playing, playing
from edge.rtmp.server_streams import PLAYER_USES, ServerStream, Use
from edge.rtmp.session import State

_REDIRECT = 302


class ServerSession(ServerCommands):
    """One client connection, seen from the server; no I/O, no clock.

    Args:
        config: limits and what to announce.
        entropy: ``entropy(n)`` gives n random bytes; used for the handshake.
        now_ms: any clock that only goes forward.
        edge_id: our service id, told to peers of ours; "" for none.
    """

    __slots__ = ()

    def __init__(self, config: RtmpConfig, *, entropy: Callable[[int], bytes], now_ms: int, edge_id: str = "") -> None:
        super().__init__(config, entropy, now_ms, edge_id)

    # --- connect ---------------------------------------------------------------

    def accept_connect(
        self, request_id: int, properties: AmfObject | None = None, *, announced: RtmpConfig | None = None
    ) -> None:
        """Answer ``connect`` with success.

        Args:
            properties: added to the reply's first object.
            announced: whose window and chunk size are told and used; by default those of the session's own settings.
        """
        pending = self._take_connect(request_id)
        if pending is None:
            return
        config = announced or self._config
        answer = ConnectAnswer(
            pending.transaction_id,
            pending.object_encoding,
            pending.enhanced,
            self._edge_id if self.peer_edge_id else "",
            config.rtmp_server_window_ack_size,
            config.rtmp_server_chunk_size,
        )
        # 0 and -0 are equal, so an answer to the one is not to be remembered for the other.
        is_remembered = not properties and pending.transaction_id
        self._send_bytes(connected(answer) if is_remembered else encode_connected(answer, properties))
        self._out_chunk_size = config.rtmp_server_chunk_size
        self._state = State.CONNECTED
        self._release_held()

    def reject_connect(
        self,
        request_id: int,
        description: str,
        code: str = "NetConnection.Connect.Rejected",
        redirect: str = "",
    ) -> None:
        """Answer ``connect`` with failure and end the session; ``redirect`` is a URL to go to instead."""
        pending = self._take_connect(request_id)
        if pending is None:
            return
        more = {"ex": {"code": _REDIRECT, "redirect": redirect}} if redirect else None
        self._refuse_connect(pending.transaction_id, description, code, more)
        self._fail(None if redirect else CommandError(description, reason="connect_rejected", is_quiet=True))

    def _take_connect(self, request_id: int) -> PendingConnect | None:
        self._check_issued(request_id)
        pending = self._pending_connect
        if self._state is not State.CONNECT_ASKED or pending is None or pending.request_id != request_id:
            return None
        self._pending_connect = None
        return pending

    # --- publish and play --------------------------------------------------------

    def accept_publish(self, request_id: int, info: AmfObject | None = None) -> None:
        """Grant a publish; ``info`` is merged into the information object."""
        stream = self._take_request(request_id)
        if stream is None:
            return
        self._streams.set_use(stream, Use.PUBLISHING)
        description = f"Started publishing {stream.stream_name}"
        self._send_status(stream.message_stream_id, "status", "NetStream.Publish.Start", description, info)
        self._release_held()

    def reject_publish(self, request_id: int, code: str, description: str) -> None:
        """Refuse a publish; media already under way for it are dropped."""
        self._reject(request_id, code, description)

    def accept_play(self, request_id: int, info: AmfObject | None = None) -> None:
        """Grant a play; ``info`` is merged into the information object of Play.Start.

        Media for the message stream may be sent after these bytes.
        """
        stream = self._take_request(request_id)
        if stream is None:
            return
        self._streams.set_use(stream, Use.PLAYING)
        what = (
            self._out_chunk_size,
            stream.message_stream_id,
            stream.stream_name,
            stream.has_reset,
            self._config.rtmp_send_data_start,
        )
        self._send_bytes(encode_playing(*what, info) if info else playing(*what, None))
        self._release_held()

    def reject_play(self, request_id: int, code: str, description: str) -> None:
        """Refuse a play."""
        self._reject(request_id, code, description)

    def _reject(self, request_id: int, code: str, description: str) -> None:
        stream = self._take_request(request_id)
        if stream is not None:
            self._streams.set_use(stream, Use.IDLE)
            self._send_status(stream.message_stream_id, "error", code, description)
            self._release_held()

    def _take_request(self, request_id: int) -> ServerStream | None:
        """Return the stream a question was about; None when the answer no longer matters."""
        self._check_issued(request_id)
        if self.is_ended:
            return None
        stream = self._requests.get(request_id)
        if stream is not None:
            self._forget_request(stream)
        return stream

    def _check_issued(self, request_id: int) -> None:
        if not 0 < request_id <= self._last_request_id:
            raise LocalProtocolError(f"request {request_id} was never asked")

    # --- during play and publish ---------------------------------------------------

    def end_stream(self, message_stream_id: int, code: str, description: str, level: str = "error") -> None:
        """End what the client does on a message stream, saying why. Nothing when it has ended already."""
        stream = self._streams.get(message_stream_id)
        if stream is not None and stream.use is not Use.IDLE:
            self._forget_request(stream)
            self._streams.set_use(stream, Use.IDLE)
            self._send_status(message_stream_id, level, code, description)

    def notify_unpublish(self, message_stream_id: int, description: str) -> None:
        """Tell a player that its publisher ended; the message stream becomes idle.

        Clients of brpc ignore every status that is no error, and StreamEOF: theirs is an error.
        """
        stream = self._streams.get(message_stream_id)
        if stream is None or stream.use not in PLAYER_USES:
            return
        if self.hears_errors_only:
            self.end_stream(message_stream_id, "NetStream.Play.StreamNotFound", description)
        else:
            self.end_stream(message_stream_id, "NetStream.Play.UnpublishNotify", description, "status")
            self._send_control(UserControl.stream_eof(message_stream_id))

    def notify_via(self, message_stream_id: int, via: tuple[str, ...]) -> None:
        """Tell a player that is a peer of ours through which services the stream comes from now on."""
        self._notify_peer(message_stream_id, VIA_CODE, {"via": ",".join(via)})

    def notify_lost(self, message_stream_id: int) -> None:
        """Tell a player that is a peer of ours that the publisher's connection broke; it may be elsewhere by now."""
        self._notify_peer(message_stream_id, LOST_CODE, {"lost": True})

    def notify_nothing_yet(self, message_stream_id: int, *, is_known: bool) -> None:
        """Tell a player that is a peer of ours that there is nothing for its query so far; it may have another one.

        ``is_known``: a foreign upstream has said so; else it is silent.
        """
        self._notify_peer(message_stream_id, NOTHING_YET_CODE, {"missing": is_known})

    def _notify_peer(self, message_stream_id: int, code: str, info: AmfObject) -> None:
        stream = self._streams.get(message_stream_id)
        if stream is not None and stream.use in PLAYER_USES and self.peer_edge_id:
            self._send_status(message_stream_id, "status", code, "", info)

    def ask_to_reconnect(self, tc_url: str = "") -> bool:
        """Ask the client to connect anew, at ``tc_url``, or at the URL that it has. False if it cannot (E-RTMP v2)."""
        if not self.can_reconnect or self._state is not State.CONNECTED:
            return False
        more: AmfObject | None = {"tcUrl": tc_url} if tc_url else None
        self._send_status(0, "status", RECONNECT_CODE, "this server is being stopped", more)
        return True

    def answer_pause(self, message_stream_id: int, is_paused: bool) -> None:
        """Confirm a ``PauseRequested`` that needs an answer."""
        if message_stream_id not in self._streams or self.is_ended:
            return
        code = "NetStream.Pause.Notify" if is_paused else "NetStream.Unpause.Notify"
        self._send_status(message_stream_id, "status", code, "Paused stream.")
        control = UserControl.stream_eof if is_paused else UserControl.stream_begin
        self._send_control(control(message_stream_id))
        self._release_held()
