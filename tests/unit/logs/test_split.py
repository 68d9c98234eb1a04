import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo.logs.split import PATIENCE_S, Splitter


def fed(splitter: Splitter, *pieces: bytes) -> list[bytes]:
    return [line for piece in pieces for line in splitter.feed(piece, 0.0)]


@pytest.mark.parametrize(
    ("pieces", "lines", "left"),
    [
        ([b"one\ntwo\n"], [b"one", b"two"], []),
        ([b"o", b"ne", b"\n"], [b"one"], []),
        ([b"one"], [], [b"one"]),
        ([b"\n\n"], [b"", b""], []),
        ([b"a\r\nb\r\n"], [b"a", b"b"], []),
        ([b"10%\r20%\r30%\n"], [b"30%"], []),
        ([b"10%\r20%\r"], [], [b"20%"]),
        ([b"\r\n"], [b""], []),
        ([b"\xff\xfe\x00\n"], [b"\xff\xfe\x00"], []),
        ([b""], [], []),
    ],
)
def test_bytes_come_out_as_lines(pieces: list[bytes], lines: list[bytes], left: list[bytes]) -> None:
    splitter = Splitter()
    assert fed(splitter, *pieces) == lines
    assert splitter.end() == left
    assert splitter.end() == []


@pytest.mark.parametrize(
    ("later", "lines"),
    [
        (b"\n", []),
        (b"\r\n", []),
        (b"\n\n", [b""]),
        (b" yes\n", [b" yes"]),
        (b"go on?\n", [b"go on?"]),
        (b"\rgo on?\n", []),
        (b"\rdone\n", [b"done"]),
        (b"\nnext\n", [b"next"]),
    ],
)
def test_a_line_that_was_given_out_before_it_ended_is_not_repeated_and_nothing_is_lost(
    later: bytes, lines: list[bytes]
) -> None:
    splitter = Splitter()
    assert splitter.feed(b"go on?", 10.0) == []
    assert splitter.overdue(10.0 + PATIENCE_S - 0.1) == []
    assert splitter.overdue(10.0 + PATIENCE_S) == [b"go on?"]
    assert splitter.overdue(100.0) == []
    assert splitter.feed(later, 100.0) == lines


def test_slow_dots_are_all_shown() -> None:
    splitter = Splitter()
    shown = []
    for now in (0.0, 10.0, 20.0):
        shown += [*splitter.feed(b".", now), *splitter.overdue(now + PATIENCE_S)]
    assert shown == [b".", b".", b"."]


def test_a_bar_that_stands_still_is_shown_once() -> None:
    splitter = Splitter()
    shown = []
    for now, drawn in ((0.0, b"\r50%"), (10.0, b"\r50%"), (20.0, b"\r60%"), (30.0, b"\r60%\n")):
        shown += [*splitter.feed(drawn, now), *splitter.overdue(now + PATIENCE_S)]
    assert shown == [b"50%", b"60%"]


def test_patience_begins_with_the_unfinished_line() -> None:
    splitter = Splitter()
    splitter.feed(b"one", 0.0)
    splitter.feed(b"\ntwo", 4.0)
    assert splitter.overdue(5.0) == []
    assert splitter.overdue(9.0) == [b"two"]


def test_a_line_that_is_too_long_comes_in_pieces() -> None:
    splitter = Splitter(longest=4)
    assert fed(splitter, b"aaaa") == []
    assert fed(splitter, b"bbbb") == [b"aaaa"]
    assert fed(splitter, b"bbbb\naaaa\n") == [b"bbbb", b"bbbb", b"aaaa"]


@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b"", b"\xff", b"ddddddd"])), st.integers(1, 12))
def test_how_the_bytes_are_cut_makes_no_difference(pieces: list[bytes], longest: int) -> None:
    one, many = Splitter(longest), Splitter(longest)
    assert fed(one, b"".join(pieces)) + one.end() == fed(many, *pieces) + many.end()


@given(st.binary(max_size=200))
def test_without_carriage_returns_no_byte_is_lost(data: bytes) -> None:
    data = data.replace(b"\r", b"")
    splitter = Splitter()
    lines = fed(splitter, data)
    left = splitter.end()
    assert b"".join(line + b"\n" for line in lines) + b"".join(left) == data
