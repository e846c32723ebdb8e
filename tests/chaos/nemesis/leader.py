"""Faults of the master: another must stand soon, and nothing of the old one may count."""

from collections.abc import Generator
from random import Random

from hashworld.nodes.models import Leadership
from hashworld.recurring.models import Cursor
from tests.chaos.nemesis.plan import Steps
from tests.chaos.nemesis.scene import Scene, Wait
from tests.chaos.proxy import CUT
from tests.chaos.stage import StageError
from tests.program import Program


def kill_master(scene: Scene, name: str, dice: Random) -> Steps:
    """It is killed, and started again as a standby."""
    master, holder = yield from _fallen(scene)
    master.kill()
    yield from scene.another_master("kill_master", holder)


def freeze_master(scene: Scene, name: str, dice: Random) -> Steps:
    """It stands still until another leads, and wakes up believing that it leads."""
    master, holder = yield from _fallen(scene)
    master.freeze()
    try:
        yield from scene.another_master("freeze_master", holder)
    finally:
        master.thaw()
    yield from scene.flows()


def cut_master_off(scene: Scene, name: str, dice: Random) -> Steps:
    """It reaches neither database nor broker until another leads; what it sent arrives late."""
    master, holder = yield from _fallen(scene)
    links = scene.links(master.name)
    links.set(CUT)
    try:
        yield from scene.another_master("cut_master_off", holder)
    finally:
        links.heal()
    yield from scene.flows()


def _fallen(scene: Scene) -> Generator[Wait, None, tuple[Program, str]]:
    """The master that is to fall and its holder's name, once another process stands by.

    One that has decided nothing yet would make one failover of two.
    """
    yield Wait(
        lambda: (
            scene.master()
            and Cursor.objects.filter(term=_term()).exists()
            and all(each.is_alive() for each in scene.fleet.schedulers)
        ),
        "a master that fires, and a standby",
    )
    master, holder = scene.master(), scene.holder()
    if master is None:
        raise StageError("the master was gone before it could fall")
    return master, holder


def _term() -> int:
    return Leadership.objects.values_list("term", flat=True).first() or 0
