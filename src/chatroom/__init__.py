"""The chatroom: people, events of the cluster and commands in one place.

It imports neither Django nor HashWorld: they meet in Redis keys, in gRPC and in a signed ticket.
`core` does no input or output; `bus` carries what is said; `gateway` holds the connections.
"""
