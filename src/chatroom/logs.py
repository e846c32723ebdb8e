"""Log lines to standard output: for people, or a JSON object for each."""

import logging
import sys
import time

import msgspec


class JsonFormatter(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def configure(level: str, form: str) -> None:
    """Send everything to standard output as `form`: "console" or "json"."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonFormatter()
        if form == "json"
        else logging.Formatter("%(asctime)s [%(levelname)-7s] %(message)s [%(name)s]")
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Each refused handshake and each connection would be a line.
    logging.getLogger("websockets").setLevel(max(logging.ERROR, root.level))
