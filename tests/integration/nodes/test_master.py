"""What the master does each second, and who else does not."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import InterfaceError, OperationalError, connection
from django.test.utils import CaptureQueriesContext

from hashworld.nodes import clock, heartbeat, lands, leadership
from hashworld.nodes.leadership import Candidate
from hashworld.nodes.master import Master
from hashworld.nodes.models import LANDS, Land, Leadership, Node
from tests.conftest import WaitUntil
from tests.integration.nodes.world import alive

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = timedelta(seconds=1)


def elected(holder: str = "one/1") -> Master:
    master = Master(Candidate(holder))
    master.compete()
    assert master.candidate.leads()
    return master


def owners() -> Counter[str | None]:
    return Counter(Land.objects.values_list("node__name", flat=True))


def fall_silent(node: Node) -> None:
    longago = clock.now() - timedelta(seconds=configured.ENV.lease_seconds + 1)
    Node.objects.filter(pk=node.pk).update(seen_at=longago)


@contextmanager
def running(*holders: str) -> Iterator[list[Master]]:
    masters = [Master(Candidate(holder)) for holder in holders]
    for master in masters:
        master.start()
    try:
        yield masters
    finally:
        for master in masters:
            master.stop()
            # On a busy machine that may take longer than a process that ends waits for it.
            master._thread.join()


def test_the_master_makes_the_lands_and_gives_them_to_the_nodes() -> None:
    alive("one")
    assert elected().run_once() == LANDS
    assert owners() == {"one": LANDS}


def test_who_does_not_lead_assigns_nothing(caplog: pytest.LogCaptureFixture) -> None:
    elected()
    alive("one")
    lands.make()
    standby = Master(Candidate("two/1"))
    standby.compete()
    assert standby.run_once() == 0
    assert owners() == {None: LANDS}
    assert not caplog.records[1:], "nor does it try to"


def test_the_lands_of_a_node_that_falls_silent_move_at_once() -> None:
    one, _ = alive("one"), alive("two")
    master = elected()
    master.run_once()
    theirs = one.lands.count()
    fall_silent(one)
    assert master.run_once() == theirs > 0
    assert owners() == {"two": LANDS}


def test_a_node_that_drains_joins_or_grows_moves_lands() -> None:
    one, _ = alive("one"), alive("two")
    master = elected()
    master.run_once()
    heartbeat.drain(one)
    assert master.run_once() > 0
    alive("three")
    assert master.run_once() > 0
    Node.objects.filter(name="two").update(max_tasks=1000)
    assert master.run_once() > 0


def test_while_nothing_changes_a_look_is_two_reads() -> None:
    for number in range(5):
        alive(f"n{number}")
    master = elected()
    master.run_once()
    with CaptureQueriesContext(connection) as captured:
        assert master.run_once() == 0
    assert len(captured) <= 2
    assert all(query["sql"].lstrip().startswith("SELECT") for query in captured)


def test_a_new_master_looks_at_all_lands_though_no_node_has_changed() -> None:
    alive("one")
    old = elected()
    old.run_once()
    for new in (Master(Candidate("two/1")), old):
        Land.objects.filter(pk__lt=5).update(node=None)
        Land.objects.filter(pk__gte=1000).delete()
        Leadership.objects.update(expires_at=clock.now())
        new.compete()
        assert new.run_once() == 5 + 24
        assert owners() == {"one": LANDS}


def test_a_master_that_was_overtaken_assigns_nothing_though_it_does_not_know_yet(
    caplog: pytest.LogCaptureFixture,
) -> None:
    alive("one")
    old = elected()
    lands.make()
    Leadership.objects.update(expires_at=clock.now())
    elected("two/1")
    assert old.candidate.leads(), "it still believes so"
    assert old.run_once() == 0
    assert owners() == {None: LANDS}
    assert "term 1 leads no more" in caplog.text


def test_what_the_database_refused_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alive("one")
    master, assign = elected(), lands.assign
    errors = [OperationalError(1213, "deadlock")]

    def fail_once(term: int) -> int:
        if errors:
            raise errors.pop()
        return assign(term)

    monkeypatch.setattr(lands, "assign", fail_once)
    assert master.run_once() == 0
    assert "deadlock" in caplog.text
    assert master.run_once() == LANDS


def test_one_of_several_leads_and_when_it_stops_another_does_at_once(
    wait_until: WaitUntil, settings: Any
) -> None:
    alive("one")
    with running("a/1", "b/1", "c/1") as masters:
        wait_until(lambda: owners() == {"one": LANDS})
        (first,) = (master for master in masters if master.candidate.leads())
        began = clock.now()
        first.stop()
        wait_until(lambda: leadership.master(clock.now()))
        assert (clock.now() - began).total_seconds() < leadership.length() / 3
        alive("two")
        wait_until(lambda: set(owners()) == {"one", "two"})
        assert Leadership.objects.get().term == 2


def test_a_master_goes_on_renewing(wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch) -> None:
    # A short lease would be lost where the machine lets the thread wait for seconds.
    monkeypatch.setattr(Candidate, "pause", lambda self: 0.2)
    with running("a/1") as (master,):
        wait_until(master.candidate.leads)
        first = Leadership.objects.get()
        wait_until(lambda: Leadership.objects.get().expires_at > first.expires_at + SECOND)
        assert Leadership.objects.get().term == first.term


def test_the_thread_survives_what_nobody_expected(
    wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    compete, fails = Candidate.run_once, [ZeroDivisionError("oops"), InterfaceError(0, "")]

    def fail_at_first(self: Candidate) -> bool:
        if fails:
            raise fails.pop()
        return compete(self)

    monkeypatch.setattr(Candidate, "run_once", fail_at_first)
    with running("a/1") as (master,):
        wait_until(master.candidate.leads)


def test_the_thread_survives_a_database_that_is_away(
    wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.ENV = replace(settings.ENV, lease_seconds=1)
    now, away = clock.now, [True]

    def refuse_while_away() -> Any:
        if away:
            raise OperationalError(2006, "gone")
        return now()

    with running("a/1") as (master,):
        wait_until(master.candidate.leads)
        monkeypatch.setattr(clock, "now", refuse_while_away)
        wait_until(lambda: not master.candidate.leads())
        away.clear()
        wait_until(master.candidate.leads)
