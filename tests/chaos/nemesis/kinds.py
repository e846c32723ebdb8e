"""All kinds of fault of the long run; their shares are how often each strikes in a full one."""

from tests.chaos.nemesis.disturbance import (
    FAKETIME,
    crash_node_at_a_point,
    cut_node_from_broker,
    drain_node,
    flapping_links_of_node,
    leave_node_half_open,
    restart_all_in_turn,
    restart_node,
    skew_clock_of_node,
    tear_connections_of_node,
)
from tests.chaos.nemesis.leader import cut_master_off, freeze_master, kill_master
from tests.chaos.nemesis.people import kill_and_retry, kill_hanging, poison
from tests.chaos.nemesis.plan import Company, Kind
from tests.chaos.nemesis.servers import (
    close_a_connection,
    deliver_again,
    kill_broker,
    kill_database,
    lock_rows,
    purge_queues,
    read_only_database,
    restart_broker,
    restart_database,
    restart_redis,
    slow_network,
    take_all_connections,
)
from tests.chaos.nemesis.silence import (
    cut_node_from_database,
    cut_node_off,
    freeze_node,
    freeze_node_at_a_point,
    kill_node,
    lose_answers_to_node,
    lose_requests_of_node,
)

RESCUE, NODE, LEADER = Company.RESCUE, Company.NODE, Company.LEADER
PEOPLE, WHOLE = Company.PEOPLE, Company.WHOLE

KINDS: tuple[Kind, ...] = (
    Kind(kill_node, RESCUE, 8),
    Kind(freeze_node, RESCUE, 6),
    Kind(freeze_node_at_a_point, RESCUE, 4),
    Kind(cut_node_from_database, RESCUE, 4),
    Kind(cut_node_off, RESCUE, 4),
    Kind(lose_requests_of_node, RESCUE, 3),
    Kind(lose_answers_to_node, RESCUE, 3),
    Kind(kill_master, LEADER, 3),
    Kind(freeze_master, LEADER, 2),
    Kind(cut_master_off, LEADER, 2),
    Kind(restart_node, NODE, 2),
    Kind(crash_node_at_a_point, NODE, 6),
    Kind(drain_node, NODE, 2),
    Kind(cut_node_from_broker, NODE, 2),
    Kind(flapping_links_of_node, NODE, 1),
    Kind(tear_connections_of_node, NODE, 3),
    Kind(leave_node_half_open, NODE, 1),
    *([Kind(skew_clock_of_node, NODE, 1)] if FAKETIME.exists() else []),
    Kind(restart_all_in_turn, WHOLE, 1),
    Kind(poison, WHOLE, 1),
    Kind(restart_database, WHOLE, 1),
    Kind(kill_database, WHOLE, 2),
    Kind(read_only_database, WHOLE, 1),
    Kind(take_all_connections, WHOLE, 1),
    Kind(lock_rows, WHOLE, 1),
    Kind(restart_broker, WHOLE, 1),
    Kind(kill_broker, WHOLE, 1),
    Kind(close_a_connection, WHOLE, 2),
    Kind(purge_queues, WHOLE, 1),
    Kind(deliver_again, WHOLE, 2),
    Kind(restart_redis, WHOLE, 1),
    Kind(slow_network, WHOLE, 1),
    Kind(kill_and_retry, PEOPLE, 4),
    Kind(kill_hanging, PEOPLE, 2),
)
