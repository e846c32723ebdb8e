"""Faults of one node that others need not rescue, or that take too short for it."""

from functools import partial
from pathlib import Path
from random import Random
from threading import Event

from hashworld.nodes import clock
from hashworld.tasks.models import Attempt
from tests.chaos.nemesis.plan import Steps
from tests.chaos.nemesis.scene import Scene, Wait, passed
from tests.chaos.nemesis.silence import stopped_at_a_point
from tests.chaos.proxy import CUT, Proxy
from tests.chaos.stage import StageError

#: Where Debian's package `faketime` has it, on whatever processor.
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), Path("/nonexistent"))
#: Seconds that a link is cut: within so many others must have done what waits for the node.
CUT_SECONDS = 25.0
#: Within how many seconds a node must beat on connections that are new; how long it stands still
#: before the old ones are gone: nothing probes a proxy that waits for an answer to an old question.
NOTICED, ANSWERED = 60.0, 1.0
#: Of how many of its hosts a page is handed in then.
ITS_HOSTS = 5
#: A link that is whole and cut by turns, and for how long altogether: longer than a lease.
WHOLE, BROKEN, FLAPPING = 2.0, 3.0, 20.0
#: How far a clock is off, and how many pages a node with such a clock must fetch.
OFFSETS, ENOUGH = ("+10m", "-10m"), 20


def restart_node(scene: Scene, name: str, dice: Random) -> Steps:
    """It is killed and comes back at once: it takes its own work back."""
    yield from scene.stopped_at_work(name)
    yield from _killed(scene, "restart_node", name)


def crash_node_at_a_point(scene: Scene, name: str, dice: Random) -> Steps:
    """The same, at one of the points between two steps of its work."""
    yield from stopped_at_a_point(scene, name)
    yield from _killed(scene, "crash_node_at_a_point", name)


def drain_node(scene: Scene, name: str, dice: Random) -> Steps:
    """It is asked to stop under load: it leaves, and nothing counts as lost."""
    yield Wait(lambda: scene.stage.held(name), f"work on {name}")
    incarnation = scene.stage.incarnation(name)
    before = scene.ledger.losses(incarnation)  # it may have been cut off in an earlier round
    program = scene.fleet.release(name)
    yield Wait(lambda: not program.is_alive(), f"the end of {name}")
    losses = scene.ledger.losses(incarnation) - before
    scene.fleet.launch(name)
    yield from scene.joined(name)
    if program.wait() or losses:
        raise StageError(f"a drained node ended with {program.wait()} and {losses} losses")


def cut_node_from_broker(scene: Scene, name: str, dice: Random) -> Steps:
    """It is not told of new leases, so others do what is of its lands; then it is told again."""
    yield Wait(lambda: scene.hosts_of(name), f"lands of {name}")
    links, over = scene.links(name), passed(CUT_SECONDS)
    links.broker.set(CUT)
    try:
        tasks = [scene.stage.urgent_page(host) for host in scene.hosts_of(name)[:ITS_HOSTS]]
        done = Attempt.objects.filter(task__in=tasks, error="").exclude(node__name=name)
        yield Wait(
            lambda: done.count() == len(tasks),
            f"pages of {name}'s lands that others fetch",
            CUT_SECONDS,
        )
        yield over
    finally:
        links.heal()
    yield from scene.takes_leases(name)


def flapping_links_of_node(scene: Scene, name: str, dice: Random) -> Steps:
    """Its links are whole and cut by turns."""
    yield from scene.stopped_at_work(name)
    links, silence = scene.links(name), scene.silenced("flapping_links_of_node", name)
    for link in links.both():
        link.flap(WHOLE, BROKEN)
    scene.fleet[name].thaw()
    try:
        yield passed(FLAPPING)
    finally:
        links.heal()
    yield from scene.heard_again(silence)
    yield from scene.takes_leases(name)


def tear_connections_of_node(scene: Scene, name: str, dice: Random) -> Steps:
    """All its connections to the servers, or to one of them, are reset; the servers may not know,
    and keep what it had of them."""
    yield Wait(lambda: scene.stage.held(name), f"work on {name}")
    links = scene.links(name)
    tear = dice.choice((Proxy.reset, partial(Proxy.half_open, client_knows=True)))
    for link in dice.choice(((links.database,), (links.broker,), links.both())):
        tear(link)
    yield from scene.takes_leases(name)


def leave_node_half_open(scene: Scene, name: str, dice: Random) -> Steps:
    """The servers have forgotten its connections, and it is told when it uses them."""
    yield from scene.stopped_at_work(name)
    silence = scene.silenced("leave_node_half_open", name)
    yield passed(ANSWERED)
    links = scene.links(name)
    for link in links.both():
        link.half_open(client_knows=False)
    scene.fleet[name].thaw()
    try:
        yield from scene.heard_again(silence, NOTICED)
        yield from scene.takes_leases(name)
    except GeneratorExit:
        for link in links.both():
            link.reset()
        raise
    finally:
        silence.ended = clock.now()  # nothing is whole before it has noticed


def skew_clock_of_node(scene: Scene, name: str, dice: Random) -> Steps:
    """Its clock jumps by ten minutes while it works, forward and back, and hinders nothing."""
    yield from scene.stopped_at_work(name)
    offset = scene.fleet.failpoint(name).with_suffix(".clock")
    offset.write_text("+0")
    scene.silenced("skew_clock_of_node", name)
    scene.fleet.retire(name)
    scene.fleet.launch(name, _clock(offset))
    try:
        yield from scene.joined(name)
        for jump in dice.sample(OFFSETS, len(OFFSETS)):
            offset.write_text(jump)
            Event().wait(1.1)  # so long the process keeps what it has read
            yield from _fetches(scene, name)
    finally:
        # A clock that is right again without a restart is one more jump.
        offset.write_text("+0")
    yield from _fetches(scene, name)
    yield from drain_node(scene, name, dice)


def _killed(scene: Scene, kind: str, name: str) -> Steps:
    before = scene.silenced(kind, name).incarnation
    scene.fleet[name].kill()
    yield Wait(lambda: scene.stage.incarnation(name) != before, f"{name}, started again")
    yield from scene.joined(name)


def _clock(offset: Path) -> dict[str, str]:
    """The variables that make a process add to the wall clock what a file says."""
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def _fetches(scene: Scene, name: str) -> Steps:
    last = Attempt.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    done = Attempt.objects.filter(pk__gt=last, node__name=name, error="")
    yield Wait(lambda: done.count() >= ENOUGH, f"pages that {name} fetched")


def restart_all_in_turn(scene: Scene, name: str, dice: Random) -> Steps:
    """Every node is drained and started again, one after the other."""
    for each in dice.sample(scene.stage.names(), len(scene.stage.names())):
        yield from drain_node(scene, each, dice)
