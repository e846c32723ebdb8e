"""Lines of several processes on one stream, each under the name of its process."""

import threading
from collections.abc import Iterable
from itertools import cycle
from typing import BinaryIO, TextIO

_COLOURS = ("36", "32", "33", "35", "34", "96", "92", "95")
#: A line longer than this many bytes is shown in pieces.
LONGEST_LINE = 64 * 1024


class PrefixedOutput:
    """Writes whole lines as `name | text`, the names aligned, and coloured on a terminal."""

    def __init__(self, stream: TextIO, names: Iterable[str]) -> None:
        names = list(names)
        self._stream = stream
        self._width = max(map(len, names), default=0)
        self._colours = dict(zip(names, cycle(_COLOURS), strict=False)) if stream.isatty() else {}
        self._lock = threading.Lock()
        self._closed = False

    def line(self, name: str, text: str) -> None:
        """Write one line; may be called from any thread."""
        prefix = f"{name:{self._width}} |"
        if name in self._colours:
            prefix = f"\x1b[{self._colours[name]}m{prefix}\x1b[0m"
        self.block(f"{prefix} {text}\n")

    def block(self, text: str) -> None:
        """Write text as it is, not mixed with any line; may be called from any thread."""
        with self._lock:
            if self._closed:
                return
            try:
                self._stream.write(text)
                self._stream.flush()
            except BrokenPipeError:
                # Nobody reads any more; the processes go on, and their pipes must be emptied.
                self._closed = True

    def copy(self, name: str, source: BinaryIO) -> None:
        """Write what comes from `source`, line by line, until it ends."""
        while line := source.readline(LONGEST_LINE):
            self.line(name, line.decode(errors="replace").rstrip())
