from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ID(_message.Message):
    __slots__ = ("id", "idempotency_key", "reason", "next")
    ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    id: _containers.RepeatedScalarFieldContainer[str]
    idempotency_key: str
    reason: str
    next: str
    def __init__(self, id: _Optional[_Iterable[str]] = ..., idempotency_key: _Optional[str] = ..., reason: _Optional[str] = ..., next: _Optional[str] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("id", "name", "target", "type", "state", "results", "job", "idempotency_key", "attempts", "status", "error", "finished_at", "priority")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        WAITING: _ClassVar[Task.State]
        INQUEUE: _ClassVar[Task.State]
        RUNNING: _ClassVar[Task.State]
        RUNTIME_ERROR: _ClassVar[Task.State]
        SUCCEED: _ClassVar[Task.State]
        KILLED: _ClassVar[Task.State]
    WAITING: Task.State
    INQUEUE: Task.State
    RUNNING: Task.State
    RUNTIME_ERROR: Task.State
    SUCCEED: Task.State
    KILLED: Task.State
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    target: str
    type: str
    state: Task.State
    results: _containers.RepeatedCompositeFieldContainer[TaskResult]
    job: int
    idempotency_key: str
    attempts: int
    status: int
    error: str
    finished_at: float
    priority: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., target: _Optional[str] = ..., type: _Optional[str] = ..., state: _Optional[_Union[Task.State, str]] = ..., results: _Optional[_Iterable[_Union[TaskResult, _Mapping]]] = ..., job: _Optional[int] = ..., idempotency_key: _Optional[str] = ..., attempts: _Optional[int] = ..., status: _Optional[int] = ..., error: _Optional[str] = ..., finished_at: _Optional[float] = ..., priority: _Optional[str] = ...) -> None: ...

class TaskResult(_message.Message):
    __slots__ = ("code", "task", "status", "error", "content_type", "charset", "final_url", "sha256", "size", "body", "finished_at")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    CHARSET_FIELD_NUMBER: _ClassVar[int]
    FINAL_URL_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    code: str
    task: str
    status: int
    error: str
    content_type: str
    charset: str
    final_url: str
    sha256: str
    size: int
    body: bytes
    finished_at: float
    def __init__(self, code: _Optional[str] = ..., task: _Optional[str] = ..., status: _Optional[int] = ..., error: _Optional[str] = ..., content_type: _Optional[str] = ..., charset: _Optional[str] = ..., final_url: _Optional[str] = ..., sha256: _Optional[str] = ..., size: _Optional[int] = ..., body: _Optional[bytes] = ..., finished_at: _Optional[float] = ...) -> None: ...

class Query(_message.Message):
    __slots__ = ("state", "job", "host", "limit", "after")
    STATE_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    state: _containers.RepeatedScalarFieldContainer[int]
    job: int
    host: str
    limit: int
    after: str
    def __init__(self, state: _Optional[_Iterable[int]] = ..., job: _Optional[int] = ..., host: _Optional[str] = ..., limit: _Optional[int] = ..., after: _Optional[str] = ...) -> None: ...

class OptResult(_message.Message):
    __slots__ = ("succeed", "reason")
    class SucceedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bool
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bool] = ...) -> None: ...
    class ReasonEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SUCCEED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    succeed: _containers.ScalarMap[str, bool]
    reason: _containers.ScalarMap[str, str]
    def __init__(self, succeed: _Optional[_Mapping[str, bool]] = ..., reason: _Optional[_Mapping[str, str]] = ...) -> None: ...

class OK(_message.Message):
    __slots__ = ("ok",)
    OK_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    def __init__(self, ok: _Optional[bool] = ...) -> None: ...

class HeartBeat(_message.Message):
    __slots__ = ("alive", "who", "in_flight")
    ALIVE_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    alive: bool
    who: str
    in_flight: int
    def __init__(self, alive: _Optional[bool] = ..., who: _Optional[str] = ..., in_flight: _Optional[int] = ...) -> None: ...

class Node(_message.Message):
    __slots__ = ("name", "token", "host")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    name: str
    token: str
    host: str
    def __init__(self, name: _Optional[str] = ..., token: _Optional[str] = ..., host: _Optional[str] = ...) -> None: ...

class Secret(_message.Message):
    __slots__ = ("sec_code",)
    SEC_CODE_FIELD_NUMBER: _ClassVar[int]
    sec_code: str
    def __init__(self, sec_code: _Optional[str] = ...) -> None: ...

class Election(_message.Message):
    __slots__ = ("secret",)
    SECRET_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    secret: Secret
    def __init__(self, secret: _Optional[_Union[Secret, _Mapping]] = ..., **kwargs) -> None: ...

class Submission(_message.Message):
    __slots__ = ("options", "target")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    options: JobOptions
    target: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, options: _Optional[_Union[JobOptions, _Mapping]] = ..., target: _Optional[_Iterable[str]] = ...) -> None: ...

class JobOptions(_message.Message):
    __slots__ = ("name", "method", "priority", "headers", "idempotency_key", "max_attempts")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    method: str
    priority: str
    headers: _containers.ScalarMap[str, str]
    idempotency_key: str
    max_attempts: int
    def __init__(self, name: _Optional[str] = ..., method: _Optional[str] = ..., priority: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., idempotency_key: _Optional[str] = ..., max_attempts: _Optional[int] = ...) -> None: ...

