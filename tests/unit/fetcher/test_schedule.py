import random
from dataclasses import dataclass

import pytest

from hashworld.fetcher.limits import HostLimits
from hashworld.fetcher.schedule import Schedule


@dataclass(eq=False)
class Item:
    host: str
    number: int = 0
    abandoned: bool = False
    lane: int = 0


@pytest.fixture
def schedule():
    return Schedule()


def take_all(schedule, now=0.0):
    return [(item.host, item.number) for item in iter(lambda: schedule.pop(now), None)]


def test_hosts_take_turns(schedule):
    for number in range(2):
        for host in "abc":
            schedule.push(host, HostLimits(), Item(host, number))
    assert take_all(schedule) == [(host, number) for number in range(2) for host in "abc"]


def test_lanes_take_turns_however_many_hosts_each_has(schedule):
    for number in range(6):
        schedule.push(f"many-{number}", HostLimits(), Item("many", number, lane=1))
    for number in range(2):
        schedule.push("few", HostLimits(), Item("few", number, lane=2))
    assert [name for name, _ in take_all(schedule)] == ["many", "few"] * 2 + ["many"] * 4


def test_a_host_of_two_lanes_stands_in_the_lane_of_who_is_first(schedule):
    for number, lane in enumerate((1, 2, 1)):
        schedule.push("both", HostLimits(), Item("both", number, lane=lane))
    assert [number for _, number in take_all(schedule)] == [0, 1, 2]


def test_a_host_gets_no_more_than_its_connections(schedule):
    for number in range(5):
        schedule.push("a", HostLimits(max_connections=2), Item("a", number))
    assert take_all(schedule) == [("a", 0), ("a", 1)]
    schedule.release("a", 0.0)
    assert take_all(schedule) == [("a", 2)]
    assert schedule.waiting == 2


def test_a_full_host_holds_up_no_other(schedule):
    for number in range(100):
        schedule.push("full", HostLimits(max_connections=1), Item("full", number))
    schedule.push("free", HostLimits(), Item("free"))
    assert take_all(schedule) == [("full", 0), ("free", 0)]


def test_starts_keep_the_interval_even_when_the_line_was_empty_in_between(schedule):
    limits = HostLimits(min_interval=2.0)
    schedule.push("a", limits, Item("a", 0))
    assert take_all(schedule, now=10.0) == [("a", 0)]
    schedule.release("a", 10.5)
    schedule.push("a", limits, Item("a", 1))
    assert take_all(schedule, now=11.9) == []
    assert schedule.next_due() == 12.0
    assert take_all(schedule, now=12.0) == [("a", 1)]


def test_new_limits_hold_from_the_next_start_on(schedule):
    schedule.push("a", HostLimits(max_connections=1), Item("a", 0))
    assert take_all(schedule) == [("a", 0)]
    schedule.push("a", HostLimits(max_connections=2), Item("a", 1))
    assert take_all(schedule) == [("a", 1)]


def test_a_further_hop_goes_first_and_leaves_the_limits_alone(schedule):
    schedule.push("a", HostLimits(max_connections=1), Item("a", 0))
    schedule.push_first("a", HostLimits(max_connections=9), Item("a", 1))
    assert take_all(schedule) == [("a", 1)]


def test_an_abandoned_item_is_skipped(schedule):
    items = [Item("a", number) for number in range(3)]
    for item in items:
        schedule.push("a", HostLimits(), item)
    schedule.abandon(items[1])
    assert schedule.waiting == 2
    assert take_all(schedule) == [("a", 0), ("a", 2)]


def test_idle_hosts_are_forgotten_once_their_interval_is_over(schedule):
    schedule.push("plain", HostLimits(), Item("plain"))
    schedule.push("slow", HostLimits(min_interval=5.0), Item("slow"))
    gone = Item("gone")
    schedule.push("gone", HostLimits(), gone)
    schedule.abandon(gone)
    take_all(schedule)
    schedule.release("plain", 1.0)
    schedule.release("slow", 1.0)
    assert list(schedule._lines) == ["slow"]
    assert schedule.pop(5.0) is None
    assert not schedule._lines
    assert schedule.next_due() is None


def test_whatever_the_order_of_events_limits_hold_and_everything_is_handed_out_once():
    rng = random.Random(7)
    limits = {
        "a": HostLimits(1),
        "b": HostLimits(3, 0.5),
        "c": HostLimits(2),
        "d": HostLimits(1, 2),
    }
    schedule, now, pushed, taken = Schedule(), 0.0, 0, []
    running = dict.fromkeys(limits, 0)
    last_start = {}
    while len(taken) < 400:
        now += rng.random() / 10
        if pushed < 400:
            host = rng.choice("abcd")
            schedule.push(host, limits[host], Item(host, pushed))
            pushed += 1
        for host in running:
            if running[host] and rng.random() < 0.5:
                running[host] -= 1
                schedule.release(host, now)
        while (item := schedule.pop(now)) is not None:
            running[item.host] += 1
            assert running[item.host] <= limits[item.host].max_connections
            assert now - last_start.get(item.host, -9) >= limits[item.host].min_interval
            last_start[item.host] = now
            taken.append(item.number)
        assert schedule.waiting == pushed - len(taken)
    assert sorted(taken) == list(range(400))
