"""The service HeartBeats."""

from typing import TYPE_CHECKING

from hashworld.api import communicate_pb2 as pb
from hashworld.api.rpc import messages, node_tokens, presence
from hashworld.api.rpc.calls import Call
from hashworld.api.rpc.methods import serves
from hashworld.nodes.models import Standing
from hashworld.verbs import nodes
from hashworld.verbs.errors import Forbidden, Invalid

if TYPE_CHECKING:
    pass

GONE = {Standing.DEAD, Standing.LEFT}


@serves("HeartBeats.IsAlive", nodes.get, nodes=True)
def is_alive(call: Call, request: pb.HeartBeat) -> pb.OK:
    """Record a node's own beat, or ask whether a node is alive."""
    own = call.caller.node
    if request.alive and own:
        if request.who not in ("", own):
            raise Forbidden(f"Node {own} may not beat for {request.who}.")
        presence.beat(own, request.in_flight)
        return pb.OK(ok=True)
    if not (who := request.who or own):
        raise Invalid("who", "name the node")
    _may_look(call)
    return pb.OK(ok=presence.is_alive(who))


@serves("HeartBeats.AskAlive", nodes.get, nodes=True)
def ask_alive(call: Call, request: pb.Node) -> pb.OK:
    """Whether a node is alive and is the one that it says: by name, host and token."""
    if not request.name:
        raise Invalid("name", "name the node")
    _may_look(call)
    proven = node_tokens.verify(request.name, request.token)
    return pb.OK(ok=proven and presence.is_alive(request.name, request.host))


@serves("HeartBeats.ListNodes", nodes.find)
def list_nodes(call: Call, request: pb.NodeQuery) -> pb.NodeList:
    """All nodes by name; those that have left or died only if they are asked for."""
    found = [seen for seen in nodes.find(call.user) if request.gone or seen.standing not in GONE]
    master = nodes.cluster(call.user).master
    return pb.NodeList(node=[messages.node(seen, master) for seen in found])


@serves("HeartBeats.GetNode", nodes.get)
def get_node(call: Call, request: pb.NodeID) -> pb.NodeStatus:
    """One node."""
    return messages.node(nodes.get(call.user, request.name), nodes.cluster(call.user).master)


@serves("HeartBeats.DrainNode", nodes.drain)
def drain_node(call: Call, request: pb.NodeID) -> pb.Outcome:
    """Let a node end or give back what it has, and stay idle."""
    nodes.drain(call.user, request.name, request.reason)
    return pb.Outcome(ok=True, count=1, text=f"Node {request.name} drains.")


@serves("HeartBeats.ResumeNode", nodes.resume)
def resume_node(call: Call, request: pb.NodeID) -> pb.Outcome:
    """Let a node take work again after a drain."""
    nodes.resume(call.user, request.name, request.reason)
    return pb.Outcome(ok=True, count=1, text=f"Node {request.name} takes work again.")


def _may_look(call: Call) -> None:
    """Nodes may ask after one another; people need the right to see nodes."""
    if not call.caller.node:
        nodes.cluster(call.user)
