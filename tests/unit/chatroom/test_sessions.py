"""Request and reply: each ends once, and nothing stays."""

import pytest

from chatroom.core.errors import Code, Refused
from chatroom.core.sessions import Questions, Session, Sessions, home


class Asking:
    def __init__(self, most: int = 8) -> None:
        self.sessions = Sessions(most)
        self.outcomes: dict[str, list[bytes | Refused]] = {}

    def open(self, id: str, asker: str = "i1.a", peer: str = "i2.b", deadline: float = 5) -> None:
        outcomes = self.outcomes.setdefault(id, [])
        self.sessions.open(Session(id, asker, peer, outcomes.append), deadline)

    def code(self, id: str) -> Code:
        (outcome,) = self.outcomes[id]
        assert isinstance(outcome, Refused)
        return outcome.code

    def empty(self) -> bool:
        self.sessions.expire(1e9)
        held = self.sessions
        return not (len(held) or held._of or held._deadlines)


def test_an_answer_settles_the_session_once():
    asking = Asking()
    asking.open("s")
    assert asking.sessions.reply("s", "i2.b", b"1")
    assert not asking.sessions.reply("s", "i2.b", b"2")
    assert asking.outcomes["s"] == [b"1"]
    assert asking.sessions.late == 1
    assert asking.empty()


def test_nobody_else_can_answer():
    asking = Asking()
    asking.open("s")
    assert not asking.sessions.reply("s", "i2.c", b"1")
    assert asking.outcomes["s"] == []
    assert len(asking.sessions) == 1


def test_a_session_ends_with_its_time_and_not_before():
    asking = Asking()
    asking.open("late", deadline=9)
    asking.open("soon", deadline=5)
    asking.sessions.expire(4.9)
    assert asking.outcomes["soon"] == []
    asking.sessions.expire(5)
    assert asking.code("soon") is Code.TIMEOUT
    assert asking.outcomes["late"] == []
    assert asking.empty()


@pytest.mark.parametrize("gone", ["i1.a", "i2.b"])
def test_a_session_ends_when_either_side_is_gone(gone: str):
    asking = Asking()
    asking.open("s")
    asking.open("other", asker="i1.c", peer="i2.d")
    asking.sessions.gone(gone)
    assert asking.code("s") is Code.GONE
    assert asking.outcomes["other"] == []


def test_sessions_end_with_the_instance_of_whom_was_asked():
    asking = Asking()
    asking.open("s")
    assert asking.sessions.instances() == {"i2"}
    asking.sessions.gone_instance("i2")
    assert asking.code("s") is Code.GONE
    assert asking.empty()


def test_a_client_waits_for_so_many_answers_and_no_more():
    asking = Asking(most=2)
    asking.open("1")
    asking.open("2")
    with pytest.raises(Refused):
        asking.open("3")
    asking.open("other", asker="i1.z")
    asking.sessions.reply("1", "i2.b", b"")
    asking.open("4")


def test_a_question_is_answered_by_whom_it_was_put_to_and_once():
    questions = Questions()
    questions.put("s", "i2.b", "i1.a")
    assert questions.answered("s", "i2.c") is None
    assert questions.answered("s", "i2.b") == "i1.a"
    assert questions.answered("s", "i2.b") is None
    assert not len(questions)


def test_who_is_gone_answers_nothing():
    questions = Questions()
    questions.put("1", "i2.b", "i1.a")
    questions.put("2", "i2.c", "i1.a")
    assert questions.gone("i2.b") == [("1", "i1.a")]
    assert len(questions) == 1
    questions.dropped("2")
    assert not len(questions)


def test_a_clients_home_is_its_instance():
    assert home("i1.a") == "i1"
