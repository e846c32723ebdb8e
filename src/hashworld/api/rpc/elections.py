"""The service Elections: for nodes, each with its own token."""

from hashworld.api import communicate_pb2 as pb
from hashworld.api.rpc import node_tokens, presence
from hashworld.api.rpc.calls import Call
from hashworld.api.rpc.methods import serves
from hashworld.verbs import nodes, rights
from hashworld.verbs.errors import Forbidden, Invalid


@serves("Elections.RequestElection", nodes.drain, nodes=True)
def request_election(call: Call, request: pb.Secret) -> pb.OptResult:
    """Let the node of a secret compete now; who holds the term, and whether it is that node."""
    if not request.sec_code:
        raise Invalid("sec_code", "give the node's token")
    node = node_tokens.holder(request.sec_code)
    if not call.caller.node:
        rights.require(call.user, rights.CONTROL_NODE, "let nodes compete")
    if node is None or call.caller.node not in ("", node):
        raise Forbidden("The secret is not the token of a node, or not of the node that calls.")
    leader = presence.stand(node)
    won = leader is not None and leader.holder == f"{node}/{presence.BY_DOOR}"
    return pb.OptResult(succeed={leader.name: won} if leader else {})


@serves("Elections.VerifyNode", nodes.get, nodes=True)
def verify_node(call: Call, request: pb.Node) -> pb.OptResult:
    """Whether a node's token is its own."""
    if not request.name:
        raise Invalid("name", "name the node")
    if not call.caller.node:
        nodes.cluster(call.user)  # people need the right to see nodes
    right = node_tokens.verify(request.name, request.token)
    return pb.OptResult(succeed={request.name: right})


@serves("Elections.UpdateSecret", nodes=True)
def update_secret(call: Call, request: pb.Node) -> pb.OptResult:
    """Put a node's new token in the place of the one in the metadata, which ends."""
    own = call.caller.node
    if request.name not in ("", own):
        raise Forbidden(f"Node {own} may not change the token of {request.name}.")
    return pb.OptResult(succeed={own: node_tokens.rotate(own, call.caller.secret, request.token)})
