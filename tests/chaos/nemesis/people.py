"""What people do meanwhile, and what they should not have handed in."""

from random import Random

from hashworld.tasks import moves
from hashworld.tasks.models import Task
from hashworld.tasks.states import State
from tests.chaos.nemesis.plan import Steps
from tests.chaos.nemesis.scene import Scene, Wait
from tests.chaos.site import MANY_HOSTS
from tests.chaos.verdict import Fate

#: How many tasks are killed and retried, and how many of pages that never answer.
KILLED, HANGING = 40, 5
HOSTS = range(len(MANY_HOSTS))
#: So many of them are being fetched when they are killed; the others may wait for a lost node.
BEGUN = 3


def kill_and_retry(scene: Scene, name: str, dice: Random) -> Steps:
    """Unfinished tasks are killed wherever they are, and soon afterwards retried.

    Not those of pages that never answer: nobody would end them then.
    """
    ending = Task.objects.filter(ended=None).exclude(url__contains="/hang/")
    unfinished = list(ending.values_list("pk", flat=True))
    chosen = dice.sample(unfinished, min(KILLED, len(unfinished)))
    moves.kill(chosen)
    # Those that were quicker have succeeded.
    ended = Task.objects.filter(pk__in=chosen, ended=State.KILLED)
    killed = list(ended.values_list("pk", flat=True))
    yield Wait(lambda: True, "nothing")
    moves.retry(killed)
    scene.ledger.retried.update(killed)


def kill_hanging(scene: Scene, name: str, dice: Random) -> Steps:
    """Fetches that would never end are killed; whoever runs them obeys, if need be when it is
    back."""
    hanging = [scene.stage.hanging_page(host) for host in dice.sample(HOSTS, HANGING)]
    ids, urls = [task_id for task_id, _ in hanging], [url for _, url in hanging]
    began = Task.objects.filter(pk__in=ids, state=State.RUNNING)
    site = scene.stage.site
    yield Wait(
        lambda: began.count() >= BEGUN and sum(map(site.waiting, urls)) >= BEGUN,
        "fetches that hang",
    )
    moves.kill(ids)
    scene.killed += ids
    yield Wait(lambda: not any(map(site.waiting, urls)), "an end of what was killed")


def poison(scene: Scene, name: str, dice: Random) -> Steps:
    """A page kills whoever fetches it: it ends as poison, and its neighbours succeed.

    Nothing new is handed in meanwhile: suspects of a busy cluster wait for long.
    """
    with scene.resting():
        yield from scene.spared()
        task_id, _ = scene.stage.page("killer", Fate.POISON)
        given_up = Task.objects.filter(pk=task_id, ended=State.RUNTIME_ERROR)
        yield Wait(given_up.exists, "the end of a poisonous page")
    for node in scene.stage.names():
        yield from scene.joined(node)
