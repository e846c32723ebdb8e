"""Faults that silence a node for longer than its leases last; each rescue is measured."""

from collections.abc import Callable
from random import Random

from hashworld.tasks import moves
from tests.chaos.nemesis.plan import Steps
from tests.chaos.nemesis.scene import Scene, Wait
from tests.chaos.network import Links
from tests.chaos.proxy import ANSWERS_LOST, CUT, DROP, REQUESTS_LOST


def kill_node(scene: Scene, name: str, dice: Random) -> Steps:
    """It is killed for good; another process takes its name when its work was rescued."""
    yield from scene.stopped_at_work(name)
    silence = scene.silenced("kill_node", name)
    scene.fleet.retire(name)
    yield from scene.rescued(silence)
    scene.fleet.launch(name)
    yield from scene.joined(name)


def freeze_node(scene: Scene, name: str, dice: Random) -> Steps:
    """It stands still until its work was rescued, and goes on."""
    yield from scene.stopped_at_work(name)
    yield from _thawed_when_rescued(scene, "freeze_node", name)


def freeze_node_at_a_point(scene: Scene, name: str, dice: Random) -> Steps:
    """As `freeze_node`, at one of the points between two steps of its work."""
    yield from stopped_at_a_point(scene, name)
    yield from _thawed_when_rescued(scene, "freeze_node_at_a_point", name)


def cut_node_from_database(scene: Scene, name: str, dice: Random) -> Steps:
    """What it sends to the database and is answered arrives when its work was rescued."""
    yield from _cut(scene, "cut_node_from_database", name, lambda links: links.database.set(CUT))


def cut_node_off(scene: Scene, name: str, dice: Random) -> Steps:
    """The same with the broker too; or all of it is lost for good, and its connections with it."""
    weather = dice.choice((CUT, DROP))
    yield from _cut(scene, "cut_node_off", name, lambda links: links.set(weather))


def lose_requests_of_node(scene: Scene, name: str, dice: Random) -> Steps:
    """Only what it sends is held up, on both links."""
    yield from _cut(scene, "lose_requests_of_node", name, lambda links: links.set(REQUESTS_LOST))


def lose_answers_to_node(scene: Scene, name: str, dice: Random) -> Steps:
    """Only what it is answered is held up, on both links."""
    yield from _cut(scene, "lose_answers_to_node", name, lambda links: links.set(ANSWERS_LOST))


def stopped_at_a_point(scene: Scene, name: str) -> Steps:
    """Have a node stop at the point whose turn it is, running nothing that must not be lost."""
    file = scene.fleet.failpoint(name)
    point = scene.next_point()

    def has_stopped() -> bool:
        node = scene.fleet[name]
        if not node.is_frozen():
            return False
        if scene.harmless(name):
            return True
        file.write_text(point)
        node.thaw()
        return False

    file.write_text(point)
    try:
        yield Wait(has_stopped, f"{name} that is {point!r}")
    except GeneratorExit:
        file.unlink(missing_ok=True)
        scene.fleet[name].thaw()
        raise


def _thawed_when_rescued(scene: Scene, kind: str, name: str) -> Steps:
    silence = scene.silenced(kind, name)
    zombie = scene.fleet[name]
    try:
        yield from scene.rescued(silence)
    finally:
        zombie.thaw()
    yield from scene.heard_again(silence)


def _cut(scene: Scene, kind: str, name: str, cut: Callable[[Links], None]) -> Steps:
    task_id, url = yield from scene.hangs(name)
    yield from scene.stopped_at_work(name)
    links, node = scene.links(name), scene.fleet[name]
    silence = scene.silenced(kind, name)
    scene.holding(silence, task_id, url)
    cut(links)
    node.thaw()
    try:
        yield from scene.rescued(silence)
    finally:
        links.heal()
        moves.kill([task_id])
    yield from scene.heard_again(silence)
