"""How much of everything a client may have; each is a setting's default."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are in bytes unless said, times in seconds."""

    frame: int = 64 * 1024
    text: int = 4000  # characters
    outbox: int = 1024 * 1024
    stuck: float = 15.0
    hello: float = 10.0
    connections: int = 20_000
    per_user: int = 20
    per_address: int = 200
    rooms: int = 100
    messages: float = 2.0  # a second and user, on average
    message_burst: int = 10
    frames: float = 50.0  # a second and connection: pings and fragments count as well
    frame_burst: int = 200
    arrivals: float = 20.0  # a second and address
    arrival_burst: int = 100
    sessions: int = 8  # that wait at once, of each client
    session_timeout: float = 60.0
    page: int = 100  # messages of history in one answer
    missed: int = 300  # messages that a client is sent after a break; beyond it must reload
    kept: int = 1000  # messages of a room
    kept_days: int = 7
    told_present: int = 200  # names of those present in one answer
    following: int = 200  # jobs whose cards one instance keeps up to date


DEFAULT = Limits()
