"""The text of a media playlist of the classic and the low-latency scheme, made once for all who ask for the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edge.hls import playlist
from edge.hls.names import Uris
from edge.hls.segmenter import Segmenter
from edge.httpd.hls_answers import PlaylistText
from edge.httpd.hls_paths import Directives, segment_tracks, shared_query
from edge.httpd.hls_permits import uri_permits
from edge.httpd.hls_shelf import HlsStream
from edge.httpd.routes import Target
from edge.service.names import StreamName

if TYPE_CHECKING:
    from edge.hls.permits import StreamPermits


def media_playlist(
    found: HlsStream,
    segmenter: Segmenter,
    target: Target,
    name: StreamName,
    path: str,
    directives: Directives | None,
    permits: StreamPermits | None,
) -> PlaylistText:
    """The playlist as it is now.

    ``path``: of the stream, as the client has it. ``directives``: what was asked of a low-latency
    one; None for a classic one. ``permits``: what its URIs bear; None for nothing.
    """
    shared = shared_query(target.raw_query, name)
    is_delta = directives is not None and directives.is_delta
    is_blocking = directives is not None and directives.number >= 0
    who = path, shared, segment_tracks(name), permits is not None
    what = (segmenter.kind, directives is not None, is_delta, is_blocking, *who)

    def make() -> PlaylistText:
        permit_of = uri_permits(permits, segmenter)
        uris = Uris(path, shared, found.config.hls_entry_prefix, permit_of=permit_of)
        target_s = segmenter.target_s
        segmenter.note_listed()
        if directives is not None:
            text = playlist.low_latency(segmenter, uris, is_delta=is_delta)
            return PlaylistText(text, target_s if is_blocking else 1)
        return PlaylistText(playlist.classic(segmenter, uris), max(math.ceil(target_s / 2), 1))

    return found.text(what, segmenter.version, make)
