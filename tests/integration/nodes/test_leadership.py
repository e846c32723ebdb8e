"""One master at a time by the database's clock, and nothing written under a term that is over."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from hashworld.nodes import clock, leadership
from hashworld.nodes.leadership import Candidate, TermOver, guard, master
from hashworld.nodes.models import Leadership

pytestmark = pytest.mark.django_db(transaction=True)

Elapse = Callable[[float], None]


@pytest.fixture
def elapse(monkeypatch: pytest.MonkeyPatch) -> Elapse:
    """Let seconds pass by the process's own clock."""
    passed = [0.0]
    monkeypatch.setattr(leadership, "monotonic", lambda: passed[0])

    def pass_by(seconds: float) -> None:
        passed[0] += seconds

    return pass_by


def elected(holder: str) -> Candidate:
    candidate = Candidate(holder)
    assert candidate.run_once()
    return candidate


def run_out() -> None:
    """Let the leadership have run out a second ago by the database's clock."""
    Leadership.objects.update(expires_at=clock.now() - timedelta(seconds=1))


def take_over(holder: str) -> Candidate:
    run_out()
    return elected(holder)


def refuse(*_: Any) -> datetime:
    raise OperationalError(2006, "gone")


def written(term: int | None) -> bool:
    """Whether a term may write."""
    try:
        with transaction.atomic():
            guard(term)
    except TermOver:
        return False
    return True


def test_nobody_leads_before_anybody_asked() -> None:
    assert master(clock.now()) is None
    assert not Candidate("one/1").leads()


def test_who_asks_first_leads_under_term_one() -> None:
    one = elected("one/1")
    row = master(clock.now())
    assert row is not None
    assert (row.holder, row.term, one.term) == ("one/1", 1, 1)


def test_nobody_else_leads_while_one_does() -> None:
    one, two = elected("one/1"), Candidate("two/1")
    assert not two.run_once()
    assert (one.leads(), two.leads(), two.term) == (True, False, None)


def test_renewing_prolongs_the_term_and_does_not_begin_another() -> None:
    one = elected("one/1")
    before = Leadership.objects.get()
    assert one.run_once()
    after = Leadership.objects.get()
    assert (after.term, after.since) == (before.term, before.since)
    assert after.expires_at > before.expires_at
    assert after.renewed_at > before.renewed_at


def test_the_term_rises_at_every_change_of_holder() -> None:
    terms = [take_over(f"{name}/1").term for name in ("one", "two", "one", "three")]
    assert terms == [1, 2, 3, 4]


def test_a_renewal_does_not_revive_what_another_took() -> None:
    one = elected("one/1")
    two = take_over("two/1")
    assert not one.run_once()
    assert (one.term, two.term) == (None, 2)
    assert Leadership.objects.get().holder == "two/1"


def test_a_renewal_does_not_revive_what_another_took_and_gave_back() -> None:
    one = elected("one/1")
    take_over("two/1").resign()
    assert one.run_once()
    assert one.term == 3, "taken anew, not renewed"


def test_what_ran_out_is_taken_anew_even_by_its_last_holder() -> None:
    one = elected("one/1")
    run_out()
    assert one.run_once()
    assert one.term == 2
    assert not written(1)


def test_a_process_of_the_same_name_cannot_renew_what_another_holds() -> None:
    one = elected("one/1")
    twin = Candidate("one/1")
    assert not twin.run_once()
    run_out()
    assert twin.run_once()
    assert not one.run_once()
    assert Leadership.objects.get().term == twin.term == 2


