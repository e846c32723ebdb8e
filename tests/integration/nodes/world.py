"""Nodes to try the cluster's own rules with."""

from hashworld.nodes import heartbeat
from hashworld.nodes.models import Node


def alive(name: str, max_tasks: int = 64, incarnation: str = "1") -> Node:
    """A node that has joined and takes work."""
    node = heartbeat.join(name, incarnation, max_tasks)
    heartbeat.ready(node)
    node.refresh_from_db()
    return node
