"""Faults of the servers, which concern everybody. By one of them alone nodes lose their leases."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from random import Random
from threading import Event
from typing import Any

from django.db import connection

from hashworld.celery import app
from hashworld.nodes import clock
from hashworld.nodes.models import silence as node_silence
from hashworld.tasks import moves
from hashworld.tasks.models import Lease
from hashworld.tasks.publisher import CeleryPublisher
from tests.chaos.nemesis.plan import Steps
from tests.chaos.nemesis.scene import Scene, Wait, passed
from tests.chaos.proxy import PASS, Weather
from tests.chaos.stage import StageError

#: Seconds for which a server refuses: well below a lease; and for how many more than a lease.
REFUSING, OUTLASTING = 5.0, 5.0
#: Seconds for which somebody else keeps rows locked; how often it is asked whether others want
#: them, and how many seconds lie between: who asks more often is told what InnoDB said before.
LOCKED, WANTED, BETWEEN = 2.0, 20, 0.5
#: What MySQL says to a deadlock's victim, and after a wait for a lock that took too long.
CLASHED = (1213, 1205)
#: How many transactions wait for one of a connection.
_WAITING = """
SELECT COUNT(*) FROM information_schema.innodb_lock_waits AS waits
JOIN information_schema.innodb_trx AS trx ON trx.trx_id = waits.blocking_trx_id
WHERE trx.trx_mysql_thread_id = %s
"""
#: How often somebody else takes the same locks in another order.
CLASHES = 30
#: Pages handed in while nobody reads their messages; how often that is tried, and for how many
#: seconds all stand still: so few that nobody loses a lease.
UNREAD, TRIES, STANDSTILL = 100, 4, 6.0
#: How often each of so many leases is delivered again.
TIMES, LEASES = 5, 10
#: A slow network, and for how many seconds: three leases.
SLOW, SLOW_SECONDS = Weather(delay=0.2, jitter=0.1), 45.0


def restart_database(scene: Scene, name: str, dice: Random) -> Steps:
    """MariaDB is stopped and started."""
    with scene.nobody_leads():
        scene.servers.mariadb.stop()
        scene.servers.mariadb.start()
        connection.close()  # our own was lost too
    yield from scene.flows()
    yield from scene.renewed()


def kill_database(scene: Scene, name: str, dice: Random) -> Steps:
    """MariaDB is killed and started."""
    with scene.nobody_leads():
        scene.servers.mariadb.kill()
        scene.servers.mariadb.start()
        connection.close()
    yield from scene.flows()
    yield from scene.renewed()


def read_only_database(scene: Scene, name: str, dice: Random) -> Steps:
    """MariaDB ends all connections and takes no writes, as one that is demoted, for so long that
    all nodes must let go of what they have, and the master of its term."""
    with scene.resting():
        yield from scene.spared()
    hanging = {}
    for node in scene.stage.names():
        hanging[node] = yield from scene.hangs(node)
    silences = [scene.silenced("read_only_database", node) for node in hanging]
    for silence in silences:
        scene.holding(silence, *hanging[silence.node])
    term = scene.term()
    with scene.nobody_leads():
        _demote(scene)
        try:
            yield passed(node_silence().total_seconds() + OUTLASTING)
        finally:
            with scene.servers.mariadb.administer() as cursor:
                cursor.execute("SET GLOBAL read_only = 0")
    moves.kill([task_id for task_id, _ in hanging.values()])
    yield Wait(lambda: scene.term() > term, "a term after that of the master that let go")
    for silence in silences:
        yield from scene.heard_again(silence)
    yield from scene.flows()
    yield from scene.renewed()


def take_all_connections(scene: Scene, name: str, dice: Random) -> Steps:
    """MariaDB has no connection left for a node that has just lost its own."""
    import MySQLdb

    with ExitStack() as taken:
        try:
            while True:
                taken.enter_context(closing(scene.servers.mariadb.connect()))
        except MySQLdb.OperationalError:
            scene.links(name).database.reset()
        yield passed(REFUSING)
    yield from scene.flows()
    yield from scene.takes_leases(name)
    yield from scene.renewed()


def lock_rows(scene: Scene, name: str, dice: Random) -> Steps:
    """Somebody keeps the busiest rows locked that others want, and then takes them in the order
    that clashes."""
    with closing(scene.servers.mariadb.connect(database="hashworld")) as side:
        cursor = side.cursor()
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")
        while not _begin_with_rows(cursor, "tasks_host", "nodes_node"):
            side.rollback()
            yield passed(0)
        yield from wanted(scene, side.thread_id())
        yield passed(LOCKED)
        side.rollback()
        for _ in range(CLASHES):
            for table in dice.sample(("tasks_host", "nodes_node", "tasks_job"), 3):
                _begin_with_rows(cursor, table)
            side.rollback()
            yield passed(0)
    yield from scene.flows()
    yield from scene.renewed()


def restart_broker(scene: Scene, name: str, dice: Random) -> Steps:
    """RabbitMQ is stopped and started; every node takes leases again."""
    scene.servers.rabbitmq.stop()
    scene.servers.rabbitmq.start()
    yield from _everybody_takes_leases(scene)


def kill_broker(scene: Scene, name: str, dice: Random) -> Steps:
    """RabbitMQ is killed and started; every node takes leases again."""
    scene.servers.rabbitmq.kill()
    scene.servers.rabbitmq.start()
    yield from _everybody_takes_leases(scene)


def close_a_connection(scene: Scene, name: str, dice: Random) -> Steps:
    """RabbitMQ closes one of its connections."""
    connections = scene.servers.rabbitmq.control("list_connections", "pid").split("\n")
    pids = sorted(each for each in connections if each.startswith("<"))
    scene.servers.rabbitmq.control("close_connection", dice.choice(pids), "chaos")
    yield from _everybody_takes_leases(scene)


def purge_queues(scene: Scene, name: str, dice: Random) -> Steps:
    """Messages to all nodes are deleted before they are read.

    A node that froze amid a transaction holds the others up until all are suspected and are given
    nothing: then they all go on for a while, and freeze again.
    """
    for left in reversed(range(TRIES)):
        try:
            with scene.stage.standstill():
                scene.stage.lose_messages(UNREAD, patience=STANDSTILL)
            break
        except StageError:
            if not left:
                raise
        yield from _everybody_takes_leases(scene)
    yield from _everybody_takes_leases(scene)


def deliver_again(scene: Scene, name: str, dice: Random) -> Steps:
    """Messages of leases are delivered again, to their node and to another."""
    publisher = CeleryPublisher(app)
    publisher.reach()
    newest = list(Lease.objects.order_by("-pk").values_list("pk", "node__name")[:LEASES])
    for lease_id, owner in newest:
        other = dice.choice([each for each in scene.stage.names() if each != owner])
        for _ in range(TIMES):
            publisher.publish(lease_id, owner)
            publisher.publish(lease_id, other)
        yield passed(0)
    yield from scene.flows()


def restart_redis(scene: Scene, name: str, dice: Random) -> Steps:
    """Redis is away for a while: no task needs it."""
    scene.servers.redis.stop()
    try:
        yield from scene.flows()
    finally:
        scene.servers.redis.start()


def slow_network(scene: Scene, name: str, dice: Random) -> Steps:
    """Everybody is far from the database; no lease of a living node may be taken back."""
    began = clock.now()
    for link in scene.network:
        link.database.set(SLOW)
    try:
        yield passed(SLOW_SECONDS)
        scene.slow.append((began, clock.now()))
    finally:
        for link in scene.network:
            link.database.set(PASS)
    yield from scene.flows()


def _everybody_takes_leases(scene: Scene) -> Steps:
    for name in scene.stage.names():
        yield from scene.takes_leases(name)


def _demote(scene: Scene) -> None:
    """Make the database read-only: that waits for all who write, so they are shown out."""
    with ThreadPoolExecutor(1) as pool:
        demoted = pool.submit(_become_read_only, scene)
        while not demoted.done():
            with scene.servers.mariadb.administer() as cursor:
                cursor.execute("KILL HARD CONNECTION USER hashworld@'127.0.0.1'")
            Event().wait(0.1)
        demoted.result()
    connection.close()  # our own was ended too


def _become_read_only(scene: Scene) -> None:
    with scene.servers.mariadb.administer() as cursor:
        cursor.execute("SET GLOBAL read_only = 1")


def wanted(scene: Scene, thread: int) -> Steps:
    """Wait until a transaction waits for the locks of a connection's."""
    with scene.servers.mariadb.administer() as cursor:
        for _ in range(WANTED):
            yield passed(BETWEEN)
            cursor.execute(_WAITING, [thread])
            if cursor.fetchone()[0]:
                return
    raise StageError("nobody wanted the locked rows")


def _begin_with_rows(cursor: Any, *tables: str) -> bool:
    """Lock all rows of some tables, from the last to the first; whether there was no clash."""
    import MySQLdb

    try:
        for table in tables:
            cursor.execute(f"SELECT id FROM {table} ORDER BY id DESC FOR UPDATE")
            cursor.fetchall()
    except MySQLdb.OperationalError as error:
        if error.args[0] not in CLASHED:
            raise
        return False
    return True