def test_trust_ends_before_the_row_runs_out_even_while_the_database_is_away(
    elapse: Elapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = elected("one/1")
    monkeypatch.setattr(clock, "now", refuse)
    elapse(0.79 * leadership.length())
    assert one.run_once(), "a short absence of the database changes nothing"
    elapse(0.02 * leadership.length())
    assert not one.run_once()
    assert (one.leads(), one.term) == (False, None)


def test_trust_counts_from_before_the_database_was_asked(
    elapse: Elapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now

    def slowly() -> datetime:
        elapse(0.5 * leadership.length())
        return now()

    monkeypatch.setattr(clock, "now", slowly)
    one = elected("one/1")
    elapse(0.31 * leadership.length())
    assert not one.leads()


def test_an_answer_that_comes_too_late_makes_no_leader(
    elapse: Elapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now

    def slowly() -> datetime:
        elapse(leadership.length())
        return now()

    monkeypatch.setattr(clock, "now", slowly)
    assert not Candidate("one/1").run_once()


def test_a_take_whose_answer_was_lost_is_found_again(caplog: pytest.LogCaptureFixture) -> None:
    take_over("two/1").resign()
    one = Candidate("one/1")

    def lose_the_answer(execute: Any, sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if sql.startswith("UPDATE"):
            raise OperationalError(2013, "lost connection")
        return result

    with connection.execute_wrapper(lose_the_answer):
        assert not one.run_once()
    assert "lost connection" in caplog.text
    assert one.run_once()
    assert (one.term, Leadership.objects.get().term) == (2, 2)


def test_a_take_that_never_arrived_is_not_mistaken_for_anothers() -> None:
    take_over("old/1").resign()
    one = Candidate("one/1")

    def lose_the_question(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise OperationalError(2006, "gone")
        return execute(sql, *rest)

    with connection.execute_wrapper(lose_the_question):
        assert not one.run_once()
    assert elected("two/1").term == 2
    assert not one.run_once()


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Let something happen between a candidate's look at the row and its UPDATE."""
    until, events = leadership._until, list[Callable[[], object]]()

    def be_overtaken(now: datetime) -> datetime:
        if events:
            events.pop()()
        return until(now)

    monkeypatch.setattr(leadership, "_until", be_overtaken)
    return events.append


def test_a_term_that_another_began_and_ended_meanwhile_is_not_given_again(meanwhile: Any) -> None:
    take_over("old/1").resign()
    one = Candidate("one/1")
    meanwhile(lambda: (elected("two/1"), run_out()))
    assert not one.run_once()
    assert one.run_once()
    assert one.term == 3


def test_what_its_holder_renewed_meanwhile_is_not_taken(meanwhile: Any) -> None:
    elected("old/1")
    run_out()
    later = clock.now() + timedelta(seconds=5)
    meanwhile(lambda: Leadership.objects.update(expires_at=later))
    assert not Candidate("one/1").run_once()
    assert Leadership.objects.get().holder == "old/1"


def test_a_standby_only_reads() -> None:
    elected("one/1")
    standby = Candidate("two/1")
    with CaptureQueriesContext(connection) as captured:
        standby.run_once()
    assert captured.captured_queries
    assert all(query["sql"].startswith("SELECT") for query in captured)


def test_who_resigns_frees_the_row_at_once() -> None:
    one, two = elected("one/1"), Candidate("two/1")
    one.resign()
    assert not one.leads()
    assert master(clock.now()) is None
    assert two.run_once()
    assert two.term == 2


def test_who_leads_no_more_resigns_for_nobody_else() -> None:
    one = elected("one/1")
    two = take_over("two/1")
    one.resign()
    Candidate("three/1").resign()
    assert master(clock.now()) == Leadership.objects.get(holder="two/1", term=two.term)


def test_resigning_without_the_database_ends_the_trust_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = elected("one/1")
    monkeypatch.setattr(clock, "now", refuse)
    one.resign()
    assert not one.leads()
    assert "not resigned" in caplog.text


def test_the_term_that_leads_may_write() -> None:
    assert written(elected("one/1").term)


def test_an_old_term_may_not_write_even_if_its_holder_came_back() -> None:
    old = elected("one/1").term
    take_over("two/1")
    assert not written(old)
    new = take_over("one/1").term
    assert not written(old)
    assert written(new)


def test_a_term_that_ran_out_may_not_write_though_nobody_took_it() -> None:
    term = elected("one/1").term
    run_out()
    assert not written(term)


def test_who_never_led_may_not_write() -> None:
    assert not written(None)
    elected("one/1")
    assert not written(None)


def test_what_a_transaction_did_under_a_term_that_is_over_is_undone() -> None:
    old = elected("one/1").term
    take_over("two/1")

    @transaction.atomic
    def write() -> None:
        Leadership.objects.update(since=clock.now() + timedelta(days=1))
        guard(old)

    with pytest.raises(TermOver, match="term 1 leads no more: now it is two/1, term 2"):
        write()
    assert Leadership.objects.get().since < clock.now()


def test_a_term_is_not_guarded_outside_a_transaction() -> None:
    term = elected("one/1").term
    with pytest.raises(TransactionManagementError):
        guard(term)


def test_nobody_takes_over_while_a_guarded_transaction_lasts(settings: Any, wait_until: Any):
    settings.ENV = replace(settings.ENV, lease_seconds=1)
    one, two = elected("one/1"), Candidate("two/1")

    def compete() -> None:
        two.run_once()
        connections.close_all()

    rival = Thread(target=compete)
    with transaction.atomic():
        guard(one.term)
        wait_until(lambda: master(clock.now()) is None)
        rival.start()
        rival.join(0.5)
        assert rival.is_alive()
    rival.join(20)
    assert Leadership.objects.get().term == 2


def test_of_twenty_that_start_together_one_leads() -> None:
    def start(meet: Barrier, number: int) -> int | None:
        candidate = Candidate(f"n{number}/1")
        meet.wait(20)
        candidate.run_once()
        connections.close_all()
        return candidate.term

    with ThreadPoolExecutor(20) as pool:
        for term in (1, 2):  # at the very beginning, and after a master was lost
            terms = list(pool.map(start, [Barrier(20)] * 20, range(20)))
            assert sorted(found for found in terms if found is not None) == [term]
            assert list(Leadership.objects.values_list("term", flat=True)) == [term]
            run_out()


def test_the_pauses_of_standbys_are_spread_and_short_enough_to_stand_in_in_time() -> None:
    one, two = elected("one/1"), Candidate("two/1")
    pauses = [two.pause() for _ in range(200)]
    assert len({round(pause, 2) for pause in pauses}) > 50
    assert leadership.length() + max(pauses) < 18
    assert one.pause() == leadership.length() / 3


def test_terms_never_overlap_by_the_databases_clock(settings: Any) -> None:
    """Whoever believes that it leads at a moment of the database's clock has the newest term."""
    settings.ENV = replace(settings.ENV, lease_seconds=0.4)
    seen: list[tuple[datetime, int]] = []
    done = Event()

    def live(number: int) -> None:
        candidate, dice = Candidate(f"n{number}/1"), Random(number)
        while not done.is_set():
            candidate.run_once()
            for _ in range(3):
                now, term = clock.now(), candidate.term
                if term is not None:
                    seen.append((now, term))
                done.wait(dice.choice((0.01, 0.05, 0.3)))
            if dice.random() < 0.1:
                candidate.resign()
        connections.close_all()

    threads = [Thread(target=live, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    done.wait(6)
    done.set()
    for thread in threads:
        thread.join()
    terms = [term for _, term in sorted(seen)]
    assert terms == sorted(terms)
    assert terms[-1] > 5, "leadership changed hands"
