import pytest

from osmo.checkpoint.hold import Hold, holding
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.tree import Stat


def saved(*, deferred: bool = False) -> Saved:
    return Saved(Stat(1, 1, 1, 1, 0o600), FileRecord("f", 1, 0o600, 1, "d", "k", "e", deferred=deferred))


@pytest.mark.parametrize(
    ("moving", "last", "want"),
    [
        (set(), {"f": saved()}, set()),
        ({"f"}, {"f": saved()}, {"f"}),  # rewritten: the others wait for it
        ({"new"}, {"f": saved()}, set()),  # new: left out
        ({"f"}, {"f": saved(deferred=True)}, set()),  # it had its time
        ({"f", "g", "new"}, {"f": saved(), "g": saved(deferred=True)}, {"f"}),
    ],
)
def test_a_file_of_the_last_checkpoint_that_moves_holds_the_commit(
    moving: set[str], last: dict[str, Saved], want: set[str]
) -> None:
    assert holding(moving, last) == want


@pytest.mark.parametrize(
    ("frequency_s", "passed_s", "want"),
    [
        (60.0, 0.0, 1.0),
        (60.0, 58.5, 1.0),
        (60.0, 59.75, 0.25),  # not beyond its end
        (60.0, 60.0, 0.0),
        (60.0, 90.0, 0.0),
        (0.5, 0.0, 0.5),
        (7200.0, 599.5, 0.5),  # never longer than ten minutes
        (7200.0, 600.0, 0.0),
    ],
)
def test_it_is_looked_at_every_second_until_patience_ends(frequency_s: float, passed_s: float, want: float) -> None:
    assert Hold.beginning(1000.0, frequency_s).pause_s(1000.0 + passed_s) == want
