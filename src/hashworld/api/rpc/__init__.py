"""The remote door: gRPC on port 6666, after `communicate.proto`."""
