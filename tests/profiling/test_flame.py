from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from edge.profiling import flame
from edge.profiling.stacks import Counted, Frame
from tests.profiling import samples

_SVG = "{http://www.w3.org/2000/svg}"


def boxes(text: str) -> dict[str, tuple[float, float, float]]:
    """Left, top and width of each box, by the function's name."""
    found = {}
    for group in ET.fromstring(text):
        title, rect = group.find(f"{_SVG}title"), group.find(f"{_SVG}rect")
        assert title is not None and title.text is not None and rect is not None
        name = title.text.rpartition(": ")[0].rpartition(":")[2] or title.text.partition(":")[0]
        found[name] = (float(rect.get("x", "")), float(rect.get("y", "")), float(rect.get("width", "")))
    return found


def test_width_is_what_was_taken_and_rows_are_callers_and_called() -> None:
    found = boxes(flame.svg(samples.profile(), width_px=1200))
    assert found["all"][1:] == (0.0, 1199.5)
    assert found["main"][1:] == (flame.ROW_PX, 1199.5)
    assert found["serve"][2] == pytest.approx(999.5)
    assert found["send"] == (pytest.approx(found["read"][0] + 400), 3 * flame.ROW_PX, pytest.approx(599.5))


def test_focus_makes_a_function_the_whole() -> None:
    text = flame.svg(samples.profile(), width_px=600, focus=3, link=lambda number: f"?view=x&focus={number}")
    found = boxes(text)
    assert set(found) == {"all", "main", "serve", "send", "read"}
    assert found["serve"] == (0.0, 2 * flame.ROW_PX, 599.5)
    assert 'href="?view=x&amp;focus=5"' in text
    assert flame.svg(samples.profile(), width_px=600, focus=99) == flame.svg(samples.profile(), width_px=600)


def test_X6_names_are_escaped() -> None:
    text = flame.svg(samples.profile((Counted((samples.EVIL,), 1, 1),)), width_px=1200)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "style=" not in text, "the policy of the page allows none"
    ET.fromstring(text)


def test_boxes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tuple(Counted((Frame(f"f{number}", "x.py", 1),), 1, 1) for number in range(50))
    assert len(re.findall("<rect", flame.svg(samples.profile(rows), width_px=1000))) == 51
    assert len(re.findall("<rect", flame.svg(samples.profile(rows), width_px=20))) == 1
    monkeypatch.setattr(flame, "MAX_BOXES", 10)
    assert len(re.findall("<rect", flame.svg(samples.profile(rows), width_px=1000))) == 10


def test_profile_of_nothing_is_drawn() -> None:
    assert set(boxes(flame.svg(samples.profile(()), width_px=1000))) == set()
