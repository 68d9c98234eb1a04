import pytest
from hypothesis import given
from hypothesis import strategies as st

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


LOOKS = st.lists(st.dictionaries(st.sampled_from("fgh"), st.sampled_from((A, B)), max_size=3), max_size=8)


@given(LOOKS, st.lists(st.sampled_from((0.5, 1.0, 2.0)), min_size=8, max_size=8))
def test_each_file_rests_for_itself_whatever_the_others_do(looks: list[dict[str, Stat]], waits: list[float]) -> None:
    together, now, since = Gate(2.0), 0.0, dict[str, tuple[Stat, float]]()
    for changed, wait in zip(looks, waits, strict=False):
        now += wait
        since = {
            name: before if (before := since.get(name, (stat, now)))[0] == stat else (stat, now)
            for name, stat in changed.items()
        }
        assert together.look(changed, now) == {name for name, (_, when) in since.items() if now - when >= 2.0}
