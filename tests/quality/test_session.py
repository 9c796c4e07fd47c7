from __future__ import annotations

from typing import Any

import pytest

from edge.quality.cmcd import parse
from edge.quality.session import Session


def session_of(*reports: str) -> Session:
    """One that has made these reports, a second apart."""
    session = Session(0)
    for number, text in enumerate(reports):
        session.take(parse(text, max_bytes=1000, max_keys=50), 1000 * number)
    return session


def figures(session: Session) -> tuple[Any, ...]:
    return session.start_ms, session.stall_count, session.stall_ms, session.dropped_frames


@pytest.mark.parametrize(
    ("reports", "found"),
    [
        (("bl=100",), (None, 0, 0, 0)),
        (("su", "su,bs", "bl=1", "bs"), (None, 2, 0, 0)),
        (("msd=800", "msd=900,bsa=2,bsda=700,dfa=5", "bsa=1,bsda=100,dfa=3"), (800, 2, 700, 5)),
        (("bsa=(1;v 3;a),bsda=(10;v 20;a)",), (None, 3, 20, 0)),
        (("sta=s,ts=1000", "sta=p,ts=1650", "sta=r,ts=5000", "sta=r,ts=6000", "sta=p,ts=7500"), (650, 1, 2500, 0)),
        # The same stall is told by a flag, by counts and by states.
        (("sta=p,ts=10", "bs", "sta=r,ts=20,bsa=1", "sta=p,ts=50,bsa=1,bsda=31"), (None, 1, 31, 0)),
        # Whoever counts stalls itself is believed: where an element waited for a moment there was none.
        (("sta=p,ts=10,bsa=0", "bs", "sta=r,ts=20", "bs", "sta=p,ts=50", "bsa=1,bsda=31"), (None, 1, 31, 0)),
        (("bs", "bs", "bsa=1"), (None, 2, 0, 0)),
        # A clock that goes back tells nothing, nor does one without a state.
        (("sta=s,ts=9000", "sta=p,ts=8000", "ts=99999", "sta=r"), (None, 0, 0, 0)),
        (("msd=99999999999,bsa=-1,bsda=x,dfa=1.7",), (None, 0, 0, 1)),
    ],
)
def test_what_was_lived_through(reports: tuple[str, ...], found: tuple[Any, ...]) -> None:
    assert figures(session_of(*reports)) == found


def test_what_holds_now() -> None:
    session = session_of("bl=(2000;v 1500;a),br=(900;v 128;a)", "sta=p,ts=1", "bs")
    assert (session.buffer_ms, session.bitrate_kbps, session.seen_ms, session.stalled_at_ms) == (1500, 900, 2000, 2000)
    assert not session.has_left and session_of("sta=q,ts=1").has_left
    assert not session_of("sta=q,ts=1", "sta=p,ts=2").has_left
