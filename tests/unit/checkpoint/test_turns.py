"""Whose turn it is, as a table of names: a name's size is the number behind its colon, its age that behind `@`."""

import pytest

from osmo.checkpoint.tree import UNKNOWN, Stat
from osmo.checkpoint.turns import Turns
from osmo.checkpoint.window import Window
from support.clock import FakeClock

KB = 1000


class Cycle:
    """Files wait for their turn; the line carries 100 KB a second, if `felt`."""

    def __init__(self, *files: str, left_s: float | None = None, felt: bool = True) -> None:
        self.clock = FakeClock()
        self.deadline = float("inf")
        self.looks = -1  # how often it may look whether it is its turn; without end
        window = Window(self.clock, lambda: self.deadline)
        window.size = 1000 * KB
        window.rate = 100 * KB if felt else None
        if left_s is not None:
            self.hurry(left_s)
        self.turns = Turns(dict(map(_file, files)), window, self._over)

    def hurry(self, left_s: float) -> None:
        self.deadline = self.clock.monotonic() + left_s

    def _over(self) -> bool:
        self.looks -= 1
        return self.looks == -1

    @property
    def waits(self) -> bool:
        """Whether the next one is none, at the first look."""
        self.looks = 1
        try:
            return self.turns.next() is None
        finally:
            self.looks = -1

    def begin(self, count: int = 1) -> list[str]:
        """The next ones."""
        return [name for name, _ in filter(None, (self.turns.next() for _ in range(count)))]

    def one_by_one(self) -> list[str]:
        """Each when the one before is settled."""
        order: list[str] = []
        while (file := self.turns.next()) is not None:
            order.append(file[0])
            self.turns.settle(file[0])
        return order


def _file(text: str) -> tuple[str, Stat]:
    name, _, numbers = text.partition(":")
    size, _, age = numbers.partition("@")
    return name, UNKNOWN.but(size=int(size or 0) * KB, mtime_ns=10**18 - int(age or 0))


@pytest.mark.parametrize(
    ("files", "left_s", "want"),
    [
        ("old/a:1@9 new/b:5@1 new/c:2@1", None, "old/a new/b new/c"),
        ("old/a:1@9 new/b:5@1 new/c:2@1", 99, "new/c new/b old/a"),
        # What takes too long comes after all others, the smaller first.
        ("new/a:500@1 new/b:400@1 old/c:30@9 old/d:20@9", 3, "old/d old/c new/b new/a"),
        # What takes far too long is not begun.
        ("new/a:1300@1 old/c:30@9", 3, "old/c"),
        # Nobody is told that a set is complete which is not; another one may be.
        ("new/_SUCCESS:0@1 new/a:1300@1 old/_SUCCESS:0@9 old/c:30@9", 3, "old/c old/_SUCCESS"),
        ("new/_SUCCESS:0@1 new/deep/a:1300@1 latest:0@0 old/c:30@9", 3, "old/c"),
        # The marker of what was put off comes after it.
        ("new/_SUCCESS:0@1 new/a:400@1 old/c:30@9", 3, "old/c new/a new/_SUCCESS"),
    ],
)
def test_the_order(files: str, left_s: float | None, want: str) -> None:
    assert Cycle(*files.split(), left_s=left_s).one_by_one() == want.split()


def test_what_was_not_begun_is_given_up() -> None:
    cycle = Cycle("new/a:1300", "new/_SUCCESS:0", "b:1", left_s=3)
    assert cycle.one_by_one() == ["b"]
    assert cycle.turns.given_up == {"new/a", "new/_SUCCESS"}
    assert cycle.turns.unsettled == (set(), {"new/a", "new/_SUCCESS"})


def test_on_a_line_that_nobody_knows_everything_is_tried() -> None:
    cycle = Cycle("a:1000000", "b:10", left_s=1, felt=False)
    assert cycle.one_by_one() == ["b", "a"]


def test_a_deadline_that_comes_in_between_puts_what_waits_into_a_new_order() -> None:
    cycle = Cycle("1/a:1@9", "1/b:2@9", "2/c:3@5", "2/d:2@5", "3/e:1@1")
    assert cycle.begin(2) == ["1/a", "1/b"]
    cycle.hurry(99)
    assert cycle.begin(2) == ["3/e", "2/d"]  # those under way are not waited for
    cycle.turns.settle("1/b")
    assert cycle.begin() == ["2/c"]


def test_after_that_an_end_marker_still_waits_for_what_was_under_way_before() -> None:
    cycle = Cycle("1/a:1@9", "1/_SUCCESS:0@9", "2/c:3@5")
    assert cycle.begin() == ["1/a"]
    cycle.hurry(99)
    assert cycle.begin() == ["2/c"]
    cycle.turns.settle("2/c")
    assert cycle.waits
    cycle.turns.settle("1/a")
    assert cycle.begin() == ["1/_SUCCESS"]


def test_no_more_is_begun_than_the_window_has_room_for() -> None:
    cycle = Cycle("a:600", "b:300", "c:200")
    assert cycle.begin(2) == ["a", "b"]
    assert cycle.waits
    cycle.turns.settle("b")
    assert cycle.begin() == ["c"]
    assert cycle.turns.unsettled == ({"a", "c"}, set())


def test_when_all_is_over_nothing_is_begun() -> None:
    cycle = Cycle("a:1", "b:1")
    assert cycle.begin() == ["a"]
    cycle.looks = 0
    assert cycle.begin() == []
    assert cycle.turns.unsettled == ({"a"}, {"b"})
    assert cycle.turns.given_up == set()


def test_ten_thousand_files_come_once_each() -> None:
    names = [f"{number % 7}/{number}:1@{number % 7}" for number in range(10_000)]
    order = Cycle(*names, left_s=1e6).one_by_one()
    assert sorted(order) == sorted(name.partition(":")[0] for name in names)
    assert [name[0] for name in order] == sorted(name[0] for name in order)
