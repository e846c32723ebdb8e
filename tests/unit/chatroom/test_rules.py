"""Names of rooms, rights, rates, limits and the environment."""

from dataclasses import replace

import msgspec
import pytest

from chatroom import config
from chatroom.core import messages, requests, rooms
from chatroom.core.errors import Code, Refused
from chatroom.core.limits import DEFAULT
from chatroom.core.messages import Person
from chatroom.core.rates import Bucket, Rates
from chatroom.core.rooms import Kind

GIVEN = {"CHATROOM_SECRET": "x" * 32, "CHATROOM_ORIGINS": "https://hw.example"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("#ops", Kind.PUBLIC), ("#job-17", Kind.PUBLIC), ("+a", Kind.PRIVATE), ("@3:17", Kind.DIRECT)],
)
def test_rooms_are_known_by_their_names(name: str, kind: Kind):
    assert rooms.kind(name) is kind


@pytest.mark.parametrize(
    "name",
    ["", "ops", "#", "#Ops", "#a b", "#-a", "#a-", "~3", "@17:3", "@3:3", "@3", "#a\n", "#é"],
)
def test_what_names_no_room_is_refused(name: str):
    with pytest.raises(Refused) as caught:
        rooms.kind(name)
    assert caught.value.code is Code.BAD


def test_only_a_jobs_room_has_a_job():
    assert rooms.job_of("#job-17") == 17
    assert [rooms.job_of(name) for name in ("#job-x", "#jobs-1", "#ops", "+job-1")] == [None] * 4


@pytest.mark.parametrize(
    ("groups", "talks", "moderates"),
    [
        ((), False, False),
        (("others",), False, False),
        (("viewer",), True, False),
        (("submitter",), True, False),
        (("viewer", "operator"), True, True),
        (("admin",), True, True),
    ],
)
def test_rights_follow_the_groups(groups: tuple[str, ...], talks: bool, moderates: bool):
    person = Person(1, "ada", groups)
    assert rooms.has_rights(person) is talks
    assert rooms.may_moderate(person) is moderates
    root = replace_person(person, superuser=True)
    assert rooms.has_rights(root)
    assert rooms.may_moderate(root)


def replace_person(person: Person, **changes: bool) -> Person:
    return Person(person.id, person.name, person.groups, **changes)


def test_a_bucket_gives_what_it_holds_and_then_its_rate():
    bucket = Bucket(2, 3, 3, 0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(0.0) == pytest.approx(0.5)
    assert bucket.take(0.5) == 0
    assert [bucket.take(100.0) for _ in range(4)][-1] > 0


def test_rates_forget_those_who_rest():
    rates = Rates(1, 2)
    rates.take("a", 0.0)
    rates.take("b", 9.0)
    rates.forget(9.5)
    assert len(rates) == 1
    rates.forget(11.0)
    assert not len(rates)


@pytest.mark.parametrize(
    "data",
    [
        '{"t":"say","room":"#a","text":""}',
        '{"t":"say","room":"#a"}',
        '{"t":"join","room":"#a","since":{"epoch":"e","id":"1"}}',
        '{"t":"mute","person":1,"seconds":-1}',
        '{"t":"mute","person":1,"seconds":1e9}',
        '{"t":"request","to":"x","body":1,"timeout":0}',
        '{"t":"welcome"}',
        '{"t":"say","room":"#a","text":"x","from":"root"}',
        "[" * 2000,
        '{"t":"request","to":"x","body":' + "[" * 30_000 + "]" * 30_000 + "}",
    ],
)
def test_what_is_no_message_of_a_client_is_refused(data: str):
    with pytest.raises(msgspec.DecodeError):
        requests.decode(data)


def test_an_entry_gets_its_number_without_being_decoded():
    assert messages.numbered("5-0", b'{"t":"message"}') == b'{"id":"5-0","t":"message"}'


def test_the_environment_is_read():
    read = config.read({**GIVEN, "CHATROOM_BIND": "[::1]:9000", "CHATROOM_LIMIT_OUTBOX": "5"})
    assert (read.host, read.port, read.redis_url) == ("::1", 9000, "")
    assert read.limits == replace(DEFAULT, outbox=5)
    assert read.origins == ("https://hw.example",)


def test_every_mistake_in_the_environment_is_told_at_once(tmp_path):
    with pytest.raises(config.ConfigInvalid) as caught:
        config.read(
            {
                "CHATROOM_BIND": "8765",
                "CHATROOM_SECRET": "short",
                "CHATROOM_ORIGINS": "hw.example",
                "CHATROOM_TRUST_PROXY": "perhaps",
                "CHATROOM_LIMIT_FRAME": "big",
                "CHATROOM_LIMIT_ROOMS": "0",
                "CHATROOM_TOKEN_FILE": str(tmp_path / "none"),
            }
        )
    told = str(caught.value)
    for name in ("BIND", "SECRET", "ORIGINS", "TRUST_PROXY", "LIMIT_FRAME", "LIMIT_ROOMS", "TOKEN"):
        assert f"CHATROOM_{name}" in told


def test_a_secret_may_be_in_a_file(tmp_path):
    (tmp_path / "key").write_text("y" * 20 + "\n")
    read = config.read({**GIVEN, "CHATROOM_SECRET_FILE": str(tmp_path / "key")})
    assert read.secret == "y" * 20
