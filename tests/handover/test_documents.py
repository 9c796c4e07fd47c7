"""Bodies: what goes in comes out, and nothing else does."""

from __future__ import annotations

import pytest

from edge.errors import HandoverError
from edge.handover.documents import Hello, Listeners, Parcel, decode, decode_versioned, encode
from edge.handover.keys import SocketKey


def test_what_goes_in_comes_out() -> None:
    listeners = Listeners("1.0", [SocketKey("", 0, "public"), SocketKey("::1", 8080, "internal")])
    assert decode(encode(listeners), Listeners) == listeners
    parcels = [Parcel("rtmp", b"x"), Parcel("undecided", b"1.2.3.4:5", SocketKey("", 1935, "public"))]
    assert decode(encode(parcels), list[Parcel]) == parcels


def test_anything_else_is_refused() -> None:
    for body in (b"", b"\xc1", encode({"version": "x"}), encode(Hello(1, "1.0", 7))[:-1]):
        with pytest.raises(HandoverError) as refused:
            decode(body, Hello)
        assert refused.value.reason == "handover_malformed"


def test_the_version_is_looked_at_first() -> None:
    later = encode({"version": 2, "what": "is not known"})
    with pytest.raises(HandoverError) as refused:
        decode_versioned(later, Hello, 1, "a hello")
    assert (refused.value.reason, refused.value.detail) == ("handover_version", "a hello of version 2, not 1")
    assert decode_versioned(encode(Hello(1, "p", 7)), Hello, 1, "a hello").pid == 7