class Submitted(_message.Message):
    __slots__ = ("job", "accepted", "refused", "refusals", "repeated_key")
    JOB_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    REPEATED_KEY_FIELD_NUMBER: _ClassVar[int]
    job: int
    accepted: int
    refused: int
    refusals: _containers.RepeatedCompositeFieldContainer[Refusal]
    repeated_key: bool
    def __init__(self, job: _Optional[int] = ..., accepted: _Optional[int] = ..., refused: _Optional[int] = ..., refusals: _Optional[_Iterable[_Union[Refusal, _Mapping]]] = ..., repeated_key: _Optional[bool] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("line", "target", "reason")
    LINE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    line: int
    target: str
    reason: str
    def __init__(self, line: _Optional[int] = ..., target: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("ok", "count", "text")
    OK_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    count: int
    text: str
    def __init__(self, ok: _Optional[bool] = ..., count: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class JobID(_message.Message):
    __slots__ = ("id", "reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    id: int
    reason: str
    def __init__(self, id: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("id", "name", "owner", "total", "waiting", "inqueue", "running", "runtime_error", "succeed", "killed", "refused", "paused", "pause_reason", "wanted", "created_at", "finished_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    INQUEUE_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_ERROR_FIELD_NUMBER: _ClassVar[int]
    SUCCEED_FIELD_NUMBER: _ClassVar[int]
    KILLED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    PAUSE_REASON_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    id: int
    name: str
    owner: str
    total: int
    waiting: int
    inqueue: int
    running: int
    runtime_error: int
    succeed: int
    killed: int
    refused: int
    paused: bool
    pause_reason: str
    wanted: str
    created_at: float
    finished_at: float
    def __init__(self, id: _Optional[int] = ..., name: _Optional[str] = ..., owner: _Optional[str] = ..., total: _Optional[int] = ..., waiting: _Optional[int] = ..., inqueue: _Optional[int] = ..., running: _Optional[int] = ..., runtime_error: _Optional[int] = ..., succeed: _Optional[int] = ..., killed: _Optional[int] = ..., refused: _Optional[int] = ..., paused: _Optional[bool] = ..., pause_reason: _Optional[str] = ..., wanted: _Optional[str] = ..., created_at: _Optional[float] = ..., finished_at: _Optional[float] = ...) -> None: ...

class Watch(_message.Message):
    __slots__ = ("id", "job")
    ID_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    id: _containers.RepeatedScalarFieldContainer[str]
    job: int
    def __init__(self, id: _Optional[_Iterable[str]] = ..., job: _Optional[int] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("task", "job")
    TASK_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    task: Task
    job: Job
    def __init__(self, task: _Optional[_Union[Task, _Mapping]] = ..., job: _Optional[_Union[Job, _Mapping]] = ...) -> None: ...

class EventQuery(_message.Message):
    __slots__ = ("after", "kind", "job")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    after: int
    kind: _containers.RepeatedScalarFieldContainer[str]
    job: int
    def __init__(self, after: _Optional[int] = ..., kind: _Optional[_Iterable[str]] = ..., job: _Optional[int] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("id", "kind", "at", "job", "node", "text", "data")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    id: int
    kind: str
    at: float
    job: int
    node: str
    text: str
    data: str
    def __init__(self, id: _Optional[int] = ..., kind: _Optional[str] = ..., at: _Optional[float] = ..., job: _Optional[int] = ..., node: _Optional[str] = ..., text: _Optional[str] = ..., data: _Optional[str] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("task", "cause", "sentence", "remedy")
    TASK_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    task: str
    cause: str
    sentence: str
    remedy: str
    def __init__(self, task: _Optional[str] = ..., cause: _Optional[str] = ..., sentence: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...

class HostCommand(_message.Message):
    __slots__ = ("host", "reason")
    HOST_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    host: str
    reason: str
    def __init__(self, host: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class NodeQuery(_message.Message):
    __slots__ = ("gone",)
    GONE_FIELD_NUMBER: _ClassVar[int]
    gone: bool
    def __init__(self, gone: _Optional[bool] = ...) -> None: ...

class NodeID(_message.Message):
    __slots__ = ("name", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class NodeStatus(_message.Message):
    __slots__ = ("name", "standing", "host", "version", "max_tasks", "in_flight", "cpu_percent", "memory_mb", "paused", "pause_reason", "started_at", "seen_at", "lands", "master")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MAX_TASKS_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    CPU_PERCENT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_MB_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    PAUSE_REASON_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    SEEN_AT_FIELD_NUMBER: _ClassVar[int]
    LANDS_FIELD_NUMBER: _ClassVar[int]
    MASTER_FIELD_NUMBER: _ClassVar[int]
    name: str
    standing: str
    host: str
    version: str
    max_tasks: int
    in_flight: int
    cpu_percent: float
    memory_mb: float
    paused: bool
    pause_reason: str
    started_at: float
    seen_at: float
    lands: int
    master: bool
    def __init__(self, name: _Optional[str] = ..., standing: _Optional[str] = ..., host: _Optional[str] = ..., version: _Optional[str] = ..., max_tasks: _Optional[int] = ..., in_flight: _Optional[int] = ..., cpu_percent: _Optional[float] = ..., memory_mb: _Optional[float] = ..., paused: _Optional[bool] = ..., pause_reason: _Optional[str] = ..., started_at: _Optional[float] = ..., seen_at: _Optional[float] = ..., lands: _Optional[int] = ..., master: _Optional[bool] = ...) -> None: ...

class NodeList(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: _containers.RepeatedCompositeFieldContainer[NodeStatus]
    def __init__(self, node: _Optional[_Iterable[_Union[NodeStatus, _Mapping]]] = ...) -> None: ...
