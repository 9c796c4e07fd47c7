"""Questions of a connection, each answered once."""

from __future__ import annotations

from edge.net.rtmp.may_talk import MayTalk
from edge.rtmp.events import MayAnswered


def test_each_question_hears_its_own_answer_or_that_there_will_be_none() -> None:
    talk, heard = MayTalk(), list[tuple[str, MayAnswered | None]]()
    first, second, third = (
        talk.ask(lambda answer, name=name: heard.append((name, answer)))
        for name in ("a", "b", "c")  # type: ignore[misc]
    )
    assert len({first, second, third}) == len(talk) == 3
    answer = MayAnswered(second, "", "")
    talk.take_answer(answer)
    talk.take_answer(answer)
    talk.take_answer(MayAnswered(99, "", ""))
    talk.give_up(first)
    talk.close()
    assert heard == [("b", answer), ("c", None)] and len(talk) == 0
