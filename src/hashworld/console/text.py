"""Text that came from outside, made safe to look at.

Control characters can hide what a terminal or an editor would do with them, and bidirectional
ones can make a text read as another (Unicode TR 36, "Trojan Source", CVE-2021-42574): they are
shown by name instead of being obeyed. HTML is escaped by the templates, not here.
"""

import re
from dataclasses import dataclass

#: How much of a body is shown; the whole of it can be downloaded.
SHOWN = 100_000
HEX_SHOWN = 4_096
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """`text` with what cannot be seen, or turns the reading, written as its code point."""
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


@dataclass(frozen=True, slots=True)
class Preview:
    """The beginning of a body as text; `hexadecimal` when it is not text. Sizes in bytes."""

    text: str
    size: int
    shown: int
    hexadecimal: bool

    @property
    def cut(self) -> bool:
        """Whether there is more than is shown."""
        return self.shown < self.size


def preview(body: bytes, charset: str) -> Preview:
    """What to show of a body whose server, or whose bytes, told this charset ("" for none)."""
    begin = body[:SHOWN]
    text = _decode(begin, charset)
    if text is None:
        begin = body[:HEX_SHOWN]
        return Preview(_dump(begin), len(body), len(begin), hexadecimal=True)
    return Preview(visible(text.replace("\r\n", "\n")), len(body), len(begin), hexadecimal=False)


def _decode(begin: bytes, charset: str) -> str | None:
    """The text, or None where the bytes are none."""
    try:
        text = begin.decode(charset or "utf-8", errors="replace")
    except (LookupError, UnicodeError):
        text = begin.decode("utf-8", errors="replace")
    strange = text.count("\0") + text.count("\ufffd")
    return None if strange * 20 > len(text) else text


def _dump(begin: bytes) -> str:
    return "\n".join(
        f"{at:08x}  {row.hex(' '):<47}  {''.join(chr(b) if 32 <= b < 127 else '.' for b in row)}"
        for at in range(0, len(begin), 16)
        for row in [begin[at : at + 16]]
    )
