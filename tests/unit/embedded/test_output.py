"""Lines of several processes on one stream."""

import io

from hashworld.embedded.output import LONGEST_LINE, PrefixedOutput


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ClosedPipe(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_names_are_aligned():
    stream = io.StringIO()
    output = PrefixedOutput(stream, ["web", "scheduler"])
    output.line("web", "ready")
    output.line("scheduler", "ready")
    assert stream.getvalue() == "web       | ready\nscheduler | ready\n"


def test_names_have_colours_of_their_own_on_a_terminal():
    stream = Terminal()
    output = PrefixedOutput(stream, ["web", "scheduler"])
    output.line("web", "a")
    output.line("scheduler", "b")
    assert stream.getvalue() == "\x1b[36mweb       |\x1b[0m a\n\x1b[32mscheduler |\x1b[0m b\n"


def test_bytes_that_are_no_text_are_shown_with_marks():
    stream = io.StringIO()
    PrefixedOutput(stream, ["web"]).copy("web", io.BytesIO(b"caf\xe9\nend"))
    assert stream.getvalue() == "web | caf\ufffd\nweb | end\n"


def test_an_endless_line_is_shown_in_pieces():
    stream = io.StringIO()
    PrefixedOutput(stream, ["web"]).copy("web", io.BytesIO(b"x" * (LONGEST_LINE + 5)))
    assert [len(line) for line in stream.getvalue().splitlines()] == [LONGEST_LINE + 6, 5 + 6]


def test_a_reader_that_has_gone_does_not_stop_the_copying():
    source = io.BytesIO(b"a\nb\n")
    PrefixedOutput(ClosedPipe(), ["web"]).copy("web", source)
    assert source.read() == b""
