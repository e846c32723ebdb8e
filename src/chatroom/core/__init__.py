"""What the chatroom decides: messages, rooms, rights, limits, sessions. It touches no socket."""
