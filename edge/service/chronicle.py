"""Writes down what a service decides: who was refused and why, who published, who left and in what way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.errors import HandshakeError, ProtocolError, TlsError
from edge.hub.events import HubObserver
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import VIDEO
from edge.service.grants import Play, Publish
from edge.service.names import StreamName, TcUrl
from edge.service.refusal import WORDS, Reason, Refusal
from edge.service.request import Client, ConnectRequest, PlayRequest, PublishRequest
from edge.service.story import Kind, Stories

_KINDS: Mapping[Reason, Kind] = {
    Reason.BAD_NAME: Kind.BAD_NAME,
    Reason.NO_VHOST: Kind.BAD_NAME,
    Reason.NOT_FOUND: Kind.ABSENT,
    Reason.OVERLOAD: Kind.OVERLOAD,
    Reason.OVERLOADED: Kind.OVERLOAD,
    Reason.LOOP: Kind.LOOP,
    Reason.BUSY: Kind.BUSY,
    Reason.UNREACHABLE: Kind.NO_SERVER,
    Reason.SILENT: Kind.MUTE,
    Reason.UPSTREAM: Kind.REFUSED,
    Reason.KICKED: Kind.KICKED,
    Reason.IDLE: Kind.IDLE,
    Reason.UNUSED: Kind.UNUSED,
    Reason.TOO_FAST: Kind.TOO_FAST,
    Reason.FORBIDDEN: Kind.FORBIDDEN,
    Reason.RULE_FAILED: Kind.RULE_FAILED,
    Reason.ADDRESS: Kind.FORBIDDEN,
    Reason.PAGE: Kind.FORBIDDEN,
    Reason.TOKEN_MISSING: Kind.FORBIDDEN,
    Reason.TOKEN_INVALID: Kind.FORBIDDEN,
    Reason.TOKEN_MALFORMED: Kind.FORBIDDEN,
    Reason.TOKEN_EXPIRED: Kind.FORBIDDEN,
    Reason.KEYS_MISSING: Kind.RULE_FAILED,
    Reason.LOGIN_MISSING: Kind.FORBIDDEN,
    Reason.LOGIN_INVALID: Kind.FORBIDDEN,
    Reason.KEY_INVALID: Kind.FORBIDDEN,
    Reason.GUESSING: Kind.FORBIDDEN,
    Reason.HOOK_DENIED: Kind.FORBIDDEN,
    Reason.HOOK_UNAVAILABLE: Kind.RULE_FAILED,
    Reason.ASK_UNANSWERED: Kind.RULE_FAILED,
    Reason.LIMIT: Kind.OVERLOAD,
    Reason.EXPIRED: Kind.ENDED_BY_TIME,
}
_ENDED = "the publisher was ended: "
_EXPELLED = "an operator has kicked the client"
#: Reasons of connections' ends, by the word that counters have for them; any other is a broken rule of the protocol.
_FAULTS: Mapping[str, Kind] = {
    "plain_on_tls": Kind.CLIENT_TLS,
    "bad_name": Kind.BAD_NAME,
    "stream_busy": Kind.BUSY,
    "max_connections": Kind.TOO_MANY,
    "max_connections_per_ip": Kind.TOO_MANY,
    "draining": Kind.DRAINING,
    "overloaded": Kind.OVERLOAD,
}
#: Told with the stream that it is about, or with what the client wanted.
_TOLD_ELSEWHERE = frozenset({"slow_player", *(reason.value for reason in WORDS)})


def _reason_of(refusal: Refusal) -> str:
    """What is kept of it: of a gate the word that the client has heard, and what only we know."""
    return f"{refusal.told}: {refusal.detail}" if refusal.is_of_a_gate else refusal.detail


class Chronicle(HubObserver):
    """What a service tells its stories."""

    def __init__(self, stories: Stories, *, default_vhost: str, default_app: str) -> None:
        self.stories = stories
        self._default_vhost = default_vhost
        self._default_app = default_app

    # --- requests -----------------------------------------------------------------

    def refused_name(self, name: str, url: TcUrl, refusal: Refusal, peer: str) -> None:
        """A name that may not be used: kept as it would stand in a key."""
        path, _, query = name.partition("?")
        parts = (self._default_vhost, url.app or self._default_app, url.prefix, path)
        spelled = "/".join(part for part in parts if part)
        text = f"the name was refused: {refusal.detail}"
        self.stories.tell(Kind.BAD_NAME, text, key=spelled, peer=peer, query=query)

    def refused(self, request: PlayRequest | PublishRequest, refusal: Refusal) -> None:
        """A play or publish was not granted."""
        what = "play" if isinstance(request, PlayRequest) else "publish"
        kind = _KINDS[refusal.reason]
        text = f"a {what} was refused: {_reason_of(refusal)}"
        self._tell_name(request.client, request.name)
        self._tell_of(request.client, request.name, kind, text)

    def refused_connect(self, request: ConnectRequest, refusal: Refusal) -> None:
        """A client was sent away before it could say what it wanted."""
        text = f"a connection to vhost {request.vhost} was refused: {_reason_of(refusal)}"
        self.stories.tell(_KINDS[refusal.reason], text, peer=request.client.peer)

    def nothing_came(self, client: Client, name: StreamName, refusal: Refusal) -> None:
        """A player was let in, and did not wait any longer for the first data."""
        self._tell_of(client, name, _KINDS[refusal.reason], f"a player got nothing: {refusal.detail}")

    def no_place(self, client: Client, name: StreamName, text: str) -> None:
        """A container has no place for a codec of the stream."""
        self._tell_of(client, name, Kind.CONTAINER, text)

    def _tell_of(self, client: Client, name: StreamName, kind: Kind, text: str) -> None:
        self.stories.tell(kind, text, key=name.key, peer=client.peer, query=name.query)

    def _tell_name(self, client: Client, name: StreamName) -> None:
        said = said_as(client.server_url, name, self._default_app)
        if said:
            self._tell_of(client, name, Kind.NAMED, said)

    # --- plays --------------------------------------------------------------------

    def joined(self, play: Play) -> None:
        """A player, or another node, has been let in."""
        text = "another node plays it" if play.client.is_hop else "a player came"
        self.stories.note(Kind.JOINED, text, name=play.key.text, peer=play.client.peer)

    def left(self, play: Play) -> None:
        """It has gone, by itself or because it may not go on."""
        refusal = play.stopped
        if refusal is None:
            self.stories.note(Kind.LEFT, "a player has left", name=play.key.text, peer=play.client.peer)
        else:
            self._tell_of(play.client, play.name, _KINDS[refusal.reason], f"a player was ended: {refusal.detail}")

    def too_slow(self, play: Play, detail: str) -> None:
        """A player takes too little of what is sent to it, and is closed."""
        text = f"a player was closed, it took too little: {detail}"
        self.stories.tell(Kind.TOO_SLOW, text, key=play.key, peer=play.client.peer)

    def on_jumped(self, stream: Stream, frame_count: int) -> None:
        """A player was too far behind."""
        self.stories.tell(Kind.JUMPED, "a player fell behind and left frames out", key=stream.key, amount=frame_count)

    # --- publishes ----------------------------------------------------------------

    def published(self, publish: Publish) -> None:
        """A publisher has been let in."""
        text = "another node brings it" if publish.client.is_hop else f"published by {publish.client.protocol}"
        self._tell_name(publish.client, publish.name)
        self.stories.tell(Kind.PUBLISHED, text, key=publish.name.key, peer=publish.client.peer)

    def replaced(self, old: Publisher[Stream], new: Publisher[Stream], *, is_ended: bool) -> None:
        """A younger publish has taken its place."""
        fate = "ended" if is_ended else "muted"
        text = f"another publisher came, and the one before was {fate}"
        self.stories.tell(Kind.REPLACED, text, key=new.stream.key, peer=old.peer)

    def unpublished(self, publish: Publish, *, was_seen: bool, is_loss: bool, why: str) -> None:
        """A publisher has gone; ``was_seen``: it was the one whose media are sent."""
        publisher, refusal = publish.publisher, publish.stopped
        self._tell_what_it_sent(publish, was_seen=was_seen)
        if refusal is not None:
            kind, text = _KINDS[refusal.reason], f"{_ENDED}{refusal.detail}"
        elif why == Reason.KICKED.value:  # its connection was ended by an order
            kind, text = (Kind.ENDED, f"{_EXPELLED} that published it") if was_seen else (Kind.EXPELLED, _EXPELLED)
        elif not was_seen:
            kind, text = Kind.LEFT, "a publisher that was muted has left"
        elif is_loss:
            kind, text = Kind.PUBLISHER_LOST, f"the connection of the publisher broke: {why or 'without a word'}"
        else:
            kind, text = Kind.PUBLISHER_LEFT, "the publisher has ended it"
        self.stories.tell(kind, text, key=publish.name.key, peer=publisher.peer, query=publish.name.query)

    def _tell_what_it_sent(self, publish: Publish, *, was_seen: bool) -> None:
        """Faults that nobody can look at any more when the stream is gone."""
        queue, publisher = publish.stream.queue, publish.publisher
        key, peer = publish.name.key, publisher.peer
        if not publisher.last_media_ms:
            self.stories.tell(Kind.NO_MEDIA, "the publisher had sent no media", key=key, peer=peer)
        elif was_seen and queue.last_seq.get(VIDEO, -1) >= queue.publish_seq and not queue.keyframes:
            self.stories.tell(Kind.NO_KEYFRAME, "none of the pictures was a keyframe", key=key, peer=peer)

    # --- orders -------------------------------------------------------------------

    def ended(self, key: StreamKey) -> None:
        """An operator has ended a stream, for all of it."""
        self.stories.tell(Kind.ENDED, "an operator has ended it", key=key)

    def kicked(self, peer: str, keys: Sequence[StreamKey]) -> None:
        """An operator has ended the connection of a client that plays ``keys``; of publishes ``unpublished`` tells."""
        for key in keys or ("",):
            self.stories.tell(Kind.EXPELLED, _EXPELLED, key=key, peer=peer)

    # --- connections --------------------------------------------------------------

    def connection_failed(self, error: ProtocolError, peer: str) -> None:
        """A connection ended by a fault of the peer, or was not taken."""
        if not peer or error.reason in _TOLD_ELSEWHERE:
            return
        kind = _FAULTS.get(error.reason)
        if kind is None:
            is_of_handshake = isinstance(error, HandshakeError)
            kind = (
                Kind.HANDSHAKE if is_of_handshake else Kind.CLIENT_TLS if isinstance(error, TlsError) else Kind.PROTOCOL
            )
        self.stories.tell(kind, str(error), peer=peer)


def said_as(url: TcUrl, name: StreamName, default_app: str) -> str:
    """How the key differs from what the client's URL seems to say; "" where it does not."""
    key, parts = name.key, []
    if url.prefix and key.stream_name.startswith(f"{url.prefix}/"):
        parts.append(f"{url.prefix}, which follows the app in the server URL, stands in front of the name")
    if not url.app and key.app == default_app:
        parts.append(f"the URL names no app, which means {default_app}")
    elif url.app and url.app != key.app:
        parts.append(f"the query names app {key.app}, and the URL {url.app}")
    host = url.vhost or url.host
    is_address = ":" in host or all(sign in "0123456789." for sign in host)
    if host and not is_address and host != key.vhost:
        parts.append(f"host {host} means vhost {key.vhost}")
    return f"asked for as {key.text}: {'; '.join(parts)}" if parts else ""
