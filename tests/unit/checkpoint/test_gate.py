import pytest

from osmo.checkpoint.gate import Gate
from osmo.checkpoint.tree import Stat

A = Stat(1, 1, 1, 1, 0o600)
B = A.but(size=2)


@pytest.mark.parametrize(
    ("looks", "want"),
    [
        ([({"f": A}, 0.0)], set()),
        ([({"f": A}, 0.0), ({"f": A}, 1.9)], set()),
        ([({"f": A}, 0.0), ({"f": A}, 2.0)], {"f"}),
        ([({"f": A}, 0.0), ({"f": B}, 2.0)], set()),
        ([({"f": A}, 0.0), ({"f": B}, 1.0), ({"f": B}, 2.5)], set()),
        ([({"f": A}, 0.0), ({"f": B}, 1.0), ({"f": B}, 3.0)], {"f"}),
        ([({"f": A}, 0.0), ({"f": A}, 1.0), ({"f": A}, 2.0)], {"f"}),
        ([({"f": A}, 0.0), ({}, 1.0), ({"f": A}, 2.0)], set()),
        ([({"f": A}, 0.0), ({"f": A, "g": A}, 2.0)], {"f"}),
        ([({"f": A}, 0.0), ({"f": B}, 1.0), ({"f": A}, 3.0)], set()),
    ],
)
def test_a_file_rests_when_it_looks_the_same_for_the_time_to_settle(
    looks: list[tuple[dict[str, Stat], float]], want: set[str]
) -> None:
    gate = Gate(2.0)
    assert [gate.look(changed, now) for changed, now in looks][-1] == want


def test_with_no_time_to_settle_everything_rests_at_once() -> None:
    assert Gate(0.0).look({"f": A}, 5.0) == {"f"}
