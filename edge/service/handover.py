"""What was granted, told so that another process can go on with it."""

from __future__ import annotations

import msgspec

from edge.hub.key import StreamKey
from edge.service.grants import Play, Publish
from edge.service.names import StreamName
from edge.service.request import Client, PlayRequest, PublishRequest


class GrantState(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A play or a publish.

    Attributes:
        key: what was asked for: vhost, app, stream name, realm.
        stream: that of the stream that is played or fed; beside the first one's where a node keeps both.
        ends_ms: when it is over by itself, 0 for never.
        max_kbps: most that a publisher may send, 0 for no limit.
        opening: what a rule keeps of it.
    """

    key: tuple[str, str, str, str]
    stream: tuple[str, str, str, str]
    query: str
    only_audio: bool
    only_video: bool
    is_internal: bool
    since_ms: int
    ends_ms: int = 0
    max_kbps: int = 0
    opening: bytes = b""

    @property
    def name(self) -> StreamName:
        """As the client has said it."""
        return StreamName(StreamKey(*self.key), self.query, self.only_audio, self.only_video, self.is_internal)

    @property
    def stream_key(self) -> StreamKey:
        """Of the stream."""
        return StreamKey(*self.stream)

    def play_request(self, client: Client) -> PlayRequest:
        """What ``client`` has asked for."""
        opening = self.opening or None
        return PlayRequest(client, self.name, lifetime_s=self._lifetime_s, may_be_named=True, opening=opening)

    def publish_request(self, client: Client) -> PublishRequest:
        """The same of a publish; no node of ours is behind it."""
        request = PublishRequest(client, self.name, lifetime_s=self._lifetime_s, max_kbps=self.max_kbps)
        request.may_be_named, request.opening = True, self.opening or None
        return request

    @property
    def _lifetime_s(self) -> float:
        """Since it was granted."""
        return max(self.ends_ms - self.since_ms, 1) / 1000 if self.ends_ms else 0.0


def grant_state(grant: Play | Publish) -> GrantState:
    """Of what was granted."""
    name, opening = grant.name, grant.opening
    return GrantState(
        key=name.key,
        stream=grant.stream.key,
        query=name.query,
        only_audio=name.only_audio,
        only_video=name.only_video,
        is_internal=name.is_internal,
        since_ms=grant.since_ms,
        ends_ms=grant.ends_ms,
        max_kbps=grant.max_kbps if isinstance(grant, Publish) else 0,
        opening=opening if isinstance(opening, bytes) else opening.export() if opening is not None else b"",
    )
