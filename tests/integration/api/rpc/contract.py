"""A client that knows the contract's tables and nothing else of HashWorld."""

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

#: The tables of the contract, as their reader would write them down.
PROTO = """
syntax = "proto3";
package communicate;

message ID { repeated string id = 1; }
message Task {
  enum State {
    WAITING = 0; INQUEUE = 1; RUNNING = 2; RUNTIME_ERROR = 3; SUCCEED = 4; KILLED = 5;
  }
  string id = 1;
  string name = 2;
  string target = 3;
  string type = 4;
  State state = 5;
  repeated TaskResult results = 6;
}
message TaskResult { string code = 1; }
message Query { repeated int32 state = 1; }
message OptResult { map<string, bool> succeed = 1; }
message OK { bool ok = 1; }
message HeartBeat { bool alive = 1; string who = 2; }
message Node { string name = 1; string token = 2; string host = 3; }
message Secret { string sec_code = 1; }
message Election { Secret secret = 1; Node from = 2; }

service Tasks {
  rpc GetTask(ID) returns (Task);
  rpc ListTask(Query) returns (ID);
  rpc CreateTask(Task) returns (OptResult);
  rpc DelTask(ID) returns (OptResult);
  rpc KillTask(ID) returns (OptResult);
  rpc GetTaskResult(ID) returns (TaskResult);
}
service HeartBeats {
  rpc IsAlive(HeartBeat) returns (OK);
  rpc AskAlive(Node) returns (OK);
}
service Elections {
  rpc RequestElection(Secret) returns (OptResult);
  rpc VerifyNode(Node) returns (OptResult);
  rpc UpdateSecret(Node) returns (OptResult);
}
"""


def compiled(text: str = PROTO) -> descriptor_pool.DescriptorPool:
    """The proto in a pool of its own, so that nothing of ours can stand in for it."""
    with TemporaryDirectory() as folder:
        source, made = Path(folder, "theirs.proto"), Path(folder, "theirs.pb")
        source.write_text(text)
        code = protoc.main(["protoc", f"-I{folder}", f"--descriptor_set_out={made}", str(source)])
        assert code == 0, sys.stderr
        files = descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


class Client:
    """Calls methods by name: `client.Tasks.GetTask(id=["1"])`."""

    pool = compiled()

    def __init__(self, channel: grpc.Channel, token: str = "", timeout: float = 60) -> None:
        self._channel = channel
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        self._timeout = timeout

    def __getattr__(self, service: str) -> "Service":
        return Service(self._call, self.pool.FindServiceByName(f"communicate.{service}"))

    def _call(self, method: Any, fields: dict[str, Any]) -> Any:
        request = message_factory.GetMessageClass(method.input_type)
        answer = message_factory.GetMessageClass(method.output_type)
        stub: Any = self._channel.unary_unary(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString,
        )
        return stub(request(**fields), timeout=self._timeout, metadata=self._metadata)


class Service:
    """One service of the contract."""

    def __init__(self, call: Callable[[Any, dict[str, Any]], Any], descriptor: Any) -> None:
        self._call, self._descriptor = call, descriptor

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = self._descriptor.methods_by_name[name]
        return lambda **fields: self._call(method, fields)
