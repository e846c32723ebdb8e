"""Text from outside."""

import pytest

from hashworld.console.text import HEX_SHOWN, SHOWN, preview, visible


@pytest.mark.parametrize(
    "hidden",
    ["\0", "\x1b", "\r", "\x7f", "\x9b", "\u200b", "\u202e", "\u2066", "\ufeff", "\U000e0041"],
)
def test_what_cannot_be_seen_is_named(hidden: str) -> None:
    assert visible(f"a{hidden}b") == f"a⟨U+{ord(hidden):04X}⟩b"


@pytest.mark.parametrize("text", ["tab\tline\n", "Zürich 東京", "👍", "<b>&amp;"])
def test_what_can_be_seen_is_left_alone(text: str) -> None:
    assert visible(text) == text


def test_the_charset_of_the_answer_is_used() -> None:
    assert preview("Zürich".encode("cp1252"), "windows-1252").text == "Zürich"


@pytest.mark.parametrize("charset", ["", "no-such-charset", "base64", "idna"])
def test_a_charset_that_is_none_is_read_as_utf_8(charset: str) -> None:
    assert preview("Zürich".encode(), charset).text == "Zürich"


def test_what_is_no_text_is_shown_as_its_bytes() -> None:
    shown = preview(b"\x89PNG\r\n\x1a\n" + bytes(10_000), "")
    assert shown.hexadecimal
    assert shown.text.startswith("00000000  89 50 4e 47 0d 0a 1a 0a 00")
    assert ".PNG...." in shown.text
    assert (shown.shown, shown.cut) == (HEX_SHOWN, True)


def test_a_character_cut_in_two_does_not_make_a_text_binary() -> None:
    shown = preview("ü".encode() * SHOWN, "utf-8")
    assert not shown.hexadecimal
    assert shown.cut


def test_a_short_body_is_shown_whole() -> None:
    shown = preview(b"a\r\nb", "")
    assert (shown.text, shown.size, shown.cut) == ("a\nb", 4, False)
